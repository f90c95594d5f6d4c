//! What a game can set on a link.

use std::time::Duration;

use noray_protocol::wire::id::OpenId;

/// How to host a game.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The UDP port on the loopback address where ENet listens.
    pub enet_port: u16,
    /// How many players may be in the game at a time.
    pub max_clients: usize,
    /// Use relays only.
    pub force_relay: bool,
    /// Show the host in the local network.
    pub lan: bool,
}

/// How to join a game.
#[derive(Clone, Debug)]
pub struct JoinOptions {
    /// The host's OpenID.
    pub oid: OpenId,
    /// The longest wait until a path to the host is open.
    pub timeout: Duration,
    /// Use relays only.
    pub force_relay: bool,
    /// Look for the host in the local network too.
    pub lan: bool,
}
