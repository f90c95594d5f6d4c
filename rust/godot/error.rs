//! The one map from our errors to Godot's.

use godot::global::Error;
use noray_client::{DialError, DisconnectReason, RegisterError, SendError};
use noray_protocol::{command::RefusalReason, id::OpenIdError, requests::ConnectError};
use noray_server::StartError;

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
