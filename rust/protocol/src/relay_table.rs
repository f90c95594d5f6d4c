//! Which packet goes where: the relays of a server, their ports and their limits.
//!
//! Each relayed player has a port of its own on the server that stands for it.
//! What a player sends to another's port leaves from its own port, so that the
//! other sees one address for it and can answer there.

use std::{
    collections::{HashMap, HashSet, VecDeque, hash_map::Entry},
    net::SocketAddrV4,
    time::{Duration, Instant},
};

/// What a packet counts beyond its payload, in bytes: its IPv4 and UDP headers. Else
/// tiny packets would cost their sender nothing and the server a lot.
pub const PACKET_OVERHEAD: u64 = 28;

/// How long and how much one may relay. The defaults are in `noray-server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// A relay that nothing went through for so long is closed, both ways counted.
    pub idle_timeout: Duration,
    /// The slice of time in which traffic is counted.
    pub traffic_interval: Duration,
    /// What one player may send, in bytes a second.
    pub max_individual_traffic: u64,
    /// What all players together may send, in bytes a second.
    pub max_global_traffic: u64,
    /// How long after its opening a relay forwards what its player sends.
    pub max_lifetime: Duration,
    /// How many bytes of its player's a relay forwards in its life.
    pub max_lifetime_traffic: u64,
}

/// The relay that stands for a player.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Opened {
    /// A relay was open already; its port.
    Before(u16),
    /// A relay was opened on this port, which must now be bound; when it cannot
    /// be, say so with [`RelayTable::set_aside`] or [`RelayTable::close`].
    New(u16),
}

/// Every port is in use.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("no free relay port")]
pub struct RelaysFull;

/// Where a packet goes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Forward {
    /// The relay port that it leaves from: the sender's.
    pub from_port: u16,
    /// The player that it goes to.
    pub to: SocketAddrV4,
}

/// Why a packet goes nowhere.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Dropped {
    /// No relay is open on the port that it came to.
    #[error("no relay is open on this port")]
    NoRelay,
    /// No relay is open for the address that it came from.
    #[error("the sender has no relay")]
    UnknownSender,
    /// The sender's relay is older than a relay may be.
    #[error("the relay's lifetime is over")]
    LifetimeOver,
    /// The sender's relay has forwarded as much as a relay may.
    #[error("the relay's traffic is used up")]
    LifetimeTrafficUsed,
    /// The sender sends too much a second.
    #[error("the relay is over its bandwidth")]
    IndividualTraffic,
    /// All senders together send too much a second.
    #[error("the server is over its bandwidth")]
    GlobalTraffic,
}

#[derive(Debug)]
struct Relay {
    remote: SocketAddrV4,
    opened: Instant,
    /// When a packet last went through, either way, or the relay was asked for.
    used: Instant,
    traffic: Traffic,
    lifetime_traffic: u64,
}

impl Relay {
    fn is_over(&self, now: Instant, limits: &RelayLimits) -> bool {
        now.saturating_duration_since(self.opened) >= limits.max_lifetime
    }
}

/// The open relays of a server and the ports for more.
///
/// A port is free, open, set aside because another program has it, or closed:
/// a closed one is free again once [`Self::give_back`] says that it is unbound.
/// The port that became free longest ago is used first, so that stray packets to
/// a closed relay seldom reach the next one.
#[derive(Debug)]
pub struct RelayTable {
    limits: RelayLimits,
    /// Bytes that one player may send in one slice of time.
    individual_slice: u64,
    /// Bytes that all may send in one slice of time.
    global_slice: u64,
    relays: HashMap<u16, Relay>,
    by_remote: HashMap<SocketAddrV4, u16>,
    /// The port that became free longest ago comes first.
    free: VecDeque<u16>,
    /// Ports of other programs, in the order of the time of their next try.
    aside: VecDeque<(Instant, u16)>,
    closed: HashSet<u16>,
    traffic: Traffic,
    /// How long a port of another program's is left alone.
    aside_time: Duration,
}

