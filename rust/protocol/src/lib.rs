//! The noray protocol without I/O, clocks and randomness.
//!
//! ```text
//! wire                  what goes over the wire
//!   framing             bytes → lines, in both generations' framing
//!   command             lines ↔ typed commands, for the player's and the server's side
//!   id                  OpenIDs and PrivateIDs
//!   handshake_status    the plain handshake's datagrams
//!   check               the datagrams with which two links check the paths between them
//! player                what a player decides
//!   requests            which `connect` is answered by which line, and which by none
//!   handshake           when the plain handshake sends, and when it ends
//!   link                the socket between players: checks, paths, joining
//! server                what a server decides
//!   host_table          who is on a server
//!   relay_table         which packet goes where
//! socket_errors         when a socket that gives nothing but errors counts as dead
//! defaults              ports, limits and times that all sides share
//! ```
//!
//! Time comes in as an [`Instant`](std::time::Instant) argument and randomness as a key or a random
//! number, so that tests can jump to the next deadline and repeat a run exactly.

#![warn(clippy::iter_over_hash_type)]

mod address_key;
pub mod defaults;
pub mod player;
pub mod server;
pub mod socket_errors;
pub mod wire;
