//! Players, their routers and a server, on a simulated internet in simulated time.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use noray_protocol::{
    defaults::REGISTRAR_PORT,
    wire::{command::ConnectKind, id::OpenId},
};

use crate::{
    dice::Dice,
    netfox_player::NetfoxPlayer,
    our_player::{Cause, OurPlayer, Out},
    router::{Filter, Mapping, Router},
    server::{Kind, Line, Server},
};

/// What happens to datagrams between two routers, or a router and the server.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Internet {
    /// The percentage of datagrams that never arrive.
    pub loss: u32,
    /// The percentage of datagrams that arrive twice.
    pub doubled: u32,
    /// The shortest and the longest delay; in between, datagrams overtake each other.
    pub delay: (Duration, Duration),
}

impl Internet {
    pub(crate) const GOOD: Self = Self {
        loss: 0,
        doubled: 0,
        delay: (Duration::from_millis(20), Duration::from_millis(20)),
    };

    pub(crate) fn losing(loss: u32) -> Self {
        Self {
            loss,
            doubled: 2,
            delay: (Duration::from_millis(15), Duration::from_millis(25)),
        }
    }
}

/// How long a datagram takes within a local network.
const LAN_DELAY: Duration = Duration::from_millis(1);
/// How long TCP waits before it first repeats what was lost.
const TCP_REPEAT: Duration = Duration::from_millis(200);
const PLAYER_PORT: u16 = 40_000;

pub(crate) enum Who {
    Ours(Box<OurPlayer>),
    Old(Box<NetfoxPlayer>),
}

struct Node {
    who: Who,
    address: SocketAddr,
    /// The router that the player is behind.
    behind: Option<usize>,
    wake: Option<Instant>,
    /// The relay port that was announced to the player.
    relay: Option<u16>,
    /// When the last line to the server arrives, and the last one from it.
    lines: [Instant; 2],
}

enum Happening {
    Check {
        from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    },
    Ask(usize, ConnectKind, String),
    Line(usize, Line),
    Wake(usize),
}

/// A datagram that a player sent.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub at: Instant,
    pub player: usize,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
    pub cause: Cause,
}

pub(crate) struct World {
    pub now: Instant,
    pub dice: Dice,
    pub internet: Internet,
    pub routers: Vec<Router>,
    pub server: Server,
    /// How many ports behind an announced relay may be sent to.
    pub neighbours: u16,
    /// What the players sent, if it is recorded.
    pub sent: Option<Vec<Sent>>,
    nodes: Vec<Node>,
    happenings: BTreeMap<(Instant, u64), Happening>,
    count: u64,
}

impl World {
    pub(crate) fn new(kind: Kind, internet: Internet, seed: u64) -> Self {
        let now = Instant::now();
        Self {
            now,
            dice: Dice(seed),
            internet,
            routers: Vec::new(),
            server: Server::new(kind, IpAddr::from([198, 51, 100, 1])),
            neighbours: u16::MAX,
            sent: None,
            nodes: Vec::new(),
            happenings: BTreeMap::new(),
            count: 0,
        }
    }

    pub(crate) fn add_router(&mut self, behind: Option<usize>, kind: (Mapping, Filter)) -> usize {
        let index = self.routers.len();
        let number = u8::try_from(index + 1).expect("few routers");
        let outside = match behind {
            None => [203, 0, 113, number],
            Some(outer) => [10, u8::try_from(outer + 1).expect("few routers"), 0, number],
        };
        let router = Router::new(IpAddr::from(outside), behind, kind);
        self.routers.push(router);
        index
    }

    pub(crate) fn add_ours(&mut self, behind: Option<usize>) -> usize {
        let index = self.nodes.len();
        let (oid, pid) = (format!("open-{index}"), format!("private-{index}"));
        let ours = OurPlayer::new(
            self.now,
            &oid,
            &pid,
            self.registrar(),
            self.server.kind.greeting(),
            [u8::try_from(index).expect("few players"); 16],
        );
        self.add(Who::Ours(Box::new(ours)), behind, &oid, &pid)
    }

    pub(crate) fn add_old(&mut self, behind: Option<usize>) -> usize {
        let index = self.nodes.len();
        let (oid, pid) = (format!("open-{index}"), format!("private-{index}"));
        let old = NetfoxPlayer::new(self.now, &pid, self.registrar());
        self.add(Who::Old(Box::new(old)), behind, &oid, &pid)
    }

    fn add(&mut self, who: Who, behind: Option<usize>, oid: &str, pid: &str) -> usize {
        let index = self.nodes.len();
        let number = u8::try_from(index + 1).expect("few players");
        let ip = match behind {
            None => [192, 0, 2, number],
            Some(router) => [
                10,
                u8::try_from(router + 1).expect("few routers"),
                1,
                number,
            ],
        };
        self.server.register_host(index, oid, pid);
        self.nodes.push(Node {
            who,
            address: SocketAddr::new(IpAddr::from(ip), PLAYER_PORT),
            behind,
            wake: None,
            relay: None,
            lines: [self.now; 2],
        });
        self.schedule(self.now, Happening::Wake(index));
        index
    }