impl RelayTable {
    /// A table without relays that may use `ports`, each once. A port that another
    /// program has is tried again after `aside_time`.
    #[must_use]
    pub fn new(ports: &[u16], limits: RelayLimits, aside_time: Duration) -> Self {
        let mut seen = HashSet::new();
        let free = ports.iter().copied().filter(|port| seen.insert(*port));
        Self {
            individual_slice: per_slice(limits.max_individual_traffic, limits.traffic_interval),
            global_slice: per_slice(limits.max_global_traffic, limits.traffic_interval),
            relays: HashMap::new(),
            by_remote: HashMap::new(),
            free: free.collect(),
            aside: VecDeque::new(),
            closed: HashSet::new(),
            traffic: Traffic::default(),
            limits,
            aside_time,
        }
    }

    /// The relay of the player with this registered address, opened if there is none.
    ///
    /// # Errors
    /// [`RelaysFull`] when no port is free.
    pub fn open(&mut self, remote: SocketAddrV4, now: Instant) -> Result<Opened, RelaysFull> {
        if let Some(port) = self.by_remote.get(&remote) {
            if let Some(relay) = self.relays.get_mut(port)
                && !relay.is_over(now, &self.limits)
            {
                relay.used = now;
            }
            return Ok(Opened::Before(*port));
        }
        while let Some((_, port)) = self.aside.pop_front_if(|(due, _)| *due <= now) {
            self.free.push_back(port);
        }
        let port = self.free.pop_front().ok_or(RelaysFull)?;
        self.by_remote.insert(remote, port);
        self.relays.insert(
            port,
            Relay {
                remote,
                opened: now,
                used: now,
                traffic: Traffic::default(),
                lifetime_traffic: 0,
            },
        );
        Ok(Opened::New(port))
    }

    /// Takes back a relay whose port another program has; the port is left alone
    /// for a while. Without effect on a port that is not open.
    pub fn set_aside(&mut self, port: u16, now: Instant) {
        if self.remove(port) {
            // A time too far away for the clock is as good as never.
            if let Some(due) = now.checked_add(self.aside_time) {
                self.aside.push_back((due, port));
            }
        }
    }

    /// Closes the relay on `port` and says whether there was one. The port comes
    /// back into use with [`Self::give_back`].
    pub fn close(&mut self, port: u16) -> bool {
        let was_open = self.remove(port);
        if was_open {
            self.closed.insert(port);
        }
        was_open
    }

    /// Closes every idle relay. Their ports come back into use with
    /// [`Self::give_back`].
    pub fn expire(&mut self, now: Instant) -> Vec<u16> {
        let idle =
            |relay: &Relay| now.saturating_duration_since(relay.used) >= self.limits.idle_timeout;
        let mut ports: Vec<_> = self
            .relays
            .iter()
            .filter(|(_, relay)| idle(relay))
            .map(|(port, relay)| (relay.used, *port))
            .collect();
        ports.sort_unstable();
        ports
            .into_iter()
            .map(|(_, port)| port)
            .filter(|port| self.close(*port))
            .collect()
    }

    /// Makes a closed port free again: it is no longer bound. Without effect on
    /// any other port.
    pub fn give_back(&mut self, port: u16) {
        if self.closed.remove(&port) {
            self.free.push_back(port);
        }
    }

    /// Where a packet with `payload` bytes from `from` goes that came to `port`.
    ///
    /// A packet counts for its sender, headers included, when it is forwarded. The
    /// first one of a slice of time passes whatever its size, and later slices pay for it:
    /// else a short slice would shut out large packets for good.
    ///
    /// # Errors
    /// The reason to drop it; it then does not keep the relays from idling out.
    pub fn forward(
        &mut self,
        port: u16,
        from: SocketAddrV4,
        payload: usize,
        now: Instant,
    ) -> Result<Forward, Dropped> {
        let to = self.relays.get(&port).ok_or(Dropped::NoRelay)?.remote;
        let from_port = *self.by_remote.get(&from).ok_or(Dropped::UnknownSender)?;
        let sender = self
            .relays
            .get_mut(&from_port)
            .ok_or(Dropped::UnknownSender)?;
        let length = (payload as u64).saturating_add(PACKET_OVERHEAD);
        let interval = self.limits.traffic_interval;
        let lifetime_traffic = sender.lifetime_traffic.saturating_add(length);
        if sender.is_over(now, &self.limits) {
            return Err(Dropped::LifetimeOver);
        }
        if lifetime_traffic > self.limits.max_lifetime_traffic {
            return Err(Dropped::LifetimeTrafficUsed);
        }
        if !(sender.traffic).has_room(length, self.individual_slice, interval, now) {
            return Err(Dropped::IndividualTraffic);
        }
        if !(self.traffic).has_room(length, self.global_slice, interval, now) {
            return Err(Dropped::GlobalTraffic);
        }
        sender.traffic.add(length);
        self.traffic.add(length);
        sender.lifetime_traffic = lifetime_traffic;
        sender.used = now;
        if let Some(receiver) = self.relays.get_mut(&port) {
            receiver.used = now;
        }
        Ok(Forward { from_port, to })
    }

