//! The link between players: one UDP socket with all its peers, for as long as the game lasts.
//!
//! ```text
//! state_machine    the link itself: ties the parts together
//! config           what it is told to do
//! event            what it tells
//! transmit         a datagram that goes out
//! registration     the registrar, and keepalives to it
//! candidates       the addresses from which a host expects players
//! plain_handshake  the handshake with a player that speaks nothing else
//! cookies          questions to strangers that nothing has to be remembered for
//! join             the join that runs: what the server is requested to do
//! join_result      how far a join is, and why it fails
//! joined_hosts     the hosts that were joined: when the server is asked for them again
//! shared_home      players in the server's own home
//! neighbour_ports  datagrams that open our router for the ports behind a relay
//! peers            all peers, by their ids, addresses and sessions
//! peer             one peer: the paths to it, and which of them carries the game
//! path             one address: its checks, whether it works, how well
//! session          what the checks of one session have in common
//! ```
//!
//! # Who is admitted
//!
//! A host answers two kinds of strangers: those who prove by a check that they know the host's
//! OpenID, from any address; and those who speak the plain handshake from an IP address that the
//! server announced within the last [`CHECK_WINDOW`](crate::defaults::CHECK_WINDOW). The port may
//! differ from the announced one: behind a symmetric NAT, and on a public server's relay, it does.
//! Nothing else is answered or passed on. Each datagram of a stranger is answered by at most one of
//! the same size or less, so that nobody can be flooded through us. The answer to a check contains
//! a question that depends on the address. Only when the answer to that comes back is the address
//! remembered, sent anything else, or its game let in.
//!
//! # Which path carries the game
//!
//! All known addresses are checked side by side. Of those that answer, the best kind carries the
//! game, and of two equals the older one. A path whose answers stay away is closed, and the next
//! best takes over; so a path in reserve is checked now and then as well. Each side chooses for
//! what it sends, and accepts the game's datagrams from every address that has proven itself.
//!
//! A player that knows the plain handshake alone stays at its address: its ENet would take another
//! address for another player.

mod candidates;
mod config;
mod cookies;
mod event;
mod join;
mod join_result;
mod joined_hosts;
mod neighbour_ports;
mod path;
mod peer;
mod peers;
mod plain_handshake;
mod registration;
mod session;
mod shared_home;
mod state_machine;
mod transmit;

pub use config::{HostConfig, JoinConfig, ServerKind};
pub use event::LinkEvent;
pub use join_result::{JoinError, JoinProgress};
pub use path::{ActivePath, Quality};
pub use peers::PeerId;
pub use registration::{ACCEPTED, RegistrationFailure};
pub use state_machine::Link;
pub use transmit::Transmit;
