//! Which `connect` is answered by which line, and which by none.
//!
//! A server of generation 1 answers a refused `connect` with silence, but it
//! answers `echo` in order. So each request goes out between two fences, in one
//! write: `echo 1`, `connect …`, `echo 2`. It handles a `connect` before it reads
//! on: with no address between the fences, none will come. A `connect-relay` is
//! answered in a later turn of its event loop, behind the second fence of the
//! same write; a third fence, sent when the second one came back, is read after
//! that turn.
//!
//! A server that greets (generation 2, and our own) says no by itself.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use crate::{
    command::{ConnectKind, PlayerCommand, RefusalReason, ServerCommand},
    defaults::MAX_REQUESTS_IN_FLIGHT,
    id::OpenId,
};

/// What the texts of our fences begin with.
const FENCE: &str = "noray-godot-";

/// Why a connect request came to nothing.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum ConnectError {
    /// The server named its reason.
    #[error("the server refused: {1}")]
    Refused(RefusalReason, String),
    /// The server answered with a text in place of an address.
    #[error("the server refused: {0}")]
    ServerText(String),
    /// The server is certain not to answer.
    #[error(
        "the server does not connect: no player with this OpenID is connected, \
         or one of the two has not registered its remote address"
    )]
    NoAnswer,
    /// Too many requests wait for an answer already; this one was not sent.
    #[error("{MAX_REQUESTS_IN_FLIGHT} connects wait for an answer already")]
    TooMany,
    /// The connection ended before an answer came.
    #[error("the connection to the server ended")]
    Disconnected,
    /// No answer came in time.
    #[error("the server did not answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
}

/// A connect request that came to nothing.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ConnectFailure {
    /// What was asked for.
    pub kind: ConnectKind,
    /// Who was asked for; empty when the server did not say and nothing was open.
    pub oid: String,
    /// Why it failed.
    pub error: ConnectError,
}

/// What a line from the server meant for the open requests.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Reaction {
    /// The line answered one of our fences: the game must not see it.
    pub internal: bool,
    /// Text to send to the server.
    pub send: Option<String>,
    /// A request that came to nothing.
    pub failure: Option<ConnectFailure>,
}

#[derive(Debug)]
struct Request {
    kind: ConnectKind,
    oid: OpenId,
    deadline: Instant,
    answered: bool,
    fences: Option<Fences>,
}

impl Request {
    fn failure(&self, error: ConnectError) -> ConnectFailure {
        ConnectFailure {
            kind: self.kind,
            oid: self.oid.as_str().to_owned(),
            error,
        }
    }
}

#[derive(Debug)]
struct Fences {
    before: u64,
    /// The last fence sent behind the request.
    after: u64,
    /// The one before the request came back: lines from here on can be its answer.
    open: bool,
    /// `after` is the third fence.
    repeated: bool,
}

/// The connect requests of one connection that wait for an answer.
#[derive(Debug)]
pub struct Requests {
    timeout: Duration,
    greeted: bool,
    /// The server has answered a fence.
    echoes: bool,
    last_fence: u64,
    open: VecDeque<Request>,
}

impl Requests {
    /// Nothing asked yet; a server that answers neither requests nor fences is
    /// waited for during `timeout`.
    #[must_use]
    pub fn new(timeout: Duration) -> Self {
        Self {
            timeout,
            greeted: false,
            echoes: false,
            last_fence: 0,
            open: VecDeque::new(),
        }
    }

    /// Whether the server greeted, and so tells its refusals by itself.
    #[must_use]
    pub fn greeted(&self) -> bool {
        self.greeted
    }

    /// Opens a request; what to send is given, complete with its line ends.
    ///
    /// # Errors
    /// [`ConnectError::TooMany`]; nothing is to be sent then.
    pub fn request(
        &mut self,
        now: Instant,
        kind: ConnectKind,
        oid: OpenId,
    ) -> Result<String, ConnectFailure> {
        if self.open.len() >= MAX_REQUESTS_IN_FLIGHT {
            return Err(ConnectFailure {
                kind,
                oid: oid.as_str().to_owned(),
                error: ConnectError::TooMany,
            });
        }
        let line = PlayerCommand::Connect(kind, Ok(oid.clone()));
        let (fences, text) = if self.greeted {
            (None, format!("{line}\n"))
        } else {
            let (before, first) = self.fence();
            let (after, second) = self.fence();
            let fences = Fences {
                before,
                after,
                open: false,
                repeated: false,
            };
            (Some(fences), format!("{first}{line}\n{second}"))
        };
        self.open.push_back(Request {
            kind,
            oid,
            deadline: now + self.timeout,
            answered: false,
            fences,
        });
        Ok(text)
    }

