//! The names of what lives outside, and what a script asked for.

use std::time::Instant;

use noray_client::PeerStats;
use noray_protocol::wire::id::OpenId;

use crate::{options::Options, server_address::ServerAddress};

/// The peer id of a host in Godot's multiplayer.
pub const HOST_ID: i32 = 1;

/// A call that a script awaits. The number is the caller's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct CallId(pub u64);

/// An `ENetMultiplayerPeer`, by its instance id.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EnetPeer(pub i64);

/// One connection to a server among those that there were. Its events no longer count once another
/// has taken its place.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct ConnectionId(pub(crate) u64);

/// A call of `host`, its arguments checked.
#[derive(Clone, Debug)]
pub struct HostCall {
    /// The call.
    pub call: CallId,
    /// The noray server.
    pub server: ServerAddress,
    /// Players at one time.
    pub max_clients: i32,
    /// How to host.
    pub options: Options,
    /// When the call was made.
    pub begun: Instant,
}

/// A call of `join`, its arguments checked.
#[derive(Clone, Debug)]
pub struct JoinCall {
    /// The call.
    pub call: CallId,
    /// The host's OpenID.
    pub oid: OpenId,
    /// The noray server.
    pub server: ServerAddress,
    /// How to join.
    pub options: Options,
    /// When the call was made.
    pub begun: Instant,
}

/// The arguments of `register_remote`, as the game gives them.
#[derive(Clone, Copy, Debug)]
pub struct RegisterArguments {
    /// The server's UDP port for registrations.
    pub registrar_port: i64,
    /// The longest wait, in seconds.
    pub timeout: f64,
    /// The pause between repeats, in seconds.
    pub interval: f64,
}

/// A peer of a game, for `get_connection`.
#[derive(Clone, Copy, Debug)]
pub struct GameConnection<'a> {
    /// What the link knows of the peer, live.
    pub stats: &'a PeerStats,
    /// The game's ENet peer.
    pub enet: EnetPeer,
}
