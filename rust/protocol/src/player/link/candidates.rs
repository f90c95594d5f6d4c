//! The addresses from which a host expects players.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use super::{plain_handshake::PlainHandshake, transmit::Transmit};
use crate::{
    defaults::{CHECK_WINDOW, HANDSHAKE_INTERVAL, LONGEST_WAIT, MAX_CANDIDATES},
    wire::check::PathKind,
};

/// Addresses that are announced, or that speak the plain handshake from an announced IP address.
#[derive(Debug, Default)]
pub(super) struct Candidates {
    by_address: BTreeMap<SocketAddr, Candidate>,
    next: Option<Instant>,
}

#[derive(Debug)]
struct Candidate {
    kind: PathKind,
    until: Instant,
    handshake: PlainHandshake,
    /// Whether the server announced this very address, rather than another port of its IP address.
    announced: bool,
    /// Whether it spoke the handshake, so that its game may follow.
    heard: bool,
}

impl Candidate {
    fn new(now: Instant, kind: PathKind, until: Instant, announced: bool) -> Self {
        Self {
            kind,
            until,
            // It ends with the candidate, at `until`.
            handshake: PlainHandshake::new(now, LONGEST_WAIT, HANDSHAKE_INTERVAL),
            announced,
            heard: false,
        }
    }
}

impl Candidates {
    /// Opens our router for a player whose address the server announced.
    pub(super) fn announce(&mut self, now: Instant, kind: PathKind, address: SocketAddr) {
        let until = now + CHECK_WINDOW;
        let known = self.by_address.get_mut(&address);
        let heard = known.as_ref().is_some_and(|candidate| candidate.heard);
        match known {
            Some(candidate) if candidate.announced && !candidate.heard => {
                candidate.kind = kind;
                candidate.until = until;
                return;
            }
            Some(_) => {}
            None => self.make_room(),
        }
        let mut candidate = Candidate::new(now, kind, until, true);
        candidate.heard = heard;
        self.by_address.insert(address, candidate);
        self.next = Some(now);
    }

    /// Makes room for an announced address; one that was not announced itself gives way first.
    fn make_room(&mut self) {
        if self.by_address.len() < MAX_CANDIDATES {
            return;
        }
        let oldest = (self.by_address.iter())
            .min_by_key(|(_, candidate)| (candidate.announced, candidate.until))
            .map(|(address, _)| *address);
        if let Some(oldest) = oldest {
            self.by_address.remove(&oldest);
        }
    }

    /// Takes a plain handshake datagram, and answers it if a player is expected there.
    pub(super) fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Transmit>,
    ) {
        if !self.by_address.contains_key(&from) {
            // Behind a symmetric NAT, or on a public server's relay, a player's datagrams come from
            // another port than the announced one.
            let Some((kind, until)) = self.announced_for(now, from.ip()) else {
                return;
            };
            if self.by_address.len() >= MAX_CANDIDATES {
                return;
            }
            let candidate = Candidate::new(now, kind, until, false);
            self.by_address.insert(from, candidate);
        }
        if let Some(candidate) = self.by_address.get_mut(&from) {
            candidate.heard = true;
            if let Some(answer) = candidate.handshake.receive(now, bytes) {
                out.push(Transmit::new(from, &answer));
            }
        }
    }

    /// Returns the path kind that was announced for an IP address, and until when it counts.
    fn announced_for(&self, now: Instant, ip: IpAddr) -> Option<(PathKind, Instant)> {
        self.by_address
            .iter()
            .filter(|(address, _)| address.ip() == ip)
            .filter(|(_, candidate)| candidate.announced && now < candidate.until)
            .map(|(_, candidate)| (candidate.kind, candidate.until))
            .max()
    }

    /// Returns the path kind of an address whose game may begin, because it spoke the handshake.
    pub(super) fn heard(&self, address: SocketAddr) -> Option<PathKind> {
        let candidate = self.by_address.get(&address)?;
        candidate.heard.then_some(candidate.kind)
    }

    pub(super) fn remove(&mut self, address: SocketAddr) {
        self.by_address.remove(&address);
    }

    pub(super) fn clear(&mut self) {
        *self = Self::default();
    }

    pub(super) fn tick(&mut self, now: Instant, out: &mut Vec<Transmit>) {
        if self.next.is_none_or(|next| now < next) {
            return;
        }
        self.by_address.retain(|_, candidate| now < candidate.until);
        for (address, candidate) in &mut self.by_address {
            // An address that was not announced itself is only answered.
            if candidate.handshake.done().is_some() || !candidate.announced {
                continue;
            }
            let step = candidate.handshake.step(now);
            if step.copies > 0 {
                out.push(Transmit::new(*address, &step.packet));
            }
        }
        self.next = (!self.by_address.is_empty()).then_some(now + HANDSHAKE_INTERVAL);
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.next
    }
}
