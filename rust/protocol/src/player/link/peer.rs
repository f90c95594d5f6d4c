//! One other player: the paths to it, and which of them carries the game.

use std::{net::SocketAddr, time::Instant};

use super::{
    path::{Path, Quality},
    transmit::Transmit,
};
use crate::wire::check::{Check, Key, Note, PathKind, SessionId, Side};
use crate::{
    defaults::{CHECK_PACE, CHECK_WINDOW, MAX_CANDIDATES, PLAIN_PEER_GRACE, RELAY_WINDOW},
    player::handshake::Outcome,
    wire::handshake_status::Status,
};

/// What the other side speaks beside ENet.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PeerProtocol {
    /// Nothing has told yet.
    Unknown,
    /// The handshake alone, as today's clients do: it stays at the address that it has.
    Plain,
    /// Checks.
    Checks,
}

/// The paths to one other player.
#[derive(Debug)]
pub(super) struct Peer {
    /// Our side.
    pub(super) side: Side,
    key: Key,
    pub(super) session: SessionId,
    pub(super) protocol: PeerProtocol,
    pub(super) paths: Vec<Path>,
    /// Where the game goes.
    active: Option<SocketAddr>,
    next_number: u32,
    next_check: Instant,
    pub(super) began: Instant,
    /// When the game last sent something to the other player.
    pub(super) used: Option<Instant>,
    /// When it is removed.
    pub(super) leaving: Option<Instant>,
}

impl Peer {
    pub(super) fn new(
        now: Instant,
        side: Side,
        key: Key,
        session: SessionId,
        protocol: PeerProtocol,
    ) -> Self {
        Self {
            side,
            key,
            session,
            protocol,
            paths: Vec::new(),
            active: None,
            next_number: 0,
            next_check: now,
            began: now,
            used: None,
            leaving: None,
        }
    }

    /// A host's entry for a player that knows the handshake alone, at `address`.
    pub(super) fn plain(now: Instant, kind: PathKind, address: SocketAddr) -> Self {
        let mut path = Path::new(now, kind, address, CHECK_WINDOW);
        path.heard = true;
        Self {
            paths: vec![path],
            active: Some(address),
            ..Self::new(
                now,
                Side::Hosting,
                Key::NONE,
                SessionId::default(),
                PeerProtocol::Plain,
            )
        }
    }

    pub(super) fn key(&self) -> Key {
        self.key
    }

    /// The path that carries the game.
    pub(super) fn active(&self) -> Option<&Path> {
        let active = self.active?;
        self.paths.iter().find(|path| path.address == active)
    }

    /// Whether a path of it works.
    pub(super) fn is_open(&self) -> bool {
        self.protocol == PeerProtocol::Plain || self.paths.iter().any(Path::is_open)
    }

    pub(super) fn quality(&self) -> Quality {
        self.active().map(Path::quality).unwrap_or_default()
    }

    /// Whether any address is still being tried.
    pub(super) fn is_trying(&self, now: Instant) -> bool {
        self.paths.iter().any(|path| !path.is_over(now))
    }

    /// Tries an address, or tries it again. Not for plain peers that a game goes to.
    pub(super) fn try_address(&mut self, now: Instant, kind: PathKind, address: SocketAddr) {
        if self.protocol == PeerProtocol::Plain && self.active.is_some() {
            return;
        }
        let window = match (kind, self.side) {
            (PathKind::Relay, Side::Joining) => RELAY_WINDOW,
            _ => CHECK_WINDOW,
        };
        match self.find(address) {
            Some(path) => path.renew(now, window),
            None => {
                self.add(Path::new(now, kind, address, window));
            }
        }
    }

    /// A datagram of ours came back from this address.
    pub(super) fn reflected(&mut self, from: SocketAddr) {
        if let Some(path) = self.find(from) {
            path.reflects();
        }
    }

