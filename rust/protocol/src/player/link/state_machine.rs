//! The link itself: ties its parts together.

use std::{collections::VecDeque, net::SocketAddr, time::Instant};

use super::{
    candidates::Candidates,
    config::{HostConfig, JoinConfig, ServerKind},
    cookies::Cookies,
    event::LinkEvent,
    join::{Join, Step},
    join_result::{JoinError, JoinProgress},
    joined_hosts::JoinedHosts,
    neighbour_ports::NeighbourPorts,
    path::ActivePath,
    peer::Peer,
    peers::{PeerId, Peers},
    registration::{Change, Registration},
    session::{Proof, Session},
    shared_home::outside_address,
    transmit::Transmit,
};
use crate::{
    player::requests::ConnectError,
    wire::{
        check::{Check, Key, Note, PathKind, Side, UnprovenCheck},
        command::ConnectKind,
        handshake_status::Status,
        id::{OpenId, PrivateId},
    },
};

/// One UDP socket with all its peers. Time and datagrams come in; datagrams, requests and events go
/// out.
#[derive(Debug)]
pub struct Link {
    registration: Option<Registration>,
    /// The server, while it can be asked.
    server: Option<ServerKind>,
    host: Option<HostConfig>,
    /// Whether the host takes no new players at present.
    is_closed: bool,
    candidates: Candidates,
    cookies: Cookies,
    join: Option<Join>,
    joined_hosts: JoinedHosts,
    /// The host that the server was last asked for: what it announces is that host's.
    requested: Option<PeerId>,
    neighbour_ports: NeighbourPorts,
    peers: Peers,
    out: Vec<Transmit>,
    requests: VecDeque<(ConnectKind, OpenId)>,
    events: VecDeque<LinkEvent>,
}

impl Link {
    /// Returns a link without peers. `secret` is random and known to nobody else: with it, the link
    /// recognizes the answers to questions that it does not remember.
    #[must_use]
    pub fn new(secret: [u8; 16]) -> Self {
        Self {
            registration: None,
            server: None,
            host: None,
            is_closed: false,
            candidates: Candidates::default(),
            cookies: Cookies::new(secret),
            join: None,
            joined_hosts: JoinedHosts::default(),
            requested: None,
            neighbour_ports: NeighbourPorts::default(),
            peers: Peers::default(),
            out: Vec::new(),
            requests: VecDeque::new(),
            events: VecDeque::new(),
        }
    }

    /// Registers this link's address. Ends with [`LinkEvent::Registered`].
    pub fn register(&mut self, now: Instant, registrar: SocketAddr, pid: PrivateId) {
        self.registration = Some(Registration::begin(now, registrar, pid));
    }

    /// Takes over an address that was registered from the same port before, and keeps it.
    pub fn adopt(&mut self, now: Instant, registrar: SocketAddr, pid: PrivateId) {
        self.registration = Some(Registration::adopt(now, registrar, pid));
    }

    /// Sends the next keepalive at once: the socket was bound anew.
    pub fn refresh_registration(&mut self, now: Instant) {
        if let Some(registration) = &mut self.registration {
            registration.refresh(now);
        }
    }

    /// Ends the keepalives: the connection that the registration belonged to is over.
    pub fn forget_registration(&mut self) {
        self.registration = None;
    }

    /// Notes which server can be asked from now on; `None` when none can.
    pub fn set_server(&mut self, now: Instant, server: Option<ServerKind>) {
        self.server = server;
        if server.is_some() {
            self.request_join(now);
            self.joined_hosts.ask_for_lost(now, &self.peers);
        } else if let Some(join) = &mut self.join {
            join.forget_requests();
        }
    }

    /// Admits players from now on.
    pub fn host(&mut self, config: HostConfig) {
        self.host = Some(config);
    }

    /// Lets no new players in while `is_closed`. Those whose game has begun stay.
    pub fn set_closed(&mut self, is_closed: bool) {
        self.is_closed = is_closed;
        if is_closed {
            for id in self.peers.not_begun() {
                self.remove(id);
            }
        }
    }

