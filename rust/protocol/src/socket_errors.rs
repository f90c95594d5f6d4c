//! When a socket that gives nothing but errors counts as dead.

use std::time::Instant;

use crate::defaults::DEAD_SOCKET_AFTER;

/// The errors of a socket since it last gave a datagram, or said that none waits.
#[derive(Debug, Default)]
pub struct SocketErrors {
    since: Option<Instant>,
}

impl SocketErrors {
    /// The socket works.
    pub fn clear(&mut self) {
        self.since = None;
    }

    /// Whether the socket failed when it was last used.
    #[must_use]
    pub fn is_failing(&self) -> bool {
        self.since.is_some()
    }

    /// Notes a failed receive. Returns whether the socket is dead.
    #[must_use]
    pub fn note(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        now.saturating_duration_since(since) >= DEAD_SOCKET_AFTER
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test's time begins somewhere")]
    fn single_errors_do_not_give_up_a_socket_that_works() {
        let (start, mut errors) = (Instant::now(), SocketErrors::default());
        for second in 0..10 {
            assert!(!errors.note(start + Duration::from_secs(second)));
            errors.clear();
        }
        assert!(!errors.note(start));
        assert!(errors.is_failing());
        assert!(errors.note(start + DEAD_SOCKET_AFTER));
    }
}
