//! What a server can be told.

use std::{
    net::{IpAddr, Ipv4Addr},
    time::Duration,
};

use noray_protocol::{server::relay_table::RelayLimits, wire::id::OpenId};

use crate::{defaults, relay_ports::RelayPorts, settings::Setting};

/// A server's configuration.
///
/// [`Config::default`] is the public server's. [`Config::set`] takes values as text,
/// by the public server's `NORAY_*` names and with its units.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Config {
    /// Length of an OpenID, in characters. Default 21.
    pub open_id_length: usize,
    /// The characters of OpenIDs. Default: letters, digits, `_` and `-`.
    pub open_id_charset: String,
    /// Whether OpenIDs are made of words, `BraveFriendlyFalcon`, in place of characters. Needs the
    /// feature `cli`. Default: no.
    pub open_id_words: bool,
    /// How many words such an OpenID has. Default 3.
    pub open_id_word_count: usize,
    /// Length of a PrivateID, in characters. Default 128.
    pub private_id_length: usize,
    /// The characters of PrivateIDs. Default: letters, digits, `_` and `-`.
    pub private_id_charset: String,
    /// Where the commands listen (TCP), IPv4 or IPv6; `::` means both. Default
    /// `0.0.0.0`.
    pub socket_host: IpAddr,
    /// TCP port of the commands; 0 takes any free one. Default 8890.
    pub socket_port: u16,
    /// Where the binary serves metrics and health (HTTP), IPv4 or IPv6. Default `0.0.0.0`.
    pub http_host: IpAddr,
    /// TCP port of the binary's metrics and health; 0 takes any free one, `None` serves none.
    /// Default 8891.
    pub http_port: Option<u16>,
    /// Where the registrar and the relays listen (UDP). Default `0.0.0.0`.
    pub udp_host: Ipv4Addr,
    /// UDP port of the registrar; 0 takes any free one. Default 8809.
    pub registrar_port: u16,
    /// UDP ports for relays, one for each relayed player; none means no relays.
    /// Default 49152 to 51200.
    pub relay_ports: RelayPorts,
    /// A relay that nothing goes through for so long is closed. Default 30 s.
    pub relay_timeout: Duration,
    /// Pause between two searches for idle relays. Default 30 s.
    pub relay_cleanup_interval: Duration,
    /// What one player may send through its relay, in bytes a second, headers
    /// included. Default 128 KiB.
    pub max_individual_traffic: u64,
    /// What all players may send through relays, in bytes a second. Default 1 GiB.
    pub max_global_traffic: u64,
    /// The slice of time in which traffic is counted. Default 100 ms.
    pub traffic_interval: Duration,
    /// How long a relay forwards. Default 4 h.
    pub max_lifetime_duration: Duration,
    /// How many bytes one player may send in its relay's life. Default 4 GiB.
    pub max_lifetime_traffic: u64,
    /// Connections at one time; more are closed at once. Default 10,000.
    pub max_connections: usize,
    /// Connections from one IPv4 address or one IPv6 /64 network at one time; more
    /// are closed at once. Default 1,000.
    pub max_connections_per_address: usize,
    /// Longest line that a player may send, in bytes; longer ones are skipped.
    /// Default 4,096.
    pub max_line_length: usize,
    /// Lines a second that are read of one connection; more wait. Default 100.
    pub max_lines_per_second: u32,
    /// `connect` and `connect-relay` a second that are answered on one connection;
    /// more are refused. Default 10.
    pub max_connects_per_second: u32,
    /// Lines a second that are read of all connections from one address together; more
    /// wait. Default 5,000.
    pub max_lines_per_second_per_address: u32,
    /// `connect` and `connect-relay` a second that are answered to all connections from
    /// one address together; more are refused. Default 500.
    pub max_connects_per_second_per_address: u32,
    /// `register-host` a second of all connections from one address together; more wait.
    /// Default 500.
    pub max_registrations_per_second_per_address: u32,
    /// Identities of one connection; a `register-host` too many is passed over.
    /// Default 16.
    pub max_hosts_per_connection: usize,
    /// Bytes that may wait for a player who is slow to read. From half of it on, the
    /// player itself is not read from, and who asks for it is refused. Default 64 KiB.
    pub max_outbound_queue: usize,
    /// A player who does not read what was written to it for so long is disconnected.
    /// Default 20 s.
    pub write_timeout: Duration,
    /// A player whose machine does not answer for so long, without a word, is disconnected.
    /// From 8 s to 12 h, default 2 minutes.
    pub vanished_timeout: Duration,
    /// A connection without `register-host` is closed after this time. Default 10
    /// minutes.
    pub unregistered_timeout: Duration,
    /// How long the binary waits at its end for games that go through its relays. Default 10 s.
    pub drain_timeout: Duration,
    /// What the binary logs. Default [`LogLevel::Info`].
    pub log_level: LogLevel,
    /// How the binary logs. Default [`LogFormat::Text`].
    pub log_format: LogFormat,
}