    /// Admits no more players, and releases those who are in.
    pub fn stop_hosting(&mut self, now: Instant) {
        self.host = None;
        self.is_closed = false;
        self.candidates.clear();
        for id in self.peers.hosted() {
            self.release(now, id);
        }
    }

    /// Whether anybody plays, or is about to.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.host.is_some() || self.join.is_some() || !self.peers.is_empty()
    }

    /// Begins to join a host, and cancels a join that runs. Ends with [`LinkEvent::Joined`] or
    /// [`LinkEvent::JoinFailed`].
    pub fn join(&mut self, now: Instant, config: JoinConfig) {
        self.fail_join(JoinError::Cancelled);
        let session = Session {
            id: config.session,
            side: Side::Joining,
            key: Key::new(&config.oid),
        };
        let id = self.peers.insert(Peer::joined_host(now, session));
        self.join = Some(Join::begin(now, id, config));
        self.request_join(now);
    }

    /// Cancels the join that runs, if there is one.
    pub fn cancel_join(&mut self) {
        self.fail_join(JoinError::Cancelled);
    }

    /// Takes an address that the server announced: for a relay the server's, with the relay's port.
    ///
    /// A player in the server's own home has two addresses: see [`outside_address`].
    pub fn announced(&mut self, now: Instant, kind: PathKind, address: SocketAddr) {
        self.expect_at(now, kind, address);
        let server = self.registration.as_ref().map(Registration::registrar);
        if kind == PathKind::Direct
            && let Some(server) = server
            && let Some(outside) = outside_address(address, server.ip())
        {
            self.expect_at(now, kind, outside);
        }
    }

    fn expect_at(&mut self, now: Instant, kind: PathKind, address: SocketAddr) {
        if kind == PathKind::Relay && self.server == Some(ServerKind::Greeting) {
            self.neighbour_ports.open(now, address);
        }
        let Some(id) = self.requested.filter(|id| self.peers.get(*id).is_some()) else {
            self.expect_player(now, kind, address);
            return;
        };
        if let Some(join) = self.join.as_mut().filter(|join| join.peer() == id) {
            if let Some(progress) = join.announced(kind) {
                self.events.push_back(LinkEvent::Progress(progress));
            }
            if join.force_relay() && kind != PathKind::Relay {
                return;
            }
        }
        self.try_address(now, id, kind, address);
    }

    /// Notes that the server does not connect to the host with this OpenID. An empty OpenID stands
    /// for the host that it was last asked for.
    pub fn refused(&mut self, kind: ConnectKind, oid: &str, error: &ConnectError) {
        let concerns = |join: &&mut Join| oid.is_empty() || join.oid().as_str() == oid;
        let join = self.join.as_mut().filter(concerns);
        if let Some(error) = join.and_then(|join| join.refused(kind, error)) {
            self.fail_join(error);
        }
    }

    /// Notes that the host that is being joined, or was joined last, was found in the local
    /// network.
    pub fn found_in_lan(&mut self, now: Instant, address: SocketAddr) {
        let (id, force_relay) = match (&self.join, self.requested) {
            (Some(join), _) => (join.peer(), join.force_relay()),
            (None, Some(id)) => (id, self.joined_hosts.force_relay(id).unwrap_or(true)),
            (None, None) => return,
        };
        if force_relay {
            return;
        }
        let peer = self.peers.get(id);
        let is_first = peer.is_some_and(|peer| !peer.has_path_of(PathKind::Lan));
        if is_first && self.join.is_some() {
            (self.events).push_back(LinkEvent::Progress(JoinProgress::TryingLan));
        }
        self.try_address(now, id, PathKind::Lan, address);
    }

    /// Takes a datagram from outside. Returns the peer whose game the datagram belongs to, or
    /// `None` if it was for the link itself or came from a stranger.
    pub fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) -> Option<PeerId> {
        if let Some(registration) = &mut self.registration
            && from == registration.registrar()
        {
            let change = registration.receive(now, bytes);
            self.tell_change(change);
            return None;
        }
        if let Some(check) = UnprovenCheck::parse(bytes) {
            self.receive_check(now, from, &check);
            return None;
        }
        if Status::parse(bytes).is_some() {
            self.receive_plain(now, from, bytes);
            return None;
        }
        self.peers.at(from).or_else(|| self.admit_plain(now, from))
    }

    /// Notes that the game sent something to this peer.
    pub fn used(&mut self, now: Instant, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.note_use(now);
        }
    }

    /// Lets go of a peer that the game is done with. The peer is told a little later: ENet's own
    /// goodbyes go first.
    pub fn release(&mut self, now: Instant, id: PeerId) {
        self.joined_hosts.remove(id);
        if let Some(peer) = self.peers.get_mut(id) {
            peer.release(now);
        }
    }

    /// Returns the path that carries the game with this peer, if one ever worked.
    #[must_use]
    pub fn active_path(&self, now: Instant, id: PeerId) -> Option<ActivePath> {
        self.peers.get(id)?.active_path(now)
    }

    /// Returns when [`Self::tick`] has something to do.
    #[must_use]
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let deadlines = [
            self.registration.as_ref().and_then(Registration::due),
            self.candidates.due(),
            self.neighbour_ports.due(),
            self.join
                .as_ref()
                .map(|join| join.due(self.server.is_some())),
            self.joined_hosts.due(),
            self.peers.due(now),
        ];
        deadlines.into_iter().flatten().min()
    }

    /// Does what is due at `now`.
    pub fn tick(&mut self, now: Instant) {
        if let Some(registration) = &mut self.registration {
            let change = registration.tick(now, &mut self.out);
            self.tell_change(change);
        }
        self.candidates.tick(now, &mut self.out);
        self.neighbour_ports.tick(now, &mut self.out);
        for id in self.peers.ids() {
            self.tick_peer(now, id);
        }
        self.tick_join(now);
        let requests = (self.joined_hosts).tick(now, self.server.is_some(), &self.peers);
        for (id, kind, oid) in requests {
            self.request(id, kind, oid);
        }
    }

    /// Returns the datagrams to send, in order.
    pub fn transmits(&mut self) -> std::vec::Drain<'_, Transmit> {
        self.out.drain(..)
    }

    /// Returns the next request to the server.
    pub fn next_request(&mut self) -> Option<(ConnectKind, OpenId)> {
        self.requests.pop_front()
    }

    /// Returns what happened next.
    pub fn next_event(&mut self) -> Option<LinkEvent> {
        self.events.pop_front()
    }

    fn receive_check(&mut self, now: Instant, from: SocketAddr, check: &UnprovenCheck) {
        let Some(id) = self.peers.of_session(check.session()) else {
            self.receive_new_session(now, from, check);
            return;
        };
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        let Some((session, check)) = peer.prove(from, check) else {
            return;
        };
        if peer.is_hosted() && !self.admits_kind(check.kind) {
            return;
        }
        let Some(peer) = self.peers.get(id) else {
            return;
        };
        match check.note {
            // Leaving: only the remaining packets are sent.
            _ if peer.is_leaving() => {}
            Note::None if peer.knows(from) => self.check_peer(now, from, id, &check),
            Note::None => {
                if (self.cookies).proves_address(now, from, &session, &check, &mut self.out) {
                    self.add_proven_path(now, from, id, &check);
                }
            }
            Note::Full => {
                if self.join.as_ref().is_some_and(|join| join.peer() == id) {
                    self.fail_join(JoinError::HostFull);
                }
            }
            Note::Closed => {
                if self.join.as_ref().is_some_and(|join| join.peer() == id) {
                    self.fail_join(JoinError::HostClosed);
                }
            }
            Note::Bye => self.release(now, id),
        }
    }

    /// Admits a player that knows our OpenID, once its address is proven.
    fn receive_new_session(&mut self, now: Instant, from: SocketAddr, check: &UnprovenCheck) {
        let Some(host) = self.host else {
            return;
        };
        let session = Session {
            id: check.session(),
            side: Side::Hosting,
            key: host.key,
        };
        let Proof::Theirs(check) = session.prove(check) else {
            return;
        };
        if check.note != Note::None || !self.admits_kind(check.kind) {
            return;
        }
        let refusal = if self.is_closed {
            Some(Note::Closed)
        } else {
            (self.peers.players() >= host.max_clients).then_some(Note::Full)
        };
        if let Some(note) = refusal {
            let refusal = Check {
                status: Status::default(),
                note,
                question: 0,
                answer: check.question,
                ..check
            };
            (self.out).push(Transmit::new(from, &session.encode(&refusal)));
            return;
        }
        if !(self.cookies).proves_address(now, from, &session, &check, &mut self.out) {
            return;
        }
        if let Some(oldest) = self.peers.oldest_closed_session() {
            self.remove(oldest);
        }
        let id = self.peers.insert(Peer::admitted(now, session));
        self.add_proven_path(now, from, id, &check);
    }

    /// Whether a host that uses only relays, or any paths, admits players by this kind of path.
    fn admits_kind(&self, kind: PathKind) -> bool {
        kind == PathKind::Relay || self.host.is_none_or(|host| !host.force_relay)
    }

    /// Adds a path to an address that has proven itself.
    fn add_proven_path(&mut self, now: Instant, from: SocketAddr, id: PeerId, check: &Check) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.add_proven(now, check.kind, from) {
            self.peers.forget_old_addresses(id);
            self.check_peer(now, from, id, check);
        }
    }

    /// Lets a peer take a check from one of its addresses.
    fn check_peer(&mut self, now: Instant, from: SocketAddr, id: PeerId, check: &Check) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.receive_check(now, from, check, &mut self.out) {
            self.claim(from, id);
            self.candidates.remove(from);
            if check.answer != 0 {
                self.events.push_back(LinkEvent::Measured(id));
            }
        }
        self.select_path(now, id);
    }

    fn claim(&mut self, address: SocketAddr, id: PeerId) {
        if let Some(ended) = self.peers.claim(address, id) {
            // At once: what its game still sends would reach the newer session's.
            self.remove(ended);
        }
    }

    /// Lets the best path of a peer carry its game.
    fn select_path(&mut self, now: Instant, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if !peer.select_path(now) {
            return;
        }
        if let Some(address) = peer.active_address() {
            self.claim(address, id);
        }
        let event = match self.join.take_if(|join| join.peer() == id) {
            Some(join) => {
                self.joined_hosts.add(now, &join);
                LinkEvent::Joined(id)
            }
            None => LinkEvent::PathChanged(id),
        };
        self.events.push_back(event);
    }

    fn receive_plain(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) {
        let Some(id) = self.plain_peer(now, from) else {
            self.candidates.receive(now, from, bytes, &mut self.out);
            return;
        };
        if let Some(peer) = self.peers.get_mut(id) {
            peer.receive_plain(now, from, bytes, &mut self.out);
        }
    }

    /// Returns the peer that a plain handshake datagram from this address concerns.
    fn plain_peer(&mut self, now: Instant, from: SocketAddr) -> Option<PeerId> {
        let known = self.peers.at(from);
        if let Some(id) = known.filter(|id| self.peers.get(*id).is_some()) {
            return Some(id);
        }
        let (id, kind) = self.peers.tried_at(now, from)?;
        self.try_address(now, id, kind, from);
        Some(id)
    }

    /// Admits a player that speaks the handshake alone, whose game begins with this datagram.
    fn admit_plain(&mut self, now: Instant, from: SocketAddr) -> Option<PeerId> {
        let kind = self.candidates.heard(from)?;
        if self.peers.players() >= self.host?.max_clients {
            return None;
        }
        self.candidates.remove(from);
        let id = (self.peers).insert(Peer::admitted_plain(now, kind, from));
        self.peers.claim(from, id);
        self.events.push_back(LinkEvent::PathChanged(id));
        Some(id)
    }

    /// Opens our router for a player whose address the server announced.
    fn expect_player(&mut self, now: Instant, kind: PathKind, address: SocketAddr) {
        if self.host.is_none() || !self.admits_kind(kind) {
            return;
        }
        let owner = self.peers.at(address);
        if let Some(peer) = owner.and_then(|id| self.peers.get_mut(id))
            && peer.is_open()
            && !peer.is_leaving()
        {
            peer.try_address(now, kind, address);
        } else {
            self.candidates.announce(now, kind, address);
        }
    }

    fn try_address(&mut self, now: Instant, id: PeerId, kind: PathKind, address: SocketAddr) {
        if let Some(peer) = self.peers.get_mut(id) {
            peer.try_address(now, kind, address);
        }
    }

    fn tick_peer(&mut self, now: Instant, id: PeerId) {
        let Some(peer) = self.peers.get_mut(id) else {
            return;
        };
        if peer.is_over(now) {
            self.remove(id);
            return;
        }
        if peer.is_leaving() {
            return;
        }
        let ticked = peer.tick(now, &mut self.out);
        if ticked.gave_up_paths {
            self.peers.forget_old_addresses(id);
        }
        self.select_path(now, id);
        if ticked.is_late {
            self.events.push_back(LinkEvent::Measured(id));
        }
        if ticked.is_lost {
            self.joined_hosts.ask_for(now, id);
        }
    }

    fn remove(&mut self, id: PeerId) {
        if !self.peers.remove(id, &mut self.out) {
            return;
        }
        self.joined_hosts.remove(id);
        if self.requested == Some(id) {
            self.requested = None;
        }
        self.events.push_back(LinkEvent::PeerRemoved(id));
    }

    /// Asks for the host that is being joined, once the server can be asked.
    fn request_join(&mut self, now: Instant) {
        let Some(join) = self.join.as_mut().filter(|_| self.server.is_some()) else {
            return;
        };
        let Some(kind) = join.first_request(now) else {
            return;
        };
        let (id, oid) = (join.peer(), join.oid().clone());
        self.request(id, kind, oid);
        (self.events).push_back(LinkEvent::Progress(JoinProgress::Asking));
    }

    fn tick_join(&mut self, now: Instant) {
        let Some(join) = &mut self.join else {
            return;
        };
        let peer = self.peers.get(join.peer());
        let is_trying = peer.is_some_and(|peer| peer.is_trying(now));
        match join.step(now, self.server.is_some(), is_trying) {
            Step::Wait => {}
            Step::RequestRelay => {
                let (id, oid) = (join.peer(), join.oid().clone());
                self.request(id, ConnectKind::Relay, oid);
            }
            Step::Fail(error) => self.fail_join(error),
        }
    }

    fn fail_join(&mut self, error: JoinError) {
        if let Some(join) = self.join.take() {
            self.events.push_back(LinkEvent::JoinFailed(error));
            self.remove(join.peer());
        }
    }

    fn request(&mut self, id: PeerId, kind: ConnectKind, oid: OpenId) {
        self.requested = Some(id);
        self.requests.push_back((kind, oid));
    }

    fn tell_change(&mut self, change: Option<Change>) {
        let event = match change {
            None => return,
            Some(Change::Registered) => LinkEvent::Registered(Ok(())),
            Some(Change::Failed(failure)) => LinkEvent::Registered(Err(failure)),
            Some(Change::Lost) => LinkEvent::UdpLost,
            Some(Change::Back) => LinkEvent::UdpBack,
        };
        self.events.push_back(event);
    }
}
