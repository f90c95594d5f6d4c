//! Steps of the relay table: relays open, link, send, move and close, and time passes.
//!
//! An input is a script: the limits first, then a byte for each step and bytes for its choices. The
//! checks are looser than the table's decisions: whatever it guesses, no packet may go where nobody
//! asked for it, and no more of them than the limits allow.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    net::{Ipv4Addr, SocketAddrV4},
    sync::{Arc, Weak},
    time::{Duration, Instant},
};

use noray_protocol::server::{
    host_table::PlayerId,
    relay_table::{Dropped, Forward, PACKET_OVERHEAD, Relay, RelayLimits, RelayTable, Reservation},
};

use crate::input::Input;

/// Few, so that steps concern each other.
const PLAYERS: u8 = 6;
const PORTS: [u16; 5] = [1, 2, 3, 4, 5];
const ROUTERS: u8 = 3;
const ASIDE: Duration = Duration::from_secs(60);
const FOR_EVER: Duration = Duration::from_secs(10_000_000);

/// Checks an input.
///
/// # Panics
/// If the table breaks one of its promises.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let mut world = World::new(limits(&mut input));
    while let Some(step) = input.byte() {
        world.step(step, &mut input);
    }
    world.end();
}

fn limits(input: &mut Input<'_>) -> RelayLimits {
    const BYTES: [u64; 6] = [u64::MAX, 128 * 1024, 3000, 500, 1, 0];
    let mut bytes = || input.one_of(&BYTES);
    let (max_individual_traffic, max_global_traffic, max_lifetime_traffic) =
        (bytes(), bytes(), bytes());
    let millis = Duration::from_millis;
    RelayLimits {
        idle_timeout: input.one_of(&[millis(30_000), millis(500), Duration::ZERO, Duration::MAX]),
        traffic_interval: input.one_of(&[millis(100), millis(5000), Duration::ZERO, Duration::MAX]),
        max_individual_traffic,
        max_global_traffic,
        max_lifetime: input.one_of(&[Duration::MAX, millis(20_000), Duration::ZERO]),
        max_lifetime_traffic,
        address_hold: input.one_of(&[millis(2000), Duration::ZERO, Duration::MAX]),
        max_links: input.one_of(&[8, 1, 2, 0]),
    }
}

fn at(input: &mut Input<'_>) -> SocketAddrV4 {
    let router = input.below(ROUTERS);
    SocketAddrV4::new(
        Ipv4Addr::new(10, 0, 0, router),
        5000 + u16::from(input.below(5)),
    )
}

/// Stands for a socket, to see that none is kept for ever.
type Socket = Arc<u16>;

/// What is known of an open relay.
struct Open {
    relay: Arc<Relay<Socket>>,
    owner: Option<u8>,
    registered: SocketAddrV4,
    opened: Instant,
    used: Duration,
    /// Ports of the relays that may send here, and whether that is certain: a relay with too many
    /// links loses an idle one.
    linked: HashMap<u16, bool>,
    /// All addresses that were taken for somebody's here.
    heard: HashSet<SocketAddrV4>,
    sent: Sent,
}

/// How much passed since some time.
#[derive(Default)]
struct Sent {
    since: Option<Duration>,
    cost: u128,
    largest: u128,
    bytes: u64,
}

impl Sent {
    fn count(&mut self, length: u64, rate: u64, now: Duration) {
        let cost = u128::from(length) * 1_000_000_000 / u128::from(rate.max(1));
        self.since.get_or_insert(now);
        self.cost += cost;
        self.largest = self.largest.max(cost);
        self.bytes = self.bytes.saturating_add(length);
    }

    /// Asserts that everything was paid for except one slice or one packet.
    fn check(&self, slice: Duration, latest: Duration) {
        // Beyond what the table's clock can count, nothing is limited any more.
        let most = u128::from(u64::MAX);
        let passed = latest
            .saturating_sub(self.since.unwrap_or_default())
            .as_nanos();
        let allowed = passed + slice.as_nanos().max(self.largest);
        assert!(
            self.cost.min(most) <= allowed,
            "{} ns in {allowed} ns",
            self.cost
        );
    }
}

struct World {
    limits: RelayLimits,
    table: RelayTable<Socket>,
    began: Instant,
    now: Instant,
    latest: Duration,
    players: BTreeMap<u8, SocketAddrV4>,
    /// By port.
    open: BTreeMap<u16, Open>,
    /// Ports that are reserved or closed, and not given back.
    taken: HashSet<u16>,
    /// Closed relays, to which packets may still come that arrived before.
    closed: Vec<Arc<Relay<Socket>>>,
    sockets: Vec<Weak<u16>>,
    sent: Sent,
}

