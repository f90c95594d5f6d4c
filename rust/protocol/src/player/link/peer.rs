//! One peer: the paths to it, and which of them carries the game.

use std::{net::SocketAddr, time::Instant};

use super::{
    path::{ActivePath, Path, Quality},
    session::{Proof, Session},
    transmit::Transmit,
};
use crate::{
    address_key::AddressKey,
    defaults::{
        CHECK_PACE, CHECK_WINDOW, HANDSHAKE_LAST_PACKETS, LINGER, MAX_PATHS, PLAIN_PEER_GRACE,
        RELAY_WINDOW, SILENT_GAME_TIMEOUT, UNUSED_SESSION_TIMEOUT,
    },
    wire::{
        check::{Check, Note, PathKind, SessionId, Side, UnprovenCheck},
        handshake_status::Status,
    },
};

/// What a peer speaks beside ENet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum PeerProtocol {
    /// Not known yet.
    Unknown,
    /// Only the handshake, as netfox.noray's players do: the peer stays at the address it has.
    Plain,
    /// Checks.
    Checks,
}

/// What a tick did to the paths of a peer.
#[derive(Clone, Copy, Default, Debug)]
pub(super) struct Ticked {
    /// The last path that worked has closed.
    pub(super) is_lost: bool,
    /// Paths were given up.
    pub(super) gave_up_paths: bool,
    /// An answer on the path that carries the game is late.
    pub(super) is_late: bool,
}

/// The paths to one peer.
#[derive(Debug)]
pub(super) struct Peer {
    /// `None` for a player that came to a host by the handshake alone.
    session: Option<Session>,
    protocol: PeerProtocol,
    paths: Vec<Path>,
    /// The address of the path that carries the game.
    active: Option<SocketAddr>,
    /// The number of the last question.
    last_number: u32,
    next_check: Instant,
    began: Instant,
    /// When the game last sent something to the peer.
    used: Option<Instant>,
    /// When the peer is removed.
    leaving: Option<Instant>,
}

impl Peer {
    /// The host that a joining player wants to reach.
    pub(super) fn joined_host(now: Instant, session: Session) -> Self {
        Self::new(now, Some(session), PeerProtocol::Unknown)
    }

    /// A player that came to a host with checks.
    pub(super) fn admitted(now: Instant, session: Session) -> Self {
        Self::new(now, Some(session), PeerProtocol::Checks)
    }

    /// A player that came to a host from `address` and speaks the handshake alone.
    pub(super) fn admitted_plain(now: Instant, kind: PathKind, address: SocketAddr) -> Self {
        Self {
            paths: vec![Path::plain(now, kind, address, CHECK_WINDOW)],
            active: Some(address),
            ..Self::new(now, None, PeerProtocol::Plain)
        }
    }

    fn new(now: Instant, session: Option<Session>, protocol: PeerProtocol) -> Self {
        Self {
            session,
            protocol,
            paths: Vec::new(),
            active: None,
            last_number: 0,
            next_check: now,
            began: now,
            used: None,
            leaving: None,
        }
    }

    pub(super) fn session(&self) -> Option<SessionId> {
        self.session.map(|session| session.id)
    }

    /// Whether the peer came into our own game.
    pub(super) fn is_hosted(&self) -> bool {
        self.session
            .is_none_or(|session| session.side == Side::Hosting)
    }

    pub(super) fn is_plain(&self) -> bool {
        self.protocol == PeerProtocol::Plain
    }

    pub(super) fn began(&self) -> Instant {
        self.began
    }

    /// Returns the check and its session if the peer made it. Notes one of ours that came back.
    pub(super) fn prove(
        &mut self,
        from: SocketAddr,
        check: &UnprovenCheck,
    ) -> Option<(Session, Check)> {
        let session = self.session?;
        match session.prove(check) {
            Proof::Theirs(check) => Some((session, check)),
            Proof::Reflected => {
                if let Some(path) = self.find(from) {
                    path.note_reflection();
                }
                None
            }
            Proof::Invalid => None,
        }
    }

    /// Notes that the game sent something to the peer.
    pub(super) fn note_use(&mut self, now: Instant) {
        self.used = Some(now);
    }