    /// Whether this address is tried or works.
    pub(super) fn knows(&self, address: SocketAddr) -> bool {
        self.paths.iter().any(|path| path.address == address)
    }

    /// Gives up an address that is another session's now. Whether no way works any more.
    pub(super) fn forget(&mut self, address: SocketAddr) -> bool {
        self.paths.retain(|path| path.address != address);
        self.paths.is_empty() || !self.is_open()
    }

    /// Takes in an address that has proven itself; whether there was room for it.
    pub(super) fn add_proven(&mut self, now: Instant, kind: PathKind, address: SocketAddr) -> bool {
        self.add(Path::proven(now, kind, address, CHECK_WINDOW))
    }

    /// Takes a datagram with proof from an address that is known, and answers it. Whether the
    /// way from there works.
    pub(super) fn hear(
        &mut self,
        now: Instant,
        from: SocketAddr,
        datagram: &Check,
        out: &mut Vec<Transmit>,
    ) -> bool {
        self.protocol = PeerProtocol::Checks;
        let next_number = self.next_number.wrapping_add(1).max(1);
        let (key, side, session) = (self.key, self.side, self.session);
        let Some(path) = self.find(from) else {
            return false;
        };
        path.hear_status(datagram.status);
        if datagram.answer != 0 {
            path.hear_answer(now, datagram.answer);
        }
        let open = path.is_open();
        if datagram.question == 0 {
            return open;
        }
        let question = if open { 0 } else { next_number };
        if question != 0 {
            path.asked(now, question);
        }
        let reply = Check {
            status: path.status(),
            note: Note::None,
            kind: path.kind,
            session,
            question,
            answer: datagram.question,
        };
        out.push(Transmit::new(from, &reply.encode(&key, side)));
        if question != 0 {
            self.next_number = question;
        }
        open
    }

    /// Takes a plain handshake datagram from an address that is being tried.
    pub(super) fn hear_plain(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Transmit>,
    ) {
        if self.protocol == PeerProtocol::Checks {
            return;
        }
        let Some(path) = self.find(from) else {
            return;
        };
        if path.is_mirror() {
            return;
        }
        path.plain.receive(bytes);
        let step = path.plain.step(now);
        // One for one at most; done, it still answers who has missed the last packets.
        let answers = match path.plain_done {
            None => step.copies > 0,
            Some(_) if path.plain_answers == 0 => false,
            Some(_) => {
                path.plain_answers -= 1;
                true
            }
        };
        if answers {
            out.push(Transmit::new(from, &step.packet));
        }
        if step.outcome == Some(Outcome::Connected) {
            path.plain_done.get_or_insert(now);
        }
    }

    /// Sends what is due and lets go of what is over. Whether the last path that worked has closed.
    pub(super) fn tick(&mut self, now: Instant, out: &mut Vec<Transmit>) -> bool {
        if self.protocol == PeerProtocol::Plain && self.active.is_some() {
            return false;
        }
        let mut closed = false;
        for path in &mut self.paths {
            closed |= path.expire(now, CHECK_WINDOW);
        }
        let active = self.active;
        (self.paths).retain(|path| !path.is_over(now) || Some(path.address) == active);
        self.check(now, out);
        closed && !self.is_open()
    }

    /// Sends the check that is due first.
    fn check(&mut self, now: Instant, out: &mut Vec<Transmit>) {
        if now < self.next_check {
            return;
        }
        let active = self.active;
        let next = self
            .paths
            .iter_mut()
            .filter_map(|path| Some((path.due(now, Some(path.address) == active)?, path)))
            .filter(|(due, _)| *due <= now)
            .min_by_key(|(due, _)| *due);
        let Some((_, path)) = next else {
            return;
        };
        self.next_check = now + CHECK_PACE;
        let plain = match self.protocol {
            PeerProtocol::Unknown => {
                path.plain_turn = !path.plain_turn;
                // Once the plain handshake is done, all that is left to learn is whether the peer
                // speaks checks.
                !path.plain_turn && path.plain_done.is_none()
            }
            PeerProtocol::Plain => true,
            PeerProtocol::Checks => false,
        };
        if plain {
            let step = path.plain.step(now);
            out.push(Transmit::new(path.address, &step.packet));
            path.sent(now);
        } else {
            self.next_number = self.next_number.wrapping_add(1).max(1);
            let check = Check {
                status: path.status(),
                note: Note::None,
                kind: path.kind,
                session: self.session,
                question: self.next_number,
                answer: 0,
            };
            out.push(Transmit::new(
                path.address,
                &check.encode(&self.key, self.side),
            ));
            path.asked(now, self.next_number);
        }
    }

