//! One address at which a peer may be reached, and what its checks told.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::plain_handshake::PlainHandshake;
use crate::{
    defaults::{
        ACTIVE_CHECK_INTERVAL, CHECK_EARLY, CHECK_INTERVAL, MIN_UNANSWERED, PATH_TIMEOUT,
        RESERVE_CHECK_INTERVAL, SILENT_AFTER, SILENT_QUESTIONS, SUSPECT_AFTER, SUSPECT_INTERVAL,
    },
    wire::{
        check::PathKind,
        handshake_status::{STATUS_LENGTH, Status},
    },
};

/// How many questions may await their answers: those of [`PATH_TIMEOUT`] and more.
const QUESTIONS: usize = 32;

/// The quality of a path, as its checks measured it.
#[derive(Clone, Copy, PartialEq, Debug, Default)]
pub struct Quality {
    /// The round trip, smoothed as in RFC 6298, section 2; `None` before the first answer.
    pub round_trip: Option<Duration>,
    /// The mean deviation of the round trip; `None` before the first answer.
    pub jitter: Option<Duration>,
    /// The share of the latest checks that were not answered, from 0 to 1.
    pub loss: f32,
    /// Whether nothing was answered for [`SILENT_AFTER`], however often it was asked.
    pub is_silent: bool,
}

