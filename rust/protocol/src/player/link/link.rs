//! All other players of one link.

use std::{
    collections::{HashMap, VecDeque},
    fmt,
    net::SocketAddr,
    time::{Duration, Instant},
};

use super::{
    cookies::Cookies,
    path::Quality,
    peer::{Peer, PeerProtocol},
    registration::{Change, Registration, RegistrationFailure},
    strangers::unused_until,
    transmit::Transmit,
};
use crate::wire::check::{Key, PathKind, SessionId, Side, UnprovenCheck};
use crate::{
    defaults::{HANDSHAKE_INTERVAL, HANDSHAKE_LATE_ANSWERS, LINGER, LONGEST_WAIT},
    player::{handshake::Handshake, requests::ConnectError},
    wire::{
        command::{ConnectKind, RefusalReason},
        handshake_status::Status,
        id::{OpenId, PrivateId},
    },
};

/// Names another player on this link.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PeerId(pub(super) u32);

impl PeerId {
    /// Returns the id with this number, for tests of what is decided about peers.
    #[must_use]
    pub fn new(number: u32) -> Self {
        Self(number)
    }
}

/// What the server is, as far as relays go.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServerKind {
    /// It did not greet: generation 1.
    Silent,
    /// It greeted: generation 2, whose relays for unknown addresses are on the next free port.
    Greeting,
    /// Ours, whose relays learn addresses.
    Ours,
}

/// How a host takes players in.
#[derive(Clone, Copy, Debug)]
pub struct HostConfig {
    /// The key of the host's OpenID.
    pub key: Key,
    /// Players at one time.
    pub max_clients: usize,
    /// Only relays are used.
    pub force_relay: bool,
}

/// How to join a host.
#[derive(Clone, Debug)]
pub struct JoinConfig {
    /// The host's OpenID.
    pub oid: OpenId,
    /// A random number.
    pub session: SessionId,
    /// How long the whole may take until a way is open.
    pub timeout: Duration,
    /// Only relays are used.
    pub force_relay: bool,
}

/// How far a join is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JoinProgress {
    /// The server was asked for the host.
    Asking,
    /// The host was found in the local network.
    TryingLan,
    /// The host's outside address is known and being tried.
    TryingDirect,
    /// The server relays, which is being tried.
    TryingRelay,
}

impl fmt::Display for JoinProgress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Asking => "asking the server for the host",
            Self::TryingLan => "the host is in the local network: trying to reach it there",
            Self::TryingDirect => "trying to reach the host directly",
            Self::TryingRelay => "trying to reach the host through the server",
        })
    }
}

/// Why a host was not joined.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
pub enum JoinError {
    /// The server knows no such host.
    #[error("no such host: {0}")]
    NoSuchHost(String),
    /// The host exists, but no way to it opened.
    #[error("the host cannot be reached: {0}")]
    HostUnreachable(String),
    /// The host has no place left.
    #[error("the host's game is full")]
    HostFull,
    /// The game cancelled it.
    #[error("joining was cancelled")]
    Cancelled,
    /// Neither success nor failure in time.
    #[error("no kind to the host within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The server did not answer, or the connection to it ended.
    #[error("the server cannot be reached: {0}")]
    ServerSilent(String),
}

/// What happened on a link.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum LinkEvent {
    /// The registration ended.
    Registered(Result<(), RegistrationFailure>),
    /// The registrar does not answer keepalives any more.
    UdpLost,
    /// It does again; the address may be another now.
    UdpBack,
    /// How far the join is.
    Progress(JoinProgress),
    /// A way to the host is open.
    Joined(PeerId),
    /// The join came to nothing.
    JoinFailed(JoinError),
    /// The game's datagrams to this player go another way from now on.
    PathChanged(PeerId),
    /// What the checks tell of this player's path is new.
    Measured(PeerId),
    /// This player is gone: its address counts no more.
    PeerRemoved(PeerId),
}

/// Where a player's datagrams go, and what is known of the way.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct ActivePath {
    /// The kind of way.
    pub kind: PathKind,
    /// The address.
    pub address: SocketAddr,
    /// What its checks tell.
    pub quality: Quality,
}

