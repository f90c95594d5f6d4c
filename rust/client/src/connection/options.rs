//! What a game can set on a connection.

use std::time::Duration;

use noray_protocol::defaults::{
    ANSWER_TIMEOUT, COMMAND_PORT, REGISTER_INTERVAL, REGISTER_TIMEOUT, REGISTRAR_PORT,
};

use super::identity::Identity;
use crate::defaults::CONNECT_TIMEOUT;

/// Where to connect to, and how long to wait.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// The server's name or IP address.
    pub host: String,
    /// The server's command port; 8890 by default.
    pub port: u16,
    /// The longest wait for the connection; 8 s by default.
    pub timeout: Duration,
    /// The longest wait for the answer to a request; 5 s by default.
    pub answer_timeout: Duration,
    /// The identity of an earlier connection, which a link resumes where the server can do that.
    pub identity: Option<Identity>,
}

impl ConnectOptions {
    /// Returns the defaults for a server's name or IP address.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: COMMAND_PORT,
            timeout: CONNECT_TIMEOUT,
            answer_timeout: ANSWER_TIMEOUT,
            identity: None,
        }
    }
}

/// How to register a UDP address of this player.
#[derive(Clone, Copy, Debug)]
pub struct RegisterOptions {
    /// The registrar's UDP port; 8809 by default.
    pub registrar_port: u16,
    /// The longest wait for the registrar; 8 s by default.
    pub timeout: Duration,
    /// The pause between repeats; 0.1 s by default, at least 20 ms.
    pub interval: Duration,
}

impl Default for RegisterOptions {
    fn default() -> Self {
        Self {
            registrar_port: REGISTRAR_PORT,
            timeout: REGISTER_TIMEOUT,
            interval: REGISTER_INTERVAL,
        }
    }
}
