//! The ways to a host, tried side by side, and tried again when they get lost.

use std::{net::SocketAddr, time::Instant};

use super::{
    link::{Ask, Join, JoinError, JoinProgress, Joined, Link, LinkEvent, PeerId, ServerKind},
    peer::PeerProtocol,
};
use crate::wire::check::PathKind;
use crate::{
    defaults::{LOST_REASK_INTERVAL, MAX_REASK_INTERVAL, REASK_INTERVAL, RELAY_HEAD_START},
    wire::command::ConnectKind,
};

impl Join {
    /// What the server was asked and has not answered, it is asked again when it can be.
    pub(super) fn forget_requests(&mut self) {
        for ask in [&mut self.direct, &mut self.relay] {
            if *ask == Ask::Asked {
                *ask = Ask::NotYet;
                self.asked = None;
            }
        }
    }

    /// When something is to be done about it, with or without the server.
    pub(super) fn next_step(&self, server: Option<ServerKind>) -> Instant {
        let end = self.began + self.config.timeout;
        match self.asked {
            Some(asked) if self.relay == Ask::NotYet && server.is_some() => {
                let relay = if matches!(self.direct, Ask::Refused(_)) {
                    asked
                } else {
                    asked + RELAY_HEAD_START
                };
                relay.min(end)
            }
            _ => end,
        }
    }
}

impl Link {
    /// Asks for the host that is being joined, once the server can be asked.
    pub(super) fn ask_for_join(&mut self, now: Instant) {
        let (Some(join), true) = (&mut self.join, self.server.is_some()) else {
            return;
        };
        if join.asked.is_some() {
            return;
        }
        join.asked = Some(now);
        self.asker = Some(join.peer);
        let (kind, ask) = if join.config.force_relay {
            (ConnectKind::Relay, &mut join.relay)
        } else {
            (ConnectKind::Nat, &mut join.direct)
        };
        *ask = Ask::Asked;
        self.asks.push_back((kind, join.config.oid.clone()));
        self.events
            .push_back(LinkEvent::Progress(JoinProgress::Asking));
    }

    pub(super) fn try_address(
        &mut self,
        now: Instant,
        id: PeerId,
        kind: PathKind,
        address: SocketAddr,
    ) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.try_address(now, kind, address);
        }
    }

    /// Whether it was the join that runs whose way opened.
    pub(super) fn join_opened(&mut self, now: Instant, id: PeerId) -> bool {
        let Some(join) = self.join.take_if(|join| join.peer == id) else {
            return false;
        };
        self.joined.insert(
            id,
            Joined {
                oid: join.config.oid,
                force_relay: join.config.force_relay,
                next: now + REASK_INTERVAL,
                pause: REASK_INTERVAL,
            },
        );
        self.events.push_back(LinkEvent::Joined(id));
        true
    }

    pub(super) fn host_is_full(&mut self, id: PeerId) {
        if self.join.as_ref().is_some_and(|join| join.peer == id) {
            self.fail_join(JoinError::HostFull);
        }
    }

    pub(super) fn fail_join(&mut self, error: JoinError) {
        if let Some(join) = self.join.take() {
            self.events.push_back(LinkEvent::JoinFailed(error));
            self.remove(join.peer);
        }
    }

    pub(super) fn tick_join(&mut self, now: Instant) {
        let Some(join) = &mut self.join else {
            return;
        };
        if now.saturating_duration_since(join.began) >= join.config.timeout {
            let timeout = join.config.timeout;
            self.fail_join(JoinError::TimedOut(timeout));
            return;
        }
        if join.asked.is_some()
            && join.relay == Ask::NotYet
            && self.server.is_some()
            && now >= join.next_step(self.server)
        {
            join.relay = Ask::Asked;
            self.asker = Some(join.peer);
            self.asks
                .push_back((ConnectKind::Relay, join.config.oid.clone()));
            return;
        }
        // Hopeless when every request was answered and nothing is tried any more.
        let open = |ask: &Ask| matches!(ask, Ask::Asked);
        let trying = self
            .peers
            .get(&join.peer)
            .is_some_and(|peer| peer.is_trying(now));
        if join.relay == Ask::NotYet || open(&join.direct) || open(&join.relay) || trying {
            return;
        }
        if let Some(reason) = join.server_lost.take() {
            self.fail_join(JoinError::ServerSilent(reason));
            return;
        }
        let mut reasons = Vec::new();
        for (ask, kind) in [(&join.direct, "directly"), (&join.relay, "by relay")] {
            match ask {
                Ask::Announced => reasons.push(format!("{kind}, nothing came back from it")),
                Ask::Refused(reason) => reasons.push(format!("{kind}, {reason}")),
                Ask::NotYet | Ask::Asked => {}
            }
        }
        let error = JoinError::HostUnreachable(reasons.join("; "));
        self.fail_join(error);
    }

    /// The server can be asked again: whose way is lost meanwhile, as a relay's is with the
    /// server, is asked for at once.
    pub(super) fn ask_for_lost(&mut self, now: Instant) {
        for (id, joined) in &mut self.joined {
            if self.peers.get(id).is_some_and(|peer| !peer.is_open()) {
                joined.next = now;
            }
        }
    }

    /// Asks again for players who were joined, when their way is lost or could be better.
    pub(super) fn tick_joined(&mut self, now: Instant) {
        let can_ask = self.server.is_some();
        for (id, joined) in &mut self.joined {
            if now < joined.next {
                continue;
            }
            let Some(peer) = self.peers.get(id) else {
                joined.next = now + MAX_REASK_INTERVAL;
                continue;
            };
            let lost = !peer.is_open();
            let relayed = peer
                .active()
                .is_some_and(|path| path.kind == PathKind::Relay);
            if lost {
                joined.pause = REASK_INTERVAL;
                joined.next = now + LOST_REASK_INTERVAL;
            } else if relayed {
                joined.pause = (joined.pause * 2).min(MAX_REASK_INTERVAL);
                joined.next = now + joined.pause;
            } else {
                joined.pause = REASK_INTERVAL;
                joined.next = now + REASK_INTERVAL;
            }
            if !can_ask || peer.protocol == PeerProtocol::Plain || peer.leaving.is_some() {
                continue;
            }
            if (lost || relayed) && !joined.force_relay {
                self.asker = Some(*id);
                (self.asks).push_back((ConnectKind::Nat, joined.oid.clone()));
            }
            if lost {
                self.asker = Some(*id);
                (self.asks).push_back((ConnectKind::Relay, joined.oid.clone()));
            }
        }
    }
}