    /// Says goodbye on every path that works.
    pub(super) fn say_goodbye(&self, out: &mut Vec<Transmit>) {
        if self.protocol != PeerProtocol::Checks {
            return;
        }
        for path in self.paths.iter().filter(|path| path.is_open()) {
            let bye = Check {
                status: Status::BLIND,
                note: Note::Bye,
                kind: path.kind,
                session: self.session,
                question: 0,
                answer: 0,
            };
            let bytes = bye.encode(&self.key, self.side);
            for _ in 0..crate::defaults::HANDSHAKE_LAST_PACKETS {
                out.push(Transmit::new(path.address, &bytes));
            }
        }
    }

    /// When [`Self::tick`] has something to do.
    pub(super) fn due(&self, now: Instant) -> Option<Instant> {
        if self.protocol == PeerProtocol::Plain && self.active.is_some() {
            return None;
        }
        let check = self
            .paths
            .iter()
            .filter_map(|path| path.due(now, Some(path.address) == self.active))
            .min()
            .map(|due| due.max(self.next_check));
        let grace = match self.protocol {
            PeerProtocol::Unknown => (self.paths.iter())
                .filter(|path| !path.is_mirror())
                .filter_map(|path| path.plain_done)
                .map(|done| done + PLAIN_PEER_GRACE)
                .min(),
            _ => None,
        };
        check.into_iter().chain(grace).min()
    }

    /// Picks the path that carries the game: the best of those that work; the present one while
    /// none does. Whether it is another than before.
    pub(super) fn select(&mut self, now: Instant) -> bool {
        if self.protocol == PeerProtocol::Plain && self.active.is_some() {
            return false;
        }
        let current = self.active().filter(|path| path.is_open());
        let best = match self.protocol {
            PeerProtocol::Unknown | PeerProtocol::Plain => self.paths.iter().find(|path| {
                !path.is_mirror()
                    && path
                        .plain_done
                        .is_some_and(|done| now.saturating_duration_since(done) >= PLAIN_PEER_GRACE)
            }),
            // The other side lets the game in where it knows that the way is open, and a host only
            // while it has a place.
            PeerProtocol::Checks => self
                .paths
                .iter()
                .filter(|path| path.is_confirmed())
                .min_by_key(|path| path.kind),
        };
        let Some(best) = best else {
            return false;
        };
        if current.is_some_and(|current| current.kind <= best.kind) {
            return false;
        }
        let changed = self.active != Some(best.address);
        self.active = Some(best.address);
        if self.protocol == PeerProtocol::Unknown {
            self.protocol = PeerProtocol::Plain;
        }
        changed
    }

    fn find(&mut self, address: SocketAddr) -> Option<&mut Path> {
        self.paths.iter_mut().find(|path| path.address == address)
    }

    /// Whether there was room, or a path that neither works nor was heard of gave way.
    fn add(&mut self, path: Path) -> bool {
        if self.paths.len() >= MAX_CANDIDATES {
            let Some(useless) = self.paths.iter().position(|path| {
                !path.is_open() && !path.heard && Some(path.address) != self.active
            }) else {
                return false;
            };
            self.paths.swap_remove(useless);
        }
        self.paths.push(path);
        true
    }
}
