//! Why a call came to nothing: one enum per operation, and the sentence that a game can show.

use std::{io, rc::Rc, time::Duration};

use noray_client::{DialError, DisconnectReason, JoinError, ReadyError, RegisterError, SendError};
use noray_protocol::{
    player::requests::ConnectError,
    wire::{command::ConnectKind, id::OpenIdError},
};

use crate::{defaults::MAX_SENTENCE, options::OptionsError, server_address::ServerAddressError};

/// A failure that a property and several calls may show.
pub type Failed = Rc<Failure>;

/// Any failure, by its operation.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// Of `connect_to_host`.
    #[error(transparent)]
    ConnectToHost(#[from] ConnectToHostError),
    /// Of `register_host`.
    #[error(transparent)]
    RegisterHost(#[from] RegisterHostError),
    /// Of `register_remote`.
    #[error(transparent)]
    RegisterRemote(#[from] RegisterRemoteError),
    /// Of `connect_nat` or `connect_relay`.
    #[error(transparent)]
    ConnectPeer(#[from] ConnectPeerError),
    /// Of `keep_alive`.
    #[error(transparent)]
    KeepAlive(#[from] KeepAliveError),
    /// Of `host`.
    #[error(transparent)]
    Host(#[from] HostCallError),
    /// Of `join`.
    #[error(transparent)]
    Join(#[from] JoinCallError),
    /// The connection to the server ended by itself.
    #[error("{0}")]
    Disconnected(Rc<DisconnectReason>),
    /// The connection ended while a call waited for it.
    #[error("the connection to the server ended")]
    ConnectionEnded,
}

/// Why `connect_to_host` failed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectToHostError {
    /// The arguments are not an address.
    #[error("cannot connect to '{host}', port {port}: not an address")]
    Address {
        /// The host as the game gave it.
        host: String,
        /// The port as the game gave it.
        port: i64,
    },
    /// The system gives no thread.
    #[error("no background thread: {0}")]
    Thread(io::Error),
    /// The server was not reached.
    #[error("{0}")]
    Dial(Rc<DialError>),
}

/// Why `register_host` failed.
#[derive(Debug, thiserror::Error)]
pub enum RegisterHostError {
    /// No server is connected.
    #[error("not connected to a noray server")]
    NotConnected,
    /// The command was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The server gave no OpenID in time.
    #[error("the server does not answer: is it a noray server?")]
    NoAnswer,
}

/// Why `register_remote` failed.
#[derive(Debug, thiserror::Error)]
pub enum RegisterRemoteError {
    /// No server is connected.
    #[error("not connected to a noray server")]
    NotConnected,
    /// The server has given no PrivateID.
    #[error(
        "cannot register: there is no PrivateID yet; call register_host and await on_pid first"
    )]
    NoPrivateId,
    /// An argument is out of range.
    #[error("cannot register with port {port}, timeout {timeout}, interval {interval}")]
    Arguments {
        /// The registrar's port as the game gave it.
        port: i64,
        /// The time-out as the game gave it, in seconds.
        timeout: f64,
        /// The interval as the game gave it, in seconds.
        interval: f64,
    },
    /// A game of `host` or `join` has the port.
    #[error("cannot register: the port belongs to the game that host or join began")]
    PortInUse,
    /// Another PrivateID is being registered.
    #[error("another PrivateID is being registered; await that first")]
    Busy,
    /// The command was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The registration failed.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

/// Why `connect_nat` or `connect_relay` failed.
#[derive(Debug, thiserror::Error)]
pub enum ConnectPeerError {
    /// The text is not an OpenID.
    #[error(transparent)]
    OpenId(#[from] OpenIdError),
    /// No server is connected.
    #[error("not connected to a noray server")]
    NotConnected,
    /// The command was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The server does not connect the two players.
    #[error("{error}")]
    Request {
        /// What was requested.
        kind: ConnectKind,
        /// The host's OpenID; empty when that is not known.
        oid: String,
        /// The reason.
        error: ConnectError,
    },
}

/// Why `keep_alive` failed.
#[derive(Debug, thiserror::Error)]
pub enum KeepAliveError {
    /// There is no living `ENetConnection`.
    #[error("nothing to keep alive: no ENetConnection, or one that is destroyed")]
    NoConnection,
    /// No address is registered.
    #[error("nothing to keep alive: no address is registered; await register_remote first")]
    Unregistered,
}

/// Why a player cannot be reached by others, which `host` and `join` both need.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The options make no sense.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// There is no server's address.
    #[error(transparent)]
    ServerAddress(#[from] ServerAddressError),
    /// The player hosts.
    #[error("this player hosts a game; close its peer first")]
    Hosts,
    /// A call of `host` runs.
    #[error("a call of host runs; cancel_host ends it")]
    HostRuns,
    /// A join runs.
    #[error("a join runs; cancel_join ends it")]
    Joins,
    /// The system gives no thread.
    #[error("no background thread: {0}")]
    Thread(io::Error),
    /// ENet gives no socket; with Godot's name of the error.
    #[error("no ENet socket: {0}")]
    Enet(String),
    /// The server was not reached.
    #[error("{0}")]
    Dial(Rc<DialError>),
    /// A command was not sent.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The server gave no identity, or did not register the address.
    #[error(transparent)]
    Ready(#[from] ReadyError),
    /// The game ended the connection to the server.
    #[error("the connection to the server ended")]
    Disconnected,
    /// The connection to the server ended by itself.
    #[error("{0}")]
    Lost(Rc<DisconnectReason>),
}

/// Why `host` failed.
#[derive(Debug, thiserror::Error)]
pub enum HostCallError {
    /// This player cannot be reached.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The number of players is out of range.
    #[error("{0} is no number of players")]
    MaxClients(i64),
    /// The game cancelled the call.
    #[error("hosting was cancelled")]
    Cancelled,
    /// Hosting did not begin in time.
    #[error("not ready within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
}

/// Why `join` failed.
#[derive(Debug, thiserror::Error)]
pub enum JoinCallError {
    /// This player cannot be reached.
    #[error(transparent)]
    Setup(#[from] SetupError),
    /// The text is not an OpenID.
    #[error(transparent)]
    OpenId(#[from] OpenIdError),
    /// The OpenID is this player's own.
    #[error("this is the player's own OpenID")]
    OwnOpenId,
    /// The host was not reached.
    #[error(transparent)]
    Link(#[from] JoinError),
    /// The host is reached, its game does not answer.
    #[error("the host is reached, but its game does not answer: it may be full")]
    GameSilent,
    /// The host's machine answers, its game stood still for all the time that was allowed.
    #[error(
        "the host is loading: its game did not answer within {} s, or has other options of ENet",
        .0.as_secs_f32()
    )]
    HostLoading(Duration),
}

impl Failure {
    /// Returns whether the game wanted it so.
    pub(crate) fn is_cancelled(&self) -> bool {
        matches!(
            self,
            Self::Host(HostCallError::Cancelled)
                | Self::Join(JoinCallError::Link(JoinError::Cancelled))
        )
    }

    /// Returns the failure as a short sentence that tells a player what to do; one that only the game
    /// can mend as [`Self::report`] has it.
    pub(crate) fn sentence(&self, secret: &str) -> String {
        let advice = match self {
            Self::Host(error) => error.advice(),
            Self::Join(error) => error.advice(),
            _ => None,
        };
        advice.map_or_else(
            || self.report(secret),
            |advice| readable(&without(&advice, secret)),
        )
    }

    /// Returns the failure with all its causes, for the log, without `secret`, which a server's words
    /// could repeat.
    #[must_use]
    pub fn report(&self, secret: &str) -> String {
        let reason = readable(&without(&self.to_string(), secret));
        let sentence = match self {
            Self::Host(_) => format!("cannot host: {reason}"),
            Self::Join(_) => format!("cannot join: {reason}"),
            Self::ConnectPeer(ConnectPeerError::Request { kind, oid, .. }) => match kind {
                ConnectKind::Nat => format!("no direct connection to '{oid}': {reason}"),
                ConnectKind::Relay => format!("no relay to '{oid}': {reason}"),
            },
            _ => return reason,
        };
        // A game can take its PrivateID for an OpenID by mistake.
        without(&sentence, secret)
    }
}

impl SetupError {
    /// Returns what a player is told; `None` for what only the game can mend.
    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Dial(error) => format!(
                "The server cannot be reached: check its address and your network ({}).",
                readable(&error.to_string())
            ),
            Self::Ready(ReadyError::NoIdentity) => {
                "The server does not answer: is it a noray server?".to_owned()
            }
            Self::Ready(ReadyError::Register(error)) => format!(
                "The server cannot be used from this network: try another ({}).",
                readable(&error.to_string())
            ),
            Self::Disconnected => "The connection to the server ended: try again.".to_owned(),
            Self::Lost(reason) => format!(
                "The connection to the server was lost: try again ({}).",
                readable(&reason.to_string())
            ),
            Self::Options(_)
            | Self::ServerAddress(_)
            | Self::Hosts
            | Self::HostRuns
            | Self::Joins
            | Self::Thread(_)
            | Self::Enet(_)
            | Self::Send(_) => return None,
        })
    }
}

impl HostCallError {
    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Setup(error) => return error.advice(),
            Self::MaxClients(_) => return None,
            Self::Cancelled => "Hosting was cancelled.".to_owned(),
            Self::TimedOut(time) => format!(
                "The server was not ready within {} s: try again, or another server.",
                time.as_secs_f32()
            ),
        })
    }
}

impl JoinCallError {
    fn advice(&self) -> Option<String> {
        Some(match self {
            Self::Setup(error) => return error.advice(),
            Self::OpenId(error) => format!("Copy the host's OpenID once more: {error}."),
            Self::OwnOpenId => {
                "This is the player's own OpenID: ask the host for theirs.".to_owned()
            }
            Self::GameSilent => {
                "The host's game does not answer: it may be full; try again later.".to_owned()
            }
            Self::HostLoading(time) => format!(
                "The host is loading, and did not answer within {} s: try again.",
                time.as_secs_f32()
            ),
            Self::Link(error) => match error {
                JoinError::NoSuchHost(_) => {
                    "There is no such host: check the OpenID, or ask the host for a new one."
                        .to_owned()
                }
                JoinError::HostUnreachable(_) => {
                    "The host cannot be reached: ask whether it still hosts, and try again."
                        .to_owned()
                }
                JoinError::HostFull => {
                    "The host's game is full: try again when somebody has left.".to_owned()
                }
                JoinError::HostClosed => {
                    "The host takes no new players at present: try again later.".to_owned()
                }
                JoinError::Cancelled => "Joining was cancelled.".to_owned(),
                JoinError::TimedOut(time) => format!(
                    "The host was not reached within {} s: try again.",
                    time.as_secs_f32()
                ),
                JoinError::ServerSilent(_) => {
                    "The server cannot be reached: check your network, and try again.".to_owned()
                }
            },
        })
    }
}

/// Returns a text that does not show `secret`.
fn without(text: &str, secret: &str) -> String {
    if secret.is_empty() {
        return text.to_owned();
    }
    text.replace(secret, "…")
}

/// Returns a text that may hold a server's words as one line of bounded length, without the number
/// that the system's errors end with.
#[must_use]
pub fn readable(text: &str) -> String {
    let text = text.split_once(" (os error ").map_or(text, |parts| parts.0);
    let mut line: String = text
        .chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_SENTENCE)
        .collect();
    if line.len() < text.len() {
        line.push('…');
    }
    line
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_servers_words_become_one_bounded_line() {
        assert_eq!(readable("a\nb\tc"), "a b c");
        assert_eq!(
            readable(&"x".repeat(MAX_SENTENCE)),
            "x".repeat(MAX_SENTENCE)
        );
        let long = readable(&"x".repeat(MAX_SENTENCE + 1));
        assert_eq!(long, format!("{}…", "x".repeat(MAX_SENTENCE)));
        assert_eq!(readable("refused (os error 111)"), "refused");
    }

    #[test]
    fn a_sentence_does_not_show_the_private_id() {
        let request = |oid: &str, text: &str| {
            Failure::from(ConnectPeerError::Request {
                kind: ConnectKind::Nat,
                oid: oid.to_owned(),
                error: ConnectError::ServerText(text.to_owned()),
            })
        };
        assert_eq!(
            request("HOST", "no pid SECRET here").sentence("SECRET"),
            "no direct connection to 'HOST': the server refused: no pid … here"
        );
        assert_eq!(
            request("SECRET", "who?").sentence("SECRET"),
            "no direct connection to '…': the server refused: who?"
        );
    }

    #[test]
    fn a_sentence_names_the_call_that_failed() {
        let host = Failure::from(HostCallError::MaxClients(0));
        assert_eq!(host.sentence(""), "cannot host: 0 is no number of players");
        let join = Failure::from(JoinCallError::OwnOpenId);
        assert_eq!(
            join.report(""),
            "cannot join: this is the player's own OpenID"
        );
    }

    #[test]
    fn a_player_is_not_shown_the_causes_but_what_to_do() {
        let reason = || "the server refused: no player with this OpenID is connected".to_owned();
        for error in [
            JoinError::NoSuchHost(reason()),
            JoinError::HostUnreachable(reason()),
            JoinError::HostFull,
            JoinError::HostClosed,
            JoinError::Cancelled,
            JoinError::TimedOut(Duration::from_secs(15)),
            JoinError::ServerSilent(reason()),
        ] {
            let failure = Failure::from(JoinCallError::from(error));
            let sentence = failure.sentence("");
            assert!(!sentence.contains("refused"), "{sentence}");
            assert!(sentence.len() < 80, "{sentence}");
            assert!(sentence.starts_with(char::is_uppercase), "{sentence}");
            assert!(sentence.ends_with('.'), "{sentence}");
            assert!(failure.report("").starts_with("cannot join: "));
        }
    }
}