/// A player that the server announced to a host, or a port where it may come from.
#[derive(Debug)]
pub(super) struct Guest {
    pub(super) kind: PathKind,
    pub(super) until: Instant,
    pub(super) handshake: Handshake,
    /// The server announced this very address, not only another port there.
    pub(super) announced: bool,
    /// It spoke the handshake, so its game may follow.
    pub(super) heard: bool,
    /// The handshake is done.
    pub(super) done: bool,
    /// How many datagrams are answered after that.
    pub(super) answers: u32,
}

impl Guest {
    pub(super) fn new(now: Instant, kind: PathKind, until: Instant, announced: bool) -> Self {
        Self {
            kind,
            until,
            // How long it goes on, `until` says.
            handshake: Handshake::new(now, LONGEST_WAIT, HANDSHAKE_INTERVAL),
            announced,
            heard: false,
            done: false,
            answers: HANDSHAKE_LATE_ANSWERS,
        }
    }
}

/// A datagram that opens our own router for a port that nobody announced.
#[derive(Debug)]
pub(super) struct Hint {
    pub(super) address: SocketAddr,
    pub(super) left: u32,
    pub(super) next: Instant,
}

#[derive(Debug)]
pub(super) struct Join {
    pub(super) peer: PeerId,
    pub(super) config: JoinConfig,
    pub(super) began: Instant,
    pub(super) asked: Option<Instant>,
    pub(super) direct: Ask,
    pub(super) relay: Ask,
    /// Why the server cannot be asked any more.
    pub(super) server_lost: Option<String>,
}

/// What became of a request to the server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Ask {
    NotYet,
    Asked,
    Announced,
    Refused(String),
}

/// A player that was joined: who to ask for when the way gets lost or could be better.
#[derive(Debug)]
pub(super) struct Joined {
    pub(super) oid: OpenId,
    pub(super) force_relay: bool,
    pub(super) next: Instant,
    pub(super) pause: Duration,
}

/// One UDP socket's other players. Time and datagrams come in, datagrams and events go out.
#[derive(Debug, Default)]
pub struct Link {
    pub(super) registration: Option<Registration>,
    /// Whether the server can be asked now.
    pub(super) server: Option<ServerKind>,
    pub(super) host: Option<HostConfig>,
    pub(super) join: Option<Join>,
    pub(super) joined: HashMap<PeerId, Joined>,
    /// Whom the server was asked for last: what it announces is that host's.
    pub(super) asker: Option<PeerId>,
    pub(super) peers: HashMap<PeerId, Peer>,
    pub(super) next_peer: u32,
    pub(super) by_address: HashMap<SocketAddr, PeerId>,
    pub(super) by_session: HashMap<SessionId, PeerId>,
    pub(super) guests: HashMap<SocketAddr, Guest>,
    pub(super) next_guests: Option<Instant>,
    pub(super) hints: Vec<Hint>,
    pub(super) cookies: Cookies,
    pub(super) out: Vec<Transmit>,
    pub(super) asks: VecDeque<(ConnectKind, OpenId)>,
    pub(super) events: VecDeque<LinkEvent>,
}

impl Link {
    /// A link without players.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Registers this link's address; ends with [`LinkEvent::Registered`].
    pub fn register(&mut self, now: Instant, registrar: SocketAddr, pid: PrivateId) {
        self.registration = Some(Registration::begin(now, registrar, pid));
    }

    /// Keeps up what was registered from the same port before.
    pub fn adopt(&mut self, now: Instant, registrar: SocketAddr, pid: PrivateId) {
        self.registration = Some(Registration::adopt(now, registrar, pid));
    }

    /// No keepalives any more: the connection that the registration belonged to is over.
    pub fn forget_registration(&mut self) {
        self.registration = None;
    }

    /// The server can be asked from now on; `None`: it cannot.
    pub fn set_server(&mut self, now: Instant, server: Option<ServerKind>) {
        self.server = server;
        match (server, &mut self.join) {
            (Some(_), _) => {
                self.ask_for_join(now);
                self.ask_for_lost(now);
            }
            (None, Some(join)) => join.forget_requests(),
            (None, None) => {}
        }
    }

    /// Takes players in from now on.
    pub fn host(&mut self, config: HostConfig) {
        self.host = Some(config);
    }

