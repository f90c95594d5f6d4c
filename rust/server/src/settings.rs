//! The settings as text: their names, help, forms and units.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr, ToSocketAddrs},
    time::Duration,
};

use crate::{
    config::{Config, LogFormat, LogLevel},
    relay_ports::RelayPortsError,
};

/// A setting of the server, as the environment, the command line and help texts know it.
pub struct Setting {
    /// The environment variable, `NORAY_…`.
    pub name: &'static str,
    /// The command line's flag, without dashes.
    pub flag: &'static str,
    /// What kind of value it takes, for help texts.
    pub value: &'static str,
    /// What it means, in a sentence.
    pub help: &'static str,
    pub(crate) set: fn(&mut Config, &str) -> Result<(), String>,
    pub(crate) show: fn(&Config) -> String,
}

impl Setting {
    /// The setting of this name.
    #[must_use]
    pub fn named(name: &str) -> Option<&'static Self> {
        SETTINGS.iter().find(|setting| setting.name == name)
    }

    /// The setting's value in a configuration, in the form that [`Config::set`] reads.
    #[must_use]
    pub fn show(&self, config: &Config) -> String {
        (self.show)(config)
    }
}

impl fmt::Debug for Setting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl PartialEq for Setting {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for Setting {}

/// All settings: the public server's that apply, then our own.
pub const SETTINGS: &[Setting] = &[
    Setting {
        name: "NORAY_SOCKET_HOST",
        flag: "socket-host",
        value: "ADDRESS",
        help: "Address on which the commands listen (TCP); `::` means IPv6 and IPv4",
        set: |config, value| store(&mut config.socket_host, host(value)),
        show: |config| config.socket_host.to_string(),
    },
    Setting {
        name: "NORAY_SOCKET_PORT",
        flag: "socket-port",
        value: "PORT",
        help: "TCP port of the commands; 0 takes any free one",
        set: |config, value| store(&mut config.socket_port, port(value)),
        show: |config| config.socket_port.to_string(),
    },
    Setting {
        name: "NORAY_HTTP_HOST",
        flag: "http-host",
        value: "ADDRESS",
        help: "Address on which `/metrics` and `/health` are served (HTTP)",
        set: |config, value| store(&mut config.http_host, host(value)),
        show: |config| config.http_host.to_string(),
    },
    Setting {
        name: "NORAY_HTTP_PORT",
        flag: "http-port",
        value: "PORT",
        help: "TCP port of `/metrics` and `/health`; 0 takes any free one, `off` serves none",
        set: |config, value| store(&mut config.http_port, port_or_off(value)),
        show: |config| {
            config
                .http_port
                .map_or(OFF.to_owned(), |port| port.to_string())
        },
    },
    Setting {
        name: "NORAY_UDP_REGISTRAR_PORT",
        flag: "udp-registrar-port",
        value: "PORT",
        help: "UDP port of the registrar; 0 takes any free one",
        set: |config, value| store(&mut config.registrar_port, port(value)),
        show: |config| config.registrar_port.to_string(),
    },
    Setting {
        name: "NORAY_UDP_RELAY_PORTS",
        flag: "udp-relay-ports",
        value: "PORTS",
        help: "UDP ports for relays, one for each relayed player, as in \
               `49152-51200`, `2048+3` or `2048, 2050-2060`",
        set: |config, value| {
            store(
                &mut config.relay_ports,
                value
                    .parse()
                    .map_err(|error: RelayPortsError| error.to_string()),
            )
        },
        show: |config| config.relay_ports.to_string(),
    },
    Setting {
        name: "NORAY_UDP_RELAY_TIMEOUT",
        flag: "udp-relay-timeout",
        value: "TIME",
        help: "A relay that nothing goes through for so long is closed",
        set: |config, value| store(&mut config.relay_timeout, duration(value)),
        show: |config| show_duration(config.relay_timeout),
    },
    Setting {
        name: "NORAY_UDP_RELAY_CLEANUP_INTERVAL",
        flag: "udp-relay-cleanup-interval",
        value: "TIME",
        help: "Pause between two searches for idle relays",
        set: |config, value| store(&mut config.relay_cleanup_interval, duration(value)),
        show: |config| show_duration(config.relay_cleanup_interval),
    },
    Setting {
        name: "NORAY_UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC",
        flag: "udp-relay-max-individual-traffic",
        value: "SIZE",
        help: "What one player may send through its relay in a second; the rest is dropped",
        set: |config, value| store(&mut config.max_individual_traffic, size(value)),
        show: |config| show_size(config.max_individual_traffic),
    },
    Setting {
        name: "NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC",
        flag: "udp-relay-max-global-traffic",
        value: "SIZE",
        help: "What all players may send through relays in a second; the rest is dropped",
        set: |config, value| store(&mut config.max_global_traffic, size(value)),
        show: |config| show_size(config.max_global_traffic),
    },
    Setting {
        name: "NORAY_UDP_RELAY_TRAFFIC_INTERVAL",
        flag: "udp-relay-traffic-interval",
        value: "TIME",
        help: "The slice of time in which traffic is counted",
        set: |config, value| store(&mut config.traffic_interval, duration(value)),
        show: |config| show_duration(config.traffic_interval),
    },
    Setting {
        name: "NORAY_UDP_RELAY_MAX_LIFETIME_DURATION",
        flag: "udp-relay-max-lifetime-duration",
        value: "TIME",
        help: "How long a relay forwards",
        set: |config, value| store(&mut config.max_lifetime_duration, duration(value)),
        show: |config| show_duration(config.max_lifetime_duration),
    },
    Setting {
        name: "NORAY_UDP_RELAY_MAX_LIFETIME_TRAFFIC",
        flag: "udp-relay-max-lifetime-traffic",
        value: "SIZE",
        help: "How much one player may send in its relay's life",
        set: |config, value| store(&mut config.max_lifetime_traffic, size(value)),
        show: |config| show_size(config.max_lifetime_traffic),
    },
    Setting {
        name: "NORAY_OID_LENGTH",
        flag: "oid-length",
        value: "COUNT",
        help: "Length of an OpenID; a short one can be guessed or be given twice",
        set: |config, value| store(&mut config.open_id_length, count(value)),
        show: |config| config.open_id_length.to_string(),
    },
    Setting {
        name: "NORAY_OID_CHARSET",
        flag: "oid-charset",
        value: "CHARACTERS",
        help: "The characters of OpenIDs",
        set: |config, value| store(&mut config.open_id_charset, Ok(value.to_owned())),
        show: |config| config.open_id_charset.clone(),
    },
    Setting {
        name: "NORAY_ENABLE_WORDS_OID",
        flag: "enable-words-oid",
        value: "BOOL",
        help: "Whether OpenIDs are words, as in `BraveFriendlyFalcon`: true or false",
        set: |config, value| store(&mut config.open_id_words, boolean(value)),
        show: |config| config.open_id_words.to_string(),
    },
    Setting {
        name: "NORAY_WORDS_OID_LENGTH",
        flag: "words-oid-length",
        value: "COUNT",
        help: "How many words such an OpenID has",
        set: |config, value| store(&mut config.open_id_word_count, count(value)),
        show: |config| config.open_id_word_count.to_string(),
    },
    Setting {
        name: "NORAY_PID_LENGTH",
        flag: "pid-length",
        value: "COUNT",
        help: "Length of a PrivateID, which works like a password",
        set: |config, value| store(&mut config.private_id_length, count(value)),
        show: |config| config.private_id_length.to_string(),
    },
    Setting {
        name: "NORAY_PID_CHARSET",
        flag: "pid-charset",
        value: "CHARACTERS",
        help: "The characters of PrivateIDs",
        set: |config, value| store(&mut config.private_id_charset, Ok(value.to_owned())),
        show: |config| config.private_id_charset.clone(),
    },
    Setting {
        name: "NORAY_LOGLEVEL",
        flag: "loglevel",
        value: "LEVEL",
        help: "What is logged: silent, fatal, error, warn, info, debug or trace",
        set: |config, value| store(&mut config.log_level, level(value)),
        show: |config| config.log_level.name().to_owned(),
    },
    Setting {
        name: "NORAY_LOG_FORMAT",
        flag: "log-format",
        value: "FORMAT",
        help: "How lines are logged: text or json",
        set: |config, value| store(&mut config.log_format, format(value)),
        show: |config| config.log_format.name().to_owned(),
    },
    Setting {
        name: "NORAY_DRAIN_TIMEOUT",
        flag: "drain-timeout",
        value: "TIME",
        help: "How long the server waits at its end for games that go through its relays",
        set: |config, value| store(&mut config.drain_timeout, duration(value)),
        show: |config| show_duration(config.drain_timeout),
    },
    Setting {
        name: "NORAY_UDP_HOST",
        flag: "udp-host",
        value: "ADDRESS",
        help: "IPv4 address on which the registrar and the relays listen (UDP)",
        set: |config, value| store(&mut config.udp_host, host_v4(value)),
        show: |config| config.udp_host.to_string(),
    },
    Setting {
        name: "NORAY_MAX_CONNECTIONS",
        flag: "max-connections",
        value: "COUNT",
        help: "Connections at one time; more are closed at once",
        set: |config, value| store(&mut config.max_connections, count(value)),
        show: |config| config.max_connections.to_string(),
    },
    Setting {
        name: "NORAY_MAX_CONNECTIONS_PER_ADDRESS",
        flag: "max-connections-per-address",
        value: "COUNT",
        help: "Connections from one IPv4 address or one IPv6 /64 network at one time",
        set: |config, value| store(&mut config.max_connections_per_address, count(value)),
        show: |config| config.max_connections_per_address.to_string(),
    },
    Setting {
        name: "NORAY_MAX_LINE_LENGTH",
        flag: "max-line-length",
        value: "SIZE",
        help: "Longest line that a player may send; longer ones are skipped",
        set: |config, value| store(&mut config.max_line_length, small_size(value)),
        show: |config| show_size(config.max_line_length as u64),
    },
    Setting {
        name: "NORAY_MAX_LINES_PER_SECOND",
        flag: "max-lines-per-second",
        value: "COUNT",
        help: "Lines a second that are read of one connection; more wait",
        set: |config, value| store(&mut config.max_lines_per_second, count(value)),
        show: |config| config.max_lines_per_second.to_string(),
    },
    Setting {
        name: "NORAY_MAX_CONNECTS_PER_SECOND",
        flag: "max-connects-per-second",
        value: "COUNT",
        help: "Connect requests a second that are answered on one connection; more are refused",
        set: |config, value| store(&mut config.max_connects_per_second, count(value)),
        show: |config| config.max_connects_per_second.to_string(),
    },
    Setting {
        name: "NORAY_MAX_LINES_PER_SECOND_PER_ADDRESS",
        flag: "max-lines-per-second-per-address",
        value: "COUNT",
        help: "Lines a second that are read of all connections from one address; more wait",
        set: |config, value| store(&mut config.max_lines_per_second_per_address, count(value)),
        show: |config| config.max_lines_per_second_per_address.to_string(),
    },
    Setting {
        name: "NORAY_MAX_CONNECTS_PER_SECOND_PER_ADDRESS",
        flag: "max-connects-per-second-per-address",
        value: "COUNT",
        help: "Connect requests a second that are answered to one address; more are refused",
        set: |config, value| {
            store(
                &mut config.max_connects_per_second_per_address,
                count(value),
            )
        },
        show: |config| config.max_connects_per_second_per_address.to_string(),
    },
    Setting {
        name: "NORAY_MAX_REGISTRATIONS_PER_SECOND_PER_ADDRESS",
        flag: "max-registrations-per-second-per-address",
        value: "COUNT",
        help: "Registrations a second of all connections from one address; more wait",
        set: |config, value| {
            store(
                &mut config.max_registrations_per_second_per_address,
                count(value),
            )
        },
        show: |config| config.max_registrations_per_second_per_address.to_string(),
    },
    Setting {
        name: "NORAY_MAX_HOSTS_PER_CONNECTION",
        flag: "max-hosts-per-connection",
        value: "COUNT",
        help: "OpenIDs that one connection may have; asking for more has no effect",
        set: |config, value| store(&mut config.max_hosts_per_connection, count(value)),
        show: |config| config.max_hosts_per_connection.to_string(),
    },
    Setting {
        name: "NORAY_MAX_OUTBOUND_QUEUE",
        flag: "max-outbound-queue",
        value: "SIZE",
        help: "What may wait for a player who is slow to read",
        set: |config, value| store(&mut config.max_outbound_queue, small_size(value)),
        show: |config| show_size(config.max_outbound_queue as u64),
    },
    Setting {
        name: "NORAY_WRITE_TIMEOUT",
        flag: "write-timeout",
        value: "TIME",
        help: "A player who does not read for so long is disconnected",
        set: |config, value| store(&mut config.write_timeout, duration(value)),
        show: |config| show_duration(config.write_timeout),
    },
    Setting {
        name: "NORAY_VANISHED_TIMEOUT",
        flag: "vanished-timeout",
        value: "TIME",
        help: "A player whose machine does not answer for so long is disconnected",
        set: |config, value| store(&mut config.vanished_timeout, duration(value)),
        show: |config| show_duration(config.vanished_timeout),
    },
    Setting {
        name: "NORAY_UNREGISTERED_TIMEOUT",
        flag: "unregistered-timeout",
        value: "TIME",
        help: "A connection without `register-host` is closed after this time",
        set: |config, value| store(&mut config.unregistered_timeout, duration(value)),
        show: |config| show_duration(config.unregistered_timeout),
    },
];

/// The public server's units of time, in nanoseconds.
const TIME_UNITS: [(&str, u64); 11] = [
    ("us", 1_000),
    ("ms", 1_000_000),
    ("s", 1_000_000_000),
    ("m", 60 * 1_000_000_000),
    ("h", 3600 * 1_000_000_000),
    ("hr", 3600 * 1_000_000_000),
    ("d", 86_400 * 1_000_000_000),
    ("w", 7 * 86_400 * 1_000_000_000),
    ("mo", 30 * 86_400 * 1_000_000_000),
    ("yr", 365 * 86_400 * 1_000_000_000),
    ("", 1_000_000_000),
];

/// The public server's units of size; each is 1,024 times the one before.
const SIZE_UNITS: [&str; 9] = ["b", "kb", "mb", "gb", "tb", "pb", "eb", "zb", "yb"];

/// Stands for a port that is not used.
const OFF: &str = "off";

fn store<T>(field: &mut T, value: Result<T, String>) -> Result<(), String> {
    *field = value?;
    Ok(())
}

fn port(text: &str) -> Result<u16, String> {
    digits(text).ok_or_else(|| format!("`{text}` is no port from 0 to 65535"))
}

fn port_or_off(text: &str) -> Result<Option<u16>, String> {
    match text {
        OFF => Ok(None),
        _ => port(text).map(Some),
    }
}

fn count<T: std::str::FromStr>(text: &str) -> Result<T, String> {
    digits(text).ok_or_else(|| format!("`{text}` is no whole number, or too large"))
}

fn boolean(text: &str) -> Result<bool, String> {
    text.parse()
        .map_err(|_| format!("`{text}` is neither true nor false"))
}

fn digits<T: std::str::FromStr>(text: &str) -> Option<T> {
    let all_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| all_digits)
}

