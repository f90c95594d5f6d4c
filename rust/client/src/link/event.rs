//! What a link tells the game.

use noray_protocol::{
    player::link::{JoinError, JoinProgress, PeerId},
    wire::check::PathKind,
};

use super::stats::PeerStats;

/// What happened on a link, in order.
#[derive(Debug)]
pub enum PeerEvent {
    /// The join made progress.
    Progress(JoinProgress),
    /// A path to the host is open. Name ENet's port with
    /// [`Link::connect_enet`](crate::Link::connect_enet), then let ENet connect to `port` on the
    /// loopback address.
    HostReached {
        /// The host.
        peer: PeerId,
        /// The loopback port that stands for the host.
        port: u16,
        /// The kind of the path that opened first.
        kind: PathKind,
        /// What the link knows of the peer, live.
        stats: PeerStats,
    },
    /// The join failed.
    JoinFailed(JoinError),
    /// A player's first datagram for the game arrived; ENet knows the player by `port` on the
    /// loopback address.
    PeerAdmitted {
        /// The player.
        peer: PeerId,
        /// The loopback port that stands for the player.
        port: u16,
        /// What the link knows of the peer, live.
        stats: PeerStats,
    },
    /// The active path to a peer is of another kind now.
    PathChanged {
        /// The peer.
        peer: PeerId,
        /// The kind of the new path.
        kind: PathKind,
    },
    /// The link no longer has this peer: it left, or the game released it.
    PeerGone {
        /// The peer.
        peer: PeerId,
    },
    /// The registrar no longer answers: UDP does not get out, or the server is gone.
    UdpLost,
    /// The registrar answers again.
    UdpBack,
}