impl World {
    fn new(limits: RelayLimits) -> Self {
        // Not at the very beginning of time, as time may also go backwards.
        let began = Instant::now() + FOR_EVER;
        Self {
            table: RelayTable::new(&PORTS, limits.clone(), ASIDE, began),
            limits,
            began,
            now: began,
            latest: Duration::ZERO,
            players: BTreeMap::new(),
            open: BTreeMap::new(),
            taken: HashSet::new(),
            closed: Vec::new(),
            sockets: Vec::new(),
            sent: Sent::default(),
        }
    }

    fn step(&mut self, step: u8, input: &mut Input<'_>) {
        match step % 16 {
            0 | 1 => self.wait(input),
            2 | 3 => {
                let (player, address) = (input.below(PLAYERS), at(input));
                self.register(player, address);
            }
            4 => self.disown(input.below(PLAYERS)),
            5..=7 => {
                let (one, other) = (input.below(PLAYERS), input.below(PLAYERS));
                self.meet(one, other, input);
            }
            8 => self.expire(),
            9 => {
                let port = input.one_of(&PORTS);
                self.close(port);
            }
            10 => {
                let port = input.one_of(&PORTS);
                self.table.give_back(port);
                self.taken.remove(&port);
            }
            11 => {
                let index = usize::from(input.byte().unwrap_or_default());
                if let Some(relay) = self.closed.get(index) {
                    let result = relay.receive(at(input), 100, self.now);
                    let reason = result.map(drop).unwrap_err();
                    assert_eq!(reason, Dropped::UnknownSender, "through a closed relay");
                }
            }
            _ => {
                let (from, to) = (at(input), input.one_of(&PORTS));
                let payload = 5 * usize::from(input.byte().unwrap_or_default());
                self.send(
                    from,
                    to,
                    1 + usize::from(step / 16 % 4),
                    payload,
                    payload / 2,
                );
            }
        }
        assert_eq!(self.table.len(), self.open.len());
        assert_eq!(self.table.is_empty(), self.open.is_empty());
    }

    /// Returns the time as the table counts it: it does not go below its beginning.
    fn time(&self) -> Duration {
        self.now.saturating_duration_since(self.began)
    }

    fn wait(&mut self, input: &mut Input<'_>) {
        let millis = 50 * u64::from(input.byte().unwrap_or_default());
        let time = match input.below(8) {
            0 => Duration::from_secs(millis),
            1 => {
                self.now -= Duration::from_millis(millis);
                return;
            }
            _ => Duration::from_millis(millis),
        };
        self.now += time;
        self.latest = self.latest.max(self.time());
    }

    fn register(&mut self, player: u8, address: SocketAddrV4) {
        self.table
            .register(PlayerId(player.into()), address, self.now);
        self.players.insert(player, address);
        if let Some(own) = self
            .open
            .values_mut()
            .find(|open| open.owner == Some(player))
        {
            own.registered = address;
        }
    }

    fn disown(&mut self, player: u8) {
        self.table.disown(PlayerId(player.into()));
        self.players.remove(&player);
        for open in self
            .open
            .values_mut()
            .filter(|open| open.owner == Some(player))
        {
            open.owner = None;
        }
    }

    /// Opens the player's relay, on a port that sometimes cannot be bound.
    fn open(&mut self, player: u8, input: &mut Input<'_>) -> Option<u16> {
        let id = PlayerId(player.into());
        let Ok(reservation) = self.table.reserve(id, self.now) else {
            return None;
        };
        let registered = *self
            .players
            .get(&player)
            .expect("only who is registered has a relay");
        let port = match reservation {
            Reservation::Open(relay) => {
                let time = self.time();
                let is_over = |open: &Open, limits: &RelayLimits| {
                    self.now.saturating_duration_since(open.opened) >= limits.max_lifetime
                };
                let open = self.open.get_mut(&relay.port()).expect("it is open");
                assert!(Arc::ptr_eq(&relay, &open.relay));
                // Its own relay, or one that was left behind at the player's address.
                assert!(open.owner.is_none_or(|owner| owner == player));
                assert_eq!(open.registered, registered);
                open.owner = Some(player);
                if !is_over(open, &self.limits) {
                    open.used = open.used.max(time);
                }
                return Some(relay.port());
            }
            Reservation::Bind(port) => port,
        };
        assert!(PORTS.contains(&port) && !self.open.contains_key(&port));
        assert!(self.taken.insert(port), "a port that was not given back");
        match input.below(8) {
            0 => {
                self.table.set_aside(port, self.now);
                self.taken.remove(&port);
                None
            }
            1 => None,
            _ => {
                let socket = Arc::new(port);
                self.sockets.push(Arc::downgrade(&socket));
                let relay = self.table.insert(port, id, socket, self.now);
                let relay = relay.expect("it was reserved for this player");
                self.taken.remove(&port);
                self.open.insert(
                    port,
                    Open {
                        relay,
                        owner: Some(player),
                        registered,
                        opened: self.now,
                        used: self.time(),
                        linked: HashMap::new(),
                        heard: HashSet::new(),
                        sent: Sent::default(),
                    },
                );
                Some(port)
            }
        }
    }

