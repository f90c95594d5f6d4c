//! The hosts that were joined: when the server is asked for them again.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use super::{
    join::Join,
    peers::{PeerId, Peers},
};
use crate::{
    defaults::{LOST_REASK_INTERVAL, MAX_REASK_INTERVAL, REASK_INTERVAL},
    wire::{check::PathKind, command::ConnectKind, id::OpenId},
};

#[derive(Debug, Default)]
pub(super) struct JoinedHosts(BTreeMap<PeerId, JoinedHost>);

#[derive(Debug)]
struct JoinedHost {
    oid: OpenId,
    force_relay: bool,
    next: Instant,
    pause: Duration,
}

impl JoinedHosts {
    /// Adds the host that was just joined.
    pub(super) fn add(&mut self, now: Instant, join: &Join) {
        let host = JoinedHost {
            oid: join.oid().clone(),
            force_relay: join.force_relay(),
            next: now + REASK_INTERVAL,
            pause: REASK_INTERVAL,
        };
        self.0.insert(join.peer(), host);
    }

    pub(super) fn remove(&mut self, id: PeerId) {
        self.0.remove(&id);
    }

    /// Whether only relays are used for this host; `None` when it is not a joined host.
    pub(super) fn force_relay(&self, id: PeerId) -> Option<bool> {
        self.0.get(&id).map(|host| host.force_relay)
    }

    /// Asks at once for a host whose last path has closed.
    pub(super) fn ask_for(&mut self, now: Instant, id: PeerId) {
        if let Some(host) = self.0.get_mut(&id) {
            host.next = now;
        }
    }

    /// Asks at once for every host that no path leads to, because the server can be asked again.
    /// A relay is lost with the server.
    pub(super) fn ask_for_lost(&mut self, now: Instant, peers: &Peers) {
        for (id, host) in &mut self.0 {
            if peers.get(*id).is_some_and(|peer| !peer.is_open()) {
                host.next = now;
            }
        }
    }

    /// Returns the requests that are due: for hosts whose path is lost or could be better.
    pub(super) fn tick(
        &mut self,
        now: Instant,
        has_server: bool,
        peers: &Peers,
    ) -> Vec<(PeerId, ConnectKind, OpenId)> {
        let mut requests = Vec::new();
        for (id, host) in &mut self.0 {
            if now < host.next {
                continue;
            }
            let Some(peer) = peers.get(*id) else {
                host.next = now + MAX_REASK_INTERVAL;
                continue;
            };
            let is_lost = !peer.is_open();
            let is_relayed = peer.active_kind() == Some(PathKind::Relay);
            host.schedule(now, is_lost, is_relayed);
            if !has_server || peer.is_plain() || peer.is_leaving() {
                continue;
            }
            if (is_lost || is_relayed) && !host.force_relay {
                requests.push((*id, ConnectKind::Nat, host.oid.clone()));
            }
            if is_lost {
                requests.push((*id, ConnectKind::Relay, host.oid.clone()));
            }
        }
        requests
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.0.values().map(|host| host.next).min()
    }
}

impl JoinedHost {
    fn schedule(&mut self, now: Instant, is_lost: bool, is_relayed: bool) {
        if is_lost {
            self.pause = REASK_INTERVAL;
            self.next = now + LOST_REASK_INTERVAL;
        } else if is_relayed {
            self.pause = (self.pause * 2).min(MAX_REASK_INTERVAL);
            self.next = now + self.pause;
        } else {
            self.pause = REASK_INTERVAL;
            self.next = now + REASK_INTERVAL;
        }
    }
}
