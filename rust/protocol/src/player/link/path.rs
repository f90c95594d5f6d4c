//! One address at which another player may be reached, and what its checks told.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use crate::wire::check::PathKind;
use crate::{
    defaults::{
        ACTIVE_CHECK_INTERVAL, CHECK_EARLY, CHECK_INTERVAL, HANDSHAKE_LATE_ANSWERS, MIN_UNANSWERED,
        PATH_TIMEOUT, RESERVE_CHECK_INTERVAL, SUSPECT_AFTER, SUSPECT_INTERVAL,
    },
    player::handshake::Handshake,
    wire::handshake_status::Status,
};

/// Questions whose answers are waited for: those of [`PATH_TIMEOUT`] and more.
const QUESTIONS: usize = 32;

/// What the checks of a path tell of its quality.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Quality {
    /// Smoothed as by RFC 6298, section 2; `None` before the first answer.
    pub round_trip: Option<Duration>,
    /// The mean deviation of the round trip; `None` before the first answer.
    pub jitter: Option<Duration>,
    /// The part of the last checks that were not answered, 0 to 1.
    pub loss: f32,
}

#[derive(Clone, Copy, Debug)]
struct Question {
    number: u32,
    asked: Instant,
    answered: bool,
}

/// An address with the state of its checks.
#[derive(Debug)]
pub(super) struct Path {
    pub(super) kind: PathKind,
    pub(super) address: SocketAddr,
    /// The other side's datagrams came from this address, with proof.
    pub(super) heard: bool,
    /// A check was answered, and the way has not died since.
    answered: bool,
    /// The other side told that the path is open for it too, so that it takes the game's datagrams.
    confirmed: bool,
    /// The handshake for a peer that speaks nothing else; without a pace of its own.
    pub(super) plain: Handshake,
    /// When the plain handshake was done.
    pub(super) plain_done: Option<Instant>,
    /// Whether the next datagram is a plain one, while it is not known what the peer speaks.
    pub(super) plain_turn: bool,
    /// How many plain datagrams are answered after that.
    pub(super) plain_answers: u32,
    /// What is sent here comes back to its sender.
    mirror: bool,
    began: Instant,
    until: Instant,
    last_sent: Option<Instant>,
    questions: [Option<Question>; QUESTIONS],
    next_question: usize,
    unanswered_since: Option<Instant>,
    unanswered: u32,
    quality: Quality,
}

impl Path {
    pub(super) fn new(now: Instant, kind: PathKind, address: SocketAddr, window: Duration) -> Self {
        Self {
            kind,
            address,
            heard: false,
            answered: false,
            confirmed: false,
            plain: Handshake::new(now, window, Duration::ZERO),
            plain_done: None,
            plain_turn: false,
            plain_answers: HANDSHAKE_LATE_ANSWERS,
            mirror: false,
            began: now,
            until: now + window,
            last_sent: None,
            questions: [None; QUESTIONS],
            next_question: 0,
            unanswered_since: None,
            unanswered: 0,
            quality: Quality::default(),
        }
    }

    /// An address that has sent back what it alone was told, so that it is known to work.
    pub(super) fn proven(
        now: Instant,
        kind: PathKind,
        address: SocketAddr,
        window: Duration,
    ) -> Self {
        Self {
            heard: true,
            answered: true,
            ..Self::new(now, kind, address, window)
        }
    }

    /// Tries it for another while, as it was announced again.
    pub(super) fn renew(&mut self, now: Instant, window: Duration) {
        if !self.answered {
            self.began = now;
            self.plain = Handshake::new(now, window, Duration::ZERO);
        }
        self.until = self.until.max(now + window);
    }

    /// A datagram of ours came back from here, as from our own relay.
    pub(super) fn reflects(&mut self) {
        self.mirror = !self.answered;
    }

    pub(super) fn is_mirror(&self) -> bool {
        self.mirror
    }

    /// Whether both directions are known to work.
    pub(super) fn is_open(&self) -> bool {
        self.answered
    }

    /// Whether the other side is known to take what comes this way.
    pub(super) fn is_confirmed(&self) -> bool {
        self.answered && self.confirmed
    }

