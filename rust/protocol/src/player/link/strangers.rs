//! Who may come in, and which address is whose.

use std::{
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use super::{
    link::{Guest, Hint, Link, LinkEvent, PeerId},
    peer::{Peer, PeerProtocol},
    transmit::Transmit,
};
use crate::wire::check::{Check, Note, PathKind, SessionId, Side, UnprovenCheck};
use crate::{
    defaults::{
        CHECK_WINDOW, HANDSHAKE_INTERVAL, MAX_CLOSED_SESSIONS, MAX_GUESTS, NEIGHBOUR_DATAGRAMS,
        NEIGHBOUR_PORTS, SILENT_GAME_TIMEOUT, UNUSED_SESSION_TIMEOUT,
    },
    player::handshake::Outcome,
    wire::handshake_status::Status,
};

/// Until when a host keeps a player's entry that its game does not use.
pub(super) fn unused_until(peer: &Peer) -> Option<Instant> {
    (peer.side == Side::Hosting).then(|| match peer.used {
        None => peer.began + UNUSED_SESSION_TIMEOUT,
        Some(used) => used + SILENT_GAME_TIMEOUT,
    })
}

impl Link {
    pub(super) fn receive_check(
        &mut self,
        now: Instant,
        from: SocketAddr,
        unproven: &UnprovenCheck,
    ) {
        let session = unproven.session();
        let known = self.by_session.get(&session).copied();
        let Some(id) = known else {
            self.receive_new_session(now, from, session, unproven);
            return;
        };
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        let Some(datagram) = unproven.prove(&peer.key(), peer.side.other()) else {
            if unproven.prove(&peer.key(), peer.side).is_some() {
                peer.reflected(from);
            }
            return;
        };
        let relay_only = self.host.is_some_and(|host| host.force_relay);
        if peer.side == Side::Hosting && relay_only && datagram.kind != PathKind::Relay {
            return;
        }
        match datagram.note {
            // It is only waited until its last packets are out.
            _ if peer.leaving.is_some() => {}
            Note::None if peer.knows(from) => self.hear(now, from, id, &datagram),
            Note::None => {
                let key = peer.key();
                if self
                    .cookies
                    .ask(now, from, &key, peer.side, &datagram, &mut self.out)
                {
                    self.prove_address(now, from, id, &datagram);
                }
            }
            Note::Full => self.host_is_full(id),
            Note::Bye => self.release(now, id),
        }
    }

    fn receive_new_session(
        &mut self,
        now: Instant,
        from: SocketAddr,
        session: SessionId,
        unproven: &UnprovenCheck,
    ) {
        let Some(host) = self.host else {
            return;
        };
        let Some(datagram) = unproven.prove(&host.key, Side::Joining) else {
            return;
        };
        if datagram.note != Note::None || (host.force_relay && datagram.kind != PathKind::Relay) {
            return;
        }
        if self.players() >= host.max_clients {
            let full = Check {
                status: Status::default(),
                note: Note::Full,
                question: 0,
                answer: datagram.question,
                ..datagram
            };
            let bytes = full.encode(&host.key, Side::Hosting);
            self.out.push(Transmit::new(from, &bytes));
            return;
        }
        let asked = (self.cookies).ask(
            now,
            from,
            &host.key,
            Side::Hosting,
            &datagram,
            &mut self.out,
        );
        if !asked {
            return;
        }
        self.make_room_for_session();
        let id = self.new_id();
        let peer = Peer::new(now, Side::Hosting, host.key, session, PeerProtocol::Checks);
        self.peers.insert(id, peer);
        self.by_session.insert(session, id);
        self.prove_address(now, from, id, &datagram);
    }

    /// The oldest session that no way works for gives way to a new one.
    fn make_room_for_session(&mut self) {
        let closed = || {
            (self.peers.iter()).filter(|(_, peer)| peer.side == Side::Hosting && !peer.is_open())
        };
        if closed().count() >= MAX_CLOSED_SESSIONS {
            let oldest = closed().min_by_key(|(_, peer)| peer.began);
            if let Some(oldest) = oldest.map(|(id, _)| *id) {
                self.remove(oldest);
            }
        }
    }

    /// Takes an address that has proven itself for a player's.
    fn prove_address(&mut self, now: Instant, from: SocketAddr, id: PeerId, datagram: &Check) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.add_proven(now, datagram.kind, from) {
            self.forget_addresses(id);
            self.hear(now, from, id, datagram);
        }
    }

    /// Forgets whose the addresses were that a player has no more.
    fn forget_addresses(&mut self, id: PeerId) {
        if let Some(peer) = self.peers.get(&id) {
            self.by_address
                .retain(|address, owner| *owner != id || peer.knows(*address));
        }
    }

    fn hear(&mut self, now: Instant, from: SocketAddr, id: PeerId, datagram: &Check) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.hear(now, from, datagram, &mut self.out) {
            self.own(from, id);
            self.guests.remove(&from);
            if datagram.answer != 0 {
                self.events.push_back(LinkEvent::Measured(id));
            }
        }
        self.select(now, id);
    }

    /// The newest session that is proven at an address has it: its player left an older one, or was
    /// started again. An older one loses the address, and ends with the last of them: two games
    /// between the same addresses could not be told apart.
    fn own(&mut self, address: SocketAddr, id: PeerId) {
        let before = self.by_address.get(&address).copied();
        let Some(older) = before.filter(|before| *before != id) else {
            self.by_address.insert(address, id);
            return;
        };
        let (newer, older) = (id.max(older), id.min(older));
        if self.peers.contains_key(&newer) {
            self.by_address.insert(address, newer);
        }
        if let Some(peer) = self.peers.get_mut(&older)
            && peer.forget(address)
        {
            // Not a moment longer: what its game still sends would reach the newer one's.
            self.remove(older);
        }
    }

    /// Lets the best path of a player carry its game.
    pub(super) fn select(&mut self, now: Instant, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if peer.select(now) {
            if let Some(address) = peer.active().map(|path| path.address) {
                self.own(address, id);
            }
            if !self.join_opened(now, id) {
                self.events.push_back(LinkEvent::PathChanged(id));
            }
        }
    }

    pub(super) fn receive_plain(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        if let Some(id) = self.plain_target(now, from) {
            if let Some(peer) = self.peers.get_mut(&id) {
                peer.hear_plain(now, from, bytes, &mut self.out);
            }
            return;
        }
        if !self.guests.contains_key(&from) {
            // Behind a symmetric NAT, or on a public server's relay, a player's datagrams come from
            // another port than the announced one.
            let Some((kind, until)) = self.announced_ip(now, from.ip()) else {
                return;
            };
            if self.guests.len() >= MAX_GUESTS {
                return;
            }
            self.guests
                .insert(from, Guest::new(now, kind, until, false));
        }
        if let Some(guest) = self.guests.get_mut(&from) {
            guest.handshake.receive(bytes);
            guest.heard = true;
            let step = guest.handshake.step(now);
            // One for one at most; done, it still answers who has missed the last packets.
            let answers = if guest.done {
                guest.answers > 0
            } else {
                step.copies > 0
            };
            if answers {
                guest.answers -= u32::from(guest.done);
                self.out.push(Transmit::new(from, &step.packet));
            }
            guest.done |= step.outcome == Some(Outcome::Connected);
        }
    }

    /// The joined player, or the one being joined, whom a plain datagram from this address
    /// concerns.
    fn plain_target(&mut self, now: Instant, from: SocketAddr) -> Option<PeerId> {
        let known = self.by_address.get(&from).copied();
        if known.is_some_and(|id| self.peers.contains_key(&id)) {
            return known;
        }
        let (id, kind) = self.peers.iter().find_map(|(id, peer)| {
            let tried = peer.paths.iter().filter(|path| !path.is_over(now));
            let same = |path: &&super::path::Path| path.address == from;
            let near = |path: &&super::path::Path| path.address.ip() == from.ip();
            let open_to_others =
                peer.side == Side::Joining && peer.protocol == PeerProtocol::Unknown;
            let path = (tried.clone().find(same))
                .or_else(|| tried.clone().find(|path| open_to_others && near(path)))?;
            Some((*id, path.kind))
        })?;
        self.try_address(now, id, kind, from);
        Some(id)
    }

    /// Whose game a datagram from this address belongs to.
    pub(super) fn owner(&mut self, now: Instant, from: SocketAddr) -> Option<PeerId> {
        if let Some(id) = self.by_address.get(&from) {
            return Some(*id);
        }
        // A player that knows the handshake alone begins its game.
        let guest = self.guests.get(&from).filter(|guest| guest.heard)?;
        let kind = guest.kind;
        if self.players() >= self.host?.max_clients {
            return None;
        }
        self.guests.remove(&from);
        let id = self.new_id();
        self.peers.insert(id, Peer::plain(now, kind, from));
        self.by_address.insert(from, id);
        self.events.push_back(LinkEvent::PathChanged(id));
        Some(id)
    }

    /// Opens our router for a player whom the server announced.
    pub(super) fn expect_guest(&mut self, now: Instant, kind: PathKind, address: SocketAddr) {
        let owner = self.by_address.get(&address).copied();
        if let Some(peer) = owner.and_then(|id| self.peers.get_mut(&id))
            && peer.is_open()
            && peer.leaving.is_none()
        {
            peer.try_address(now, kind, address);
            return;
        }
        if self.guests.len() >= MAX_GUESTS && !self.guests.contains_key(&address) {
            // Whoever was not announced itself goes first.
            let oldest =
                (self.guests.iter()).min_by_key(|(_, guest)| (guest.announced, guest.until));
            if let Some(oldest) = oldest.map(|(address, _)| *address) {
                self.guests.remove(&oldest);
            }
        }
        let known = self.guests.get_mut(&address);
        if let Some(guest) = known.filter(|guest| guest.announced && !guest.heard) {
            guest.kind = kind;
            guest.until = now + CHECK_WINDOW;
            return;
        }
        let mut guest = Guest::new(now, kind, now + CHECK_WINDOW, true);
        guest.heard = self.guests.contains_key(&address);
        self.guests.insert(address, guest);
        self.next_guests = Some(now);
    }

    /// The way that the server announced for this IP address lately, and until when that counts.
    fn announced_ip(&self, now: Instant, ip: IpAddr) -> Option<(PathKind, Instant)> {
        self.guests
            .iter()
            .filter(|(address, guest)| guest.announced && address.ip() == ip && now < guest.until)
            .map(|(_, guest)| (guest.kind, guest.until))
            .max()
    }

    pub(super) fn tick_guests(&mut self, now: Instant) {
        if self.next_guests.is_none_or(|next| now < next) {
            return;
        }
        self.guests.retain(|_, guest| now < guest.until);
        for (address, guest) in &mut self.guests {
            // Whoever was not announced itself is answered, no more.
            if guest.done || !guest.announced {
                continue;
            }
            let step = guest.handshake.step(now);
            if step.copies > 0 {
                self.out.push(Transmit::new(*address, &step.packet));
            }
        }
        self.next_guests = (!self.guests.is_empty()).then_some(now + HANDSHAKE_INTERVAL);
    }

    pub(super) fn hint_neighbours(&mut self, now: Instant, relay: SocketAddr) {
        self.hints.clear();
        for offset in 1..=NEIGHBOUR_PORTS {
            if let Some(port) = relay.port().checked_add(offset) {
                self.hints.push(Hint {
                    address: SocketAddr::new(relay.ip(), port),
                    left: NEIGHBOUR_DATAGRAMS,
                    // Behind a symmetric NAT each of these makes the server open a further relay:
                    // the one that the other side waits for has to be the first.
                    next: now + HANDSHAKE_INTERVAL,
                });
            }
        }
    }

    pub(super) fn tick_hints(&mut self, now: Instant) {
        for hint in &mut self.hints {
            if now >= hint.next {
                hint.left -= 1;
                hint.next = now + HANDSHAKE_INTERVAL;
                let packet = Status::default().packet();
                self.out.push(Transmit::new(hint.address, &packet));
            }
        }
        self.hints.retain(|hint| hint.left > 0);
    }

    pub(super) fn tick_peer(&mut self, now: Instant, id: PeerId) {
        let Some(peer) = self.peers.get_mut(&id) else {
            return;
        };
        if unused_until(peer).is_some_and(|until| now >= until) {
            peer.leaving.get_or_insert(now);
        }
        if let Some(leaving) = peer.leaving {
            if now >= leaving {
                self.remove(id);
            }
            return;
        }
        let ways = peer.paths.len();
        let lost = peer.tick(now, &mut self.out);
        if peer.paths.len() < ways {
            self.forget_addresses(id);
        }
        self.select(now, id);
        if lost && let Some(joined) = self.joined.get_mut(&id) {
            joined.next = now;
        }
    }

    pub(super) fn remove(&mut self, id: PeerId) {
        let Some(peer) = self.peers.remove(&id) else {
            return;
        };
        peer.say_goodbye(&mut self.out);
        self.by_session.remove(&peer.session);
        self.by_address.retain(|_, owner| *owner != id);
        self.joined.remove(&id);
        if self.asker == Some(id) {
            self.asker = None;
        }
        self.events.push_back(LinkEvent::PeerRemoved(id));
    }

    /// Players who are in, or whose way is open.
    fn players(&self) -> usize {
        self.hosted()
            .filter(|peer| peer.is_open() && peer.leaving.is_none())
            .count()
    }

    fn hosted(&self) -> impl Iterator<Item = &Peer> {
        (self.peers.values()).filter(|peer| peer.side == Side::Hosting)
    }
}
