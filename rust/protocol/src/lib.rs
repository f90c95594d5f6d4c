//! The noray protocol without I/O and clocks.
//!
//! ```text
//! line         bytes → lines, in both generations' framing
//! command      lines ↔ typed commands, for the player's and the server's side
//! id           OpenIDs and PrivateIDs
//! requests     which `connect` is answered by which line, and which by none
//! handshake    the packets that open the way between two players
//! link         the socket between players: checks, paths, joining
//! host_table   who is on a server
//! relay_table  which packet goes where
//! defaults     ports, limits and times that all sides share
//! ```
//!
//! Time comes in as an [`Instant`](std::time::Instant) argument, so that tests
//! can jump to the next deadline.

pub mod command;
pub mod defaults;
pub mod handshake;
pub mod host_table;
pub mod id;
pub mod line;
pub mod link;
pub mod relay_table;
pub mod requests;