/// How lines are logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// For programs: one JSON object a line.
    Json,
}

impl LogFormat {
    /// All formats.
    pub const ALL: [Self; 2] = [Self::Text, Self::Json];

    /// The format's name in `NORAY_LOG_FORMAT`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// How much is logged, by the public server's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum LogLevel {
    /// Nothing.
    Silent,
    /// What ends the server.
    Fatal,
    /// What goes wrong.
    Error,
    /// What may go wrong.
    Warn,
    /// The start, the end and the configuration.
    #[default]
    Info,
    /// What each player does.
    Debug,
    /// Everything.
    Trace,
}

impl LogLevel {
    /// All levels, the quietest first.
    pub const ALL: [Self; 7] = [
        Self::Silent,
        Self::Fatal,
        Self::Error,
        Self::Warn,
        Self::Info,
        Self::Debug,
        Self::Trace,
    ];

    /// The level's name in `NORAY_LOGLEVEL`.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Silent => "silent",
            Self::Fatal => "fatal",
            Self::Error => "error",
            Self::Warn => "warn",
            Self::Info => "info",
            Self::Debug => "debug",
            Self::Trace => "trace",
        }
    }
}

/// A setting that a server cannot work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// The value of a setting makes no sense.
    #[error("{name} (--{flag}): {problem}", name = setting.name, flag = setting.flag)]
    Invalid {
        /// The setting.
        setting: &'static Setting,
        /// What is wrong with the value, as a sentence.
        problem: String,
    },
    /// There is no setting of this name.
    #[error("there is no setting named {0:?}")]
    Unknown(String),
}

impl Default for Config {
    fn default() -> Self {
        let (first, last) = defaults::RELAY_PORTS;
        Self {
            open_id_length: defaults::OPEN_ID_LENGTH,
            open_id_charset: defaults::ID_CHARSET.to_owned(),
            open_id_words: false,
            open_id_word_count: defaults::OPEN_ID_WORD_COUNT,
            private_id_length: defaults::PRIVATE_ID_LENGTH,
            private_id_charset: defaults::ID_CHARSET.to_owned(),
            socket_host: Ipv4Addr::UNSPECIFIED.into(),
            socket_port: defaults::COMMAND_PORT,
            http_host: Ipv4Addr::UNSPECIFIED.into(),
            http_port: Some(defaults::HTTP_PORT),
            udp_host: Ipv4Addr::UNSPECIFIED,
            registrar_port: defaults::REGISTRAR_PORT,
            relay_ports: (first..=last).collect(),
            relay_timeout: defaults::RELAY_TIMEOUT,
            relay_cleanup_interval: defaults::RELAY_CLEANUP_INTERVAL,
            max_individual_traffic: defaults::MAX_INDIVIDUAL_TRAFFIC,
            max_global_traffic: defaults::MAX_GLOBAL_TRAFFIC,
            traffic_interval: defaults::TRAFFIC_INTERVAL,
            max_lifetime_duration: defaults::MAX_LIFETIME_DURATION,
            max_lifetime_traffic: defaults::MAX_LIFETIME_TRAFFIC,
            max_connections: defaults::MAX_CONNECTIONS,
            max_connections_per_address: defaults::MAX_CONNECTIONS_PER_ADDRESS,
            max_line_length: defaults::MAX_LINE_LENGTH,
            max_lines_per_second: defaults::MAX_LINES_PER_SECOND,
            max_connects_per_second: defaults::MAX_CONNECTS_PER_SECOND,
            max_lines_per_second_per_address: defaults::MAX_LINES_PER_SECOND_PER_ADDRESS,
            max_connects_per_second_per_address: defaults::MAX_CONNECTS_PER_SECOND_PER_ADDRESS,
            max_registrations_per_second_per_address:
                defaults::MAX_REGISTRATIONS_PER_SECOND_PER_ADDRESS,
            max_hosts_per_connection: defaults::MAX_HOSTS_PER_CONNECTION,
            max_outbound_queue: defaults::MAX_OUTBOUND_QUEUE,
            write_timeout: defaults::WRITE_TIMEOUT,
            vanished_timeout: defaults::VANISHED_TIMEOUT,
            unregistered_timeout: defaults::UNREGISTERED_TIMEOUT,
            drain_timeout: defaults::DRAIN_TIMEOUT,
            log_level: LogLevel::default(),
            log_format: LogFormat::default(),
        }
    }
}

