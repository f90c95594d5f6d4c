//! A noray server: players meet, punch through their routers, or are relayed.
//!
//! ```text
//! server ─┬─ commands    accepts connections (TCP), one task for each
//!         ├─ registrar   learns the players' external addresses (UDP)
//!         └─ relays      one task for each open relay port (UDP), and one that closes idle relays
//!
//! directory        who is connected, with which limits; outbox: what waits to be written to them
//! ids              OpenIDs and PrivateIDs
//! throttle         limits a second
//! standstill       time-outs that count only while the process runs
//! batching         many datagrams with one system call; sockets: how sockets are bound and set up
//! counters         what happened so far, for the metrics
//! config           every setting; setting_values and relay_ports: values that read themselves
//! defaults         limits and times, each with its reason
//! ```
//!
//! Nothing here trusts its input: what a player sends may cost that player its connection, but
//! never other players theirs. `noray-protocol` decides, without sockets and clocks.

mod batching;
mod commands;
mod config;
mod counters;
pub mod defaults;
mod directory;
mod ids;
mod outbox;
mod registrar;
mod relay_ports;
mod relays;
mod server;
pub mod setting_values;
mod sockets;
mod standstill;
mod throttle;

pub use config::{Config, ConfigError};
pub use counters::{Histogram, Metrics};
pub use relay_ports::{RelayPorts, RelayPortsError};
pub use server::{Server, StartError, Stats};
pub use setting_values::{ByteSize, TimeSpan};
