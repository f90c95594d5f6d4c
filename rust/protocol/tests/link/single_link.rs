//! A single link: each test makes what goes in.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use noray_protocol::{
    player::link::{HostConfig, Link, LinkEvent, PeerId, Transmit},
    wire::{
        check::{Check, Key, Note, PathKind, SessionId, Side, UnprovenCheck},
        handshake_status::Status,
        id::OpenId,
    },
};

pub(crate) const MAX_CLIENTS: usize = 4;

/// Returns an address in the internet.
pub(crate) fn at(number: u32, port: u16) -> SocketAddr {
    let [_, a, b, c] = number.to_be_bytes();
    SocketAddr::from(([45, a, b, c], port))
}

pub(crate) fn key() -> Key {
    Key::new(&OpenId::new("the-host").expect("an OpenID"))
}

/// A host's link.
pub(crate) struct SingleLink {
    pub link: Link,
    pub now: Instant,
    pub events: Vec<LinkEvent>,
    /// What the link sent without being asked.
    pub own: Vec<Transmit>,
}

impl SingleLink {
    pub(crate) fn hosting() -> Self {
        let mut link = Link::new([7; 16]);
        link.host(Self::hosting_config());
        Self {
            link,
            now: Instant::now(),
            events: Vec::new(),
            own: Vec::new(),
        }
    }

    pub(crate) fn hosting_config() -> HostConfig {
        HostConfig {
            key: key(),
            max_clients: MAX_CLIENTS,
            force_relay: false,
        }
    }

    /// Returns the hosts that the link joined.
    pub(crate) fn joined(&self) -> Vec<PeerId> {
        let open = self.events.iter().filter_map(|event| match event {
            LinkEvent::Joined(id) => Some(*id),
            _ => None,
        });
        open.collect()
    }

    /// Passes a datagram to the link. Returns the answers, and whose game the datagram belonged to.
    pub(crate) fn give(
        &mut self,
        from: SocketAddr,
        bytes: &[u8],
    ) -> (Vec<Transmit>, Option<PeerId>) {
        let owner = self.link.receive(self.now, from, bytes);
        let answers = self.link.transmits().collect();
        if owner.is_none() {
            self.tick();
        }
        (answers, owner)
    }

    pub(crate) fn tick(&mut self) {
        self.link.tick(self.now);
        self.own.extend(self.link.transmits());
        while let Some(event) = self.link.next_event() {
            self.events.push(event);
        }
        while self.link.next_request().is_some() {}
        if let Some(due) = self.link.next_deadline(self.now) {
            assert!(due > self.now, "due at once again");
        }
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.link.next_deadline(self.now).filter(|due| *due <= end) {
            self.now = due;
            self.tick();
        }
        self.now = end;
        self.tick();
    }

    /// Returns how many players came in and have not left.
    pub(crate) fn players(&self) -> usize {
        let count =
            |what: fn(&LinkEvent) -> bool| self.events.iter().filter(|event| what(event)).count();
        count(|event| matches!(event, LinkEvent::PathChanged(_)))
            .saturating_sub(count(|event| matches!(event, LinkEvent::PeerRemoved(_))))
    }
}

/// Returns a joining player's check.
pub(crate) fn check(session: u64, question: u32, answer: u32) -> Check {
    Check {
        status: Status {
            read: answer != 0,
            duplex: answer != 0,
        },
        note: Note::None,
        kind: PathKind::Direct,
        session: SessionId(session.to_be_bytes()),
        question,
        answer,
    }
}

pub(crate) fn joining(datagram: &Check) -> Vec<u8> {
    datagram.encode(&key(), Side::Joining).to_vec()
}

/// Reads a check of the host.
pub(crate) fn read(bytes: &[u8]) -> Option<Check> {
    UnprovenCheck::parse(bytes)?.prove(&key(), Side::Hosting)
}

/// Lets a player come in from an address.
pub(crate) fn come_in(single: &mut SingleLink, from: SocketAddr, session: u64) -> Option<PeerId> {
    let (answers, _) = single.give(from, &joining(&check(session, 1, 0)));
    let question = read(&answers.first()?.bytes)?.question;
    single.give(from, &joining(&check(session, 2, question)));
    let (_, owner) = single.give(from, b"\x8f\xffgame");
    owner
}
