//! How far a join is.

use noray_client::JoinProgress;

/// How far a join is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinStage {
    /// Connecting to the noray server.
    Connecting,
    /// Getting an identity from the server, and registering this player's address.
    Registering,
    /// Asking the server for the host.
    Asking,
    /// The host is in the local network; trying to reach it there.
    TryingLan,
    /// Trying to reach the host directly, through both routers.
    TryingDirect,
    /// Trying to reach the host through the server.
    TryingRelay,
    /// The host is reached; entering its game.
    Entering,
    /// The player is in.
    Joined,
}

impl From<JoinProgress> for JoinStage {
    fn from(progress: JoinProgress) -> Self {
        match progress {
            JoinProgress::Asking => Self::Asking,
            JoinProgress::TryingLan => Self::TryingLan,
            JoinProgress::TryingDirect => Self::TryingDirect,
            JoinProgress::TryingRelay => Self::TryingRelay,
        }
    }
}
