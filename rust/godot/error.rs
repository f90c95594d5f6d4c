//! The one map from our errors to Godot's.

use godot::global::Error;
use noray_client::{DialError, DisconnectReason, JoinError, ReadyError, RegisterError, SendError};
use noray_protocol::{
    player::requests::ConnectError,
    wire::{command::RefusalReason, id::OpenIdError},
};
use noray_server::StartError;

use crate::meeting::MeetingError;

/// Characters of a server's own text that a message keeps: a sentence.
const MAX_SERVER_TEXT: usize = 200;

/// An error that a game sees as Godot's `Error` and as a sentence.
pub(crate) trait GodotError: std::fmt::Display {
    /// The `Error` that a game can act on.
    fn code(&self) -> Error;

    /// The sentence for a player's log.
    fn message(&self) -> String {
        readable(&self.to_string())
    }

    /// The same, where a server's words could repeat `secret`.
    fn message_without(&self, secret: &str) -> String {
        readable(&without(&self.to_string(), secret))
    }
}

impl GodotError for DialError {
    fn code(&self) -> Error {
        match self {
            Self::NotFound { .. } => Error::ERR_CANT_RESOLVE,
            Self::Unreachable { .. } => Error::ERR_CONNECTION_ERROR,
            Self::TimedOut { .. } => Error::ERR_TIMEOUT,
        }
    }
}

impl GodotError for RegisterError {
    fn code(&self) -> Error {
        match self {
            Self::Socket(_) => Error::ERR_CANT_CREATE,
            Self::Refused => Error::FAILED,
            Self::TimedOut { .. } => Error::ERR_TIMEOUT,
            Self::Disconnected => Error::ERR_CONNECTION_ERROR,
        }
    }
}

impl GodotError for DisconnectReason {
    fn code(&self) -> Error {
        Error::ERR_CONNECTION_ERROR
    }
}

impl GodotError for SendError {
    fn code(&self) -> Error {
        match self {
            Self::Disconnected => Error::ERR_CONNECTION_ERROR,
            Self::Full => Error::ERR_BUSY,
        }
    }
}

impl GodotError for OpenIdError {
    fn code(&self) -> Error {
        Error::ERR_INVALID_PARAMETER
    }
}

impl GodotError for ConnectError {
    fn code(&self) -> Error {
        match self {
            Self::Refused(reason, _) => match reason {
                RefusalReason::UnknownHost => Error::ERR_DOES_NOT_EXIST,
                RefusalReason::HostUnregistered => Error::ERR_UNAVAILABLE,
                RefusalReason::PlayerUnregistered | RefusalReason::NoIdentity => {
                    Error::ERR_UNAUTHORIZED
                }
                RefusalReason::RelaysFull | RefusalReason::TooManyRequests => Error::ERR_BUSY,
                RefusalReason::InvalidOpenId => Error::ERR_INVALID_PARAMETER,
                RefusalReason::Other => Error::ERR_CANT_CONNECT,
            },
            Self::ServerText(_) | Self::NoAnswer => Error::ERR_CANT_CONNECT,
            Self::TooMany => Error::ERR_BUSY,
            Self::Disconnected => Error::ERR_CONNECTION_ERROR,
            Self::TimedOut(_) => Error::ERR_TIMEOUT,
        }
    }
}

impl GodotError for StartError {
    fn code(&self) -> Error {
        match self {
            Self::Config(_) => Error::ERR_INVALID_PARAMETER,
            Self::Commands { source, .. } | Self::Registrar { source, .. } => match source.kind() {
                std::io::ErrorKind::AddrInUse => Error::ERR_ALREADY_IN_USE,
                _ => Error::ERR_CANT_CREATE,
            },
        }
    }
}

impl GodotError for MeetingError {
    fn code(&self) -> Error {
        match self {
            Self::Options(_)
            | Self::ServerAddress(_)
            | Self::MaxClients(_)
            | Self::OpenId(_)
            | Self::OwnOpenId => Error::ERR_INVALID_PARAMETER,
            Self::Hosts => Error::ERR_ALREADY_IN_USE,
            Self::Joins => Error::ERR_BUSY,
            Self::Thread(_) | Self::ENet(_) => Error::ERR_CANT_CREATE,
            Self::Server(error) => match error {
                DialError::NotFound { .. } => Error::ERR_CANT_RESOLVE,
                // ERR_TIMEOUT is for the time that the game allowed.
                DialError::Unreachable { .. } | DialError::TimedOut { .. } => {
                    Error::ERR_CONNECTION_ERROR
                }
            },
            Self::Send(error) => error.code(),
            Self::Ready(error) => error.code(),
            Self::Disconnected => Error::ERR_CONNECTION_ERROR,
            Self::TimedOut(_) => Error::ERR_TIMEOUT,
            Self::Join(error) => error.code(),
            Self::GameSilent => Error::ERR_UNAVAILABLE,
        }
    }
}

impl GodotError for ReadyError {
    fn code(&self) -> Error {
        match self {
            // ERR_TIMEOUT is for the time that the game allowed.
            Self::NoIdentity | Self::Register(RegisterError::TimedOut { .. }) => {
                Error::ERR_CONNECTION_ERROR
            }
            Self::Register(error) => error.code(),
        }
    }
}

impl GodotError for JoinError {
    fn code(&self) -> Error {
        match self {
            Self::NoSuchHost(_) => Error::ERR_DOES_NOT_EXIST,
            Self::HostUnreachable(_) => Error::ERR_CANT_CONNECT,
            Self::HostFull => Error::ERR_CANT_ACQUIRE_RESOURCE,
            Self::Cancelled => Error::ERR_SKIP,
            Self::TimedOut(_) => Error::ERR_TIMEOUT,
            Self::ServerSilent(_) => Error::ERR_CONNECTION_ERROR,
        }
    }
}

/// A text that does not show `secret`.
pub(crate) fn without(text: &str, secret: &str) -> String {
    if secret.is_empty() {
        return text.to_owned();
    }
    text.replace(secret, "…")
}

/// A text that may hold a server's words, as one line of bounded length, and without the
/// number that the system's errors end with.
fn readable(text: &str) -> String {
    let text = text.split_once(" (os error ").map_or(text, |parts| parts.0);
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_SERVER_TEXT)
        .collect();
    if line.len() < text.len() {
        line.push('…');
    }
    line
}
