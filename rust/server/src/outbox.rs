//! What waits to be written to a player.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// Lines for one connection, which any task adds and the connection's own task writes.
///
/// It never holds more than its limit. From half of that on it is crowded: the server then does not
/// read from its owner and refuses requests for it, so that nobody can fill it up.
#[derive(Debug)]
pub(crate) struct Outbox {
    limit: usize,
    lines: Mutex<Vec<u8>>,
    filled: Notify,
}

/// A line does not fit: the player does not read.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("the player does not read")]
pub(crate) struct OutboxFull;

impl Outbox {
    /// Returns an empty outbox for `limit` bytes.
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit,
            lines: Mutex::default(),
            filled: Notify::new(),
        }
    }

    /// Adds a line and its LF.
    ///
    /// # Errors
    /// It does not fit.
    pub(crate) fn push(&self, line: &str) -> Result<(), OutboxFull> {
        let mut lines = self.lines();
        if lines.len() + line.len() + 1 > self.limit {
            return Err(OutboxFull);
        }
        lines.extend_from_slice(line.as_bytes());
        lines.push(b'\n');
        drop(lines);
        self.filled.notify_one();
        Ok(())
    }

    /// Returns whether so much waits that no request should add more.
    pub(crate) fn is_crowded(&self) -> bool {
        self.lines().len() > self.limit / 2
    }

    /// Removes and returns everything.
    pub(crate) fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.lines())
    }

    /// Waits until a line has been added since the last call.
    pub(crate) async fn filled(&self) {
        self.filled.notified().await;
    }

    fn lines(&self) -> MutexGuard<'_, Vec<u8>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keeps_lines_in_order_and_within_the_limit() {
        let outbox = Outbox::new(10);
        assert_eq!(outbox.push("abc"), Ok(()));
        assert_eq!(outbox.push("de"), Ok(()));
        assert!(outbox.is_crowded());
        assert_eq!(outbox.push("fgh"), Err(OutboxFull));
        assert_eq!(outbox.push("fg"), Ok(()));
        assert_eq!(outbox.take(), b"abc\nde\nfg\n");
        assert!(!outbox.is_crowded());
        assert_eq!(outbox.take(), b"");
    }

    #[tokio::test]
    async fn tells_of_lines_that_came_before_it_was_asked() {
        let outbox = Outbox::new(10);
        outbox.push("a").unwrap();
        outbox.filled().await;
        let again = tokio::time::timeout(std::time::Duration::from_millis(20), outbox.filled());
        assert!(again.await.is_err());
    }
}
