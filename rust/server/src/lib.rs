//! A noray server: players meet, punch through or are relayed.
//!
//! ```text
//! Server ─┬─ commands    accepts connections (TCP); a task for each one
//!         ├─ registrar   notes the players' external addresses (UDP)
//!         └─ relays      a task for each open relay port (UDP), and one for expiry
//!
//! batching    many datagrams with one call
//! directory   who is connected, and what waits to be written to whom
//! counters    what happened so far
//! config      what a server can be told; values: how that is written
//! defaults    limits and times, each with its reason
//! ```
//!
//! Nothing here trusts its input: what a player sends may cost that player its
//! connection, never the others theirs. Decisions are `noray-protocol`'s, which knows
//! no sockets and no clocks.

mod batching;
mod commands;
mod config;
mod counters;
pub mod defaults;
mod directory;
mod ids;
mod outbox;
mod registrar;
mod relay;
mod relay_ports;
mod server;
mod sockets;
mod throttle;
mod timing;
pub mod values;

pub use config::{Config, ConfigError};
pub use counters::{Histogram, Metrics};
pub use relay_ports::{RelayPorts, RelayPortsError};
pub use server::{Server, StartError, Stats};
pub use values::{ByteSize, TimeSpan};
