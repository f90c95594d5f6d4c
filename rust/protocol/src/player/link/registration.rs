//! Registers our address at the registrar, and keeps the router's mapping of it.

use std::{net::SocketAddr, time::Instant};

use super::transmit::Transmit;
use crate::{
    defaults::{
        KEEPALIVE_INTERVAL, KEEPALIVE_LOST_INTERVAL, KEEPALIVE_RETRIES, KEEPALIVE_RETRY,
        REGISTER_INTERVAL, REGISTER_TIMEOUT,
    },
    wire::id::PrivateId,
};

/// The registrar's answer to a PrivateID that it knows.
pub const ACCEPTED: &[u8] = b"OK";

/// Why an address was not registered.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RegistrationFailure {
    /// The registrar does not know the PrivateID.
    Refused,
    /// The registrar did not answer within [`REGISTER_TIMEOUT`].
    TimedOut,
}

/// A change of a registration.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Change {
    Registered,
    Failed(RegistrationFailure),
    /// Keepalives are no longer answered.
    Lost,
    /// Keepalives are answered again.
    Back,
}

#[derive(Debug)]
enum State {
    Registering { began: Instant },
    Registered { unanswered: u32 },
    Failed,
}

#[derive(Debug)]
pub(super) struct Registration {
    registrar: SocketAddr,
    pid: PrivateId,
    state: State,
    next: Instant,
}

impl Registration {
    pub(super) fn begin(now: Instant, registrar: SocketAddr, pid: PrivateId) -> Self {
        Self {
            registrar,
            pid,
            state: State::Registering { began: now },
            next: now,
        }
    }

    /// Takes over an address that was registered from the same port before. The mapping is
    /// refreshed at once.
    pub(super) fn adopt(now: Instant, registrar: SocketAddr, pid: PrivateId) -> Self {
        Self {
            registrar,
            pid,
            state: State::Registered { unanswered: 0 },
            next: now,
        }
    }

    /// Sends the next datagram at once.
    pub(super) fn refresh(&mut self, now: Instant) {
        self.next = self.next.min(now);
    }

    pub(super) fn registrar(&self) -> SocketAddr {
        self.registrar
    }

    /// Takes a datagram from the registrar.
    pub(super) fn receive(&mut self, now: Instant, bytes: &[u8]) -> Option<Change> {
        match &mut self.state {
            State::Registering { .. } => {
                if bytes != ACCEPTED {
                    self.state = State::Failed;
                    return Some(Change::Failed(RegistrationFailure::Refused));
                }
                self.state = State::Registered { unanswered: 0 };
                self.next = now + KEEPALIVE_INTERVAL;
                Some(Change::Registered)
            }
            State::Registered { unanswered } => {
                // Whatever the answer says: UDP gets out, and back in.
                let was_lost = *unanswered > KEEPALIVE_RETRIES;
                *unanswered = 0;
                self.next = now + KEEPALIVE_INTERVAL;
                was_lost.then_some(Change::Back)
            }
            State::Failed => None,
        }
    }

    pub(super) fn tick(&mut self, now: Instant, out: &mut Vec<Transmit>) -> Option<Change> {
        if now < self.next {
            return None;
        }
        let change = match &mut self.state {
            State::Registering { began } => {
                if now.saturating_duration_since(*began) >= REGISTER_TIMEOUT {
                    self.state = State::Failed;
                    return Some(Change::Failed(RegistrationFailure::TimedOut));
                }
                self.next = now + REGISTER_INTERVAL;
                None
            }
            State::Registered { unanswered } => {
                *unanswered += 1;
                let lost = *unanswered == KEEPALIVE_RETRIES + 1;
                self.next = now
                    + if *unanswered > KEEPALIVE_RETRIES {
                        KEEPALIVE_LOST_INTERVAL
                    } else {
                        KEEPALIVE_RETRY
                    };
                lost.then_some(Change::Lost)
            }
            State::Failed => return None,
        };
        out.push(Transmit::new(self.registrar, self.pid.reveal().as_bytes()));
        change
    }

    pub(super) fn due(&self) -> Option<Instant> {
        (!matches!(self.state, State::Failed)).then_some(self.next)
    }
}
