//! A player of netfox.noray, with the flow that its users copy: direct for 8 s, then the relay, and
//! ENet where the handshake did not fail.

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    time::{Duration, Instant},
};

use noray_protocol::{
    player::{handshake::Outcome, link::ACCEPTED},
    wire::{check::PathKind, command::ConnectKind},
};

use crate::{
    game::Game,
    netfox_client::{NetfoxClient, NetfoxHandshake},
    network::{FRAME, Player},
    our_player::{Cause, Out},
    server::Line,
};

/// How long the handshake tries, in seconds.
const HANDSHAKE: f64 = 8.0;
/// How long ENet may try.
const ENET: Duration = Duration::from_secs(8);
const REGISTER_INTERVAL: Duration = Duration::from_millis(100);

enum Stage {
    Registering {
        next: Instant,
    },
    Idle,
    Shaking {
        to: SocketAddr,
        kind: PathKind,
        client: NetfoxHandshake,
        waiting: Vec<Vec<u8>>,
    },
    Entering {
        to: SocketAddr,
        kind: PathKind,
        until: Instant,
    },
    Lost,
}

pub(crate) struct NetfoxPlayer {
    pub registered: bool,
    pub path_kind: Option<PathKind>,
    /// By address, as ENet distinguishes its peers.
    pub games: BTreeMap<SocketAddr, Game>,
    pub streaming: bool,
    /// The host that it joins; `None` when it hosts itself.
    joins: Option<String>,
    pid: String,
    registrar: SocketAddr,
    stage: Stage,
    /// A host's handshakes, which cannot read.
    blind: Vec<(SocketAddr, NetfoxHandshake)>,
    next_frame: Instant,
}

impl NetfoxPlayer {
    pub(crate) fn new(now: Instant, pid: &str, registrar: SocketAddr) -> Self {
        Self {
            registered: false,
            path_kind: None,
            games: BTreeMap::new(),
            streaming: false,
            joins: None,
            pid: pid.to_owned(),
            registrar,
            stage: Stage::Registering { next: now },
            blind: Vec::new(),
            next_frame: now,
        }
    }

    pub(crate) fn join(&mut self, oid: &str, out: &mut Vec<Out>) {
        self.joins = Some(oid.to_owned());
        if self.registered {
            out.push(Out::Ask(ConnectKind::Nat, oid.to_owned()));
        }
    }

    pub(crate) fn receive(
        &mut self,
        now: Instant,
        from: SocketAddr,
        bytes: &[u8],
        out: &mut Vec<Out>,
    ) {
        if from == self.registrar {
            if bytes == ACCEPTED && !self.registered {
                self.registered = true;
                self.stage = Stage::Idle;
                if let Some(oid) = self.joins.clone() {
                    out.push(Out::Ask(ConnectKind::Nat, oid));
                }
            }
            return;
        }
        if let Stage::Shaking { waiting, .. } = &mut self.stage {
            waiting.push(bytes.to_vec());
            return;
        }
        // ENet ignores what begins like a handshake.
        if bytes.first() == Some(&b'$') {
            return;
        }
        let known = match &self.stage {
            Stage::Entering { to, .. } => *to == from,
            _ => self.joins.is_none() || self.games.contains_key(&from),
        };
        if !known {
            return;
        }
        let answer = self.games.entry(from).or_default().receive(now, bytes);
        if let Stage::Entering { kind, .. } = &self.stage {
            self.path_kind = Some(*kind);
            self.stage = Stage::Idle;
        }
        if let Some(answer) = answer {
            send(from, answer, out);
        }
    }

    pub(crate) fn line(&mut self, now: Instant, line: Line, out: &mut Vec<Out>) {
        let (kind, to) = match line {
            Line::Connect(to) => (PathKind::Direct, to),
            Line::Relay(to) => (PathKind::Relay, to),
            Line::Refused(..) => return,
        };
        if self.joins.is_some() {
            let client = NetfoxHandshake::new(NetfoxClient::new(now, HANDSHAKE));
            let waiting = Vec::new();
            self.stage = Stage::Shaking {
                to,
                kind,
                client,
                waiting,
            };
        } else {
            let client = NetfoxHandshake::new(NetfoxClient::blind(now, HANDSHAKE));
            self.blind.push((to, client));
        }
        self.tick(now, out);
    }

    pub(crate) fn tick(&mut self, now: Instant, out: &mut Vec<Out>) {
        if let Stage::Registering { next } = &mut self.stage
            && now >= *next
        {
            *next = now + REGISTER_INTERVAL;
            send(self.registrar, self.pid.clone().into_bytes(), out);
        }
        if now >= self.next_frame {
            self.next_frame = now + FRAME;
            self.frame(now, out);
        }
        for (address, game) in &mut self.games {
            for bytes in game.tick(now, self.streaming) {
                send(*address, bytes, out);
            }
        }
    }

    fn frame(&mut self, now: Instant, out: &mut Vec<Out>) {
        self.blind.retain_mut(|(to, client)| {
            for bytes in client.frame(now, Vec::new(), false) {
                send(*to, bytes, out);
            }
            client.outcome().is_none()
        });
        match &mut self.stage {
            Stage::Shaking {
                to,
                kind,
                client,
                waiting,
            } => {
                for bytes in client.frame(now, std::mem::take(waiting), false) {
                    send(*to, bytes, out);
                }
                let (to, kind) = (*to, *kind);
                match client.outcome() {
                    None => {}
                    Some(Outcome::TimedOut) => self.next_kind(kind, out),
                    Some(Outcome::Connected | Outcome::Unconfirmed) => {
                        let until = now + ENET;
                        self.games.insert(to, Game::joining(now));
                        self.stage = Stage::Entering { to, kind, until };
                    }
                }
            }
            Stage::Entering { to, kind, until } if now >= *until => {
                let (to, kind) = (*to, *kind);
                self.games.remove(&to);
                self.next_kind(kind, out);
            }
            _ => {}
        }
    }

    fn next_kind(&mut self, failed: PathKind, out: &mut Vec<Out>) {
        if let (PathKind::Direct, Some(oid)) = (failed, self.joins.clone()) {
            self.stage = Stage::Idle;
            out.push(Out::Ask(ConnectKind::Relay, oid));
        } else {
            self.stage = Stage::Lost;
        }
    }

    pub(crate) fn due(&self, now: Instant) -> Option<Instant> {
        let busy = !self.blind.is_empty()
            || matches!(self.stage, Stage::Shaking { .. } | Stage::Entering { .. });
        let frame = busy.then_some(self.next_frame);
        let register = match &self.stage {
            Stage::Registering { next } => Some(*next),
            _ => None,
        };
        let games = self.games.values();
        let game = games.filter_map(|game| game.due(self.streaming, now)).min();
        [frame, register, game].into_iter().flatten().min()
    }

    pub(crate) fn entered(&self) -> Option<Instant> {
        self.games.values().filter_map(|game| game.entered).min()
    }
}

fn send(to: SocketAddr, bytes: Vec<u8>, out: &mut Vec<Out>) {
    out.push(Out::Check {
        to,
        bytes,
        cause: Cause::Game,
    });
}