impl Config {
    /// Sets what the public server's environment variable `name`, or one of our own,
    /// means with this value. An empty value leaves the setting as it is.
    ///
    /// A host name is looked up, which can take seconds; everything else is immediate.
    /// Values are read here; whether a server can work with them, [`Self::check`] says.
    ///
    /// # Errors
    /// See [`ConfigError`]; the configuration is then as it was.
    pub fn set(&mut self, name: &str, value: &str) -> Result<(), ConfigError> {
        let setting = Setting::named(name).ok_or_else(|| ConfigError::Unknown(name.to_owned()))?;
        let value = value.trim();
        if value.is_empty() {
            return Ok(());
        }
        (setting.set)(self, value).map_err(|problem| ConfigError::Invalid { setting, problem })
    }

    /// Whether a server can work with this configuration.
    ///
    /// # Errors
    /// [`ConfigError::Invalid`] with the first setting that it cannot work with.
    pub fn check(&self) -> Result<(), ConfigError> {
        require(
            defaults::VANISHED_TIMEOUTS.contains(&self.vanished_timeout),
            "NORAY_VANISHED_TIMEOUT",
            "must be from 8s to 12h",
        )?;
        check_id(
            ["NORAY_OID_LENGTH", "NORAY_OID_CHARSET"],
            self.open_id_length,
            &self.open_id_charset,
            defaults::MAX_OPEN_ID,
        )?;
        check_id(
            ["NORAY_PID_LENGTH", "NORAY_PID_CHARSET"],
            self.private_id_length,
            &self.private_id_charset,
            defaults::MAX_PRIVATE_ID,
        )?;
        require(
            !self.open_id_words || cfg!(feature = "cli"),
            "NORAY_ENABLE_WORDS_OID",
            "this build has no words",
        )?;
        require(
            (1..=defaults::MAX_OPEN_ID_WORDS).contains(&self.open_id_word_count),
            "NORAY_WORDS_OID_LENGTH",
            &format!("must be from 1 to {}", defaults::MAX_OPEN_ID_WORDS),
        )?;
        require(
            !self.relay_ports.contains(&0),
            "NORAY_UDP_RELAY_PORTS",
            "port 0 is no relay port",
        )?;
        for (name, time) in [
            ("NORAY_UDP_RELAY_TIMEOUT", self.relay_timeout),
            (
                "NORAY_UDP_RELAY_CLEANUP_INTERVAL",
                self.relay_cleanup_interval,
            ),
            ("NORAY_UDP_RELAY_TRAFFIC_INTERVAL", self.traffic_interval),
            (
                "NORAY_UDP_RELAY_MAX_LIFETIME_DURATION",
                self.max_lifetime_duration,
            ),
            ("NORAY_WRITE_TIMEOUT", self.write_timeout),
            ("NORAY_UNREGISTERED_TIMEOUT", self.unregistered_timeout),
        ] {
            require(
                time >= Duration::from_millis(1),
                name,
                "must be 1ms or longer",
            )?;
        }
        for (name, limit) in [
            (
                "NORAY_UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC",
                self.max_individual_traffic,
            ),
            (
                "NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC",
                self.max_global_traffic,
            ),
            (
                "NORAY_UDP_RELAY_MAX_LIFETIME_TRAFFIC",
                self.max_lifetime_traffic,
            ),
            ("NORAY_MAX_CONNECTIONS", self.max_connections as u64),
            (
                "NORAY_MAX_CONNECTIONS_PER_ADDRESS",
                self.max_connections_per_address as u64,
            ),
            (
                "NORAY_MAX_LINES_PER_SECOND",
                self.max_lines_per_second.into(),
            ),
            (
                "NORAY_MAX_CONNECTS_PER_SECOND",
                self.max_connects_per_second.into(),
            ),
            (
                "NORAY_MAX_LINES_PER_SECOND_PER_ADDRESS",
                self.max_lines_per_second_per_address.into(),
            ),
            (
                "NORAY_MAX_CONNECTS_PER_SECOND_PER_ADDRESS",
                self.max_connects_per_second_per_address.into(),
            ),
            (
                "NORAY_MAX_REGISTRATIONS_PER_SECOND_PER_ADDRESS",
                self.max_registrations_per_second_per_address.into(),
            ),
            (
                "NORAY_MAX_HOSTS_PER_CONNECTION",
                self.max_hosts_per_connection as u64,
            ),
        ] {
            require(limit > 0, name, "must be 1 or more")?;
        }
        require(
            (64..=1 << 20).contains(&self.max_line_length),
            "NORAY_MAX_LINE_LENGTH",
            "must be from 64 bytes to 1mb",
        )?;
        // An answer can hold what a line held, or both ids.
        let answer = self.max_line_length.saturating_add(4096);
        require(
            self.max_outbound_queue >= answer.saturating_mul(2),
            "NORAY_MAX_OUTBOUND_QUEUE",
            "must be 8kb and twice NORAY_MAX_LINE_LENGTH or more",
        )
    }

