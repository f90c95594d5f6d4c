//! What the methods of the class `Noray` decide, as plain Rust: no Godot, no sockets, no clock.
//!
//! ```text
//! player            takes calls, events and the time; gives effects
//!   plain_flow      connect_to_host, register_host, register_remote, connect_nat, keep_alive
//!   server_events   the connection to the server: what happens on it leads to what
//!   host_and_join   host, join, cancel_join
//!   link_events     the link and the game's ENet peers: what happens there leads to what
//!
//! connection        the connection to a server, and the calls that wait for it
//! games             the link, and the games that go over it
//!   hosting         a game that this player hosts
//!   joining         a join, step by step, and the games that it led to
//! keepalives        datagrams from a game's own ENet socket
//! announced         the addresses that the server announced
//! output            what the game sees: properties, the last failure, effects
//!
//! effect            what is to be done outside, one after the other
//! failure           why a call came to nothing, one enum per operation
//! options           the options of host and join; server_address: name:port
//! pasted           what players type or paste
//! packet_source     whose packets count in a handshake
//! ```
//!
//! Each call and each event opens a turn. [`Player::next_effect`] then gives the turn's effects one
//! by one, and `None` once it is over. A signal handler may call back in while an effect is
//! performed: its call is a turn of its own, whose effects all come before the rest of the outer
//! turn's. What is decided only after a handler has run is decided then, so a handler may end the
//! very connection or game that the signal was about.

mod announced;
mod calls;
mod connection;
pub mod defaults;
mod effect;
mod failure;
mod games;
mod host_and_join;
mod hosting;
mod join_stage;
mod joining;
mod keepalives;
mod link_events;
mod options;
mod output;
mod packet_source;
mod pasted;
mod plain_flow;
mod player;
mod server_address;
mod server_events;
mod valid;

pub use calls::{CallId, EnetPeer, GameConnection, HOST_ID, HostCall, JoinCall, RegisterArguments};
pub use effect::{Answer, Command, Effect, LinkCommand, Signal};
pub use failure::{
    ConnectPeerError, ConnectToHostError, Failed, Failure, HostCallError, JoinCallError,
    KeepAliveError, RegisterHostError, RegisterRemoteError, SetupError, readable,
};
pub use join_stage::JoinStage;
pub use joining::ClientStatus;
pub use options::{EnetOptions, Options, OptionsError};
pub use packet_source::{PacketSource, Socket};
pub use pasted::{saved_identity, trimmed};
pub use player::Player;
pub use server_address::{ServerAddress, ServerAddressError};
pub use valid::{valid_port, valid_seconds};