    pub(crate) fn registrar(&self) -> SocketAddr {
        SocketAddr::new(self.server.ip, REGISTRAR_PORT)
    }

    pub(crate) fn address(&self, player: usize) -> SocketAddr {
        self.nodes[player].address
    }

    /// Returns the relay port that was announced to a player.
    pub(crate) fn relay(&self, player: usize) -> Option<u16> {
        self.nodes[player].relay
    }

    pub(crate) fn ours(&self, player: usize) -> &OurPlayer {
        match &self.nodes[player].who {
            Who::Ours(ours) => ours,
            Who::Old(_) => panic!("an old player"),
        }
    }

    pub(crate) fn old(&self, player: usize) -> &NetfoxPlayer {
        match &self.nodes[player].who {
            Who::Old(old) => old,
            Who::Ours(_) => panic!("one of ours"),
        }
    }

    pub(crate) fn is_old(&self, player: usize) -> bool {
        matches!(self.nodes[player].who, Who::Old(_))
    }

    /// Does something with a player of ours, and what follows from that.
    pub(crate) fn with<T>(
        &mut self,
        player: usize,
        act: impl FnOnce(&mut OurPlayer, Instant) -> T,
    ) -> T {
        let now = self.now;
        let mut out = Vec::new();
        let Who::Ours(ours) = &mut self.nodes[player].who else {
            panic!("an old player");
        };
        let result = act(ours, now);
        ours.decide(now, &mut out);
        self.let_out(player, out);
        result
    }

    pub(crate) fn host(&mut self, player: usize) {
        if matches!(self.nodes[player].who, Who::Ours(_)) {
            self.with(player, |ours, _| ours.host());
        }
    }

    pub(crate) fn join(&mut self, player: usize, host: usize) {
        let oid = format!("open-{host}");
        if let Who::Old(old) = &mut self.nodes[player].who {
            let mut out = Vec::new();
            old.join(&oid, &mut out);
            self.let_out(player, out);
            return;
        }
        let oid = OpenId::new(&oid).expect("an OpenID");
        let session = self.dice.roll();
        self.with(player, |ours, now| ours.join(now, &oid, session));
    }

    /// Starts or stops a player's numbered datagrams.
    pub(crate) fn stream(&mut self, player: usize, streaming: bool) {
        match &mut self.nodes[player].who {
            Who::Ours(ours) => ours.streaming = streaming,
            Who::Old(old) => old.streaming = streaming,
        }
        self.wake(player);
    }

    pub(crate) fn entered(&self, player: usize) -> Option<Instant> {
        match &self.nodes[player].who {
            Who::Ours(ours) => ours.entered(),
            Who::Old(old) => old.entered(),
        }
    }

    pub(crate) fn run_for(&mut self, time: Duration) {
        self.run_until(time, |_| false);
    }

    /// Runs until something is so. Returns how long that took, or `None` if it took longer than
    /// `limit`.
    pub(crate) fn run_until(
        &mut self,
        limit: Duration,
        is_so: impl Fn(&Self) -> bool,
    ) -> Option<Duration> {
        let begin = self.now;
        loop {
            if is_so(self) {
                return Some(self.now - begin);
            }
            let next = self.happenings.first_entry();
            match next.filter(|next| next.key().0 <= begin + limit) {
                Some(next) => {
                    self.now = self.now.max(next.key().0);
                    let happening = next.remove();
                    self.happen(happening);
                }
                None => {
                    self.now = begin + limit;
                    return None;
                }
            }
        }
    }

    fn happen(&mut self, happening: Happening) {
        match happening {
            Happening::Check { from, to, bytes } => self.arrive(from, to, bytes),
            Happening::Ask(player, kind, oid) => {
                let lines = self
                    .server
                    .ask(self.now, &mut self.dice, player, kind, &oid);
                for (player, line) in lines {
                    let at = self.line_time(player, 1);
                    self.schedule(at, Happening::Line(player, line));
                }
            }
            Happening::Line(player, line) => {
                if let Line::Relay(relay) = &line {
                    self.nodes[player].relay = Some(relay.port());
                }
                let (now, mut out) = (self.now, Vec::new());
                match &mut self.nodes[player].who {
                    Who::Ours(ours) => ours.line(now, line, &mut out),
                    Who::Old(old) => old.line(now, line, &mut out),
                }
                self.let_out(player, out);
            }
            Happening::Wake(player) => {
                let (now, mut out) = (self.now, Vec::new());
                self.nodes[player].wake = None;
                match &mut self.nodes[player].who {
                    Who::Ours(ours) => ours.decide(now, &mut out),
                    Who::Old(old) => old.tick(now, &mut out),
                }
                self.let_out(player, out);
            }
        }
    }

