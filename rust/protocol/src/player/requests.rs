//! Which line answers which `connect` request, and which requests are not answered at all.
//!
//! A server of generation 1 answers a refused `connect` with silence, but it answers `echo` in
//! order. So each request goes out between two fences, in one write: `echo 1`, `connect …`, `echo
//! 2`. The server handles a `connect` before it reads on: if no address comes between the fences,
//! none will. It answers a `connect-relay` in a later turn of its event loop, behind the second
//! fence of the same write; a third fence, sent when the second has come back, is read after that
//! turn. The next `connect-relay` goes out behind that third fence: of two in one write, the server
//! does not tell whose port it sends.
//!
//! A server that greets (generation 2, and our own) refuses in words. Generation 2 does not tell
//! which request it refuses, and sends its refusals of one write behind its answers; so only one
//! request of each kind is out at a time. A refusal belongs to the request whose OpenID is in its
//! text, or else to the one that is out.
//!
//! An announcement that another player requested looks like an answer. One that arrives
//! - between the fences of a request that fails (for `connect-relay` within about one round trip,
//!   for `connect` only if the network cut the write in two) hides that failure;
//! - on generation 2, while several requests of one kind wait, can attribute a refusal without an
//!   OpenID to the wrong one of them: still one failure, with the server's text.
//!
//! Only the second makes a failure of a request that was answered.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    defaults::{LONGEST_WAIT, MAX_REQUESTS_IN_FLIGHT},
    wire::{
        command::{ConnectKind, PlayerCommand, RefusalReason, ServerCommand},
        id::OpenId,
    },
};

/// The start of our fences' texts.
const FENCE: &str = "noray-godot-";

/// Why a connect request failed.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConnectError {
    /// The server named its reason.
    #[error("the server refused: {1}")]
    Refused(RefusalReason, String),
    /// The server answered with a text instead of an address.
    #[error("the server refused: {0}")]
    ServerText(String),
    /// The server will certainly not answer.
    #[error(
        "the server does not connect: no player with this OpenID is connected, \
         or one of the two has not registered its remote address"
    )]
    NoAnswer,
    /// Too many requests already wait for an answer; this one was not sent.
    #[error("{MAX_REQUESTS_IN_FLIGHT} connects wait for an answer already")]
    TooMany,
    /// The connection ended before an answer came.
    #[error("the connection to the server ended")]
    Disconnected,
    /// No answer came in time.
    #[error("the server did not answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
}

/// A connect request that failed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectFailure {
    /// What was requested.
    pub kind: ConnectKind,
    /// The host's OpenID; empty if the server did not say it and no request was open.
    pub oid: String,
    /// Why it failed.
    pub error: ConnectError,
}

/// What a line from the server means for the open requests.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reaction {
    /// The line answered one of our fences: the game must not see it.
    pub internal: bool,
    /// Text to send to the server.
    pub send: Option<String>,
    /// A request that failed.
    pub failure: Option<ConnectFailure>,
}

#[derive(Debug)]
struct Request {
    kind: ConnectKind,
    oid: OpenId,
    deadline: Instant,
    /// Whether the request is sent later than it was made: its time begins when `deadline` is over.
    late: bool,
    answered: bool,
    stage: Stage,
}

/// How far a request is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stage {
    /// Not sent: an earlier request has to be answered first.
    Queued,
    /// Sent without fences.
    Unfenced,
    /// Sent between fences, none of which has come back.
    Sent { before: u64, after: u64 },
    /// The first fence came back: lines from now on can be the answer.
    Open { after: u64 },
    /// The second fence came back, and a third one was sent.
    Closing { after: u64 },
}

impl Request {
    fn failure(&self, error: ConnectError) -> ConnectFailure {
        ConnectFailure {
            kind: self.kind,
            oid: self.oid.as_str().to_owned(),
            error,
        }
    }

    /// Whether a line that comes now can be about this request.
    fn may_hear(&self, kind: ConnectKind) -> bool {
        self.kind == kind && self.stage != Stage::Queued
    }

    /// Whether the next request of its kind has to wait.
    fn blocks(&self) -> bool {
        match self.stage {
            Stage::Queued => true,
            Stage::Unfenced => !self.answered,
            Stage::Sent { .. } | Stage::Open { .. } => self.kind == ConnectKind::Relay,
            Stage::Closing { .. } => false,
        }
    }
}

/// The connect requests of one connection that wait for an answer.
#[derive(Debug)]
pub struct Requests {
    timeout: Duration,
    greeted: bool,
    /// Whether the server let a request time out, and has sent nothing since that proves that it
    /// answers: then no request waits for another.
    silent: bool,
    last_fence: u64,
    /// In the order in which they were made.
    open: VecDeque<Request>,
    /// What [`Self::expire`] allowed to be sent.
    unsent: String,
}