    fn meet(&mut self, one: u8, other: u8, input: &mut Input<'_>) {
        let Some(one) = self.open(one, input) else {
            return;
        };
        let Some(other) = self.open(other, input) else {
            return;
        };
        let ports = [one, other];
        let result = self.table.link(ports, self.now);
        for (port, other) in [(one, other), (other, one)] {
            let max_links = self.limits.max_links;
            let Some(open) = self.open.get_mut(&port) else {
                continue;
            };
            if open.linked.get(&other) != Some(&true) && open.linked.len() >= max_links {
                open.linked
                    .values_mut()
                    .for_each(|certain| *certain = false);
                let linked: Vec<_> = open.linked.keys().copied().collect();
                for third in linked {
                    let third = self.open.get_mut(&third);
                    let back = third.and_then(|third| third.linked.get_mut(&port));
                    back.into_iter().for_each(|certain| *certain = false);
                }
            }
        }
        if result.is_ok() {
            assert!(self.limits.max_links > 0, "a link too many");
            for (port, other) in [(one, other), (other, one)] {
                if let Some(open) = self.open.get_mut(&port) {
                    open.linked.insert(other, true);
                }
            }
        }
    }

    fn expire(&mut self) {
        let now = self.time();
        let idle = |open: &Open| now.saturating_sub(open.used);
        let mut expected: Vec<_> = self
            .open
            .iter()
            .map(|(port, open)| (idle(open), *port))
            .collect();
        expected.retain(|(idle, _)| *idle >= self.limits.idle_timeout);
        expected.sort_unstable_by_key(|(idle, port)| (std::cmp::Reverse(*idle), *port));
        let expected: Vec<_> = expected.into_iter().map(|(_, port)| port).collect();
        let expired = self.table.expire(self.now);
        let expired: Vec<_> = expired.iter().map(|relay| relay.port()).collect();
        assert_eq!(expired, expected);
        for port in expired {
            self.forget(port);
        }
    }

    fn close(&mut self, port: u16) {
        assert_eq!(
            self.table.close(port).is_some(),
            self.open.contains_key(&port)
        );
        self.forget(port);
    }

    fn forget(&mut self, port: u16) {
        if let Some(open) = self.open.remove(&port) {
            self.taken.insert(port);
            self.closed.push(open.relay);
        }
        for open in self.open.values_mut() {
            open.linked.remove(&port);
        }
    }

    fn send(&mut self, from: SocketAddrV4, to: u16, count: usize, payload: usize, last: usize) {
        let now = self.time();
        let Some(receiver) = self.open.get(&to) else {
            return;
        };
        let result = receiver
            .relay
            .receive_run(from, count, payload, last, self.now);
        let (forward, passed) = match result {
            Ok(sent) => sent,
            Err(Dropped::UnknownSender) => {
                let mut linked = receiver.linked.iter().filter(|(_, certain)| **certain);
                let is_proven = linked.any(|(port, _)| self.open[port].registered == from);
                assert!(!is_proven, "a proven address was dropped");
                return;
            }
            Err(_) => {
                // The address may have been learned nevertheless.
                if let Some(receiver) = self.open.get_mut(&to) {
                    receiver.heard.insert(from);
                }
                return;
            }
        };
        assert!((1..=count).contains(&passed));
        let sender = forward.from.port();
        self.check_sender(from, to, sender);
        if let Some(receiver) = self.open.get_mut(&to) {
            receiver.heard.insert(from);
        }
        let destinations = self.check_destinations(&forward, to, sender);

        let length_of = |index: usize| {
            let payload = if index + 1 == count { last } else { payload };
            payload as u64 + PACKET_OVERHEAD
        };
        let lengths: Vec<_> = (0..passed).map(length_of).collect();
        let copied = lengths.iter().sum();
        // A copy counts for the player that it is sent to.
        let copies = (1..destinations).map(|_| (to, copied));
        let sent = lengths.iter().map(|length| (sender, *length)).chain(copies);
        for (payer, length) in sent.collect::<Vec<_>>() {
            let Some(payer) = self.open.get_mut(&payer) else {
                continue;
            };
            payer
                .sent
                .count(length, self.limits.max_individual_traffic, now);
            self.sent.count(length, self.limits.max_global_traffic, now);
            assert!(payer.sent.bytes <= self.limits.max_lifetime_traffic);
            let age = self.now.saturating_duration_since(payer.opened);
            assert!(age < self.limits.max_lifetime, "older than a relay may be");
            payer.sent.check(self.limits.traffic_interval, self.latest);
        }
        self.sent.check(self.limits.traffic_interval, self.latest);
        for port in [to, sender] {
            let open = self.open.get_mut(&port).expect("it is open");
            open.used = open.used.max(now);
        }
    }

