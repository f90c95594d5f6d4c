//! The handshake with which two players open a path between them: when to send, and when it ends.

use std::time::{Duration, Instant};

use crate::{
    defaults::{HANDSHAKE_EARLY_INTERVAL, HANDSHAKE_EARLY_REPEATS, HANDSHAKE_LAST_PACKETS},
    wire::handshake_status::{STATUS_LENGTH, Status},
};

/// How a handshake ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// Both sides know that both directions work.
    Connected,
    /// Datagrams came in, but the other side never confirmed that it received any: connecting is
    /// still worth a try.
    Unconfirmed,
    /// Nothing came in, or the other side never finished.
    TimedOut,
}

/// What a handshake does next.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Step {
    /// The datagram to send, and how many times.
    pub packet: [u8; STATUS_LENGTH],
    /// How many copies to send; often 0.
    pub copies: u32,
    /// Set when the handshake has ended, after the copies were sent.
    pub outcome: Option<Outcome>,
}

/// When to repeat a datagram, and when to give up. Compares durations: a deadline so far away that
/// no `Instant` can name it is never reached.
#[derive(Clone, Copy, Debug)]
struct Pace {
    begin: Instant,
    timeout: Duration,
    interval: Duration,
    last: Option<Instant>,
    /// Repeats that still go out after [`HANDSHAKE_EARLY_INTERVAL`].
    early: u32,
}

impl Pace {
    fn new(now: Instant, timeout: Duration, interval: Duration, early: u32) -> Self {
        Self {
            begin: now,
            timeout,
            interval,
            last: None,
            early,
        }
    }

    fn due(&mut self, now: Instant) -> bool {
        let Some(last) = self.last else {
            self.last = Some(now);
            return true;
        };
        let pause = if self.early > 0 {
            self.interval.min(HANDSHAKE_EARLY_INTERVAL)
        } else {
            self.interval
        };
        let due = now.saturating_duration_since(last) >= pause;
        if due {
            self.last = Some(now);
            self.early = self.early.saturating_sub(1);
        }
        due
    }

    fn expired(&self, now: Instant) -> bool {
        now.saturating_duration_since(self.begin) >= self.timeout
    }
}

/// One side of a handshake that can read as well as write.
///
/// Pass it the target's datagrams with [`Self::receive`], then do what [`Self::step`] says. Do so
/// often: news is answered with the next step.
#[derive(Debug)]
pub struct Handshake {
    pace: Pace,
    status: Status,
    heard: Option<Status>,
    /// The other side once said that it is duplex; an older datagram that arrives late does not
    /// take that back.
    heard_duplex: bool,
    news: bool,
}

impl Handshake {
    /// Begins a handshake at `now` that gives up after `timeout`. Without news, a datagram is
    /// repeated every `interval`.
    #[must_use]
    pub fn new(now: Instant, timeout: Duration, interval: Duration) -> Self {
        Self {
            pace: Pace::new(now, timeout, interval, 0),
            status: Status::default(),
            heard: None,
            heard_duplex: false,
            news: false,
        }
    }

    /// Takes a datagram from the target. Even one that is not a handshake's proves that datagrams
    /// come in.
    pub fn receive(&mut self, packet: &[u8]) {
        let heard = Status::parse(packet).unwrap_or_default();
        let status = Status {
            read: true,
            duplex: self.status.duplex || heard.read,
        };
        self.news |= status != self.status || self.heard != Some(heard);
        self.status = status;
        self.heard = Some(heard);
        self.heard_duplex |= heard.duplex;
    }

    /// Returns what to send at `now`, and whether the handshake has ended.
    pub fn step(&mut self, now: Instant) -> Step {
        let finished = self.status.duplex && self.heard_duplex;
        let due = self.pace.due(now) | std::mem::take(&mut self.news);
        let (copies, outcome) = if finished {
            (HANDSHAKE_LAST_PACKETS, Some(Outcome::Connected))
        } else if self.pace.expired(now) {
            (1, Some(self.failure()))
        } else {
            (u32::from(due), None)
        };
        Step {
            packet: self.status.packet(),
            copies,
            outcome,
        }
    }

    fn failure(&self) -> Outcome {
        if self.status.read && !self.status.duplex {
            Outcome::Unconfirmed
        } else {
            Outcome::TimedOut
        }
    }
}

/// The side of a handshake that cannot read, because its socket belongs to an ENet host.
#[derive(Debug)]
pub struct BlindHandshake {
    pace: Pace,
}

impl BlindHandshake {
    /// Begins a handshake at `now` that ends after `timeout`. A datagram goes out every `interval`,
    /// the first few sooner.
    #[must_use]
    pub fn new(now: Instant, timeout: Duration, interval: Duration) -> Self {
        Self {
            pace: Pace::new(now, timeout, interval, HANDSHAKE_EARLY_REPEATS),
        }
    }

    /// Returns what to send at `now`. Ends with [`Outcome::Connected`] when `connected`, which only
    /// ENet can tell, or with [`Outcome::Unconfirmed`] when the time is over.
    pub fn step(&mut self, now: Instant, connected: bool) -> Step {
        let outcome = if connected {
            Some(Outcome::Connected)
        } else if self.pace.expired(now) {
            Some(Outcome::Unconfirmed)
        } else {
            None
        };
        let send = !connected && self.pace.due(now);
        Step {
            packet: Status::BLIND.packet(),
            copies: u32::from(send),
            outcome,
        }
    }
}
