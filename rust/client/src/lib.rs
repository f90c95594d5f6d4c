//! A player's side of noray, without Godot.
//!
//! ```text
//! Connection   to the server: commands in, events out (connection/)
//! ├─ dial      a name → addresses → the first that accepts
//! └─ registrar a player's UDP address → registered
//! Link         to the peers: one UDP socket for all (link/)
//! └─ lan       multicast DNS: a host in the local network
//! ```
//!
//! Each of the two is a handle on a task of its own, which ends when the handle is dropped. A
//! connection's events wait in a bounded channel; while that is full the task stops reading, so
//! that nothing is dropped and nothing grows.

mod connection;
pub mod defaults;
mod dial;
mod lan;
mod link;
mod registrar;

pub use connection::{
    ConnectOptions, Connection, ConnectionEvent, DisconnectReason, Identity, ReadyError,
    RegisterOptions, SendError,
};
pub use dial::DialError;
pub use link::{
    HostOptions, JoinError, JoinOptions, JoinProgress, Link, LinkHandle, PeerEvent, PeerId,
    PeerSnapshot, PeerStats,
};
pub use registrar::RegisterError;
