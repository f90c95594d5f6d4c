//! What a connection tells the game.

use std::{io, net::SocketAddr};

use noray_protocol::{player::requests::ConnectFailure, wire::command::ServerLine};

use crate::{dial::DialError, registrar::RegisterError};

/// What happened on a connection, in order.
#[derive(Debug)]
pub enum ConnectionEvent {
    /// A server accepted. At this IP address are its registrar and its relays.
    Connected(SocketAddr),
    /// No server was reached. No event follows.
    NotConnected(DialError),
    /// The server sent a command.
    Line(ServerLine),
    /// The server did not answer a [`Connection::register_host`](crate::Connection::register_host)
    /// in time.
    NoIdentity,
    /// A registration ended; on success with the local port that is registered now.
    Registered(Result<u16, RegisterError>),
    /// A `connect` or `connect-relay` request failed.
    ConnectFailed(ConnectFailure),
    /// The player is registered through its link and can host and join, or the attempt failed.
    /// Sent again after each [`Self::Lost`].
    Ready(Result<(), ReadyError>),
    /// The connection was lost, and the task reconnects because the link is used.
    /// [`Self::Connected`] follows when it has.
    Lost(DisconnectReason),
    /// The connection was lost. No event follows.
    Disconnected(DisconnectReason),
}

/// Why a player cannot host or join.
#[derive(Debug, thiserror::Error)]
pub enum ReadyError {
    /// The server gave no OpenID and PrivateID.
    #[error("the server does not answer: is it a noray server?")]
    NoIdentity,
    /// The link's address was not registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

/// Why a connection ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum DisconnectReason {
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The server closed the connection, and had sent nothing although it was asked.
    #[error(
        "the server closed the connection before it answered: \
         it may be full or about to stop, or be no noray server"
    )]
    Unanswered,
    /// The system gave up on the connection.
    #[error("the connection to the server is lost: {0}")]
    Lost(#[source] io::Error),
    /// The server did not take a command in time.
    #[error("the server does not take commands any more")]
    Stuck,
    /// UDP works again after an outage, and the registered address may have changed.
    #[error("the registered address may be a wrong one by now")]
    AddressInDoubt,
}

impl DisconnectReason {
    /// Whether the server ended the connection, or something on the way in its name.
    pub(super) fn is_by_server(&self) -> bool {
        matches!(self, Self::Closed | Self::Unanswered)
    }
}

/// A server that closes a connection while a command is on its way to it resets the connection.
impl From<io::Error> for DisconnectReason {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::ConnectionReset | io::ErrorKind::BrokenPipe => Self::Closed,
            _ => Self::Lost(error),
        }
    }
}