    /// Whether the peer came into our own game, and its game has not begun.
    pub(super) fn has_not_begun(&self) -> bool {
        self.is_hosted() && self.used.is_none() && !self.is_plain()
    }

    /// Ends the peer once its last packets are out.
    pub(super) fn release(&mut self, now: Instant) {
        self.leaving.get_or_insert(now + LINGER);
    }

    pub(super) fn is_leaving(&self) -> bool {
        self.leaving.is_some()
    }

    /// Returns when a host removes the peer because its game does not use it.
    fn unused_until(&self) -> Option<Instant> {
        self.is_hosted().then(|| match self.used {
            None => self.began + UNUSED_SESSION_TIMEOUT,
            Some(used) => used + SILENT_GAME_TIMEOUT,
        })
    }

    /// Whether the peer is over and to be removed at `now`.
    pub(super) fn is_over(&mut self, now: Instant) -> bool {
        if self.unused_until().is_some_and(|until| now >= until) {
            self.leaving.get_or_insert(now);
        }
        self.leaving.is_some_and(|leaving| now >= leaving)
    }

    /// Returns the path that carries the game.
    fn active(&self) -> Option<&Path> {
        let active = self.active?;
        self.paths.iter().find(|path| path.address() == active)
    }

    /// Returns what is known of the path that carries the game. It is not silent while another
    /// path works, which then takes over. A peer that knows no checks answers none.
    pub(super) fn active_path(&self, now: Instant) -> Option<ActivePath> {
        let mut active = self.active()?.report(now);
        if self.is_plain() {
            active.quality = Quality::default();
            return Some(active);
        }
        let answers = |path: &Path| path.is_open() && !path.is_silent(now);
        active.quality.is_silent &= !self.paths.iter().any(answers);
        Some(active)
    }

    /// Whether the path that carries the game waits for an answer that is late.
    fn is_suspect(&self, now: Instant) -> bool {
        self.active().is_some_and(|path| path.is_suspect(now))
    }

    pub(super) fn active_kind(&self) -> Option<PathKind> {
        self.active().map(Path::kind)
    }

    pub(super) fn active_address(&self) -> Option<SocketAddr> {
        self.active().map(Path::address)
    }

    /// Whether a path works.
    pub(super) fn is_open(&self) -> bool {
        self.is_plain() || self.paths.iter().any(Path::is_open)
    }

    /// Whether the peer has a path of this kind, open or not.
    pub(super) fn has_path_of(&self, kind: PathKind) -> bool {
        self.paths.iter().any(|path| path.kind() == kind)
    }

    /// Whether any address is still being tried.
    pub(super) fn is_trying(&self, now: Instant) -> bool {
        self.paths.iter().any(|path| !path.is_over(now))
    }

    /// Returns the kind of the path that is being tried at exactly this address, or that works.
    pub(super) fn kind_at(&self, now: Instant, address: SocketAddr) -> Option<PathKind> {
        let mut paths = self.paths.iter().filter(|path| !path.is_over(now));
        paths.find(|path| path.address() == address).map(Path::kind)
    }

    /// Returns the kind of a path to another port of this IP address, for a host that may answer
    /// from there.
    pub(super) fn kind_near(&self, now: Instant, address: SocketAddr) -> Option<PathKind> {
        if self.is_hosted() || self.protocol != PeerProtocol::Unknown {
            return None;
        }
        let mut paths = self.paths.iter().filter(|path| !path.is_over(now));
        paths
            .find(|path| path.address().ip() == address.ip())
            .map(Path::kind)
    }

    /// Tries an address, or tries it again. A plain peer stays at the address that carries its
    /// game.
    pub(super) fn try_address(&mut self, now: Instant, kind: PathKind, address: SocketAddr) {
        if self.is_settled() {
            return;
        }
        let window = if kind == PathKind::Relay && !self.is_hosted() {
            RELAY_WINDOW
        } else {
            CHECK_WINDOW
        };
        match self.find(address) {
            Some(path) => {
                path.note_kind(kind);
                path.renew(now, window);
            }
            None => {
                self.add(Path::new(now, kind, address, window));
            }
        }
    }