    /// How many relays are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.relays.len()
    }

    /// Whether no relay is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.relays.is_empty()
    }

    fn remove(&mut self, port: u16) -> bool {
        match self.relays.entry(port) {
            Entry::Occupied(entry) => {
                self.by_remote.remove(&entry.remove().remote);
                true
            }
            Entry::Vacant(_) => false,
        }
    }
}

/// The bytes that `per_second` allows in a slice of time, one at the least.
fn per_slice(per_second: u64, interval: Duration) -> u64 {
    let bytes = u128::from(per_second).saturating_mul(interval.as_nanos()) / 1_000_000_000;
    u64::try_from(bytes).unwrap_or(u64::MAX).max(1)
}

/// Bytes counted in slices of time.
#[derive(Debug, Default)]
struct Traffic {
    /// When the current slice began; `None` before the first packet.
    began: Option<Instant>,
    /// Bytes in the current slice, with what earlier slices owe.
    bytes: u64,
}

impl Traffic {
    fn has_room(&mut self, length: u64, per_slice: u64, interval: Duration, now: Instant) -> bool {
        let began = *self.began.get_or_insert(now);
        let elapsed = now.saturating_duration_since(began);
        if elapsed >= interval {
            let slices = elapsed.as_nanos() / interval.as_nanos().max(1);
            let slices = u64::try_from(slices).unwrap_or(u64::MAX);
            self.bytes = self.bytes.saturating_sub(per_slice.saturating_mul(slices));
            self.began = Some(now);
        }
        self.bytes == 0 || self.bytes.saturating_add(length) <= per_slice
    }