fn host(text: &str) -> Result<IpAddr, String> {
    addresses(text)?
        .first()
        .map(SocketAddr::ip)
        .ok_or_else(|| format!("`{text}` has no address"))
}

fn host_v4(text: &str) -> Result<Ipv4Addr, String> {
    addresses(text)?
        .into_iter()
        .find_map(|address| match address {
            SocketAddr::V4(address) => Some(*address.ip()),
            SocketAddr::V6(_) => None,
        })
        .ok_or_else(|| format!("`{text}` has no IPv4 address"))
}

fn addresses(text: &str) -> Result<Vec<SocketAddr>, String> {
    match (text, 0).to_socket_addrs() {
        Ok(addresses) => Ok(addresses.collect()),
        Err(error) => Err(format!(
            "`{text}` is no address of this machine's ({error})"
        )),
    }
}

fn level(text: &str) -> Result<LogLevel, String> {
    LogLevel::ALL
        .into_iter()
        .find(|level| level.name() == text)
        .ok_or_else(|| {
            let names = LogLevel::ALL.map(LogLevel::name).join(", ");
            format!("`{text}` is no log level; there are {names}")
        })
}

fn format(text: &str) -> Result<LogFormat, String> {
    LogFormat::ALL
        .into_iter()
        .find(|format| format.name() == text)
        .ok_or_else(|| format!("`{text}` is no log format; there are text and json"))
}