    /// Takes no more players in, and lets go of those who are.
    pub fn stop_hosting(&mut self, now: Instant) {
        self.host = None;
        self.guests.clear();
        self.next_guests = None;
        let hosted: Vec<_> = self
            .peers
            .iter()
            .filter(|(_, peer)| peer.side == Side::Hosting)
            .map(|(id, _)| *id)
            .collect();
        for id in hosted {
            self.release(now, id);
        }
    }

    /// Whether anybody plays or is about to.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.host.is_some() || self.join.is_some() || !self.peers.is_empty()
    }

    /// Begins to join a host; ends with [`LinkEvent::Joined`] or [`LinkEvent::JoinFailed`]. A join that
    /// runs is cancelled.
    pub fn join(&mut self, now: Instant, mut config: JoinConfig) {
        config.timeout = config.timeout.min(LONGEST_WAIT);
        self.fail_join(JoinError::Cancelled);
        let id = self.new_id();
        let peer = Peer::new(
            now,
            Side::Joining,
            Key::new(&config.oid),
            config.session,
            PeerProtocol::Unknown,
        );
        self.by_session.insert(config.session, id);
        self.peers.insert(id, peer);
        self.join = Some(Join {
            peer: id,
            config,
            began: now,
            asked: None,
            direct: Ask::NotYet,
            relay: Ask::NotYet,
            server_lost: None,
        });
        self.ask_for_join(now);
    }

    /// Ends the join that runs, if one does.
    pub fn cancel_join(&mut self) {
        self.fail_join(JoinError::Cancelled);
    }

    /// The server announced an address; for a relay it is the server's, with the relay's port.
    pub fn announced(&mut self, now: Instant, kind: PathKind, address: SocketAddr) {
        if kind == PathKind::Relay && self.server == Some(ServerKind::Greeting) {
            self.hint_neighbours(now, address);
        }
        let asker = self.asker.filter(|id| self.peers.contains_key(id));
        if let Some(id) = asker {
            if let Some(join) = self.join.as_mut().filter(|join| join.peer == id) {
                let (ask, progress) = match kind {
                    PathKind::Relay => (&mut join.relay, JoinProgress::TryingRelay),
                    PathKind::Lan | PathKind::Direct => {
                        (&mut join.direct, JoinProgress::TryingDirect)
                    }
                };
                if *ask != Ask::Announced {
                    *ask = Ask::Announced;
                    self.events.push_back(LinkEvent::Progress(progress));
                }
                if join.config.force_relay && kind != PathKind::Relay {
                    return;
                }
            }
            self.try_address(now, id, kind, address);
        } else if let Some(host) = self.host
            && (kind == PathKind::Relay || !host.force_relay)
        {
            self.expect_guest(now, kind, address);
        }
    }

    /// The server does not connect to the host with this OpenID; an empty one stands for the host
    /// that it was last asked for.
    pub fn refused(&mut self, kind: ConnectKind, oid: &str, error: &ConnectError) {
        let concerned = |join: &&mut Join| oid.is_empty() || join.config.oid.as_str() == oid;
        let Some(join) = self.join.as_mut().filter(concerned) else {
            return;
        };
        let unknown_host = match error {
            ConnectError::Refused(reason, _) => matches!(
                reason,
                RefusalReason::UnknownHost | RefusalReason::HostUnregistered
            ),
            // What a relay is refused for, generation 2 tells in words alone.
            ConnectError::ServerText(_) => kind == ConnectKind::Nat,
            ConnectError::NoAnswer => kind == ConnectKind::Nat || join.direct == Ask::NotYet,
            _ => false,
        };
        let ask = match kind {
            ConnectKind::Nat => &mut join.direct,
            ConnectKind::Relay => &mut join.relay,
        };
        // An announcement that came after all counts more.
        if *ask == Ask::Announced {
            return;
        }
        *ask = Ask::Refused(error.to_string());
        if unknown_host {
            self.fail_join(JoinError::NoSuchHost(error.to_string()));
        } else if matches!(
            error,
            ConnectError::Disconnected | ConnectError::TimedOut(_)
        ) {
            join.server_lost = Some(error.to_string());
            if join.relay == Ask::NotYet {
                join.relay = Ask::Refused(error.to_string());
            }
        }
    }

    /// The host that is being joined, or was joined last, was found in the local network.
    pub fn found_in_lan(&mut self, now: Instant, address: SocketAddr) {
        let (id, force_relay) = match (&self.join, self.asker) {
            (Some(join), _) => (join.peer, join.config.force_relay),
            (None, Some(id)) => (
                id,
                self.joined.get(&id).is_none_or(|joined| joined.force_relay),
            ),
            (None, None) => return,
        };
        if force_relay {
            return;
        }
        let first = self
            .peers
            .get(&id)
            .is_some_and(|peer| peer.paths.iter().all(|path| path.kind != PathKind::Lan));
        if first && self.join.is_some() {
            (self.events).push_back(LinkEvent::Progress(JoinProgress::TryingLan));
        }
        self.try_address(now, id, PathKind::Lan, address);
    }

    /// Takes a datagram from outside. Gives the player whose game it belongs to; `None` when it was
    /// for the link itself, or from a stranger.
    pub fn receive(&mut self, now: Instant, from: SocketAddr, bytes: &[u8]) -> Option<PeerId> {
        if let Some(registration) = &mut self.registration
            && from == registration.registrar
        {
            let change = registration.hear(now, bytes);
            self.tell_change(change);
            return None;
        }
        if let Some(unproven) = UnprovenCheck::parse(bytes) {
            self.receive_check(now, from, &unproven);
            return None;
        }
        if Status::parse(bytes).is_some() {
            self.receive_plain(now, from, bytes);
            return None;
        }
        self.owner(now, from)
    }

    /// The game sent something to this player.
    pub fn used(&mut self, now: Instant, id: PeerId) {
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.used = Some(now);
        }
    }

    /// The game is done with this player, who is told a little later: ENet's own goodbyes go
    /// first.
    pub fn release(&mut self, now: Instant, id: PeerId) {
        self.joined.remove(&id);
        if let Some(peer) = self.peers.get_mut(&id) {
            peer.leaving.get_or_insert(now + LINGER);
        }
    }

    /// Where this player's datagrams go, if a way to it ever worked.
    #[must_use]
    pub fn active_path(&self, id: PeerId) -> Option<ActivePath> {
        let peer = self.peers.get(&id)?;
        let path = peer.active()?;
        Some(ActivePath {
            kind: path.kind,
            address: path.address,
            quality: peer.quality(),
        })
    }

    /// When [`Self::tick`] has something to do.
    #[must_use]
    pub fn next_deadline(&self, now: Instant) -> Option<Instant> {
        let registration = self.registration.as_ref().and_then(Registration::due);
        let peers = self.peers.values().flat_map(|peer| match peer.leaving {
            Some(leaving) => [None, Some(leaving)],
            None => [peer.due(now), unused_until(peer)],
        });
        let hints = self.hints.iter().map(|hint| hint.next).min();
        let join = self.join.as_ref().map(|join| join.next_step(self.server));
        let joined = self.joined.values().map(|joined| joined.next).min();
        [registration, self.next_guests, hints, join, joined]
            .into_iter()
            .chain(peers)
            .flatten()
            .min()
    }

    /// Does what is due at `now`.
    pub fn tick(&mut self, now: Instant) {
        if let Some(registration) = &mut self.registration {
            let change = registration.tick(now, &mut self.out);
            self.tell_change(change);
        }
        self.tick_guests(now);
        self.tick_hints(now);
        let ids: Vec<_> = self.peers.keys().copied().collect();
        for id in ids {
            self.tick_peer(now, id);
        }
        self.tick_join(now);
        self.tick_joined(now);
    }

    /// The datagrams to send, in order.
    pub fn transmits(&mut self) -> std::vec::Drain<'_, Transmit> {
        self.out.drain(..)
    }

    /// Whom to ask the server for next.
    pub fn next_request(&mut self) -> Option<(ConnectKind, OpenId)> {
        self.asks.pop_front()
    }

    /// What happened next.
    pub fn next_event(&mut self) -> Option<LinkEvent> {
        self.events.pop_front()
    }

    pub(super) fn new_id(&mut self) -> PeerId {
        self.next_peer = self.next_peer.wrapping_add(1);
        PeerId(self.next_peer)
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