    /// Whether it neither works nor is being tried.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        !self.answered && now >= self.until
    }

    pub(super) fn status(&self) -> Status {
        Status {
            read: self.heard,
            duplex: self.answered,
        }
    }

    /// When the next check is due; `None` when none is.
    pub(super) fn due(&self, now: Instant, active: bool) -> Option<Instant> {
        if self.mirror || self.is_over(now) {
            return None;
        }
        let Some(last) = self.last_sent else {
            return Some(self.began);
        };
        let regular = last + self.interval(now, active);
        // A late answer is noticed on time, and the way then checked more often.
        let late = self
            .unanswered_since
            .filter(|_| self.answered)
            .map(|since| (since + self.patience()).max(last + SUSPECT_INTERVAL));
        Some(late.map_or(regular, |late| late.min(regular)))
    }

    /// A question was put at `now`.
    pub(super) fn asked(&mut self, now: Instant, number: u32) {
        self.last_sent = Some(now);
        self.unanswered_since.get_or_insert(now);
        self.unanswered += 1;
        self.questions[self.next_question] = Some(Question {
            number,
            asked: now,
            answered: false,
        });
        self.next_question = (self.next_question + 1) % QUESTIONS;
    }

    /// A datagram without a question went out at `now`.
    pub(super) fn sent(&mut self, now: Instant) {
        self.last_sent = Some(now);
    }

    /// A datagram came with what the other side knows of the way.
    pub(super) fn hear_status(&mut self, status: Status) {
        self.heard = true;
        self.confirmed |= status.duplex;
    }

    /// An answer came; whether it answers a question of ours, which opens the path.
    pub(super) fn hear_answer(&mut self, now: Instant, number: u32) -> bool {
        let question = self
            .questions
            .iter_mut()
            .flatten()
            .find(|question| question.number == number && !question.answered);
        let Some(question) = question else {
            return false;
        };
        question.answered = true;
        let (question, sample) = (*question, now.saturating_duration_since(question.asked));
        if !self.answered {
            // What was asked before the way was open says nothing about it.
            self.questions = [None; QUESTIONS];
            self.questions[0] = Some(question);
            self.next_question = 1;
            self.quality = Quality::default();
        }
        self.answered = true;
        self.unanswered_since = None;
        self.unanswered = 0;
        self.until = self.until.max(now);
        self.measure(sample);
        true
    }

    /// Closes the path when its answers stay away; whether that happened now. It is tried for
    /// `window` more.
    pub(super) fn expire(&mut self, now: Instant, window: Duration) -> bool {
        let dead = self.answered
            && self.unanswered >= MIN_UNANSWERED
            && self
                .unanswered_since
                .is_some_and(|since| now.saturating_duration_since(since) >= PATH_TIMEOUT);
        if dead {
            self.answered = false;
            self.confirmed = false;
            self.heard = false;
            self.began = now;
            self.until = now + window;
        }
        dead
    }

    /// Whether an answer is later than it should be.
    pub(super) fn is_suspect(&self, now: Instant) -> bool {
        self.unanswered_since
            .is_some_and(|since| now.saturating_duration_since(since) >= self.patience())
    }

    pub(super) fn quality(&self) -> Quality {
        let recent = self.questions.iter().flatten();
        let (mut asked, mut lost) = (0_u16, 0_u16);
        let newest = recent.clone().map(|question| question.asked).max();
        for question in recent {
            // The newest ones may yet be answered.
            let settled = newest.is_some_and(|newest| {
                newest.saturating_duration_since(question.asked) >= self.patience()
            });
            if question.answered || settled {
                asked += 1;
                lost += u16::from(!question.answered);
            }
        }
        Quality {
            loss: f32::from(lost) / f32::from(asked.max(1)),
            ..self.quality
        }
    }

    fn interval(&self, now: Instant, active: bool) -> Duration {
        // Until the other side knows that the way is open, it lets no game in.
        if self.answered && (self.confirmed || now >= self.until) {
            match (self.is_suspect(now), active) {
                (true, _) => SUSPECT_INTERVAL,
                (false, true) => ACTIVE_CHECK_INTERVAL,
                (false, false) => RESERVE_CHECK_INTERVAL,
            }
        } else if now.saturating_duration_since(self.began) < CHECK_EARLY {
            CHECK_INTERVAL
        } else {
            CHECK_INTERVAL * 2
        }
    }

    /// How long an answer may take.
    fn patience(&self) -> Duration {
        let usual = self.quality.round_trip.unwrap_or_default();
        SUSPECT_AFTER.max(usual * 3)
    }

    /// RFC 6298, section 2.
    fn measure(&mut self, sample: Duration) {
        let (round_trip, jitter) = match (self.quality.round_trip, self.quality.jitter) {
            (Some(round_trip), Some(jitter)) => {
                let deviation = round_trip.abs_diff(sample);
                ((round_trip * 7 + sample) / 8, (jitter * 3 + deviation) / 4)
            }
            _ => (sample, sample / 2),
        };
        self.quality.round_trip = Some(round_trip);
        self.quality.jitter = Some(jitter);
    }
}
