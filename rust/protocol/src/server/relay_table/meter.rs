//! How much may pass in a given time.

use std::{
    sync::atomic::{AtomicU64, Ordering::Relaxed},
    time::Duration,
};

/// A rate in bytes a second, and how much may pass at once.
///
/// Bytes that passed are paid for with the time that they take at this rate. A sender may owe up to
/// one slice of time. A sender that owes nothing may send a packet of any size: otherwise a short
/// slice would shut out large packets for good.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rate {
    bytes_per_second: u64,
    slice: u64,
}

impl Rate {
    pub(super) fn new(bytes_per_second: u64, slice: Duration) -> Self {
        Self {
            bytes_per_second,
            slice: nanos(slice),
        }
    }

    /// Returns until when everything is paid for with `length` bytes more, or `None` if they must
    /// not pass. All times are in nanoseconds since the same moment.
    fn take(self, paid_at: u64, length: u64, now: u64) -> Option<u64> {
        let cost = u128::from(length) * 1_000_000_000 / u128::from(self.bytes_per_second.max(1));
        let cost = u64::try_from(cost).unwrap_or(u64::MAX);
        let then = paid_at.max(now).saturating_add(cost);
        (paid_at <= now || then <= now.saturating_add(self.slice)).then_some(then)
    }
}

/// What one sender still has to pay for.
///
/// A caller may have looked at the clock a while ago, and others since then: the latest time
/// counts.
#[derive(Debug, Default)]
pub(super) struct Meter {
    paid_at: u64,
    latest: u64,
}

impl Meter {
    pub(super) fn has_room(&self, length: u64, rate: Rate, now: u64) -> bool {
        let now = self.latest.max(now);
        rate.take(self.paid_at, length, now).is_some()
    }

    /// Counts bytes for which there was room.
    pub(super) fn count(&mut self, length: u64, rate: Rate, now: u64) {
        self.latest = self.latest.max(now);
        if let Some(paid_at) = rate.take(self.paid_at, length, self.latest) {
            self.paid_at = paid_at;
        }
    }
}

/// What all senders together still have to pay for. The latest time counts, as for [`Meter`].
#[derive(Debug, Default)]
pub(super) struct SharedMeter {
    paid_at: AtomicU64,
    latest: AtomicU64,
}

impl SharedMeter {
    /// Counts bytes if there is room for them, and returns whether there was.
    pub(super) fn try_count(&self, length: u64, rate: Rate, now: u64) -> bool {
        let mut latest = self.latest.load(Relaxed);
        if latest < now {
            latest = self.latest.fetch_max(now, Relaxed).max(now);
        }
        self.paid_at
            .fetch_update(Relaxed, Relaxed, |paid_at| {
                rate.take(paid_at, length, latest)
            })
            .is_ok()
    }
}

/// Returns a time in nanoseconds, 584 years at most.
pub(super) fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    /// Used to fail: a thread that was delayed after it had looked at the clock had its packets
    /// dropped, as if all of them were over the limit.
    #[test]
    fn who_looked_at_the_clock_early_owes_nothing_for_it() {
        let rate = Rate::new(1000, Duration::from_millis(100));
        let mut meter = Meter::default();
        meter.count(10, rate, 9 * SECOND);
        assert!(meter.has_room(10, rate, SECOND));
        let shared = SharedMeter::default();
        assert!(shared.try_count(10, rate, 9 * SECOND));
        assert!(shared.try_count(10, rate, SECOND));
        // The limit itself holds for that thread too.
        for _ in 0..8 {
            meter.count(10, rate, SECOND);
            assert!(shared.try_count(10, rate, SECOND));
        }
        meter.count(10, rate, SECOND);
        assert!(!meter.has_room(10, rate, SECOND));
        assert!(!shared.try_count(10, rate, SECOND));
    }
}
