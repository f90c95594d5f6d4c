//! The options of `host` and `join`.
//!
//! To add one: a field here with its default in [`Options::new`], and its name and type where the
//! extension reads a game's dictionary.

use std::time::Duration;

use noray_client::Identity;
use noray_protocol::defaults::REGISTRAR_PORT;

use crate::defaults::GAME_TIMEOUT;

/// How to host or join.
#[derive(Clone, PartialEq, Debug)]
pub struct Options {
    /// Whether only relays are used.
    pub force_relay: bool,
    /// Whether the local network is used too.
    pub lan: bool,
    /// The longest wait.
    pub timeout: Duration,
    /// The server's UDP port for registrations.
    pub registrar_port: u16,
    /// An identity that was saved, to be used again.
    pub identity: Option<Identity>,
    /// What ENet is created with.
    pub enet: EnetOptions,
}

/// What ENet is created with; 0 is ENet's own default for each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub struct EnetOptions {
    /// Channels of each connection.
    pub channels: i32,
    /// Most bytes a second that come in.
    pub in_bandwidth: i32,
    /// Most bytes a second that go out.
    pub out_bandwidth: i32,
    /// How packets are compressed, as one of Godot's `ENetConnection.CompressionMode`; 0 for not.
    pub compression: i32,
}

impl Options {
    /// Returns the defaults; `lan` is a setting of the project.
    #[must_use]
    pub fn new(lan: bool) -> Self {
        Self {
            force_relay: false,
            lan,
            timeout: GAME_TIMEOUT,
            registrar_port: REGISTRAR_PORT,
            identity: None,
            enet: EnetOptions::default(),
        }
    }
}

/// Why options are refused.
#[derive(PartialEq, Eq, Debug, thiserror::Error)]
pub enum OptionsError {
    /// The options are something else; with the name of its type.
    #[error("the options are a Dictionary, not a {0}")]
    NoDictionary(String),
    /// A key that names no option.
    #[error("there is no option '{0}'")]
    Unknown(String),
    /// A value of another type.
    #[error("the option '{name}' is a {wanted}, not a {got}")]
    WrongType {
        /// The option.
        name: &'static str,
        /// The option's type.
        wanted: &'static str,
        /// The type of the value.
        got: String,
    },
    /// An identity that is none. Its text is not shown: it is a password.
    #[error("the option 'identity' has no OpenID 'oid' and its PrivateID 'pid'")]
    Identity,
    /// A value that is out of range.
    #[error("the option '{name}' cannot be {value}")]
    OutOfRange {
        /// The option.
        name: &'static str,
        /// The value.
        value: String,
    },
}
