//! The settings of the program: the server's, and its own for metrics, the log and the end.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr},
    str::FromStr,
};

use clap::{Args, ValueEnum};
use noray_server::{
    Config, defaults,
    setting_values::{TimeSpan, ValueError, host, port},
};

/// Every setting.
#[derive(Args, Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Settings {
    #[command(flatten, next_help_heading = "Settings of the server")]
    pub(crate) server: Config,
    #[command(flatten, next_help_heading = "Settings of the program")]
    pub(crate) program: ProgramSettings,
}

impl Settings {
    /// Returns the name of each setting and its value, in the form in which it is read.
    pub(crate) fn shown(&self) -> Vec<(&'static str, String)> {
        let mut shown = self.server.shown();
        shown.extend(self.program.shown());
        shown
    }
}

/// What concerns the program alone.
#[derive(Args, Clone, Debug, PartialEq, Eq)]
pub(crate) struct ProgramSettings {
    /// Address on which `/metrics` and `/health` are served (HTTP); `::` means IPv6 and IPv4.
    #[arg(env = "NORAY_HTTP_HOST", long, value_name = "ADDRESS", value_parser = host)]
    #[arg(default_value_t = Self::default().http_host)]
    pub(crate) http_host: IpAddr,

    /// TCP port of `/metrics` and `/health`; 0 takes any free one, `off` serves none.
    #[arg(env = "NORAY_HTTP_PORT", long, value_name = "PORT")]
    #[arg(default_value_t = Self::default().http_port)]
    pub(crate) http_port: HttpPort,

    /// What is logged: silent, fatal, error, warn, info, debug or trace.
    #[arg(env = "NORAY_LOGLEVEL", long = "loglevel", value_name = "LEVEL")]
    #[arg(value_enum, default_value_t = Self::default().log_level)]
    pub(crate) log_level: LogLevel,

    /// How lines are logged: text, or json with one object a line.
    #[arg(env = "NORAY_LOG_FORMAT", long, value_name = "FORMAT")]
    #[arg(value_enum, default_value_t = Self::default().log_format)]
    pub(crate) log_format: LogFormat,

    /// How long the server, when it is to stop, waits for games that go through its relays.
    #[arg(env = "NORAY_DRAIN_TIMEOUT", long, value_name = "TIME")]
    #[arg(default_value_t = Self::default().drain_timeout)]
    pub(crate) drain_timeout: TimeSpan,
}

impl Default for ProgramSettings {
    fn default() -> Self {
        Self {
            http_host: IpAddr::V4(Ipv4Addr::LOCALHOST),
            http_port: HttpPort(Some(defaults::HTTP_PORT)),
            log_level: LogLevel::Info,
            log_format: LogFormat::Text,
            drain_timeout: defaults::DRAIN_TIMEOUT.into(),
        }
    }
}

impl ProgramSettings {
    fn shown(&self) -> [(&'static str, String); 5] {
        [
            ("NORAY_HTTP_HOST", self.http_host.to_string()),
            ("NORAY_HTTP_PORT", self.http_port.to_string()),
            ("NORAY_LOGLEVEL", variant_name(&self.log_level)),
            ("NORAY_LOG_FORMAT", variant_name(&self.log_format)),
            ("NORAY_DRAIN_TIMEOUT", self.drain_timeout.to_string()),
        ]
    }
}

/// The TCP port of metrics and health; `None` and `off` mean that none is used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct HttpPort(pub(crate) Option<u16>);

const OFF: &str = "off";

impl FromStr for HttpPort {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        match text {
            OFF => Ok(Self(None)),
            _ => port(text).map(|port| Self(Some(port))),
        }
    }
}

impl fmt::Display for HttpPort {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0 {
            Some(port) => port.fmt(f),
            None => f.write_str(OFF),
        }
    }
}

/// How lines are logged.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LogFormat {
    /// For people.
    Text,
    /// For programs: one JSON object a line.
    Json,
}

/// How much is logged, by the public server's names.
#[derive(Clone, Copy, PartialEq, Eq, Debug, ValueEnum)]
pub(crate) enum LogLevel {
    /// Nothing.
    Silent,
    /// What ends the server.
    Fatal,
    /// What goes wrong.
    Error,
    /// What may go wrong.
    Warn,
    /// The start, the end and the configuration.
    Info,
    /// What each player does.
    Debug,
    /// Everything.
    Trace,
}

/// Returns the name of a variant as clap reads it.
fn variant_name(variant: &impl ValueEnum) -> String {
    let value = variant.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}
