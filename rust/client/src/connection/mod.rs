//! A connection to a noray server: the game's handle, and the task behind it.
//!
//! ```text
//! Connection   the game's handle: commands in, events out
//! └─ task      dials, and reconnects while a link is used
//!    └─ connected       one TCP stream until it ends: lines, commands, deadlines
//!       ├─ server_lines  bytes → LineDecoder → ServerLine
//!       ├─ identity      the OpenID and PrivateID that the server gives
//!       └─ link_setup    identity, registration and requests for a link
//! ```

mod command;
mod connected;
mod event;
mod handle;
mod identity;
mod link_setup;
mod options;
mod server_lines;
mod task;

pub use event::{ConnectionEvent, DisconnectReason, ReadyError};
pub use handle::{Connection, SendError};
pub use identity::Identity;
pub use options::{ConnectOptions, RegisterOptions};
