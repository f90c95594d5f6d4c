//! The plain handshake with one address, as netfox.noray's players speak it.

use std::time::{Duration, Instant};

use crate::{
    defaults::HANDSHAKE_LATE_ANSWERS,
    player::handshake::{Handshake, Outcome, Step},
    wire::handshake_status::STATUS_LENGTH,
};

/// A handshake that, once done, still answers a peer that missed its last datagrams.
#[derive(Debug)]
pub(super) struct PlainHandshake {
    handshake: Handshake,
    done: Option<Instant>,
    /// How many datagrams are still answered after it is done.
    late_answers: u32,
}

impl PlainHandshake {
    pub(super) fn new(now: Instant, timeout: Duration, interval: Duration) -> Self {
        Self {
            handshake: Handshake::new(now, timeout, interval),
            done: None,
            late_answers: HANDSHAKE_LATE_ANSWERS,
        }
    }

    /// Begins the handshake anew; whether it was done before stays known.
    pub(super) fn restart(&mut self, now: Instant, timeout: Duration, interval: Duration) {
        self.handshake = Handshake::new(now, timeout, interval);
    }

    /// Takes a datagram and returns its answer, if there is one.
    pub(super) fn receive(&mut self, now: Instant, bytes: &[u8]) -> Option<[u8; STATUS_LENGTH]> {
        self.handshake.receive(bytes);
        let step = self.handshake.step(now);
        let answers = if self.done.is_none() {
            step.copies > 0
        } else if self.late_answers > 0 {
            self.late_answers -= 1;
            true
        } else {
            false
        };
        if step.outcome == Some(Outcome::Connected) {
            self.done.get_or_insert(now);
        }
        answers.then_some(step.packet)
    }

    /// Returns what to send at `now`.
    pub(super) fn step(&mut self, now: Instant) -> Step {
        self.handshake.step(now)
    }

    /// When the handshake was done.
    pub(super) fn done(&self) -> Option<Instant> {
        self.done
    }
}
