//! How far a join is, and why it fails.

use std::{fmt, time::Duration};

/// How far a join is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinProgress {
    /// The server was asked for the host.
    Asking,
    /// The host was found in the local network.
    TryingLan,
    /// The host's outside address is known and is being tried.
    TryingDirect,
    /// The server opened a relay, which is being tried.
    TryingRelay,
}

impl fmt::Display for JoinProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asking => "asking the server for the host",
            Self::TryingLan => "the host is in the local network: trying to reach it there",
            Self::TryingDirect => "trying to reach the host directly",
            Self::TryingRelay => "trying to reach the host through the server",
        })
    }
}

/// Why a host was not joined.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JoinError {
    /// The server knows no such host.
    #[error("no such host: {0}")]
    NoSuchHost(String),
    /// The host exists, but no path to it opened.
    #[error("the host cannot be reached: {0}")]
    HostUnreachable(String),
    /// The host has no place left.
    #[error("the host's game is full")]
    HostFull,
    /// The host takes no new players.
    #[error("the host takes no new players")]
    HostClosed,
    /// The game cancelled the join.
    #[error("joining was cancelled")]
    Cancelled,
    /// The join neither succeeded nor failed in time.
    #[error("no way to the host within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The server did not answer, or the connection to it ended.
    #[error("the server cannot be reached: {0}")]
    ServerSilent(String),
}
