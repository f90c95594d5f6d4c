//! A player of ours: a link, driven as the client drives it.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use noray_protocol::{
    player::link::{
        ActivePath, HostConfig, JoinConfig, JoinError, Link, LinkEvent, PeerId, ServerKind,
    },
    wire::{
        check::{Key, PathKind, SessionId},
        command::ConnectKind,
        id::{OpenId, PrivateId},
    },
};

use crate::{game::Game, server::Line};

/// How long a join may take, as in the extension.
const JOIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Why a player sent a datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Cause {
    /// It answers a datagram.
    Answer,
    /// Its time had come.
    Own,
    /// The game sent it.
    Game,
}

/// What a player sends.
pub(crate) enum Out {
    Check {
        to: SocketAddr,
        bytes: Vec<u8>,
        cause: Cause,
    },
    Ask(ConnectKind, String),
}

pub(crate) struct OurPlayer {
    pub link: Link,
    pub oid: OpenId,
    pub events: Vec<(Instant, LinkEvent)>,
    pub games: BTreeMap<PeerId, Game>,
    /// Whether the game sends numbered datagrams.
    pub streaming: bool,
    server: ServerKind,
}

impl OurPlayer {
    pub(crate) fn new(
        now: Instant,
        oid: &str,
        pid: &str,
        registrar: SocketAddr,
        server: ServerKind,
        secret: [u8; 16],
    ) -> Self {
        let mut link = Link::new(secret);
        let pid = PrivateId::new(pid).expect("a PrivateID");
        link.register(now, registrar, pid);
        Self {
            link,
            oid: OpenId::new(oid).expect("an OpenID"),
            events: Vec::new(),
            games: BTreeMap::new(),
            streaming: false,
            server,
        }
    }

    pub(crate) fn host(&mut self) {
        self.host_with(32, false);
    }

    pub(crate) fn host_with(&mut self, max_clients: usize, force_relay: bool) {
        self.link.host(HostConfig {
            key: Key::new(&self.oid),
            max_clients,
            force_relay,
        });
    }

    pub(crate) fn join(&mut self, now: Instant, oid: &OpenId, session: u64) {
        self.join_with(now, oid, session, JOIN_TIMEOUT, false);
    }

    pub(crate) fn join_with(
        &mut self,
        now: Instant,
        oid: &OpenId,
        session: u64,
        timeout: Duration,
        force_relay: bool,
    ) {
        let config = JoinConfig {
            oid: oid.clone(),
            session: SessionId(session.to_be_bytes()),
            timeout,
            force_relay,
        };
        self.link.join(now, config);
    }

    pub(crate) fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Out>,
    ) {
        let owner = self.link.receive(now, from, bytes);
        self.let_out(Cause::Answer, out);
        let Some(id) = owner else {
            self.decide(now, out);
            return;
        };
        let answer = self.games.entry(id).or_default().receive(now, bytes);
        if let Some(answer) = answer {
            self.send_game(now, id, answer, out);
        }
        self.play(now, out);
    }

    pub(crate) fn line(&mut self, now: Instant, line: Line, out: &mut Vec<Out>) {
        match line {
            Line::Connect(address) => self.link.announced(now, PathKind::Direct, address),
            Line::Relay(address) => self.link.announced(now, PathKind::Relay, address),
            Line::Refused(kind, oid, error) => self.link.refused(kind, &oid, &error),
        }
        self.decide(now, out);
    }

    /// Does everything that is due.
    pub(crate) fn decide(&mut self, now: Instant, out: &mut Vec<Out>) {
        self.link.tick(now);
        self.let_out(Cause::Own, out);
        while let Some(event) = self.link.next_event() {
            match &event {
                LinkEvent::Registered(Ok(())) => self.link.set_server(now, Some(self.server)),
                LinkEvent::Joined(id) => {
                    self.games.insert(*id, Game::joining(now));
                }
                _ => {}
            }
            self.events.push((now, event));
        }
        while let Some((kind, oid)) = self.link.next_request() {
            out.push(Out::Ask(kind, oid.as_str().to_owned()));
        }
        // Otherwise the client would spin.
        if let Some(due) = self.link.next_deadline(now) {
            assert!(due > now, "due at once again: {:?}", self.link);
        }
        self.play(now, out);
    }

    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let games = self.games.values();
        let game = games.filter_map(|game| game.due(self.streaming, now)).min();
        self.link.next_deadline(now).into_iter().chain(game).min()
    }

    pub(crate) fn entered(&self) -> Option<Instant> {
        self.games.values().filter_map(|game| game.entered).min()
    }

    /// Returns the path to the peer that joined last.
    pub(crate) fn path(&self, now: Instant) -> Option<ActivePath> {
        let (id, _) = self.games.last_key_value()?;
        self.link.active_path(now, *id)
    }

    /// Returns how often a game's path changed.
    pub(crate) fn moves(&self) -> usize {
        let moved = |(_, event): &&(Instant, LinkEvent)| matches!(event, LinkEvent::PathChanged(_));
        self.events.iter().filter(moved).count()
    }

    /// Returns when the host was joined.
    pub(crate) fn opened(&self) -> Option<Instant> {
        let open = |event: &LinkEvent| matches!(event, LinkEvent::Joined(_));
        (self.events.iter().rev()).find_map(|(at, event)| open(event).then_some(*at))
    }

    pub(crate) fn join_error(&self) -> Option<&JoinError> {
        self.events.iter().rev().find_map(|(_, event)| match event {
            LinkEvent::JoinFailed(error) => Some(error),
            _ => None,
        })
    }

    pub(crate) fn had(&self, event: &LinkEvent) -> bool {
        self.events.iter().any(|(_, had)| had == event)
    }

    fn play(&mut self, now: Instant, out: &mut Vec<Out>) {
        let ids: Vec<_> = self.games.keys().copied().collect();
        for id in ids {
            let Some(game) = self.games.get_mut(&id) else {
                continue;
            };
            for bytes in game.tick(now, self.streaming) {
                self.send_game(now, id, bytes, out);
            }
        }
    }

    fn send_game(&mut self, now: Instant, id: PeerId, bytes: Vec<u8>, out: &mut Vec<Out>) {
        if let Some(report) = self.link.active_path(now, id) {
            self.link.used(now, id);
            out.push(Out::Check {
                to: report.address,
                bytes,
                cause: Cause::Game,
            });
        }
    }

    fn let_out(&mut self, cause: Cause, out: &mut Vec<Out>) {
        out.extend(self.link.transmits().map(|transmit| Out::Check {
            to: transmit.to,
            bytes: transmit.bytes,
            cause,
        }));
    }
}
