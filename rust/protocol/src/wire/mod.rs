//! What goes over the wire, between a player and the server and between two players.

pub mod check;
pub mod command;
pub mod framing;
pub mod handshake_status;
pub mod id;
