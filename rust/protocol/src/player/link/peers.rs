//! The peers of a link, by their ids, addresses and sessions.

use std::{collections::BTreeMap, net::SocketAddr, time::Instant};

use super::{peer::Peer, transmit::Transmit};
use crate::{
    address_key::AddressKey,
    defaults::MAX_CLOSED_SESSIONS,
    wire::check::{PathKind, SessionId},
};

/// Names a peer of this link.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PeerId(u32);

impl PeerId {
    /// Returns the id with this number, for tests of what is decided about peers.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self(number)
    }
}

/// All peers, in the order in which they came. Ordered maps: strangers choose ports and sessions,
/// so a plain hash could be flooded, and the order must not depend on chance.
#[derive(Debug, Default)]
pub(super) struct Peers {
    by_id: BTreeMap<PeerId, Peer>,
    /// Whose game comes from an address.
    by_address: BTreeMap<AddressKey, PeerId>,
    by_session: BTreeMap<SessionId, PeerId>,
    last_id: u32,
}

impl Peers {
    pub(super) fn insert(&mut self, peer: Peer) -> PeerId {
        self.last_id = self.last_id.wrapping_add(1);
        let id = PeerId(self.last_id);
        if let Some(session) = peer.session() {
            self.by_session.insert(session, id);
        }
        self.by_id.insert(id, peer);
        id
    }

    /// Removes a peer and says goodbye to it. Returns whether it was there.
    pub(super) fn remove(&mut self, id: PeerId, out: &mut Vec<Transmit>) -> bool {
        let Some(peer) = self.by_id.remove(&id) else {
            return false;
        };
        peer.say_goodbye(out);
        if let Some(session) = peer.session() {
            self.by_session.remove(&session);
        }
        self.by_address.retain(|_, owner| *owner != id);
        true
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_id.is_empty()
    }

    pub(super) fn get(&self, id: PeerId) -> Option<&Peer> {
        self.by_id.get(&id)
    }

    pub(super) fn get_mut(&mut self, id: PeerId) -> Option<&mut Peer> {
        self.by_id.get_mut(&id)
    }

    pub(super) fn ids(&self) -> Vec<PeerId> {
        self.by_id.keys().copied().collect()
    }

    /// Returns the peers that came into our own game.
    pub(super) fn hosted(&self) -> Vec<PeerId> {
        let hosted = self.by_id.iter().filter(|(_, peer)| peer.is_hosted());
        hosted.map(|(id, _)| *id).collect()
    }

    /// Returns how many hosted peers are in the game, or have a path that is open.
    pub(super) fn players(&self) -> usize {
        let players = (self.by_id.values())
            .filter(|peer| peer.is_hosted() && peer.is_open() && !peer.is_leaving());
        players.count()
    }

    pub(super) fn of_session(&self, session: SessionId) -> Option<PeerId> {
        self.by_session.get(&session).copied()
    }

    /// Returns the peer whose game comes from this address.
    pub(super) fn at(&self, address: SocketAddr) -> Option<PeerId> {
        self.by_address.get(&address.into()).copied()
    }

    /// Gives an address to the newer of two sessions that are proven there: its player left the
    /// older one, or was started again. Returns the older one if that was its last path: it has to
    /// end, since two games between the same addresses could not be told apart.
    pub(super) fn claim(&mut self, address: SocketAddr, id: PeerId) -> Option<PeerId> {
        let Some(other) = self.at(address).filter(|other| *other != id) else {
            self.by_address.insert(address.into(), id);
            return None;
        };
        let (newer, older) = (id.max(other), id.min(other));
        if self.by_id.contains_key(&newer) {
            self.by_address.insert(address.into(), newer);
        }
        let peer = self.by_id.get_mut(&older)?;
        peer.forget(address).then_some(older)
    }

    /// Forgets the addresses that a peer no longer has.
    pub(super) fn forget_old_addresses(&mut self, id: PeerId) {
        if let Some(peer) = self.by_id.get(&id) {
            self.by_address
                .retain(|address, owner| *owner != id || peer.knows_key(*address));
        }
    }

    /// Returns the players whose game with us has not begun.
    pub(super) fn not_begun(&self) -> Vec<PeerId> {
        let mut peers: Vec<_> = (self.by_id.iter())
            .filter(|(_, peer)| peer.has_not_begun())
            .map(|(id, _)| *id)
            .collect();
        peers.sort_unstable();
        peers
    }

    /// Returns the oldest session that no path works for, when there are too many of those.
    pub(super) fn oldest_closed_session(&self) -> Option<PeerId> {
        let closed = || (self.by_id.iter()).filter(|(_, peer)| peer.is_hosted() && !peer.is_open());
        if closed().count() < MAX_CLOSED_SESSIONS {
            return None;
        }
        let oldest = closed().min_by_key(|(_, peer)| peer.began());
        oldest.map(|(id, _)| *id)
    }

    /// Returns the peer that is being tried at an address, and the kind of that path. A host that
    /// may answer from another port than the tried one comes after all that are tried at this very
    /// address.
    pub(super) fn tried_at(&self, now: Instant, from: SocketAddr) -> Option<(PeerId, PathKind)> {
        let find = |kind: fn(&Peer, Instant, SocketAddr) -> Option<PathKind>| {
            (self.by_id.iter()).find_map(|(id, peer)| Some((*id, kind(peer, now, from)?)))
        };
        find(Peer::kind_at).or_else(|| find(Peer::kind_near))
    }

    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        self.by_id.values().filter_map(|peer| peer.due(now)).min()
    }
}
