//! A player's side of noray, without Godot.
//!
//! ```text
//! Connection          the handle: commands in, events out
//! └─ connection task  one per connection; ends when the handle is dropped
//!    ├─ dial          name → addresses → the first that answers
//!    ├─ read loop     bytes → LineDecoder → ServerLine → ConnectionEvent
//!    └─ registrar     one task per registration, ends with the connection
//! ```
//!
//! Events wait in a bounded channel; while it is full the task stops reading, so
//! nothing is dropped and nothing grows.

mod connection;
pub mod defaults;
mod dial;
mod lan;
mod link;
mod play;
mod registrar;
mod session;

pub use connection::{
    ConnectOptions, Connection, ConnectionEvent, DisconnectReason, ReadyError, RegisterOptions,
    SendError,
};
pub use dial::DialError;
pub use link::{
    HostOptions, JoinError, JoinOptions, JoinProgress, Link, LinkHandle, PeerEvent, PeerId,
    PeerSnapshot, PeerStats,
};
pub use registrar::RegisterError;