    /// Whether an address is tried or works.
    pub(super) fn knows(&self, address: SocketAddr) -> bool {
        self.paths.iter().any(|path| path.address() == address)
    }

    /// Whether an address with this key is tried or works.
    pub(super) fn knows_key(&self, key: AddressKey) -> bool {
        (self.paths.iter()).any(|path| AddressKey::from(path.address()) == key)
    }

    /// Gives up an address that now belongs to another session. Returns whether no path works any
    /// more.
    pub(super) fn forget(&mut self, address: SocketAddr) -> bool {
        self.paths.retain(|path| path.address() != address);
        self.paths.is_empty() || !self.is_open()
    }

    /// Adds an address that has proven itself. Returns whether there was room for it.
    pub(super) fn add_proven(&mut self, now: Instant, kind: PathKind, address: SocketAddr) -> bool {
        self.add(Path::proven(now, kind, address, CHECK_WINDOW))
    }

    /// Takes a proven check from a known address, and answers it. Returns whether the path from
    /// there works.
    pub(super) fn receive_check(
        &mut self,
        now: Instant,
        from: SocketAddr,
        check: &Check,
        out: &mut Vec<Transmit>,
    ) -> bool {
        self.protocol = PeerProtocol::Checks;
        let number = self.next_number();
        let Some(session) = self.session else {
            return false;
        };
        let Some(path) = self.find(from) else {
            return false;
        };
        path.hear_status(check.status);
        path.note_kind(check.kind);
        if check.answer != 0 {
            path.hear_answer(now, check.answer);
        }
        let open = path.is_open();
        if check.question == 0 {
            return open;
        }
        let question = if open { 0 } else { number };
        if question != 0 {
            path.note_question(now, question);
        }
        let reply = Check {
            status: path.status(),
            note: Note::None,
            kind: path.kind(),
            session: session.id,
            question,
            answer: check.question,
        };
        out.push(Transmit::new(from, &session.encode(&reply)));
        if question != 0 {
            self.last_number = question;
        }
        open
    }

    /// Takes a plain handshake datagram from an address that is being tried, and answers it.
    pub(super) fn receive_plain(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Transmit>,
    ) {
        if self.protocol == PeerProtocol::Checks {
            return;
        }
        let Some(path) = self.find(from).filter(|path| !path.is_mirror()) else {
            return;
        };
        if let Some(answer) = path.receive_plain(now, bytes) {
            out.push(Transmit::new(from, &answer));
        }
    }

    /// Sends what is due, and gives up the paths that are over.
    pub(super) fn tick(&mut self, now: Instant, out: &mut Vec<Transmit>) -> Ticked {
        if self.is_settled() {
            return Ticked::default();
        }
        let mut closed = false;
        for path in &mut self.paths {
            closed |= path.expire(now, CHECK_WINDOW);
        }
        let (active, paths) = (self.active, self.paths.len());
        (self.paths).retain(|path| !path.is_over(now) || Some(path.address()) == active);
        let has_asked = self.send_due_check(now, out);
        Ticked {
            is_late: has_asked && self.is_suspect(now),
            is_lost: closed && !self.is_open(),
            gave_up_paths: self.paths.len() < paths,
        }
    }

    /// Sends the check that is due first. Returns whether one was due.
    fn send_due_check(&mut self, now: Instant, out: &mut Vec<Transmit>) -> bool {
        if now < self.next_check {
            return false;
        }
        let number = self.next_number();
        let (active, is_suspect) = (self.active, self.is_suspect(now));
        let next = self
            .paths
            .iter_mut()
            .filter_map(|path| {
                // While the active path is in doubt, the others tell whether the peer is.
                let is_active = is_suspect || Some(path.address()) == active;
                Some((path.due(now, is_active)?, path))
            })
            .filter(|(due, _)| *due <= now)
            .min_by_key(|(due, _)| *due);
        let Some((_, path)) = next else {
            return false;
        };
        self.next_check = now + CHECK_PACE;
        let is_plain = match self.protocol {
            PeerProtocol::Unknown => path.take_plain_turn(),
            PeerProtocol::Plain => true,
            PeerProtocol::Checks => false,
        };
        match self.session {
            Some(session) if !is_plain => {
                let check = Check {
                    status: path.status(),
                    note: Note::None,
                    kind: path.kind(),
                    session: session.id,
                    question: number,
                    answer: 0,
                };
                out.push(Transmit::new(path.address(), &session.encode(&check)));
                path.note_question(now, number);
                self.last_number = number;
            }
            _ => {
                let datagram = path.send_plain(now);
                out.push(Transmit::new(path.address(), &datagram));
            }
        }
        true
    }

