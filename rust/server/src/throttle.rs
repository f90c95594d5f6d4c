//! Limits how often somebody may do something.

use std::time::{Duration, Instant};

use crate::defaults::BURST_SECONDS;

/// A token bucket: it fills at a steady rate, and each action takes a token.
#[derive(Debug)]
pub(crate) struct Throttle {
    per_second: f64,
    tokens: f64,
    filled: Instant,
}

impl Throttle {
    /// Returns a full bucket for `per_second` tokens a second and bursts of [`BURST_SECONDS`].
    pub(crate) fn new(per_second: u32, now: Instant) -> Self {
        let per_second = f64::from(per_second);
        Self {
            per_second,
            tokens: per_second * BURST_SECONDS,
            filled: now,
        }
    }

    /// Takes a token if there is one, and returns whether there was.
    pub(crate) fn try_take(&mut self, now: Instant) -> bool {
        let allowed = self.wait(now).is_zero();
        if allowed {
            self.charge(1.0);
        }
        allowed
    }

    /// Returns whether the bucket is full, so that a new one would be the same.
    pub(crate) fn is_full(&mut self, now: Instant) -> bool {
        self.wait(now);
        self.tokens >= self.per_second * BURST_SECONDS
    }

    /// Takes tokens, even more than there are: the bucket then stays empty for longer.
    pub(crate) fn charge(&mut self, tokens: f64) {
        self.tokens -= tokens;
    }

    /// Returns the time until there is a whole token; zero if there is one.
    pub(crate) fn wait(&mut self, now: Instant) -> Duration {
        let passed = now.saturating_duration_since(self.filled).as_secs_f64();
        self.filled = self.filled.max(now);
        self.tokens = (self.tokens + passed * self.per_second).min(self.per_second * BURST_SECONDS);
        // Rounding must not make a full token wait.
        let missing = 1.0 - 1e-6 - self.tokens;
        if missing <= 0.0 {
            return Duration::ZERO;
        }
        let seconds = (missing / self.per_second).max(1e-3);
        Duration::try_from_secs_f64(seconds).unwrap_or(Duration::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn allows_a_burst_and_then_the_rate() {
        let mut now = Instant::now();
        let mut throttle = Throttle::new(10, now);
        let burst = (0..100).filter(|_| throttle.try_take(now)).count();
        assert_eq!(burst, (10.0 * BURST_SECONDS) as usize);
        let mut taken = 0;
        for _ in 0..1000 {
            now += Duration::from_millis(10);
            taken += usize::from(throttle.try_take(now));
        }
        assert!((99..=101).contains(&taken), "{taken} in ten seconds");
    }

    #[test]
    fn tells_how_long_to_wait() {
        let now = Instant::now();
        let mut throttle = Throttle::new(10, now);
        throttle.charge(10.0 * BURST_SECONDS + 10.0);
        let wait = throttle.wait(now);
        assert!(wait > Duration::from_millis(1099) && wait < Duration::from_millis(1101));
        assert!(!throttle.wait(now + wait / 2).is_zero());
        assert!(throttle.wait(now + wait).is_zero());
    }

    #[test]
    fn a_long_pause_saves_no_more_than_a_burst() {
        let now = Instant::now();
        let mut throttle = Throttle::new(1, now);
        let later = now + Duration::from_secs(1_000_000);
        let burst = (0..100).filter(|_| throttle.try_take(later)).count();
        assert_eq!(burst, BURST_SECONDS as usize);
    }

    #[test]
    fn a_clock_that_goes_back_gives_nothing() {
        let now = Instant::now() + Duration::from_secs(100);
        let mut throttle = Throttle::new(1, now);
        while throttle.try_take(now) {}
        assert!(!throttle.try_take(now - Duration::from_secs(50)));
        assert!(!throttle.try_take(now));
    }
}