    /// Takes each line that came from the server, in order.
    pub fn receive(&mut self, command: &ServerCommand) -> Reaction {
        match command {
            ServerCommand::Greeting(_) => self.greeted = true,
            ServerCommand::ConnectNat(_) => self.answer(ConnectKind::Nat),
            ServerCommand::ConnectRelay(_) => self.answer(ConnectKind::Relay),
            ServerCommand::ConnectError(kind, text) => {
                let oid = self.take(|request| request.kind == *kind && !request.answered);
                return failed(*kind, oid, ConnectError::ServerText(text.clone()));
            }
            ServerCommand::Refused {
                kind,
                oid,
                reason,
                sentence,
            } => {
                self.take(|request| request.kind == *kind && request.oid.as_str() == oid);
                let error = ConnectError::Refused(*reason, sentence.clone());
                return failed(*kind, oid.clone(), error);
            }
            ServerCommand::Echo(text) => {
                if let Some(fence) = text.strip_prefix(FENCE).and_then(|n| n.parse().ok()) {
                    return self.receive_fence(fence);
                }
            }
            _ => {}
        }
        Reaction::default()
    }

    /// The requests whose time is over at `now`.
    pub fn expire(&mut self, now: Instant) -> Vec<ConnectFailure> {
        let mut failures = Vec::new();
        self.open.retain(|request| {
            let expired = now >= request.deadline;
            if expired && !request.answered {
                failures.push(request.failure(ConnectError::TimedOut(self.timeout)));
            }
            !expired
        });
        failures
    }

    /// When [`Self::expire`] has something to do; `None` with nothing open.
    #[must_use]
    pub fn next_deadline(&self) -> Option<Instant> {
        self.open.front().map(|request| request.deadline)
    }

    /// Ends all requests, since the connection has ended.
    pub fn abandon(&mut self) -> Vec<ConnectFailure> {
        self.open
            .drain(..)
            .filter(|request| !request.answered)
            .map(|request| request.failure(ConnectError::Disconnected))
            .collect()
    }

    fn fence(&mut self) -> (u64, String) {
        self.last_fence += 1;
        let text = format!("{FENCE}{}", self.last_fence);
        (self.last_fence, format!("{}\n", PlayerCommand::Echo(text)))
    }

    /// An address or port came: it answers the oldest request that it can belong
    /// to, or it is another player's wish to connect.
    fn answer(&mut self, kind: ConnectKind) {
        let echoes = self.echoes;
        let answered = self.open.iter_mut().position(|request| {
            let fenced_off = request
                .fences
                .as_ref()
                .is_some_and(|fences| echoes && !fences.open);
            request.kind == kind && !request.answered && !fenced_off
        });
        if let Some(index) = answered {
            if self.open[index].fences.is_some() {
                self.open[index].answered = true;
            } else {
                self.open.remove(index);
            }
        }
    }

    fn receive_fence(&mut self, fence: u64) -> Reaction {
        self.echoes = true;
        let mut reaction = Reaction {
            internal: true,
            ..Reaction::default()
        };
        let found = self.open.iter().position(|request| {
            let fences = request.fences.as_ref();
            fences.is_some_and(|fences| fences.before == fence || fences.after == fence)
        });
        let Some(index) = found else {
            return reaction;
        };
        let next = self.last_fence + 1;
        let request = &mut self.open[index];
        let Some(fences) = &mut request.fences else {
            return reaction;
        };
        if fences.before == fence {
            fences.open = true;
        } else if !request.answered && request.kind == ConnectKind::Relay && !fences.repeated {
            fences.repeated = true;
            fences.after = next;
            reaction.send = Some(self.fence().1);
        } else if let Some(request) = self.open.remove(index)
            && !request.answered
        {
            reaction.failure = Some(request.failure(ConnectError::NoAnswer));
        }
        reaction
    }

    /// Removes the first request that fits and gives its OpenID, or an empty one.
    fn take(&mut self, fits: impl Fn(&Request) -> bool) -> String {
        self.open
            .iter()
            .position(fits)
            .and_then(|index| self.open.remove(index))
            .map_or_else(String::new, |request| request.oid.as_str().to_owned())
    }
}

fn failed(kind: ConnectKind, oid: String, error: ConnectError) -> Reaction {
    Reaction {
        failure: Some(ConnectFailure { kind, oid, error }),
        ..Reaction::default()
    }
}