    /// Asserts that the sender was asked for, and that nobody sends in another's name.
    fn check_sender(&self, from: SocketAddrV4, to: u16, sender: u16) {
        let receiver = &self.open[&to];
        assert!(
            receiver.linked.contains_key(&sender),
            "nobody asked for the sender"
        );
        let registered = self.open[&sender].registered;
        assert_eq!(registered.ip(), from.ip(), "from another network");
        let mut linked = receiver.linked.iter().filter(|(_, certain)| **certain);
        if linked.any(|(port, _)| self.open[port].registered == from) {
            assert_eq!(registered, from, "a proven address is another's");
        }
        let is_anybodys = self.players.values().any(|address| *address == from);
        let is_learned = receiver.heard.contains(&from);
        assert!(
            registered == from || is_learned || !is_anybodys,
            "another player's address"
        );
    }

    /// Asserts that the receiver is reached where it is registered or was heard, in its own
    /// network. Returns at how many addresses.
    fn check_destinations(&self, forward: &Forward<Socket>, to: u16, sender: u16) -> usize {
        let registered = self.open[&to].registered;
        let heard = &self.open[&sender].heard;
        let copies = forward.to.copies.into_iter().flatten();
        let all = std::iter::once(forward.to.first).chain(copies);
        let all: Vec<_> = all.map(|route| route.player).collect();
        for address in &all {
            assert_eq!(address.ip(), registered.ip(), "to another network");
            assert!(
                *address == registered || heard.contains(address),
                "to a stranger"
            );
        }
        let different: HashSet<_> = all.iter().collect();
        assert_eq!(different.len(), all.len(), "twice to one address");
        all.len()
    }

    /// Closes everything, and asserts that nothing is left and that every port comes back.
    fn end(mut self) {
        self.check_links();
        for port in PORTS {
            self.close(port);
            self.table.give_back(port);
        }
        assert!(self.table.is_empty());
        self.closed.clear();
        let kept = self
            .sockets
            .iter()
            .filter(|socket| socket.upgrade().is_some());
        assert_eq!(kept.count(), 0, "sockets of closed relays are kept");

        let mut ports = Vec::new();
        // Ports that were set aside are due long ago.
        let late = self.began + 2 * FOR_EVER;
        for player in 100.. {
            let address = SocketAddrV4::new(Ipv4Addr::LOCALHOST, player);
            self.table.register(PlayerId(player.into()), address, late);
            match self.table.reserve(PlayerId(player.into()), late) {
                Ok(Reservation::Bind(port)) => ports.push(port),
                _ => break,
            }
        }
        ports.sort_unstable();
        assert_eq!(ports, PORTS, "a port is lost");
    }

    /// Asserts that no relay is reached, from proven addresses, by more players than it may be
    /// linked with.
    fn check_links(&mut self) {
        for to in self.open.values() {
            let others = self.open.values().filter(|from| {
                let is_proven = from.owner.is_some() && !to.heard.contains(&from.registered);
                let result = is_proven.then(|| to.relay.receive(from.registered, 0, self.now));
                !matches!(result, None | Some(Err(Dropped::UnknownSender)))
            });
            let different: HashSet<_> = others.map(|from| from.registered).collect();
            assert!(
                different.len() <= self.limits.max_links,
                "more links than allowed"
            );
        }
    }
}