    fn let_out(&mut self, player: usize, out: Vec<Out>) {
        for out in out {
            match out {
                Out::Check { to, bytes, cause } => {
                    if let Some(sent) = &mut self.sent {
                        sent.push(Sent {
                            at: self.now,
                            player,
                            to,
                            bytes: bytes.clone(),
                            cause,
                        });
                    }
                    let node = &self.nodes[player];
                    if !self.is_closed_neighbour(node, to, &bytes) {
                        self.leave(node.behind, node.address, to, bytes);
                    }
                }
                Out::Ask(kind, oid) => {
                    let at = self.line_time(player, 0);
                    self.schedule(at, Happening::Ask(player, kind, oid));
                }
            }
        }
        self.wake(player);
    }

    /// Whether a datagram would open the router for a neighbour of the relay that may not be tried.
    fn is_closed_neighbour(&self, node: &Node, to: SocketAddr, bytes: &[u8]) -> bool {
        let Some(relay) = node.relay.filter(|_| to.ip() == self.server.ip) else {
            return false;
        };
        bytes == b"$-w-" && to.port() > relay && to.port() - relay > self.neighbours
    }

    fn wake(&mut self, player: usize) {
        let due = match &self.nodes[player].who {
            Who::Ours(ours) => ours.due(self.now),
            Who::Old(old) => old.due(self.now),
        };
        let Some(due) = due.map(|due| due.max(self.now)) else {
            return;
        };
        if self.nodes[player].wake.is_none_or(|wake| due < wake) {
            self.nodes[player].wake = Some(due);
            self.schedule(due, Happening::Wake(player));
        }
    }

    /// Returns when a line arrives. Lines are lost like datagrams, repeated, and never overtake
    /// each other.
    fn line_time(&mut self, player: usize, direction: usize) -> Instant {
        let (least, most) = self.internet.delay;
        let mut at = self.now + self.dice.between(least, most);
        let mut pause = TCP_REPEAT;
        while self.dice.percent(self.internet.loss) {
            at += pause;
            pause *= 2;
        }
        let line = &mut self.nodes[player].lines[direction];
        *line = at.max(*line);
        *line
    }

    /// Sends a datagram outwards from behind a router.
    fn leave(
        &mut self,
        mut behind: Option<usize>,
        mut from: SocketAddr,
        to: SocketAddr,
        bytes: Vec<u8>,
    ) {
        loop {
            if self.place(to.ip()) == Some(behind) {
                return self.travel(behind.is_none(), from, to, bytes);
            }
            let Some(index) = behind else {
                return;
            };
            let router = &mut self.routers[index];
            let Some(source) = router.outbound(self.now, &mut self.dice, from, to) else {
                return;
            };
            if to.ip() == router.outside {
                if router.hairpin {
                    self.travel(false, source, to, bytes);
                }
                return;
            }
            from = source;
            behind = router.behind;
        }
    }

    /// Returns the router that an IP address is behind, `None` for the internet itself.
    fn place(&self, ip: IpAddr) -> Option<Option<usize>> {
        if ip == self.server.ip {
            return Some(None);
        }
        let player = self.nodes.iter().find(|node| node.address.ip() == ip);
        let router = self.routers.iter().find(|router| router.outside == ip);
        player
            .map(|node| node.behind)
            .or(router.map(|router| router.behind))
    }

    fn travel(&mut self, outside: bool, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        if !outside {
            let at = self.now + LAN_DELAY;
            return self.schedule(at, Happening::Check { from, to, bytes });
        }
        let (least, most) = self.internet.delay;
        let copies = 1 + u32::from(self.dice.percent(self.internet.doubled));
        for _ in 0..copies {
            if !self.dice.percent(self.internet.loss) {
                let at = self.now + self.dice.between(least, most);
                let bytes = bytes.clone();
                self.schedule(at, Happening::Check { from, to, bytes });
            }
        }
    }

    fn arrive(&mut self, from: SocketAddr, to: SocketAddr, bytes: Vec<u8>) {
        let now = self.now;
        if to.ip() == self.server.ip {
            let forward = self
                .server
                .receive(now, &mut self.dice, from, to.port(), &bytes);
            if let Some(forward) = forward {
                let from = SocketAddr::new(self.server.ip, forward.from);
                self.leave(None, from, forward.to, forward.bytes);
            }
            return;
        }
        if let Some(router) = self.routers.iter().find(|router| router.outside == to.ip()) {
            if let Some(inside) = router.inbound(now, from, to.port()) {
                self.arrive(from, inside, bytes);
            }
            return;
        }
        if let Some(player) = self.nodes.iter().position(|node| node.address == to) {
            let mut out = Vec::new();
            match &mut self.nodes[player].who {
                Who::Ours(ours) => ours.receive(now, from, &bytes, &mut out),
                Who::Old(old) => old.receive(now, from, &bytes, &mut out),
            }
            self.let_out(player, out);
        }
    }

    fn schedule(&mut self, at: Instant, happening: Happening) {
        self.count += 1;
        self.happenings.insert((at, self.count), happening);
    }
}
