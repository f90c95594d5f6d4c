use std::{
    collections::{BTreeMap, BTreeSet},
    net::{Ipv4Addr, SocketAddrV4},
    sync::Arc,
    time::{Duration, Instant},
};

use noray_protocol::server::{
    host_table::PlayerId,
    relay_table::{Destinations, Dropped, OpenError, Relay, RelayLimits, RelayTable, Reservation},
};

pub(crate) const KIB: u64 = 1024;
pub(crate) const ASIDE: Duration = Duration::from_secs(60);
pub(crate) const IDLE: Duration = Duration::from_secs(30);
pub(crate) const HOLD: Duration = Duration::from_secs(2);
pub(crate) const SLICE: Duration = Duration::from_millis(100);

/// Returns what the public server allows by default.
pub(crate) fn limits() -> RelayLimits {
    RelayLimits {
        idle_timeout: IDLE,
        traffic_interval: SLICE,
        max_individual_traffic: 128 * KIB,
        max_global_traffic: KIB * KIB * KIB,
        max_lifetime: Duration::from_secs(4 * 3600),
        max_lifetime_traffic: 4 * KIB * KIB * KIB,
        address_hold: HOLD,
        max_links: 8,
    }
}

/// Returns an address behind the router with this number.
pub(crate) fn at(router: u8, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, router), port)
}

/// Returns the default registered address of player `number`, who has a router of its own.
pub(crate) fn home(number: u8) -> SocketAddrV4 {
    at(number, 5000)
}

/// What happened to a packet: the relay port that it leaves from, and where it goes.
pub(crate) type Sent = Result<(u16, Vec<SocketAddrV4>), Dropped>;

/// A relay table whose time passes when the test says so.
pub(crate) struct World {
    pub table: RelayTable<()>,
    pub now: Instant,
    pub relays: BTreeMap<u16, Arc<Relay<()>>>,
    registered: BTreeSet<u8>,
}

impl World {
    pub(crate) fn new(limits: RelayLimits) -> Self {
        Self::with_ports(&[1, 2, 3, 4], limits)
    }

    pub(crate) fn with_ports(ports: &[u16], limits: RelayLimits) -> Self {
        let now = Instant::now();
        Self {
            table: RelayTable::new(ports, limits, ASIDE, now),
            now,
            relays: BTreeMap::new(),
            registered: BTreeSet::new(),
        }
    }

    /// Returns players 1 and 2 behind routers of their own, relayed to each other by ports 1 and 2.
    pub(crate) fn pair(limits: RelayLimits) -> Self {
        let mut world = Self::new(limits);
        assert_eq!(world.meet(1, 2), Ok([1, 2]));
        world
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
    }

    pub(crate) fn register(&mut self, number: u8, address: SocketAddrV4) {
        let player = PlayerId(number.into());
        self.registered.insert(number);
        self.table.register(player, address, self.now);
    }

    /// Opens a player's relay where it was registered, or at its home.
    pub(crate) fn open(&mut self, number: u8) -> Result<u16, OpenError> {
        let player = PlayerId(number.into());
        if !self.registered.contains(&number) {
            self.register(number, home(number));
        }
        match self.table.reserve(player, self.now)? {
            Reservation::Open(relay) => Ok(relay.port()),
            Reservation::Bind(port) => {
                let relay = self.table.insert(port, player, (), self.now).unwrap();
                self.relays.insert(port, relay);
                Ok(port)
            }
        }
    }

    /// Relays two players to each other, because one asked for the other.
    pub(crate) fn meet(&mut self, one: u8, other: u8) -> Result<[u16; 2], OpenError> {
        let ports = [self.open(one)?, self.open(other)?];
        self.table.link(ports, self.now)?;
        Ok(ports)
    }

    /// Sends a packet of 100 bytes from an address to a relay port.
    pub(crate) fn send(&self, from: SocketAddrV4, port: u16) -> Sent {
        self.send_bytes(from, port, 100)
    }

    pub(crate) fn send_bytes(&self, from: SocketAddrV4, port: u16, length: usize) -> Sent {
        let forward = self.relays[&port].receive(from, length, self.now)?;
        let Destinations { first, copies } = forward.to;
        let to = std::iter::once(first).chain(copies.into_iter().flatten());
        Ok((forward.from.port(), to.map(|route| route.player).collect()))
    }

    pub(crate) fn close(&mut self, port: u16) -> bool {
        self.relays.remove(&port);
        self.table.close(port).is_some()
    }

    pub(crate) fn expire(&mut self) -> Vec<u16> {
        let closed = self.table.expire(self.now);
        let ports: Vec<_> = closed.iter().map(|relay| relay.port()).collect();
        for port in &ports {
            self.relays.remove(port);
        }
        ports
    }
}
