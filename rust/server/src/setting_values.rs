//! Values of settings that read themselves from text, in the public server's forms and units.

use std::{fmt, ops::Deref, str::FromStr, time::Duration};

/// The public server's units of time, in nanoseconds; no unit means seconds.
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

/// A time: `100ms`, `30s`, `4hr`. Without a unit, seconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TimeSpan(pub Duration);

/// A number of bytes: `4096`, `128kb`, `1gb`. A number that is too large means the largest one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ByteSize(pub u64);

/// A text that is not the value it should be.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ValueError {
    /// The text is no time.
    #[error(
        "`{0}` is no time such as 100ms, 30s or 4hr (units: {units}seconds if none)",
        units = TIME_UNITS.map(|(name, _)| name).join(", ")
    )]
    Time(String),
    /// The text is no size.
    #[error(
        "`{0}` is no size such as 4096, 128kb or 1gb (units: {units})",
        units = SIZE_UNITS.join(", ")
    )]
    Size(String),
    /// The text is no port.
    #[error("`{0}` is no port from 0 to 65535")]
    Port(String),
    /// The text is no number.
    #[error("`{0}` is no whole number, or too large")]
    Count(String),
    /// The text is neither an address nor the name of one.
    #[error("`{0}` is no address of this machine's ({1})")]
    Address(String, String),
    /// The name has no address of the kind that is needed.
    #[error("`{0}` has no {1} address")]
    NoAddress(String, &'static str),
}

impl FromStr for TimeSpan {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = || ValueError::Time(text.to_owned());
        let (number, unit) = split_unit(text);
        let (_, nanos) = TIME_UNITS
            .iter()
            .find(|(name, _)| *name == unit)
            .ok_or_else(problem)?;
        if let Ok(whole) = number.parse::<u64>() {
            let nanos = u128::from(whole) * u128::from(*nanos);
            let seconds = u64::try_from(nanos / 1_000_000_000).map_err(|_| problem())?;
            let rest = (nanos % 1_000_000_000) as u32;
            return Ok(Self(Duration::new(seconds, rest)));
        }
        let number: f64 = number.parse().map_err(|_| problem())?;
        Duration::try_from_secs_f64(number * *nanos as f64 / 1e9)
            .map(Self)
            .map_err(|_| problem())
    }
}

impl fmt::Display for TimeSpan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let nanos = self.0.as_nanos();
        let (name, unit) = TIME_UNITS
            .iter()
            .take_while(|(name, _)| *name != "hr")
            .filter(|(_, unit)| nanos > 0 && nanos.is_multiple_of(u128::from(*unit)))
            .last()
            .unwrap_or(&TIME_UNITS[2]);
        match nanos % u128::from(*unit) {
            0 => write!(f, "{}{name}", nanos / u128::from(*unit)),
            _ => write!(f, "{}s", self.0.as_secs_f64()),
        }
    }
}

impl Deref for TimeSpan {
    type Target = Duration;

    fn deref(&self) -> &Duration {
        &self.0
    }
}

impl From<Duration> for TimeSpan {
    fn from(time: Duration) -> Self {
        Self(time)
    }
}

impl FromStr for ByteSize {
    type Err = ValueError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let problem = || ValueError::Size(text.to_owned());
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
            return Ok(Self(bytes));
        }
        let number: f64 = number.parse().map_err(|_| problem())?;
        // `as` keeps to the range of the type.
        Ok(Self((number * 1024_f64.powi(power as i32)) as u64))
    }
}

impl fmt::Display for ByteSize {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut number = self.0;
        let mut power = 0;
        while number > 0 && number.is_multiple_of(1024) && power < 4 {
            number /= 1024;
            power += 1;
        }
        write!(f, "{number}{}", SIZE_UNITS[power])
    }
}

impl ByteSize {
    /// Returns the size as a length in memory; one that is too large as the largest.
    #[must_use]
    pub fn as_usize(self) -> usize {
        usize::try_from(self.0).unwrap_or(usize::MAX)
    }
}

/// Reads digits alone: Rust's own numbers may have a sign.
pub(crate) fn digits<T: FromStr>(text: &str) -> Option<T> {
    let all_digits = text.bytes().all(|byte| byte.is_ascii_digit());
    text.parse().ok().filter(|_| all_digits)
}

/// Returns a number and the unit behind it.
fn split_unit(text: &str) -> (&str, String) {
    let end = text
        .find(|char: char| !char.is_ascii_digit() && char != '.')
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    (number, unit.trim_start().to_ascii_lowercase())
}

#[cfg(feature = "cli")]
pub use cli::{count, host, host_v4, port};

/// Readers of Rust's own types for clap, stricter or wider than `FromStr`.
#[cfg(feature = "cli")]
mod cli {
    use std::{
        net::{IpAddr, Ipv4Addr, ToSocketAddrs},
        str::FromStr,
    };

    use super::{ValueError, digits};

    /// Reads a port; 0 is one.
    ///
    /// # Errors
    /// See [`ValueError::Port`].
    pub fn port(text: &str) -> Result<u16, ValueError> {
        digits(text).ok_or_else(|| ValueError::Port(text.to_owned()))
    }

    /// Reads a whole number.
    ///
    /// # Errors
    /// See [`ValueError::Count`].
    pub fn count<T: FromStr>(text: &str) -> Result<T, ValueError> {
        digits(text).ok_or_else(|| ValueError::Count(text.to_owned()))
    }

    /// Reads an IP address, or looks up the one of a host name, which can take seconds.
    ///
    /// # Errors
    /// See [`ValueError::Address`] and [`ValueError::NoAddress`].
    pub fn host(text: &str) -> Result<IpAddr, ValueError> {
        let first = addresses(text)?.next();
        first.ok_or_else(|| ValueError::NoAddress(text.to_owned(), "IP"))
    }

    /// Reads an IPv4 address, or looks up the one of a host name, which can take seconds.
    ///
    /// # Errors
    /// See [`ValueError::Address`] and [`ValueError::NoAddress`].
    pub fn host_v4(text: &str) -> Result<Ipv4Addr, ValueError> {
        let first = addresses(text)?.find_map(|address| match address {
            IpAddr::V4(address) => Some(address),
            IpAddr::V6(_) => None,
        });
        first.ok_or_else(|| ValueError::NoAddress(text.to_owned(), "IPv4"))
    }

    fn addresses(text: &str) -> Result<impl Iterator<Item = IpAddr>, ValueError> {
        match (text, 0).to_socket_addrs() {
            Ok(addresses) => Ok(addresses.map(|address| address.ip())),
            Err(error) => Err(ValueError::Address(text.to_owned(), error.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

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
            let expected = TimeSpan(Duration::from_nanos(nanos));
            assert_eq!(text.parse(), Ok(expected), "{text}");
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
            assert_eq!(text.parse(), Ok(ByteSize(bytes)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn shown_values_are_read_back(micros in 1..u64::MAX / 1000, bytes: u64) {
            let time = TimeSpan(Duration::from_micros(micros));
            prop_assert_eq!(time.to_string().parse(), Ok(time));
            let size = ByteSize(bytes);
            prop_assert_eq!(size.to_string().parse(), Ok(size));
        }
    }
}
