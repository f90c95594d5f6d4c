//! Numbers as a game gives them.

use std::time::Duration;

use crate::defaults::MAX_SECONDS;

/// Returns a port that something can listen on.
#[must_use]
pub fn valid_port(port: i64) -> Option<u16> {
    u16::try_from(port).ok().filter(|port| *port != 0)
}

/// Returns a time that a game may ask for: neither negative, nor endless, nor NaN.
#[must_use]
pub fn valid_seconds(seconds: f64) -> Option<Duration> {
    (0.0..=MAX_SECONDS)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports() {
        assert_eq!(valid_port(1), Some(1));
        assert_eq!(valid_port(65535), Some(65535));
        for port in [0, -1, 65536, i64::MAX, i64::MIN] {
            assert_eq!(valid_port(port), None);
        }
    }

    #[test]
    fn times() {
        assert_eq!(valid_seconds(0.0), Some(Duration::ZERO));
        assert_eq!(valid_seconds(0.5), Some(Duration::from_millis(500)));
        assert_eq!(valid_seconds(86_400.0), Some(Duration::from_secs(86_400)));
        for seconds in [-0.1, 86_400.1, f64::NAN, f64::INFINITY] {
            assert_eq!(valid_seconds(seconds), None);
        }
    }
}
