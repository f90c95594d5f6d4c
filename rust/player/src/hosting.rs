//! `host`: an ENet server on the loopback address, which the link brings peers to.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use noray_client::{HostOptions, PeerId, PeerStats};
use tracing::info;

use crate::{
    calls::{CallId, EnetPeer, HostCall},
    effect::{Answer, Effect, LinkCommand},
    failure::Failed,
    output::Output,
};

/// A peer, as the link knows it.
#[derive(Clone, Debug)]
struct Peer {
    id: PeerId,
    stats: PeerStats,
}

/// A game that this player hosts.
#[derive(Debug)]
pub(crate) struct Hosting {
    /// The game's own: it is hosted as long as this lives and is open.
    pub(crate) enet: EnetPeer,
    /// The call of `host`, until it has ended.
    waiting: Option<Waiting>,
    /// Whether the game takes no new players at present.
    is_closed: bool,
    /// The peers that the link let in, by the port of the loopback address that stands for each.
    admitted: BTreeMap<u16, Peer>,
    /// The peers that ENet let in, by their peer id.
    entered: BTreeMap<i32, Peer>,
}

#[derive(Debug)]
struct Waiting {
    call: CallId,
    until: Instant,
    timeout: Duration,
}

impl Hosting {
    /// Begins to host, on an ENet server that listens on `port` of the loopback address.
    pub(crate) fn begin(call: &HostCall, enet: EnetPeer, port: u16, output: &mut Output) -> Self {
        output.link(LinkCommand::Host(HostOptions {
            enet_port: port,
            max_clients: usize::try_from(call.max_clients).unwrap_or(usize::MAX),
            force_relay: call.options.force_relay,
            lan: call.options.lan,
        }));
        let timeout = call.options.timeout;
        Self {
            enet,
            waiting: Some(Waiting {
                call: call.call,
                until: call.begun + timeout,
                timeout,
            }),
            is_closed: false,
            admitted: BTreeMap::new(),
            entered: BTreeMap::new(),
        }
    }

    /// Returns whether the call of `host` has not ended.
    pub(crate) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    /// Returns the time that was allowed, once it is over.
    pub(crate) fn overdue(&self, now: Instant) -> Option<Duration> {
        let waiting = self.waiting.as_ref()?;
        (now >= waiting.until).then_some(waiting.timeout)
    }

    /// Others can reach this player: the game gets its ENet peer.
    pub(crate) fn finish(&mut self, output: &mut Output) {
        if let Some(waiting) = self.waiting.take() {
            info!("hosting");
            output.end(waiting.call, Answer::Peer(self.enet));
        }
    }

    /// The link lets a peer in.
    pub(crate) fn admit(&mut self, id: PeerId, port: u16, stats: PeerStats) {
        self.admitted.insert(port, Peer { id, stats });
    }

    /// The game takes new players, or none. ENet tells those that it has not let in yet nothing, so
    /// the link does.
    pub(crate) fn set_closed(&mut self, is_closed: bool, output: &mut Output) {
        if self.is_closed != is_closed {
            self.is_closed = is_closed;
            output.link(LinkCommand::SetClosed(is_closed));
        }
        if !is_closed || self.admitted.len() == self.entered.len() {
            return;
        }
        let entered: Vec<_> = self.entered.values().map(|peer| peer.id).collect();
        for (_, peer) in self
            .admitted
            .extract_if(.., |_, peer| !entered.contains(&peer.id))
        {
            output.link(LinkCommand::Release(peer.id));
        }
    }

    /// ENet lets the peer in that `port` stands for.
    pub(crate) fn enter(&mut self, peer_id: i32, port: u16) {
        if let Some(peer) = self.admitted.get(&port) {
            self.entered.insert(peer_id, peer.clone());
        }
    }

    /// ENet has lost a peer. Returns which.
    pub(crate) fn leave(&mut self, peer_id: i32) -> Option<PeerId> {
        let peer = self.entered.remove(&peer_id)?;
        self.admitted.retain(|_, admitted| admitted.id != peer.id);
        Some(peer.id)
    }

    /// The link has lost a peer. Returns its peer id.
    pub(crate) fn handle_gone(&mut self, id: PeerId) -> Option<i32> {
        self.admitted.retain(|_, admitted| admitted.id != id);
        self.peer_id(id)
    }

    /// Returns the peer id by which the game knows a peer.
    pub(crate) fn peer_id(&self, id: PeerId) -> Option<i32> {
        self.entered
            .iter()
            .find(|(_, peer)| peer.id == id)
            .map(|(peer_id, _)| *peer_id)
    }

    /// Returns what is known of the peer with this peer id.
    pub(crate) fn stats(&self, peer_id: i32) -> Option<&PeerStats> {
        Some(&self.entered.get(&peer_id)?.stats)
    }

    /// Returns what is known of all peers of the game.
    pub(crate) fn all_stats(&self) -> impl Iterator<Item = PeerStats> {
        self.entered.values().map(|peer| peer.stats.clone())
    }

    /// Returns the call of `host`, if it has not ended.
    pub(crate) fn call(&self) -> Option<CallId> {
        Some(self.waiting.as_ref()?.call)
    }

    /// Closes the game's ENet peer, and hosts no more. A call of `host` ends for this reason.
    pub(crate) fn close(self, failed: &Failed, output: &mut Output) {
        if !self.is_waiting() {
            output.push(Effect::ClosePeer(self.enet));
        }
        self.stop(failed, output);
    }

    /// Hosts no more. A call of `host` ends for this reason.
    pub(crate) fn stop(self, failed: &Failed, output: &mut Output) {
        self.abandon(failed, output);
        for peer in self.admitted.values() {
            output.link(LinkCommand::Release(peer.id));
        }
        output.link(LinkCommand::StopHosting);
    }

    /// Lets go of ENet, and wakes whoever awaits `host`.
    pub(crate) fn abandon(&self, failed: &Failed, output: &mut Output) {
        output.push(Effect::ForgetServer(self.enet));
        if let Some(waiting) = &self.waiting {
            output.push(Effect::ClosePeer(self.enet));
            output.end_later(waiting.call, Answer::Null(Failed::clone(failed)));
        }
    }
}