/// A number and the unit behind it.
fn split_unit(text: &str) -> (&str, String) {
    let end = text
        .find(|char: char| !char.is_ascii_digit() && char != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start().to_ascii_lowercase())
}

fn duration(text: &str) -> Result<Duration, String> {
    let problem = || {
        let units = TIME_UNITS.map(|(name, _)| name).join(", ");
        format!("`{text}` is no time such as 100ms, 30s or 4hr (units: {units}seconds if none)")
    };
    let (number, unit) = split_unit(text);
    let (_, nanos) = TIME_UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(problem)?;
    if let Ok(whole) = number.parse::<u64>() {
        let nanos = u128::from(whole) * u128::from(*nanos);
        let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| problem())?;
        return Ok(Duration::new(seconds, (nanos % 1_000_000_000) as u32));
    }
    let number: f64 = number.parse().map_err(|_| problem())?;
    Duration::try_from_secs_f64(number * *nanos as f64 / 1e9).map_err(|_| problem())
}

fn show_duration(time: Duration) -> String {
    let nanos = time.as_nanos();
    let (name, unit) = TIME_UNITS
        .iter()
        .take_while(|(name, _)| *name != "hr")
        .filter(|(_, unit)| nanos > 0 && nanos.is_multiple_of(u128::from(*unit)))
        .last()
        .unwrap_or(&TIME_UNITS[2]);
    match nanos % u128::from(*unit) {
        0 => format!("{}{name}", nanos / u128::from(*unit)),
        _ => format!("{}s", time.as_secs_f64()),
    }
}

