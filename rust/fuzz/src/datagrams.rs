//! The bytes of one UDP datagram, as everything reads them that can receive one.
//!
//! An input is what is sent, and nothing else: those in the corpus can be sent to any port.

use std::{
    hash::{BuildHasherDefault, DefaultHasher},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    time::{Duration, Instant},
};

use noray_protocol::{
    player::{
        handshake::{Handshake, Outcome},
        link::{ACCEPTED, HostConfig, Link, LinkEvent, PeerId, RegistrationFailure, Transmit},
    },
    server::host_table::{AddressRegistration, ConnectionId, HostTable},
    wire::{
        check::{CHECK_LENGTH, Check, Key, Note, PathKind, SessionId, Side, UnprovenCheck},
        handshake_status::Status,
        id::{OpenId, PrivateId},
    },
};

use crate::input::Input;

const SECRET: &str = "tell-nobody";
const LINK_SECRET: [u8; 16] = [7; 16];
const HOST: &str = "the-host";
const GAME: &[u8] = b"\x8f\xffgame";

/// Checks an input.
///
/// # Panics
/// If a registrar takes it for a PrivateID, if a link answers a stranger with more bytes than came
/// or remembers one that proved nothing, or if a check is not written as it was read.
pub fn check(data: &[u8]) {
    registrar(data);
    handshake(data);
    registering_player(data);
    stranger(data, false);
    stranger(data, true);
    if let Some(datagram) = written(data) {
        knowing_player(&datagram);
    }
}

fn at(number: u8) -> SocketAddr {
    SocketAddrV4::new(Ipv4Addr::new(45, 0, 0, number), 5000).into()
}

fn key() -> Key {
    Key::new(&OpenId::new(HOST).expect("an OpenID"))
}

/// Asserts that only a PrivateID registers.
fn registrar(data: &[u8]) {
    let mut table = HostTable::new(1, BuildHasherDefault::<DefaultHasher>::new());
    let private = PrivateId::new(SECRET).expect("a PrivateID");
    let open = OpenId::new(HOST).expect("an OpenID");
    table
        .register(ConnectionId(0), open, private)
        .expect("the table is empty");
    let Ok(text) = std::str::from_utf8(data) else {
        return;
    };
    let known = table.register_address(text, SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1));
    assert_eq!(
        known != AddressRegistration::UnknownPrivateId,
        text == SECRET
    );
}

/// Asserts that a plain handshake ends in time whatever comes in, and succeeds only with a
/// handshake's datagrams.
fn handshake(data: &[u8]) {
    let status = Status::parse(data);
    if let Some(status) = status {
        assert_eq!(Status::parse(&status.packet()), Some(status));
    }
    let (timeout, interval) = (Duration::from_secs(8), Duration::from_millis(100));
    let mut now = Instant::now();
    let mut side = Handshake::new(now, timeout, interval);
    let mut outcome = None;
    for _ in 0..=80 {
        side.receive(data);
        let step = side.step(now);
        assert!(step.copies <= 4, "{} copies for one", step.copies);
        assert!(Status::parse(&step.packet).is_some());
        outcome = step.outcome;
        if outcome.is_some() {
            break;
        }
        now += interval;
    }
    let status = status.unwrap_or_default();
    let expected = match (status.read, status.duplex) {
        (true, true) => Outcome::Connected,
        (true, false) => Outcome::TimedOut,
        (false, _) => Outcome::Unconfirmed,
    };
    assert_eq!(outcome, Some(expected));
}

/// Asserts that a player that registers listens only to the registrar, and tells its PrivateID to
/// nobody else.
fn registering_player(data: &[u8]) {
    let (registrar, other) = (at(1), at(2));
    let mut now = Instant::now();
    let mut link = Link::new(LINK_SECRET);
    link.register(now, registrar, PrivateId::new(SECRET).expect("a PrivateID"));
    link.tick(now);
    let mut sent: Vec<_> = link.transmits().collect();
    assert!(!sent.is_empty(), "nothing goes to the registrar");
    assert_eq!(link.receive(now, other, data), None);
    assert_eq!(link.next_event(), None, "another's answer counts");
    assert_eq!(link.receive(now, registrar, data), None);
    let result = match link.next_event() {
        Some(LinkEvent::Registered(result)) => Some(result),
        None => None,
        Some(event) => panic!("{event:?}"),
    };
    match result {
        Some(Ok(())) => assert_eq!(data, ACCEPTED),
        Some(Err(reason)) => assert_eq!(reason, RegistrationFailure::Refused),
        None => assert_ne!(data, ACCEPTED),
    }
    for _ in 0..5 {
        now += Duration::from_secs(4);
        link.tick(now);
        sent.extend(link.transmits());
    }
    assert!(
        sent.iter().all(|sent| sent.to == registrar),
        "a PrivateID went elsewhere"
    );
}