    /// The relays' share of the configuration.
    pub(crate) fn relay_limits(&self) -> RelayLimits {
        RelayLimits {
            idle_timeout: self.relay_timeout,
            traffic_interval: self.traffic_interval,
            max_individual_traffic: self.max_individual_traffic,
            max_global_traffic: self.max_global_traffic,
            max_lifetime: self.max_lifetime_duration,
            max_lifetime_traffic: self.max_lifetime_traffic,
            address_hold: defaults::ADDRESS_HOLD,
            max_links: defaults::MAX_LINKS,
        }
    }
}

fn require(holds: bool, name: &str, problem: &str) -> Result<(), ConfigError> {
    if holds {
        return Ok(());
    }
    Err(match Setting::named(name) {
        Some(setting) => ConfigError::Invalid {
            setting,
            problem: problem.to_owned(),
        },
        None => ConfigError::Unknown(name.to_owned()),
    })
}

fn check_id(
    [length_name, charset_name]: [&str; 2],
    length: usize,
    charset: &str,
    max_bytes: usize,
) -> Result<(), ConfigError> {
    require(length > 0, length_name, "must be 1 or more")?;
    let chars: Vec<char> = charset.chars().collect();
    // An id is drawn with one random byte a character.
    require(
        (2..=256).contains(&chars.len()) && chars.iter().any(|char| *char != chars[0]),
        charset_name,
        "must have from 2 to 256 characters",
    )?;
    require(
        chars
            .iter()
            .all(|char| OpenId::new(&char.to_string()).is_ok()),
        charset_name,
        "must have no white space, control characters, quotes or backslashes",
    )?;
    let widest = chars.iter().map(|char| char.len_utf8()).max().unwrap_or(1);
    require(
        length.saturating_mul(widest) <= max_bytes,
        length_name,
        &format!("an id must not be longer than {max_bytes} bytes"),
    )
}