/// The path that carries the game.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ActivePath {
    /// Its kind.
    pub kind: PathKind,
    /// The peer's address on it.
    pub address: SocketAddr,
    /// Its quality.
    pub quality: Quality,
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
    kind: PathKind,
    address: SocketAddr,
    /// Whether the peer's datagrams came from this address, with proof.
    heard: bool,
    /// Whether a check was answered, and the path has not closed since.
    answered: bool,
    /// Whether the peer said that the path is open for it too, so that it takes the game's
    /// datagrams.
    confirmed: bool,
    /// The handshake for a peer that speaks nothing else; checks set its pace.
    plain: PlainHandshake,
    /// Whether the next datagram is a plain one, while it is not known what the peer speaks.
    plain_turn: bool,
    /// Whether datagrams that are sent here come back to us.
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
    /// A path that is tried for `window`.
    pub(super) fn new(now: Instant, kind: PathKind, address: SocketAddr, window: Duration) -> Self {
        Self {
            kind,
            address,
            heard: false,
            answered: false,
            confirmed: false,
            plain: PlainHandshake::new(now, window, Duration::ZERO),
            plain_turn: false,
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

    /// A path to an address that spoke the plain handshake.
    pub(super) fn plain(
        now: Instant,
        kind: PathKind,
        address: SocketAddr,
        window: Duration,
    ) -> Self {
        Self {
            heard: true,
            ..Self::new(now, kind, address, window)
        }
    }

    /// A path to an address that sent back what only it was told, so that it is known to work.
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

    pub(super) fn kind(&self) -> PathKind {
        self.kind
    }

    /// Notes that the address is known as one of this kind too: the better one counts.
    pub(super) fn note_kind(&mut self, kind: PathKind) {
        self.kind = self.kind.min(kind);
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether the peer's datagrams came from this address, with proof.
    pub(super) fn is_heard(&self) -> bool {
        self.heard
    }

    /// Tries the path for another `window`, because it was announced again.
    pub(super) fn renew(&mut self, now: Instant, window: Duration) {
        if !self.answered {
            self.began = now;
            self.plain.restart(now, window, Duration::ZERO);
        }
        self.until = self.until.max(now + window);
    }

    /// Notes that a datagram of ours came back from here, as from our own relay.
    pub(super) fn note_reflection(&mut self) {
        self.mirror = !self.answered;
    }

    pub(super) fn is_mirror(&self) -> bool {
        self.mirror
    }

    /// Whether both directions are known to work.
    pub(super) fn is_open(&self) -> bool {
        self.answered
    }

    /// Whether the peer is known to take the game's datagrams from this path.
    pub(super) fn is_confirmed(&self) -> bool {
        self.answered && self.confirmed
    }

    /// Whether the path neither works nor is being tried.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        !self.answered && now >= self.until
    }

    /// Returns what is known of the path.
    pub(super) fn status(&self) -> Status {
        Status {
            read: self.heard,
            duplex: self.answered,
        }
    }

    /// Returns when the next check is due, or `None` when none is.
    pub(super) fn due(&self, now: Instant, active: bool) -> Option<Instant> {
        if self.mirror || self.is_over(now) {
            return None;
        }
        let Some(last) = self.last_sent else {
            return Some(self.began);
        };
        let regular = last + self.interval(now, active);
        // A late answer is noticed on time, and the path then checked more often.
        let late = self
            .unanswered_since
            .filter(|_| self.answered)
            .map(|since| (since + self.patience()).max(last + SUSPECT_INTERVAL));
        Some(late.map_or(regular, |late| late.min(regular)))
    }

    /// Notes that a question went out at `now`.
    pub(super) fn note_question(&mut self, now: Instant, number: u32) {
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

    /// Takes what the peer knows of the path.
    pub(super) fn hear_status(&mut self, status: Status) {
        self.heard = true;
        self.confirmed |= status.duplex;
    }

    /// Takes an answer. Returns whether it answers a question of ours, which opens the path.
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
            // What was asked before the path was open says nothing about it.
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

    /// Closes the path when its answers stay away, and tries it for `window` more. Returns whether
    /// it closed now.
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

    /// Returns the path as the one that carries the game.
    pub(super) fn report(&self, now: Instant) -> ActivePath {
        ActivePath {
            kind: self.kind,
            address: self.address,
            quality: self.quality(now),
        }
    }

    /// Takes a plain handshake datagram and returns its answer, if there is one.
    pub(super) fn receive_plain(
        &mut self,
        now: Instant,
        bytes: &[u8],
    ) -> Option<[u8; STATUS_LENGTH]> {
        self.plain.receive(now, bytes)
    }

    /// Returns the plain handshake datagram to send at `now`.
    pub(super) fn send_plain(&mut self, now: Instant) -> [u8; STATUS_LENGTH] {
        self.last_sent = Some(now);
        self.plain.step(now).packet
    }

    /// When the plain handshake was done.
    pub(super) fn plain_done(&self) -> Option<Instant> {
        self.plain.done()
    }

    /// Whether it is the turn of a plain datagram, while it is not known what the peer speaks.
    pub(super) fn take_plain_turn(&mut self) -> bool {
        self.plain_turn = !self.plain_turn;
        // Once the plain handshake is done, the only open question is whether the peer speaks
        // checks.
        !self.plain_turn && self.plain.done().is_none()
    }

    /// Returns the quality, in which a question counts as lost once its answer is late.
    fn quality(&self, now: Instant) -> Quality {
        let (mut asked, mut lost) = (0_u16, 0_u16);
        for question in self.questions.iter().flatten() {
            let is_late = now.saturating_duration_since(question.asked) >= self.patience();
            if question.answered || is_late {
                asked += 1;
                lost += u16::from(!question.answered);
            }
        }
        // What is still unanswered takes at least so long.
        let waiting = (self.unanswered_since)
            .filter(|_| self.unanswered >= MIN_UNANSWERED)
            .map(|since| now.saturating_duration_since(since));
        Quality {
            round_trip: self.quality.round_trip.max(waiting),
            loss: f32::from(lost) / f32::from(asked.max(1)),
            is_silent: self.is_silent(now),
            ..self.quality
        }
    }

    /// Whether nothing was answered for [`SILENT_AFTER`], however often it was asked.
    pub(super) fn is_silent(&self, now: Instant) -> bool {
        self.unanswered >= SILENT_QUESTIONS
            && (self.unanswered_since)
                .is_some_and(|since| now.saturating_duration_since(since) >= SILENT_AFTER)
    }

    fn interval(&self, now: Instant, active: bool) -> Duration {
        // Until the peer knows that the path is open, it lets no game in.
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

    /// Returns how long an answer may take.
    fn patience(&self) -> Duration {
        let usual = self.quality.round_trip.unwrap_or_default();
        SUSPECT_AFTER.max(usual * 3)
    }

    /// Smooths the round trip and its deviation: RFC 6298, section 2.
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
