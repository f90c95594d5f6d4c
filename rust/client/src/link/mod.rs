//! The link between players: one UDP socket for all peers, for as long as the game lasts.
//!
//! ```text
//! Link             the game's handle: commands in, events out
//! LinkHandle       the connection's handle: announcements in, requests out
//! └─ task          performs what noray_protocol's link decides
//!    ├─ socket     the UDP socket to all peers and the registrar
//!    ├─ loopback   one socket and one task for each peer: ENet's side
//!    └─ local_network   shows the host there, or looks for it
//! ```
//!
//! ENet's sockets are bound to the loopback address alone. For each peer the link has a socket
//! there that stands for it: what the peer sends reaches ENet from that socket, and what ENet
//! sends to it goes to the peer, over the active path.

mod event;
mod handle;
mod local_network;
mod loopback;
mod message;
mod options;
mod socket;
mod stats;
mod task;

pub use event::PeerEvent;
pub use handle::{Link, LinkHandle};
pub(crate) use message::LinkMessage;
pub use noray_protocol::player::link::{JoinError, JoinProgress, PeerId};
pub use options::{HostOptions, JoinOptions};
pub use stats::{PeerSnapshot, PeerStats};
