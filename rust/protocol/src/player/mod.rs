//! What a player decides.

pub mod handshake;
pub mod link;
pub mod requests;
