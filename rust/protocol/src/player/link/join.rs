//! The join that runs: what the server was requested to do, and when the join is hopeless.

use std::time::{Duration, Instant};

use super::{
    config::JoinConfig,
    join_result::{JoinError, JoinProgress},
    peers::PeerId,
};
use crate::{
    defaults::{LONGEST_WAIT, RELAY_HEAD_START, SERVER_PATIENCE},
    player::requests::ConnectError,
    wire::{
        check::PathKind,
        command::{ConnectKind, RefusalReason},
        id::OpenId,
    },
};

/// A host that is being joined.
#[derive(Debug)]
pub(super) struct Join {
    peer: PeerId,
    config: JoinConfig,
    began: Instant,
    requested: Option<Instant>,
    direct: Request,
    relay: Request,
    /// Why the server can no longer be asked.
    server_lost: Option<String>,
}

/// What became of a request to the server.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Request {
    NotSent,
    Sent(Instant),
    Announced,
    Refused(String),
}

/// What a join does next.
#[derive(Debug)]
pub(super) enum Step {
    Wait,
    RequestRelay,
    Fail(JoinError),
}

impl Join {
    pub(super) fn begin(now: Instant, peer: PeerId, mut config: JoinConfig) -> Self {
        config.timeout = config.timeout.min(LONGEST_WAIT);
        Self {
            peer,
            config,
            began: now,
            requested: None,
            direct: Request::NotSent,
            relay: Request::NotSent,
            server_lost: None,
        }
    }

    pub(super) fn peer(&self) -> PeerId {
        self.peer
    }

    pub(super) fn oid(&self) -> &OpenId {
        &self.config.oid
    }

    pub(super) fn force_relay(&self) -> bool {
        self.config.force_relay
    }

    /// Returns what to request first, unless that was requested already.
    pub(super) fn first_request(&mut self, now: Instant) -> Option<ConnectKind> {
        if self.requested.is_some() {
            return None;
        }
        self.requested = Some(now);
        let kind = if self.config.force_relay {
            ConnectKind::Relay
        } else {
            ConnectKind::Nat
        };
        *self.request(kind) = Request::Sent(now);
        Some(kind)
    }

    /// Forgets the requests that were not answered: they are sent again once the server can be
    /// asked.
    pub(super) fn forget_requests(&mut self) {
        for request in [&mut self.direct, &mut self.relay] {
            if matches!(request, Request::Sent(_)) {
                *request = Request::NotSent;
                self.requested = None;
            }
        }
    }

    /// Notes that the server announced an address. Returns the progress that this makes, if any.
    pub(super) fn announced(&mut self, kind: PathKind) -> Option<JoinProgress> {
        let (kind, progress) = match kind {
            PathKind::Relay => (ConnectKind::Relay, JoinProgress::TryingRelay),
            PathKind::Lan | PathKind::Direct => (ConnectKind::Nat, JoinProgress::TryingDirect),
        };
        let request = self.request(kind);
        let is_first = *request != Request::Announced;
        *request = Request::Announced;
        self.server_lost = None;
        is_first.then_some(progress)
    }

    /// Notes that the server refused a request. Returns the error that ends the join, if that does.
    pub(super) fn refused(&mut self, kind: ConnectKind, error: &ConnectError) -> Option<JoinError> {
        let is_unknown_host = match error {
            ConnectError::Refused(reason, _) => matches!(
                reason,
                RefusalReason::UnknownHost | RefusalReason::HostUnregistered
            ),
            // Generation 2 says only in words why it refuses a relay.
            ConnectError::ServerText(_) => kind == ConnectKind::Nat,
            ConnectError::NoAnswer => kind == ConnectKind::Nat || self.direct == Request::NotSent,
            _ => false,
        };
        // An announcement that came after all counts more.
        if *self.request(kind) == Request::Announced {
            return None;
        }
        *self.request(kind) = Request::Refused(error.to_string());
        if is_unknown_host {
            return Some(JoinError::NoSuchHost(error.to_string()));
        }
        if matches!(
            error,
            ConnectError::Disconnected | ConnectError::TimedOut(_)
        ) {
            self.server_lost = Some(error.to_string());
            if self.relay == Request::NotSent {
                self.relay = Request::Refused(error.to_string());
            }
        }
        None
    }

    /// Returns what to do at `now`. `is_trying` tells whether any address is still being tried.
    pub(super) fn step(&mut self, now: Instant, has_server: bool, is_trying: bool) -> Step {
        if now.saturating_duration_since(self.began) >= self.config.timeout {
            return Step::Fail(self.overdue(now));
        }
        if self.relay_due(has_server).is_some_and(|due| now >= due) {
            self.relay = Request::Sent(now);
            return Step::RequestRelay;
        }
        // Hopeless once every request was answered and nothing is tried any more.
        let is_answered =
            |request: &Request| matches!(request, Request::Announced | Request::Refused(_));
        let may_be_answered = matches!(self.direct, Request::Sent(_)) || !is_answered(&self.relay);
        if may_be_answered || is_trying {
            return Step::Wait;
        }
        if let Some(reason) = self.server_lost.take() {
            return Step::Fail(JoinError::ServerSilent(reason));
        }
        let mut reasons = Vec::new();
        for (request, how) in [(&self.direct, "directly"), (&self.relay, "by relay")] {
            match request {
                Request::Announced => reasons.push(format!("{how}, nothing came back from it")),
                Request::Refused(reason) => reasons.push(format!("{how}, {reason}")),
                Request::NotSent | Request::Sent(_) => {}
            }
        }
        Step::Fail(JoinError::HostUnreachable(reasons.join("; ")))
    }

    /// Returns why the join is not over when its time is: it waits for the server, or for the host.
    fn overdue(&mut self, now: Instant) -> JoinError {
        if let Some(reason) = self.server_lost.take() {
            return JoinError::ServerSilent(reason);
        }
        let waited = [&self.direct, &self.relay].map(|request| match request {
            Request::Sent(since) => now.saturating_duration_since(*since),
            _ => Duration::ZERO,
        });
        let longest = waited.into_iter().max().unwrap_or_default();
        if longest >= SERVER_PATIENCE {
            return JoinError::ServerSilent("it no longer answers".to_owned());
        }
        JoinError::TimedOut(self.config.timeout)
    }

    /// Returns when [`Self::step`] has something to do, unless it waits for others.
    pub(super) fn due(&self, has_server: bool) -> Instant {
        let end = self.began + self.config.timeout;
        (self.relay_due(has_server)).map_or(end, |relay| relay.min(end))
    }

    /// Returns when a relay is requested, if it is still to be.
    fn relay_due(&self, has_server: bool) -> Option<Instant> {
        let requested = self.requested?;
        if self.relay != Request::NotSent || !has_server {
            return None;
        }
        Some(match self.direct {
            Request::Refused(_) => requested,
            _ => requested + RELAY_HEAD_START,
        })
    }

    fn request(&mut self, kind: ConnectKind) -> &mut Request {
        match kind {
            ConnectKind::Nat => &mut self.direct,
            ConnectKind::Relay => &mut self.relay,
        }
    }
}