    /// Says goodbye on every path that works.
    pub(super) fn say_goodbye(&self, out: &mut Vec<Transmit>) {
        let Some(session) = self.session else {
            return;
        };
        if self.protocol != PeerProtocol::Checks {
            return;
        }
        for path in self.paths.iter().filter(|path| path.is_open()) {
            let bye = Check {
                status: Status::BLIND,
                note: Note::Bye,
                kind: path.kind(),
                session: session.id,
                question: 0,
                answer: 0,
            };
            let bye = Transmit::new(path.address(), &session.encode(&bye));
            out.extend((0..HANDSHAKE_LAST_PACKETS).map(|_| bye.clone()));
        }
    }

    /// Returns when the peer has something to send, or its time is over.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        if self.leaving.is_some() {
            return self.leaving;
        }
        let unused = self.unused_until();
        if self.is_settled() {
            return unused;
        }
        let is_suspect = self.is_suspect(now);
        let check = self
            .paths
            .iter()
            .filter_map(|path| path.due(now, is_suspect || Some(path.address()) == self.active))
            .min()
            .map(|due| due.max(self.next_check));
        let grace = match self.protocol {
            PeerProtocol::Unknown => (self.paths.iter())
                .filter(|path| !path.is_mirror())
                .filter_map(Path::plain_done)
                .map(|done| done + PLAIN_PEER_GRACE)
                .min(),
            PeerProtocol::Plain | PeerProtocol::Checks => None,
        };
        [check, grace, unused].into_iter().flatten().min()
    }

    /// Picks the path that carries the game: the best of those that work, or the present one while
    /// none does. Returns whether it changed.
    pub(super) fn select_path(&mut self, now: Instant) -> bool {
        if self.is_settled() {
            return false;
        }
        let current = self.active().filter(|path| path.is_open());
        let best = match self.protocol {
            PeerProtocol::Unknown | PeerProtocol::Plain => self.paths.iter().find(|path| {
                !path.is_mirror()
                    && path
                        .plain_done()
                        .is_some_and(|done| now.saturating_duration_since(done) >= PLAIN_PEER_GRACE)
            }),
            // The peer lets the game in where it knows that the path is open, and a host only while
            // it has a place.
            PeerProtocol::Checks => self
                .paths
                .iter()
                .filter(|path| path.is_confirmed())
                .min_by_key(|path| path.kind()),
        };
        let Some(best) = best else {
            return false;
        };
        if current.is_some_and(|current| current.kind() <= best.kind()) {
            return false;
        }
        let changed = self.active != Some(best.address());
        self.active = Some(best.address());
        if self.protocol == PeerProtocol::Unknown {
            self.protocol = PeerProtocol::Plain;
        }
        changed
    }

    /// Whether the peer stays where it is: it knows no checks, and its game goes to one address.
    fn is_settled(&self) -> bool {
        self.is_plain() && self.active.is_some()
    }

    /// Returns the number of the next question, which is never 0.
    fn next_number(&self) -> u32 {
        self.last_number.wrapping_add(1).max(1)
    }

    fn find(&mut self, address: SocketAddr) -> Option<&mut Path> {
        self.paths.iter_mut().find(|path| path.address() == address)
    }

    /// Returns whether there was room, or a path that neither works nor was heard made room.
    fn add(&mut self, path: Path) -> bool {
        if self.paths.len() >= MAX_PATHS {
            let Some(useless) = self.paths.iter().position(|path| {
                !path.is_open() && !path.is_heard() && Some(path.address()) != self.active
            }) else {
                return false;
            };
            self.paths.swap_remove(useless);
        }
        self.paths.push(path);
        true
    }
}
