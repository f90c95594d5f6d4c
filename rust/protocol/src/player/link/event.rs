//! What a link tells its owner.

use super::{
    join_result::{JoinError, JoinProgress},
    peers::PeerId,
    registration::RegistrationFailure,
};

/// What happened on a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkEvent {
    /// The registration ended.
    Registered(Result<(), RegistrationFailure>),
    /// The registrar no longer answers: UDP does not get out, or not back in.
    UdpLost,
    /// The registrar answers again; the registered address may have changed.
    UdpBack,
    /// The join made progress.
    Progress(JoinProgress),
    /// A path to the host is open: it is joined.
    Joined(PeerId),
    /// The join failed.
    JoinFailed(JoinError),
    /// From now on the game's datagrams to this peer take another path, or their first one.
    PathChanged(PeerId),
    /// The checks told something new about this peer's path, if only that an answer is late.
    Measured(PeerId),
    /// This peer is gone; its address no longer counts.
    PeerRemoved(PeerId),
}