impl Requests {
    /// Returns an empty list of requests. A server that answers neither requests nor fences gets
    /// `timeout`.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            greeted: false,
            silent: false,
            last_fence: 0,
            open: VecDeque::new(),
            unsent: String::new(),
        }
    }

    /// Whether the server greeted, and so refuses in words.
    #[must_use]
    pub fn greeted(&self) -> bool {
        self.greeted
    }

    /// Opens a request. Returns what to send, with its line ends: nothing if the request has to
    /// wait for an earlier one. Then a [`Reaction`] or [`Self::unsent`] returns it later.
    ///
    /// # Errors
    /// [`ConnectError::TooMany`]; then nothing is to be sent.
    pub fn request(
        &mut self,
        now: Instant,
        kind: ConnectKind,
        oid: OpenId,
    ) -> Result<String, ConnectFailure> {
        let request = Request {
            kind,
            oid,
            deadline: deadline(now, self.timeout),
            late: false,
            answered: false,
            stage: Stage::Queued,
        };
        if !self.has_room() {
            return Err(request.failure(ConnectError::TooMany));
        }
        self.open.push_back(request);
        let text = self.send_queued();
        if let Some(request) = self.open.back_mut() {
            request.late = request.stage == Stage::Queued;
        }
        Ok(text)
    }

    /// Takes each line from the server, in order.
    pub fn receive(&mut self, command: &ServerCommand) -> Reaction {
        let mut reaction = Reaction::default();
        let mut send = String::new();
        match command {
            ServerCommand::Greeting(_) => self.greet(),
            ServerCommand::ConnectNat(_) => self.answer(ConnectKind::Nat),
            ServerCommand::ConnectRelay(_) => self.answer(ConnectKind::Relay),
            ServerCommand::ConnectError(kind, text) => {
                self.silent = false;
                let oid = self.take_unnamed(*kind, text);
                reaction.failure = Some(ConnectFailure {
                    kind: *kind,
                    oid: oid.unwrap_or_default(),
                    error: ConnectError::ServerText(text.clone()),
                });
            }
            ServerCommand::Refused {
                kind,
                oid,
                reason,
                sentence,
            } => {
                self.silent = false;
                let taken = if oid.is_empty() {
                    self.take_unnamed(*kind, "")
                } else {
                    self.take(|request| request.may_hear(*kind) && request.oid.as_str() == oid)
                };
                reaction.failure = Some(ConnectFailure {
                    kind: *kind,
                    oid: taken.unwrap_or_else(|| oid.clone()),
                    error: ConnectError::Refused(*reason, sentence.clone()),
                });
            }
            ServerCommand::Echo(text) => {
                if let Some(fence) = text.strip_prefix(FENCE).and_then(|n| n.parse().ok()) {
                    reaction.internal = true;
                    send = self.receive_fence(fence, &mut reaction.failure);
                }
            }
            _ => {}
        }
        send.push_str(&self.send_queued());
        send.push_str(&std::mem::take(&mut self.unsent));
        reaction.send = Some(send).filter(|send| !send.is_empty());
        reaction
    }

    /// Ends and returns the requests whose time is over at `now`. Requests that waited for them can
    /// now be sent: send what [`Self::unsent`] returns.
    pub fn expire(&mut self, now: Instant) -> Vec<ConnectFailure> {
        let mut failures = Vec::new();
        self.open.retain(|request| {
            let over = now >= request.deadline && !request.late;
            if over {
                self.silent |= request.blocks() || matches!(request.stage, Stage::Sent { .. });
                if !request.answered {
                    failures.push(request.failure(ConnectError::TimedOut(self.timeout)));
                }
            }
            !over
        });
        let text = self.send_queued();
        self.unsent.push_str(&text);
        for request in &mut self.open {
            if now >= request.deadline && request.stage != Stage::Queued {
                request.late = false;
                request.deadline = deadline(now, self.timeout);
            }
        }
        failures
    }

    /// Returns what is to be sent after [`Self::expire`]. If it is not taken here, it is part of
    /// the next [`Reaction`].
    pub fn unsent(&mut self) -> Option<String> {
        Some(std::mem::take(&mut self.unsent)).filter(|text| !text.is_empty())
    }

    /// Returns when [`Self::expire`] has something to do, or `None` if no request is open.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        let sent = |request: &&Request| request.stage != Stage::Queued;
        let sent = self.open.iter().filter(sent);
        sent.map(|request| request.deadline).min()
    }

    /// Ends and returns all requests, because the connection has ended.
    pub fn abandon(&mut self) -> Vec<ConnectFailure> {
        self.unsent.clear();
        self.open
            .drain(..)
            .filter(|request| !request.answered)
            .map(|request| request.failure(ConnectError::Disconnected))
            .collect()
    }

    /// Makes room for one more request, at the cost of one that is kept only because its answer
    /// could have been another player's connect. Returns whether there is room.
    fn has_room(&mut self) -> bool {
        if self.open.len() < MAX_REQUESTS_IN_FLIGHT {
            return true;
        }
        let spare = |request: &Request| request.answered && request.stage == Stage::Unfenced;
        let index = self.open.iter().position(spare);
        index.is_some_and(|index| self.open.remove(index).is_some())
    }

    /// Returns the lines of the queued requests whose turn it is.
    fn send_queued(&mut self) -> String {
        let mut text = String::new();
        for kind in [ConnectKind::Nat, ConnectKind::Relay] {
            let queued = |request: &Request| request.kind == kind && request.stage == Stage::Queued;
            while let Some(index) = self.open.iter().position(queued) {
                let mut earlier = self.open.range(..index);
                if !self.silent && earlier.any(|request| request.kind == kind && request.blocks()) {
                    break;
                }
                text.push_str(&self.send(index));
            }
        }
        text
    }

    fn send(&mut self, index: usize) -> String {
        let request = &mut self.open[index];
        let line = PlayerCommand::Connect(request.kind, Ok(request.oid.clone()));
        if self.greeted {
            request.stage = Stage::Unfenced;
            return format!("{line}\n");
        }
        let (before, after) = (self.last_fence + 1, self.last_fence + 2);
        self.last_fence = after;
        request.stage = Stage::Sent { before, after };
        format!("{}{line}\n{}", fence_line(before), fence_line(after))
    }

    /// Notes that the server greeted: from now on it refuses in words.
    fn greet(&mut self) {
        self.greeted = true;
        for request in &mut self.open {
            if request.stage != Stage::Queued {
                request.stage = Stage::Unfenced;
            }
        }
    }

    /// Takes an address or port. It answers the oldest request that it can belong to (unless that
    /// request's first fence comes later), or another player requested it.
    fn answer(&mut self, kind: ConnectKind) {
        self.silent &= !self.greeted;
        let answered = self
            .open
            .iter_mut()
            .find(|request| request.may_hear(kind) && !request.answered);
        if let Some(request) = answered {
            request.answered = true;
        }
    }

    /// Takes one of our fences. Returns a further fence to send, or sets the failure of the request
    /// that this fence closed.
    fn receive_fence(&mut self, fence: u64, failure: &mut Option<ConnectFailure>) -> String {
        self.silent = false;
        for (index, request) in self.open.iter_mut().enumerate() {
            match request.stage {
                Stage::Sent { before, after } if before == fence => {
                    request.stage = Stage::Open { after };
                    // What came before this fence was not the answer.
                    request.answered = false;
                }
                Stage::Sent { after, .. } | Stage::Open { after } if after == fence => {
                    if request.kind == ConnectKind::Nat || request.answered {
                        *failure = self.close(index);
                    } else {
                        self.last_fence += 1;
                        let after = self.last_fence;
                        request.stage = Stage::Closing { after };
                        return fence_line(after);
                    }
                }
                Stage::Closing { after } if after == fence => *failure = self.close(index),
                _ => continue,
            }
            break;
        }
        String::new()
    }

    /// Removes a request that can no longer be answered.
    fn close(&mut self, index: usize) -> Option<ConnectFailure> {
        let request = self.open.remove(index)?;
        (!request.answered).then(|| request.failure(ConnectError::NoAnswer))
    }

    /// Removes the request that a refusal without an OpenID concerns, and returns its OpenID.
    fn take_unnamed(&mut self, kind: ConnectKind, text: &str) -> Option<String> {
        let fits = |request: &Request| request.may_hear(kind);
        let named = |request: &Request| {
            let oid = request.oid.as_str();
            fits(request) && text.split_whitespace().any(|word| word == oid)
        };
        self.take(named).or_else(|| self.take(fits))
    }

    /// Removes a request that fits and returns its OpenID: the oldest unanswered one, or else the
    /// newest.
    fn take(&mut self, fits: impl Fn(&Request) -> bool) -> Option<String> {
        let open = |request: &Request| fits(request) && !request.answered;
        let index = self.open.iter().position(open);
        let index = index.or_else(|| self.open.iter().rposition(&fits))?;
        let request = self.open.remove(index)?;
        Some(request.oid.as_str().to_owned())
    }
}

fn fence_line(fence: u64) -> String {
    format!("{}\n", PlayerCommand::Echo(format!("{FENCE}{fence}")))
}

/// Returns when a time-out ends. One that is too long for an `Instant` becomes [`LONGEST_WAIT`].
fn deadline(now: Instant, timeout: Duration) -> Instant {
    now.checked_add(timeout).unwrap_or(now + LONGEST_WAIT)
}