    fn add(&mut self, length: u64) {
        self.bytes = self.bytes.saturating_add(length);
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use proptest::prelude::*;

    use super::*;

    const KIB: u64 = 1024;
    const ASIDE: Duration = Duration::from_secs(60);
    const IDLE: Duration = Duration::from_secs(30);
    const SLICE: Duration = Duration::from_millis(100);

    /// What the public server allows by default.
    fn limits() -> RelayLimits {
        RelayLimits {
            idle_timeout: IDLE,
            traffic_interval: SLICE,
            max_individual_traffic: 128 * KIB,
            max_global_traffic: KIB * KIB * KIB,
            max_lifetime: Duration::from_secs(4 * 3600),
            max_lifetime_traffic: 4 * KIB * KIB * KIB,
        }
    }

    fn player(number: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 1), number)
    }

    fn open_new(table: &mut RelayTable, number: u16, now: Instant) -> u16 {
        match table.open(player(number), now) {
            Ok(Opened::New(port)) => port,
            other => panic!("no new relay: {other:?}"),
        }
    }

    /// A table with a relay for each of two players: port 1 and port 2.
    fn pair(limits: RelayLimits, now: Instant) -> RelayTable {
        let mut table = RelayTable::new(&[1, 2, 3, 4], limits, ASIDE);
        assert_eq!(open_new(&mut table, 1, now), 1);
        assert_eq!(open_new(&mut table, 2, now), 2);
        table
    }

    #[test]
    fn a_packet_leaves_from_its_senders_own_port() {
        let now = Instant::now();
        let mut table = pair(limits(), now);
        let there = table.forward(2, player(1), 100, now);
        assert_eq!(
            there,
            Ok(Forward {
                from_port: 1,
                to: player(2)
            })
        );
        let back = table.forward(1, player(2), 100, now);
        assert_eq!(
            back,
            Ok(Forward {
                from_port: 2,
                to: player(1)
            })
        );
    }

    #[test]
    fn strangers_are_dropped() {
        let now = Instant::now();
        let mut table = pair(limits(), now);
        assert_eq!(
            table.forward(2, player(9), 1, now),
            Err(Dropped::UnknownSender)
        );
        assert_eq!(table.forward(3, player(1), 1, now), Err(Dropped::NoRelay));
    }

    #[test]
    fn one_player_keeps_one_relay() {
        let now = Instant::now();
        let mut table = pair(limits(), now);
        assert_eq!(table.open(player(1), now), Ok(Opened::Before(1)));
        assert_eq!(table.len(), 2);
    }

    #[test]
    fn a_relay_idles_out_when_neither_side_uses_it() {
        let start = Instant::now();
        let mut table = pair(limits(), start);
        let third = open_new(&mut table, 3, start);
        let later = start + IDLE / 2;
        // One way only: it keeps both players' relays.
        assert!(table.forward(2, player(1), 1, later).is_ok());
        assert_eq!(table.expire(start + IDLE - SLICE), []);
        assert_eq!(table.expire(start + IDLE), [third]);
        assert_eq!(table.expire(later + IDLE - SLICE), []);
        assert_eq!(table.expire(later + IDLE), [1, 2]);
        assert!(table.is_empty());
    }

    #[test]
    fn asking_again_keeps_a_relay() {
        let start = Instant::now();
        let mut table = pair(limits(), start);
        assert!(table.open(player(1), start + IDLE / 2).is_ok());
        assert_eq!(table.expire(start + IDLE), [2]);
    }

    #[test]
    fn dropped_packets_keep_no_relay() {
        let start = Instant::now();
        let mut table = pair(limits(), start);
        let later = start + IDLE - SLICE;
        assert!(table.forward(2, player(9), 1, later).is_err());
        assert_eq!(table.expire(start + IDLE), [1, 2]);
    }

    #[test]
    fn ports_are_reused_longest_free_first() {
        let now = Instant::now();
        let mut table = pair(limits(), now);
        for port in [2, 1] {
            assert!(table.close(port));
            table.give_back(port);
        }
        let order: Vec<_> = (5..9).map(|n| open_new(&mut table, n, now)).collect();
        assert_eq!(order, [3, 4, 2, 1]);
        assert_eq!(table.open(player(9), now), Err(RelaysFull));
    }

    #[test]
    fn a_closed_port_is_used_again_only_when_it_was_given_back() {
        let now = Instant::now();
        let mut table = RelayTable::new(&[1, 1], limits(), ASIDE);
        assert_eq!(open_new(&mut table, 1, now), 1);
        assert!(table.close(1));
        assert!(!table.close(1));
        assert_eq!(table.open(player(2), now), Err(RelaysFull));
        table.give_back(1);
        table.give_back(1);
        assert_eq!(open_new(&mut table, 2, now), 1);
        table.give_back(1);
        assert_eq!(
            table.open(player(3), now),
            Err(RelaysFull),
            "an open port is not free"
        );
    }

    #[test]
    fn another_programs_port_is_left_alone_for_a_while() {
        let start = Instant::now();
        let mut table = RelayTable::new(&[1, 2], limits(), ASIDE);
        assert_eq!(open_new(&mut table, 1, start), 1);
        table.set_aside(1, start);
        assert_eq!(open_new(&mut table, 1, start), 2);
        assert_eq!(table.open(player(2), start), Err(RelaysFull));
        let almost = start + ASIDE - SLICE;
        assert_eq!(table.open(player(2), almost), Err(RelaysFull));
        assert_eq!(open_new(&mut table, 2, start + ASIDE), 1);
    }

    #[test]
    fn a_player_over_its_bandwidth_is_cut_to_it_and_others_are_not() {
        let mut now = Instant::now();
        let mut table = pair(limits(), now);
        for _ in 0..10 {
            let passed = (0..100)
                .filter(|_| table.forward(2, player(1), 1000, now).is_ok())
                .count();
            assert_eq!(passed, 12, "13,107 bytes in each tenth of a second");
            assert_eq!(
                table.forward(2, player(1), 1000, now),
                Err(Dropped::IndividualTraffic)
            );
            assert!(table.forward(1, player(2), 1000, now).is_ok());
            now += SLICE;
        }
    }

    #[test]
    fn all_together_are_cut_to_the_global_bandwidth() {
        let start = Instant::now();
        let mut table = pair(
            RelayLimits {
                max_global_traffic: 20_000,
                ..limits()
            },
            start,
        );
        assert!(table.forward(2, player(1), 1500, start).is_ok());
        assert_eq!(
            table.forward(1, player(2), 445, start),
            Err(Dropped::GlobalTraffic)
        );
        assert!(table.forward(1, player(2), 444, start).is_ok());
        assert!(table.forward(1, player(2), 445, start + SLICE).is_ok());
    }

    #[test]
    fn a_packet_larger_than_a_slice_passes_and_is_paid_for() {
        let start = Instant::now();
        let mut table = pair(limits(), start);
        assert!(table.forward(2, player(1), 65_000, start).is_ok());
        // 65,000 bytes are 4.96 slices.
        for slice in 1..4 {
            let now = start + slice * SLICE;
            assert!(table.forward(2, player(1), 5000, now).is_err(), "{slice}");
        }
        assert!(table.forward(2, player(1), 400, start + 4 * SLICE).is_ok());
        assert!(table.forward(2, player(1), 5000, start + 5 * SLICE).is_ok());
    }

    #[test]
    fn a_relay_ends_by_age_and_opens_anew() {
        let start = Instant::now();
        let max_lifetime = limits().max_lifetime;
        let mut table = pair(limits(), start);
        let mut now = start;
        while now < start + max_lifetime {
            assert!(table.forward(2, player(1), 1, now).is_ok());
            assert_eq!(table.expire(now), []);
            now += IDLE / 2;
        }
        let over = start + max_lifetime;
        assert_eq!(
            table.forward(2, player(1), 1, over),
            Err(Dropped::LifetimeOver)
        );
        assert_eq!(table.open(player(1), over), Ok(Opened::Before(1)));
        assert_eq!(table.expire(over + IDLE), [1, 2]);
        assert_eq!(open_new(&mut table, 1, over + IDLE), 3);
    }

    #[test]
    fn a_relay_ends_by_traffic() {
        let now = Instant::now();
        let mut table = pair(
            RelayLimits {
                max_lifetime_traffic: 1000,
                ..limits()
            },
            now,
        );
        assert!(table.forward(2, player(1), 900, now).is_ok());
        assert_eq!(
            table.forward(2, player(1), 45, now),
            Err(Dropped::LifetimeTrafficUsed)
        );
        assert!(table.forward(2, player(1), 44, now).is_ok());
        assert!(table.forward(2, player(1), 1, now).is_err());
        assert!(table.forward(1, player(2), 900, now).is_ok());
    }

    #[test]
    fn extreme_limits_and_times_do_no_harm() {
        let now = Instant::now();
        let mut table = RelayTable::new(
            &[1],
            RelayLimits {
                idle_timeout: Duration::MAX,
                traffic_interval: Duration::ZERO,
                max_individual_traffic: u64::MAX,
                max_global_traffic: 0,
                max_lifetime: Duration::MAX,
                max_lifetime_traffic: u64::MAX,
            },
            Duration::MAX,
        );
        let port = open_new(&mut table, 1, now);
        assert!(table.forward(port, player(1), usize::MAX, now).is_ok());
        // A clock that goes back.
        let _ = table.forward(port, player(1), usize::MAX, now - SLICE);
        assert_eq!(table.expire(now), []);
        table.set_aside(port, now);
        assert_eq!(table.open(player(1), now), Err(RelaysFull));
    }

    /// The same rules, searched from the front.
    #[derive(Default)]
    struct Model {
        free: Vec<u16>,
        closed: Vec<u16>,
        aside: Vec<(Duration, u16)>,
        /// Port, player, last use.
        relays: Vec<(u16, u16, Duration)>,
    }

    impl Model {
        fn open(&mut self, number: u16, now: Duration) -> Result<Opened, RelaysFull> {
            if let Some(relay) = self.relays.iter_mut().find(|relay| relay.1 == number) {
                relay.2 = now;
                return Ok(Opened::Before(relay.0));
            }
            let (due, aside) = self.aside.iter().partition(|aside| aside.0 <= now);
            self.aside = aside;
            self.free.extend(due.into_iter().map(|aside| aside.1));
            if self.free.is_empty() {
                return Err(RelaysFull);
            }
            let port = self.free.remove(0);
            self.relays.push((port, number, now));
            Ok(Opened::New(port))
        }

        fn remove(&mut self, port: u16) -> bool {
            let before = self.relays.len();
            self.relays.retain(|relay| relay.0 != port);
            self.relays.len() < before
        }

        fn forward(&mut self, port: u16, number: u16, now: Duration) -> Result<Forward, Dropped> {
            let Some(receiver) = self.relays.iter().position(|relay| relay.0 == port) else {
                return Err(Dropped::NoRelay);
            };
            let Some(sender) = self.relays.iter().position(|relay| relay.1 == number) else {
                return Err(Dropped::UnknownSender);
            };
            self.relays[receiver].2 = now;
            self.relays[sender].2 = now;
            Ok(Forward {
                from_port: self.relays[sender].0,
                to: player(self.relays[receiver].1),
            })
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Wait(u64),
        Open(u16),
        SetAside(u16),
        Close(u16),
        GiveBack(u16),
        Forward(u16, u16),
        Expire,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            1 => (1..40u64).prop_map(Step::Wait),
            4 => (1..8u16).prop_map(Step::Open),
            1 => (1..7u16).prop_map(Step::SetAside),
            1 => (1..7u16).prop_map(Step::Close),
            3 => (1..7u16).prop_map(Step::GiveBack),
            4 => (1..7u16, 1..8u16).prop_map(|(port, number)| Step::Forward(port, number)),
            1 => Just(Step::Expire),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_the_model(steps in proptest::collection::vec(step(), 1..200)) {
            const PORTS: [u16; 5] = [1, 2, 3, 4, 5];
            let start = Instant::now();
            let mut table = RelayTable::new(&PORTS, limits(), ASIDE);
            let mut model = Model { free: PORTS.to_vec(), ..Model::default() };
            let mut passed = Duration::ZERO;
            for step in steps {
                let now = start + passed;
                match step {
                    Step::Wait(seconds) => passed += Duration::from_secs(seconds),
                    Step::Open(number) => prop_assert_eq!(
                        table.open(player(number), now),
                        model.open(number, passed)
                    ),
                    Step::SetAside(port) => {
                        table.set_aside(port, now);
                        if model.remove(port) {
                            model.aside.push((passed + ASIDE, port));
                        }
                    }
                    Step::Close(port) => {
                        let was_open = model.remove(port);
                        prop_assert_eq!(table.close(port), was_open);
                        if was_open {
                            model.closed.push(port);
                        }
                    }
                    Step::GiveBack(port) => {
                        table.give_back(port);
                        if model.closed.contains(&port) {
                            model.closed.retain(|closed| *closed != port);
                            model.free.push(port);
                        }
                    }
                    Step::Forward(port, number) => prop_assert_eq!(
                        table.forward(port, player(number), 1, now),
                        model.forward(port, number, passed)
                    ),
                    Step::Expire => {
                        let mut closed = table.expire(now);
                        closed.sort_unstable();
                        let mut idle: Vec<_> = model
                            .relays
                            .iter()
                            .filter(|relay| passed - relay.2 >= IDLE)
                            .map(|relay| relay.0)
                            .collect();
                        idle.sort_unstable();
                        prop_assert_eq!(&closed, &idle);
                        for port in idle {
                            model.remove(port);
                            model.closed.push(port);
                        }
                    }
                }
                prop_assert_eq!(table.len(), model.relays.len());
                // Every port is in exactly one place.
                prop_assert_eq!(table.by_remote.len(), table.relays.len());
                prop_assert_eq!(
                    table.free.len() + table.aside.len() + table.closed.len() + table.len(),
                    PORTS.len()
                );
            }
        }

        #[test]
        fn no_pattern_of_sending_beats_the_bandwidth(
            packets in proptest::collection::vec((0..50u64, 1..65_507usize), 1..300)
        ) {
            let start = Instant::now();
            let mut table = pair(limits(), start);
            let mut passed = Duration::ZERO;
            let mut sent = 0;
            for (wait, length) in packets {
                passed += Duration::from_millis(wait);
                if table.forward(2, player(1), length, start + passed).is_ok() {
                    sent += length as u64 + PACKET_OVERHEAD;
                }
                // A slice's worth at once, then the rate, and one packet on credit.
                let allowed = 128 * KIB * passed.as_millis() as u64 / 1000 + 13_107 + 65_535;
                prop_assert!(sent <= allowed, "{} bytes in {:?}", sent, passed);
            }
        }
    }
}
