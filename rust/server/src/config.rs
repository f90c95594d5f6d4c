//! What a server can be told.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    ops::{Bound, RangeBounds},
    time::Duration,
};

use noray_protocol::{server::relay_table::RelayLimits, wire::id::OpenId};

#[cfg(feature = "cli")]
use crate::setting_values::{count, host, host_v4, port};
use crate::{
    defaults,
    relay_ports::RelayPorts,
    setting_values::{ByteSize, TimeSpan},
};

/// The shortest time that a time-out or a pause may be.
const SHORTEST: TimeSpan = TimeSpan(Duration::from_millis(1));

/// Declares each setting once: its help text, its name, its type, its default, and behind `=>` the
/// range of values that a server can work with. Without the feature `cli`, `#[arg]` has no effect.
macro_rules! settings {
    (
        $(#[$meta:meta])*
        pub struct $config:ident {$(
            $(#[doc = $help:tt])+
            #[arg(env = $name:literal, $($arg:tt)+)]
            pub $field:ident: $type:ty = $default:expr $(=> $range:expr)?,
        )+}
    ) => {
        $(#[$meta])*
        #[cfg_attr(feature = "cli", derive(clap::Args))]
        pub struct $config {$(
            $(#[doc = $help])+
            #[cfg_attr(feature = "cli", arg(env = $name, $($arg)+, default_value_t = $default))]
            pub $field: $type,
        )+}

        impl Default for $config {
            fn default() -> Self {
                Self {$(
                    $field: $default,
                )+}
            }
        }

        impl $config {
            fn check_ranges(&self) -> Result<(), ConfigError> {
                $($(check_range($name, &self.$field, $range)?;)?)+
                Ok(())
            }

            /// Returns the name of each setting and its value, in the form in which it is read.
            #[cfg(feature = "cli")]
            #[must_use]
            pub fn shown(&self) -> Vec<(&'static str, String)> {
                vec![$(
                    ($name, self.$field.to_string()),
                )+]
            }
        }
    };
}

settings! {
    /// A server's configuration. [`Config::default`] is the public server's.
    ///
    /// With the feature `cli` it is a part of a command line, whose flags have the names, forms and
    /// units of the public server's `NORAY_*` variables.
    #[derive(Clone, Debug, PartialEq, Eq)]
    pub struct Config {
        /// Address on which the commands listen (TCP); `::` means IPv6 and IPv4.
        #[arg(env = "NORAY_SOCKET_HOST", long, value_name = "ADDRESS", value_parser = host)]
        pub socket_host: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        /// TCP port of the commands; 0 takes any free one.
        #[arg(env = "NORAY_SOCKET_PORT", long, value_name = "PORT", value_parser = port)]
        pub socket_port: u16 = defaults::COMMAND_PORT,
        /// IPv4 address on which the registrar and the relays listen (UDP).
        #[arg(env = "NORAY_UDP_HOST", long, value_name = "ADDRESS", value_parser = host_v4)]
        pub udp_host: Ipv4Addr = Ipv4Addr::UNSPECIFIED,
        /// UDP port of the registrar; 0 takes any free one.
        #[arg(env = "NORAY_UDP_REGISTRAR_PORT", long = "udp-registrar-port", value_name = "PORT", value_parser = port)]
        pub registrar_port: u16 = defaults::REGISTRAR_PORT,
        /// UDP ports for relays, one for each relayed player, as in `49152-51200`, `2048+3` or
        /// `2048, 2050-2060`.
        #[arg(env = "NORAY_UDP_RELAY_PORTS", long = "udp-relay-ports", value_name = "PORTS")]
        pub relay_ports: RelayPorts = defaults::RELAY_PORTS.collect(),
        /// A relay that carries no packet for this time is closed.
        #[arg(env = "NORAY_UDP_RELAY_TIMEOUT", long = "udp-relay-timeout", value_name = "TIME")]
        pub relay_timeout: TimeSpan = defaults::RELAY_TIMEOUT.into() => SHORTEST..,
        /// Pause between two searches for idle relays.
        #[arg(env = "NORAY_UDP_RELAY_CLEANUP_INTERVAL", long = "udp-relay-cleanup-interval", value_name = "TIME")]
        pub relay_cleanup_interval: TimeSpan = defaults::RELAY_CLEANUP_INTERVAL.into() => SHORTEST..,
        /// What one player may send through its relay in a second, headers included; the rest is
        /// dropped.
        #[arg(env = "NORAY_UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC", long = "udp-relay-max-individual-traffic", value_name = "SIZE")]
        pub max_individual_traffic: ByteSize = ByteSize(defaults::MAX_INDIVIDUAL_TRAFFIC) => ByteSize(1)..,
        /// What all players may send through relays in a second, headers included; the rest is
        /// dropped.
        #[arg(env = "NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC", long = "udp-relay-max-global-traffic", value_name = "SIZE")]
        pub max_global_traffic: ByteSize = ByteSize(defaults::MAX_GLOBAL_TRAFFIC) => ByteSize(1)..,
        /// For this time a limit of traffic may be used up at once. Less than a second costs games
        /// bandwidth that send much at once.
        #[arg(env = "NORAY_UDP_RELAY_TRAFFIC_INTERVAL", long = "udp-relay-traffic-interval", value_name = "TIME")]
        pub traffic_interval: TimeSpan = defaults::TRAFFIC_INTERVAL.into() => SHORTEST..,
        /// How long a relay forwards.
        #[arg(env = "NORAY_UDP_RELAY_MAX_LIFETIME_DURATION", long = "udp-relay-max-lifetime-duration", value_name = "TIME")]
        pub max_lifetime_duration: TimeSpan = defaults::MAX_LIFETIME_DURATION.into() => SHORTEST..,
        /// How much one player may send in its relay's life.
        #[arg(env = "NORAY_UDP_RELAY_MAX_LIFETIME_TRAFFIC", long = "udp-relay-max-lifetime-traffic", value_name = "SIZE")]
        pub max_lifetime_traffic: ByteSize = ByteSize(defaults::MAX_LIFETIME_TRAFFIC) => ByteSize(1)..,
        /// Length of an OpenID, in characters; a short one can be guessed or be given twice.
        #[arg(env = "NORAY_OID_LENGTH", long = "oid-length", value_name = "COUNT", value_parser = count::<usize>)]
        pub open_id_length: usize = defaults::OPEN_ID_LENGTH => 1..,
        /// Characters of OpenIDs.
        #[arg(env = "NORAY_OID_CHARSET", long = "oid-charset", value_name = "CHARACTERS")]
        pub open_id_charset: String = defaults::ID_CHARSET.to_owned(),
        /// Whether OpenIDs are words, as in `BraveFriendlyFalcon`: true or false.
        #[arg(env = "NORAY_ENABLE_WORDS_OID", long = "enable-words-oid", value_name = "BOOL", action = clap::ArgAction::Set)]
        pub open_id_words: bool = false,
        /// How many words such an OpenID has.
        #[arg(env = "NORAY_WORDS_OID_LENGTH", long = "words-oid-length", value_name = "COUNT", value_parser = count::<usize>)]
        pub open_id_word_count: usize = defaults::OPEN_ID_WORD_COUNT => 1..=defaults::MAX_OPEN_ID_WORDS,
        /// Length of a PrivateID, which works like a password, in characters.
        #[arg(env = "NORAY_PID_LENGTH", long = "pid-length", value_name = "COUNT", value_parser = count::<usize>)]
        pub private_id_length: usize = defaults::PRIVATE_ID_LENGTH => 1..,
        /// Characters of PrivateIDs.
        #[arg(env = "NORAY_PID_CHARSET", long = "pid-charset", value_name = "CHARACTERS")]
        pub private_id_charset: String = defaults::ID_CHARSET.to_owned(),
        /// Connections at one time; more are closed at once.
        #[arg(env = "NORAY_MAX_CONNECTIONS", long, value_name = "COUNT", value_parser = count::<usize>)]
        pub max_connections: usize = defaults::MAX_CONNECTIONS => 1..,
        /// Connections from one IPv4 address or one IPv6 /64 network at one time; more are closed
        /// at once.
        #[arg(env = "NORAY_MAX_CONNECTIONS_PER_ADDRESS", long, value_name = "COUNT", value_parser = count::<usize>)]
        pub max_connections_per_address: usize = defaults::MAX_CONNECTIONS_PER_ADDRESS => 1..,
        /// Longest line that a player may send; longer ones are skipped.
        #[arg(env = "NORAY_MAX_LINE_LENGTH", long, value_name = "SIZE")]
        pub max_line_length: ByteSize = ByteSize(defaults::MAX_LINE_LENGTH as u64) => ByteSize(64)..=ByteSize(1 << 20),
        /// Lines a second that are read from one connection; more wait.
        #[arg(env = "NORAY_MAX_LINES_PER_SECOND", long, value_name = "COUNT", value_parser = count::<u32>)]
        pub max_lines_per_second: u32 = defaults::MAX_LINES_PER_SECOND => 1..,
        /// `connect` and `connect-relay` a second that are answered on one connection; more are
        /// refused.
        #[arg(env = "NORAY_MAX_CONNECTS_PER_SECOND", long, value_name = "COUNT", value_parser = count::<u32>)]
        pub max_connects_per_second: u32 = defaults::MAX_CONNECTS_PER_SECOND => 1..,
        /// Lines a second that are read from all connections of one address; more wait.
        #[arg(env = "NORAY_MAX_LINES_PER_SECOND_PER_ADDRESS", long, value_name = "COUNT", value_parser = count::<u32>)]
        pub max_lines_per_second_per_address: u32 = defaults::MAX_LINES_PER_SECOND_PER_ADDRESS => 1..,
        /// `connect` and `connect-relay` a second that are answered on all connections of one
        /// address; more are refused.
        #[arg(env = "NORAY_MAX_CONNECTS_PER_SECOND_PER_ADDRESS", long, value_name = "COUNT", value_parser = count::<u32>)]
        pub max_connects_per_second_per_address: u32 =
            defaults::MAX_CONNECTS_PER_SECOND_PER_ADDRESS => 1..,
        /// `register-host` a second on all connections of one address; more wait.
        #[arg(env = "NORAY_MAX_REGISTRATIONS_PER_SECOND_PER_ADDRESS", long, value_name = "COUNT", value_parser = count::<u32>)]
        pub max_registrations_per_second_per_address: u32 =
            defaults::MAX_REGISTRATIONS_PER_SECOND_PER_ADDRESS => 1..,
        /// OpenIDs that one connection may have; asking for more has no effect.
        #[arg(env = "NORAY_MAX_HOSTS_PER_CONNECTION", long, value_name = "COUNT", value_parser = count::<usize>)]
        pub max_hosts_per_connection: usize = defaults::MAX_HOSTS_PER_CONNECTION => 1..,
        /// What may wait for a player who is slow to read; from half of it on, the player itself is
        /// not read from, and requests for it are refused.
        #[arg(env = "NORAY_MAX_OUTBOUND_QUEUE", long, value_name = "SIZE")]
        pub max_outbound_queue: ByteSize = ByteSize(defaults::MAX_OUTBOUND_QUEUE as u64),
        /// A player who does not read for this time is disconnected.
        #[arg(env = "NORAY_WRITE_TIMEOUT", long, value_name = "TIME")]
        pub write_timeout: TimeSpan = defaults::WRITE_TIMEOUT.into() => SHORTEST..,
        /// A player whose machine does not answer for this time is disconnected; from 8s to 12h.
        #[arg(env = "NORAY_VANISHED_TIMEOUT", long, value_name = "TIME")]
        pub vanished_timeout: TimeSpan = defaults::VANISHED_TIMEOUT.into() => defaults::VANISHED_TIMEOUTS,
        /// A connection without `register-host` is closed after this time.
        #[arg(env = "NORAY_UNREGISTERED_TIMEOUT", long, value_name = "TIME")]
        pub unregistered_timeout: TimeSpan = defaults::UNREGISTERED_TIMEOUT.into() => SHORTEST..,
    }
}

/// A setting that a server cannot work with.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{name} (--{flag}): {problem}", flag = flag(name))]
pub struct ConfigError {
    /// The setting, by the name of its environment variable.
    pub name: &'static str,
    /// What is wrong with its value.
    pub problem: String,
}

/// Returns the flag, without its dashes, of the setting with this variable.
fn flag(name: &str) -> String {
    let name = name.strip_prefix("NORAY_").unwrap_or(name);
    name.to_lowercase().replace('_', "-")
}

impl Config {
    /// Checks whether a server can work with this configuration.
    ///
    /// # Errors
    /// Returns the first setting that it cannot work with.
    pub fn check(&self) -> Result<(), ConfigError> {
        self.check_ranges()?;
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
            !self.relay_ports.contains(&0),
            "NORAY_UDP_RELAY_PORTS",
            "port 0 is no relay port",
        )?;
        // An answer can hold what a line held, or both ids.
        let answer = self.max_line_length.0.saturating_add(4096);
        require(
            self.max_outbound_queue.0 >= answer.saturating_mul(2),
            "NORAY_MAX_OUTBOUND_QUEUE",
            "must be 8kb and twice NORAY_MAX_LINE_LENGTH or more",
        )
    }

    /// Returns what the configuration says of relays.
    pub(crate) fn relay_limits(&self) -> RelayLimits {
        RelayLimits {
            idle_timeout: *self.relay_timeout,
            traffic_interval: *self.traffic_interval,
            max_individual_traffic: self.max_individual_traffic.0,
            max_global_traffic: self.max_global_traffic.0,
            max_lifetime: *self.max_lifetime_duration,
            max_lifetime_traffic: self.max_lifetime_traffic.0,
            address_hold: defaults::ADDRESS_HOLD,
            max_links: defaults::MAX_LINKS,
        }
    }
}

fn require(holds: bool, name: &'static str, problem: &str) -> Result<(), ConfigError> {
    if holds {
        return Ok(());
    }
    Err(ConfigError {
        name,
        problem: problem.to_owned(),
    })
}

/// What can be too little or too much.
trait Amount: PartialOrd + fmt::Display {
    /// How a larger amount is called.
    const MORE: &'static str = "more";
}

impl Amount for u32 {}
impl Amount for usize {}
impl Amount for ByteSize {}
impl Amount for TimeSpan {
    const MORE: &'static str = "longer";
}

fn check_range<T: Amount>(
    name: &'static str,
    value: &T,
    range: impl RangeBounds<T>,
) -> Result<(), ConfigError> {
    let problem = match (range.start_bound(), range.end_bound()) {
        (Bound::Included(least), Bound::Included(most)) => {
            format!("must be from {least} to {most}")
        }
        (Bound::Included(least), _) => format!("must be {least} or {}", T::MORE),
        _ => "is out of range".to_owned(),
    };
    require(range.contains(value), name, &problem)
}

fn check_id(
    [length_name, charset_name]: [&'static str; 2],
    length: usize,
    charset: &str,
    max_bytes: usize,
) -> Result<(), ConfigError> {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_default_configuration_works() {
        assert_eq!(Config::default().check(), Ok(()));
    }
}
