//! What a link is told to do, and what it knows of the server.

use std::time::Duration;

use crate::wire::{
    check::{Key, SessionId},
    id::OpenId,
};

/// What kind of server it is, as far as relays go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerKind {
    /// Generation 1, which does not greet.
    Silent,
    /// Generation 2, which greets. Its relay for an unknown address opens on the next free port.
    Greeting,
    /// Our own server, whose relays learn addresses.
    Ours,
}

/// How a host admits players.
#[derive(Clone, Copy, Debug)]
pub struct HostConfig {
    /// The key of the host's OpenID.
    pub key: Key,
    /// The most players at one time.
    pub max_clients: usize,
    /// Whether only relays are used.
    pub force_relay: bool,
}

/// How to join a host.
#[derive(Clone, Debug)]
pub struct JoinConfig {
    /// The host's OpenID.
    pub oid: OpenId,
    /// A random number.
    pub session: SessionId,
    /// How long the join may take until a path is open.
    pub timeout: Duration,
    /// Whether only relays are used.
    pub force_relay: bool,
}