/// Checks what a sender gets that does not know the host's OpenID: a stranger, or a player that the
/// server announced.
fn stranger(data: &[u8], is_announced: bool) {
    let mut host = Host::new();
    let from = at(3);
    if is_announced {
        host.link.announced(host.now, PathKind::Direct, from);
        host.tick();
    }
    let (answers, owner) = host.give(from, data);
    if !is_announced {
        assert!(answers.is_empty(), "a stranger is answered");
    }
    assert_eq!(owner, None, "a stranger plays");
    let speaks_handshake = is_announced && Status::parse(data).is_some();
    let (_, owner) = host.give(from, GAME);
    assert!(speaks_handshake || owner.is_none(), "a stranger plays");
    host.wait(Duration::from_secs(100));
    assert_eq!(
        host.link.next_deadline(host.now),
        None,
        "it is remembered for ever"
    );
    assert!(
        is_announced || host.sent == 0,
        "a stranger is sent something"
    );
}

/// Returns a check made from the input by somebody who knows the key.
fn written(data: &[u8]) -> Option<Check> {
    let mut input = Input::new(data);
    let mut number = || u32::from_be_bytes(*input.bytes(4).first_chunk().unwrap_or(&[0; 4]));
    let (question, answer) = (number(), number());
    let choice = input.byte()?;
    Some(Check {
        status: Status {
            read: choice & 1 != 0,
            duplex: choice & 2 != 0,
        },
        note: [Note::None, Note::None, Note::Full, Note::Bye][usize::from(choice >> 2 & 3)],
        kind: [PathKind::Lan, PathKind::Direct, PathKind::Relay][usize::from(choice >> 4) % 3],
        session: SessionId(*input.bytes(8).first_chunk().unwrap_or(&[0; 8])),
        question,
        answer,
    })
}

/// Asserts that whoever knows the key is answered one for one, and admitted once its address is
/// proven.
fn knowing_player(datagram: &Check) {
    let bytes = datagram.encode(&key(), Side::Joining);
    let unproven = UnprovenCheck::parse(&bytes).expect("a check");
    assert_eq!(unproven.session(), datagram.session);
    assert_eq!(unproven.prove(&key(), Side::Joining), Some(*datagram));
    assert_eq!(unproven.prove(&key(), Side::Hosting), None);
    assert!(Status::parse(&bytes[..4]) == Some(datagram.status));

    let mut host = Host::new();
    let from = at(3);
    let (answers, _) = host.give(from, &bytes);
    assert_eq!(
        host.give(from, GAME).1,
        None,
        "an address that is not proven plays"
    );
    let answer = answers
        .first()
        .and_then(|answer| UnprovenCheck::parse(&answer.bytes));
    let answer = answer.and_then(|answer| answer.prove(&key(), Side::Hosting));
    assert_eq!(
        answer.is_some(),
        datagram.note == Note::None && datagram.question != 0
    );
    let Some(answer) = answer else {
        return;
    };
    assert_eq!(answer.answer, datagram.question);
    let reply = Check {
        answer: answer.question,
        ..*datagram
    };
    host.give(from, &reply.encode(&key(), Side::Joining));
    let owner = host.give(from, GAME).1;
    assert!(
        owner.is_some(),
        "a player who proved its address is kept out"
    );
    assert_eq!(host.give(at(4), GAME).1, None, "another's address plays");
    host.wait(Duration::from_secs(100));
    assert_eq!(
        host.link.next_deadline(host.now),
        None,
        "it is remembered for ever"
    );
}

/// A link that admits players.
struct Host {
    link: Link,
    now: Instant,
    /// Datagrams that the link sent without being asked.
    sent: usize,
}

impl Host {
    fn new() -> Self {
        let mut link = Link::new(LINK_SECRET);
        link.host(HostConfig {
            key: key(),
            max_clients: 4,
            force_relay: false,
        });
        Self {
            link,
            now: Instant::now(),
            sent: 0,
        }
    }

    /// Returns the link's answers to a datagram, and whose game the datagram belonged to.
    fn give(&mut self, from: SocketAddr, bytes: &[u8]) -> (Vec<Transmit>, Option<PeerId>) {
        let owner = self.link.receive(self.now, from, bytes);
        let answers: Vec<_> = self.link.transmits().collect();
        let is_one_for_one = match &answers[..] {
            [] => true,
            [answer] => answer.to == from && answer.bytes.len() <= bytes.len(),
            _ => false,
        };
        assert!(is_one_for_one, "{answers:?} for {} bytes", bytes.len());
        assert!(
            answers
                .iter()
                .all(|answer| answer.bytes.len() <= CHECK_LENGTH)
        );
        self.tick();
        (answers, owner)
    }

    fn tick(&mut self) {
        self.link.tick(self.now);
        self.sent += self.link.transmits().count();
        while self.link.next_event().is_some() {}
        while self.link.next_request().is_some() {}
    }

    fn wait(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(due) = self.link.next_deadline(self.now).filter(|due| *due <= end) {
            assert!(due > self.now, "due at once again");
            self.now = due;
            self.tick();
        }
        self.now = end;
        self.tick();
    }
}