/// Bytes; more than fit are as many as fit.
fn size(text: &str) -> Result<u64, String> {
    let problem = || {
        let units = SIZE_UNITS.join(", ");
        format!("`{text}` is no size such as 4096, 128kb or 1gb (units: {units})")
    };
    let (number, unit) = split_unit(text);
    let power = match unit.as_str() {
        "" => 0,
        unit => SIZE_UNITS
            .iter()
            .position(|name| *name == unit)
            .ok_or_else(problem)?,
    };
    if let Ok(whole) = number.parse::<u64>() {
        let bytes = (0..power).fold(whole, |bytes, _| bytes.saturating_mul(1024));
        return Ok(bytes);
    }
    let number: f64 = number.parse().map_err(|_| problem())?;
    // `as` keeps to the range of the type.
    Ok((number * 1024_f64.powi(power as i32)) as u64)
}

fn small_size(text: &str) -> Result<usize, String> {
    size(text).map(|bytes| usize::try_from(bytes).unwrap_or(usize::MAX))
}

fn show_size(bytes: u64) -> String {
    let mut shown = bytes;
    let mut power = 0;
    while shown > 0 && shown.is_multiple_of(1024) && power < 4 {
        shown /= 1024;
        power += 1;
    }
    format!("{shown}{}", SIZE_UNITS[power])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::config::ConfigError;

    fn set(name: &str, value: &str) -> Result<Config, ConfigError> {
        let mut config = Config::default();
        config.set(name, value)?;
        config.check()?;
        Ok(config)
    }

    #[test]
    fn the_default_configuration_works() {
        assert_eq!(Config::default().check(), Ok(()));
    }

    #[test]
    fn names_and_flags_agree_and_are_unique() {
        for (index, setting) in SETTINGS.iter().enumerate() {
            let flag = setting.name.strip_prefix("NORAY_").unwrap();
            assert_eq!(setting.flag, flag.to_lowercase().replace('_', "-"));
            let first = SETTINGS.iter().position(|other| other == setting);
            assert_eq!(first, Some(index));
        }
    }

    #[test]
    fn every_setting_reads_what_it_shows() {
        for setting in SETTINGS {
            let mut config = Config::default();
            let shown = setting.show(&config);
            config.set(setting.name, &shown).unwrap();
            assert_eq!(config, Config::default(), "{setting:?}");
        }
    }

    /// A setting that wrote to another one's field would pass the test above.
    #[test]
    fn every_setting_changes_what_it_shows_and_nothing_else() {
        for setting in SETTINGS {
            let value = match setting.value {
                "PORT" => "1234",
                "PORTS" => "1000+5",
                "ADDRESS" => "127.0.0.9",
                "TIME" => "77s",
                "SIZE" => "77kb",
                "COUNT" => "77",
                "CHARACTERS" => "abc",
                "BOOL" => "true",
                "FORMAT" => "json",
                "LEVEL" => "trace",
                other => panic!("no value for {other}"),
            };
            let mut config = Config::default();
            config.set(setting.name, value).unwrap();
            for other in SETTINGS {
                let same = other.show(&config) == other.show(&Config::default());
                assert_eq!(same, other != setting, "{setting:?} and {other:?}");
            }
        }
    }

    /// The forms that the public server's own tests and example file have.
    #[test]
    fn the_public_servers_forms_are_read() {
        for (text, nanos) in [
            ("64", 64_000_000_000),
            ("64us", 64_000),
            ("64ms", 64_000_000),
            ("0.5s", 500_000_000),
            ("10m", 600_000_000_000),
            ("4h", 14_400_000_000_000),
            ("4hr", 14_400_000_000_000),
            ("2D", 172_800_000_000_000),
            ("2w", 1_209_600_000_000_000),
            ("3mo", 7_776_000_000_000_000),
            ("4yr", 126_144_000_000_000_000),
        ] {
            assert_eq!(duration(text), Ok(Duration::from_nanos(nanos)), "{text}");
        }
        for (text, bytes) in [
            ("64", 64),
            ("64b", 64),
            ("64kb", 64 << 10),
            ("1Gb", 1 << 30),
            ("64Tb", 64 << 40),
            ("1.5kb", 1536),
            ("6.4Yb", u64::MAX),
        ] {
            assert_eq!(size(text), Ok(bytes), "{text}");
        }
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (name, value) in [
            ("NORAY_SOCKET_PORT", "65536"),
            ("NORAY_SOCKET_PORT", "-1"),
            ("NORAY_SOCKET_PORT", "+80"),
            ("NORAY_SOCKET_PORT", "http"),
            ("NORAY_HTTP_PORT", "no"),
            ("NORAY_UDP_HOST", "::1"),
            ("NORAY_UDP_RELAY_PORTS", "0"),
            ("NORAY_UDP_RELAY_PORTS", "5-4"),
            ("NORAY_UDP_RELAY_PORTS", "65535+1"),
            ("NORAY_UDP_RELAY_PORTS", "1,,2"),
            ("NORAY_UDP_RELAY_PORTS", "1-2-3"),
            ("NORAY_UDP_RELAY_TIMEOUT", "no6"),
            ("NORAY_UDP_RELAY_TIMEOUT", "64mh"),
            ("NORAY_UDP_RELAY_TIMEOUT", "0"),
            ("NORAY_UDP_RELAY_TIMEOUT", "1.2.3s"),
            ("NORAY_UDP_RELAY_TIMEOUT", "99999999999999999999999yr"),
            ("NORAY_UDP_RELAY_TRAFFIC_INTERVAL", "0ms"),
            ("NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC", "no6"),
            ("NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC", "64Bb"),
            ("NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC", "0"),
            ("NORAY_OID_LENGTH", "0"),
            ("NORAY_OID_LENGTH", "1025"),
            ("NORAY_OID_CHARSET", "a"),
            ("NORAY_OID_CHARSET", "aaa"),
            ("NORAY_OID_CHARSET", "a b"),
            ("NORAY_OID_CHARSET", "a\"b"),
            ("NORAY_PID_LENGTH", "1201"),
            ("NORAY_ENABLE_WORDS_OID", "yes"),
            ("NORAY_WORDS_OID_LENGTH", "0"),
            ("NORAY_WORDS_OID_LENGTH", "33"),
            ("NORAY_PID_CHARSET", "a\\b"),
            ("NORAY_LOGLEVEL", "loud"),
            ("NORAY_LOG_FORMAT", "xml"),
            ("NORAY_DRAIN_TIMEOUT", "soon"),
            ("NORAY_MAX_CONNECTIONS", "0"),
            ("NORAY_MAX_LINE_LENGTH", "10"),
            ("NORAY_MAX_OUTBOUND_QUEUE", "4kb"),
        ] {
            let error = set(name, value).expect_err(name).to_string();
            assert!(error.starts_with(&format!("{name} (--")), "{error}");
        }
        assert_eq!(
            set("NORAY_NO_SUCH_SETTING", "1"),
            Err(ConfigError::Unknown("NORAY_NO_SUCH_SETTING".to_owned()))
        );
    }

    #[test]
    fn an_empty_value_means_the_default() {
        for setting in SETTINGS {
            assert_eq!(set(setting.name, " "), Ok(Config::default()));
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(index in 0..SETTINGS.len(), value in "[-+0-9., a-z]{0,24}|\\PC*") {
            // A host name would be looked up.
            prop_assume!(SETTINGS[index].value != "ADDRESS");
            let _ = set(SETTINGS[index].name, &value);
        }

        #[test]
        fn shown_values_are_read_back(micros in 1..u64::MAX / 1000, bytes: u64) {
            let time = Duration::from_micros(micros);
            prop_assert_eq!(duration(&show_duration(time)), Ok(time));
            prop_assert_eq!(size(&show_size(bytes)), Ok(bytes));
        }
    }
}
