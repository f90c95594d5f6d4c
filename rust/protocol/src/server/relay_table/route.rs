//! Between which two addresses a packet travels.

use std::net::{Ipv4Addr, SocketAddrV4};

/// A player's address, and the address of the server's at which that player finds it.
///
/// A server may have several addresses. A player's router lets in only what comes from the one that
/// the player has sent to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Route {
    /// The player's address.
    pub player: SocketAddrV4,
    /// The server's address, if the system tells it.
    pub server: Option<Ipv4Addr>,
}

impl From<SocketAddrV4> for Route {
    fn from(player: SocketAddrV4) -> Self {
        Self {
            player,
            server: None,
        }
    }
}
