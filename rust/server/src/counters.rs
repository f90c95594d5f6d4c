//! What the server counts, for its metrics.
//!
//! Counting never waits. Counters that change with each packet exist several times, so that threads
//! do not contend for one, and are added up on request.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed},
    time::Duration,
};

use noray_protocol::{
    server::{host_table::AddressRegistration, relay_table::Dropped},
    wire::command::{ConnectKind, PlayerCommand, RefusalReason},
};

/// Upper bounds of the buckets for packets' sizes, in bytes of payload.
const SIZES: [u64; 9] = [32, 64, 128, 256, 512, 1024, 1280, 1500, 9000];

/// Upper bounds of the buckets for the times to relay, in nanoseconds.
const RELAY_TIMES: [u64; 11] = [
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    5_000_000,
    25_000_000,
    100_000_000,
];

/// Upper bounds of the buckets for the times to handle a command, in nanoseconds.
const COMMAND_TIMES: [u64; 7] = [
    10_000,
    100_000,
    1_000_000,
    10_000_000,
    100_000_000,
    1_000_000_000,
    10_000_000_000,
];

/// How many copies there are of the counters that change with each packet.
const SHARDS: usize = 16;

/// The commands that are counted by name. A name that a player invents must not become one more
/// metric.
const COMMANDS: [&str; 9] = [
    "register-host",
    "resume-host",
    "connect",
    "connect-relay",
    "echo",
    "can",
    "open",
    "shut",
    "other",
];

const KINDS: [ConnectKind; 2] = [ConnectKind::Nat, ConnectKind::Relay];

const REASONS: [RefusalReason; 8] = [
    RefusalReason::UnknownHost,
    RefusalReason::HostUnregistered,
    RefusalReason::PlayerUnregistered,
    RefusalReason::NoIdentity,
    RefusalReason::RelaysFull,
    RefusalReason::InvalidOpenId,
    RefusalReason::TooManyRequests,
    RefusalReason::Other,
];

const DROPS: [(Dropped, &str); 5] = [
    (Dropped::UnknownSender, "unknown-sender"),
    (Dropped::LifetimeOver, "lifetime"),
    (Dropped::LifetimeTrafficUsed, "lifetime-traffic"),
    (Dropped::IndividualTraffic, "individual-traffic"),
    (Dropped::GlobalTraffic, "global-traffic"),
];

/// What a server has counted since its start, and what it has at the moment.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Metrics {
    /// Open connections, of players and of others.
    pub connections: u64,
    /// How many connections there may be.
    pub max_connections: u64,
    /// Connections that were closed at once because there was no room.
    pub connections_refused: u64,
    /// Players with an OpenID.
    pub players: u64,
    /// Open relays.
    pub relays: u64,
    /// How many relays there may be.
    pub relay_ports: u64,
    /// Relays that were closed because they carried nothing.
    pub relays_expired: u64,
    /// How long commands took, in seconds, by name; unknown ones are `other`.
    pub commands: Vec<(&'static str, Histogram)>,
    /// Commands that did not do what the player asked, by name.
    pub command_failures: Vec<(&'static str, u64)>,
    /// Requests that were refused, by command and reason.
    pub refusals: Vec<(&'static str, &'static str, u64)>,
    /// How often a connection had to wait because it or its address sent too much.
    pub waits: u64,
    /// Registrar: a player's first address.
    pub registrations: u64,
    /// Registrar: a player's address again.
    pub registrations_repeated: u64,
    /// Registrar: a player's address that replaced another one.
    pub registrations_moved: u64,
    /// Registrar: datagrams that are no player's PrivateID.
    pub registrations_failed: u64,
    /// How long relaying took, in seconds from reading a packet.
    pub relay_times: Histogram,
    /// The sizes of relayed packets, in bytes of payload. Its count is the number of relayed packets.
    pub relay_sizes: Histogram,
    /// Packets that a relay dropped, by reason.
    pub relay_drops: Vec<(&'static str, u64)>,
}

/// The distribution of some values.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Histogram {
    /// The upper bound of each bucket and the number of its values. Values above the last bound are
    /// in [`Self::count`] alone.
    pub buckets: Vec<(f64, u64)>,
    /// The number of values.
    pub count: u64,
    /// The sum of all values.
    pub sum: f64,
}

/// A histogram that is being counted.
#[derive(Debug)]
struct BucketCounters<const N: usize> {
    bounds: &'static [u64; N],
    counts: [AtomicU64; N],
    above: AtomicU64,
    sum: AtomicU64,
}

impl<const N: usize> BucketCounters<N> {
    fn new(bounds: &'static [u64; N]) -> Self {
        Self {
            bounds,
            counts: [const { AtomicU64::new(0) }; N],
            above: AtomicU64::new(0),
            sum: AtomicU64::new(0),
        }
    }

    /// Counts the same value `times` times.
    fn add(&self, value: u64, times: u64) {
        let group = self.bounds.partition_point(|bound| *bound < value);
        let count = self.counts.get(group).unwrap_or(&self.above);
        count.fetch_add(times, Relaxed);
        self.sum.fetch_add(value.saturating_mul(times), Relaxed);
    }

    /// Adds the counts to a histogram; `unit` is what one of our values is in its unit.
    fn add_to(&self, histogram: &mut Histogram, unit: f64) {
        if histogram.buckets.is_empty() {
            let bounds = self.bounds.iter().map(|bound| (*bound as f64 * unit, 0));
            histogram.buckets = bounds.collect();
        }
        for ((_, total), count) in histogram.buckets.iter_mut().zip(&self.counts) {
            let count = count.load(Relaxed);
            *total += count;
            histogram.count += count;
        }
        histogram.count += self.above.load(Relaxed);
        histogram.sum += self.sum.load(Relaxed) as f64 * unit;
    }
}

const NANOSECOND: f64 = 1e-9;
const BYTE: f64 = 1.0;

/// One copy of the counters that change with each packet.
#[derive(Debug)]
#[repr(align(128))]
struct PacketCounters {
    times: BucketCounters<{ RELAY_TIMES.len() }>,
    sizes: BucketCounters<{ SIZES.len() }>,
    drops: [AtomicU64; DROPS.len()],
    /// Packets that came in one run with a packet over a limit, and after it.
    dropped_rests: AtomicU64,
}

impl PacketCounters {
    fn new() -> Self {
        Self {
            times: BucketCounters::new(&RELAY_TIMES),
            sizes: BucketCounters::new(&SIZES),
            drops: Default::default(),
            dropped_rests: AtomicU64::default(),
        }
    }
}

/// All counters. Any thread reads and writes them without waiting.
#[derive(Debug)]
pub(crate) struct Counters {
    pub(crate) connections: AtomicUsize,
    pub(crate) connections_refused: AtomicU64,
    pub(crate) players: AtomicUsize,
    pub(crate) relays: AtomicUsize,
    pub(crate) relays_expired: AtomicU64,
    pub(crate) waits: AtomicU64,
    commands: [BucketCounters<{ COMMAND_TIMES.len() }>; COMMANDS.len()],
    command_failures: [AtomicU64; COMMANDS.len()],
    refusals: [[AtomicU64; REASONS.len()]; KINDS.len()],
    registrations: AtomicU64,
    registrations_repeated: AtomicU64,
    registrations_moved: AtomicU64,
    registrations_failed: AtomicU64,
    packets: Box<[PacketCounters]>,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            connections: AtomicUsize::default(),
            connections_refused: AtomicU64::default(),
            players: AtomicUsize::default(),
            relays: AtomicUsize::default(),
            relays_expired: AtomicU64::default(),
            waits: AtomicU64::default(),
            commands: std::array::from_fn(|_| BucketCounters::new(&COMMAND_TIMES)),
            command_failures: Default::default(),
            refusals: Default::default(),
            registrations: AtomicU64::default(),
            registrations_repeated: AtomicU64::default(),
            registrations_moved: AtomicU64::default(),
            registrations_failed: AtomicU64::default(),
            packets: (0..SHARDS).map(|_| PacketCounters::new()).collect(),
        }
    }
}

/// A command's index in [`COMMANDS`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommandIndex(usize);

impl CommandIndex {
    pub(crate) fn of(command: &PlayerCommand) -> Self {
        Self(match command {
            PlayerCommand::RegisterHost => 0,
            PlayerCommand::ResumeHost(..) => 1,
            PlayerCommand::Connect(ConnectKind::Nat, _) => 2,
            PlayerCommand::Connect(ConnectKind::Relay, _) => 3,
            PlayerCommand::Echo(_) => 4,
            PlayerCommand::Can(_) => 5,
            PlayerCommand::Open => 6,
            PlayerCommand::Shut => 7,
            PlayerCommand::Unknown => 8,
        })
    }
}

impl Counters {
    pub(crate) fn command(&self, command: CommandIndex, took: Duration) {
        if let Some(times) = self.commands.get(command.0) {
            times.add(nanos(took), 1);
        }
    }

    pub(crate) fn command_failed(&self, command: CommandIndex) {
        if let Some(failures) = self.command_failures.get(command.0) {
            failures.fetch_add(1, Relaxed);
        }
    }

    pub(crate) fn refused(&self, kind: ConnectKind, reason: RefusalReason) {
        let kinds = KINDS.iter().zip(&self.refusals);
        for (_, reasons) in kinds.filter(|(known, _)| **known == kind) {
            let reasons = REASONS.iter().zip(reasons);
            for (_, count) in reasons.filter(|(known, _)| **known == reason) {
                count.fetch_add(1, Relaxed);
            }
        }
    }

    pub(crate) fn registration(&self, registration: &AddressRegistration) {
        let count = match registration {
            AddressRegistration::First(_) => &self.registrations,
            AddressRegistration::Repeat => &self.registrations_repeated,
            AddressRegistration::Moved(_) => &self.registrations_moved,
            AddressRegistration::UnknownPrivateId => &self.registrations_failed,
        };
        count.fetch_add(1, Relaxed);
    }

    /// Counts `count` packets that left after the time `took` from reading them, each `length` bytes
    /// long and the last one `last` bytes.
    pub(crate) fn relayed(&self, count: usize, length: usize, last: usize, took: Duration) {
        let packets = self.shard();
        let count = count as u64;
        packets.times.add(nanos(took), count);
        if last == length {
            packets.sizes.add(length as u64, count);
        } else {
            packets.sizes.add(length as u64, count.saturating_sub(1));
            packets.sizes.add(last as u64, 1);
        }
    }

    pub(crate) fn dropped(&self, reason: Dropped, count: usize) {
        let drops = &self.shard().drops;
        for (_, drops) in (DROPS.iter().zip(drops)).filter(|(known, _)| known.0 == reason) {
            drops.fetch_add(count as u64, Relaxed);
        }
    }

    /// Counts packets that were dropped after one over a limit.
    pub(crate) fn dropped_rest(&self, count: usize) {
        let rests = &self.shard().dropped_rests;
        rests.fetch_add(count as u64, Relaxed);
    }

    /// Returns the number of relayed packets.
    pub(crate) fn packets_relayed(&self) -> u64 {
        let mut sizes = Histogram::default();
        for packets in &self.packets {
            packets.sizes.add_to(&mut sizes, BYTE);
        }
        sizes.count
    }

    /// Returns all counts; the caller adds the limits.
    pub(crate) fn metrics(&self) -> Metrics {
        let mut relay_times = Histogram::default();
        let mut relay_sizes = Histogram::default();
        let mut relay_drops: Vec<_> = DROPS.iter().map(|(_, name)| (*name, 0)).collect();
        let mut rests = 0;
        for packets in &self.packets {
            rests += packets.dropped_rests.load(Relaxed);
            packets.times.add_to(&mut relay_times, NANOSECOND);
            packets.sizes.add_to(&mut relay_sizes, BYTE);
            for ((_, total), count) in relay_drops.iter_mut().zip(&packets.drops) {
                *total += count.load(Relaxed);
            }
        }
        relay_drops.push(("behind-a-limit", rests));
        let commands = COMMANDS.iter().zip(&self.commands).map(|(name, times)| {
            let mut histogram = Histogram::default();
            times.add_to(&mut histogram, NANOSECOND);
            (*name, histogram)
        });
        let failures = COMMANDS.iter().zip(&self.command_failures);
        let failures = failures.map(|(name, count)| (*name, count.load(Relaxed)));
        let refusals = KINDS.iter().zip(&self.refusals).flat_map(|(kind, counts)| {
            let counts = REASONS.iter().zip(counts);
            counts.map(|(reason, count)| (kind.command(), reason.name(), count.load(Relaxed)))
        });
        Metrics {
            connections: self.connections.load(Relaxed) as u64,
            connections_refused: self.connections_refused.load(Relaxed),
            players: self.players.load(Relaxed) as u64,
            relays: self.relays.load(Relaxed) as u64,
            relays_expired: self.relays_expired.load(Relaxed),
            commands: commands.collect(),
            command_failures: failures.collect(),
            refusals: refusals.collect(),
            waits: self.waits.load(Relaxed),
            registrations: self.registrations.load(Relaxed),
            registrations_repeated: self.registrations_repeated.load(Relaxed),
            registrations_moved: self.registrations_moved.load(Relaxed),
            registrations_failed: self.registrations_failed.load(Relaxed),
            relay_times,
            relay_sizes,
            relay_drops,
            ..Metrics::default()
        }
    }

    /// Returns this thread's copy of the counters that change with each packet.
    fn shard(&self) -> &PacketCounters {
        thread_local! {
            static SHARD: Cell<Option<usize>> = const { Cell::new(None) };
        }
        static NEXT: AtomicUsize = AtomicUsize::new(0);
        let shard = SHARD.get().unwrap_or_else(|| {
            let next = NEXT.fetch_add(1, Relaxed) % SHARDS;
            SHARD.set(Some(next));
            next
        });
        &self.packets[shard]
    }
}

fn nanos(time: Duration) -> u64 {
    u64::try_from(time.as_nanos()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_counted_in_their_buckets() {
        static BOUNDS: [u64; 2] = [10, 20];
        let buckets = BucketCounters::new(&BOUNDS);
        for value in [0, 10, 11, 20, 21] {
            buckets.add(value, 1);
        }
        buckets.add(5, 3);
        let mut histogram = Histogram::default();
        buckets.add_to(&mut histogram, 0.5);
        let expected = Histogram {
            buckets: vec![(5.0, 5), (10.0, 2)],
            count: 8,
            sum: 38.5,
        };
        assert_eq!(histogram, expected);
    }

    #[test]
    fn packets_of_all_threads_are_added_up() {
        let counters = Counters::default();
        std::thread::scope(|scope| {
            for _ in 0..2 * SHARDS {
                scope.spawn(|| {
                    counters.relayed(3, 100, 7, Duration::from_micros(7));
                    counters.relayed(1, 40, 40, Duration::from_micros(7));
                    counters.dropped(Dropped::GlobalTraffic, 2);
                    counters.dropped_rest(3);
                });
            }
        });
        let threads = 2 * SHARDS as u64;
        assert_eq!(counters.packets_relayed(), 4 * threads);
        let metrics = counters.metrics();
        assert_eq!(metrics.relay_sizes.count, 4 * threads);
        assert_eq!(metrics.relay_sizes.sum, (247 * threads) as f64);
        assert_eq!(metrics.relay_sizes.buckets[0], (32.0, threads));
        assert_eq!(metrics.relay_times.count, 4 * threads);
        assert_eq!(metrics.relay_times.buckets[1], (1e-5, 4 * threads));
        let drops = |name| metrics.relay_drops.iter().find(|drop| drop.0 == name);
        assert_eq!(
            drops("global-traffic"),
            Some(&("global-traffic", 2 * threads))
        );
        assert_eq!(
            drops("behind-a-limit"),
            Some(&("behind-a-limit", 3 * threads))
        );
        assert_eq!(drops("unknown-sender"), Some(&("unknown-sender", 0)));
    }

    #[test]
    fn commands_and_refusals_are_counted_by_name() {
        let counters = Counters::default();
        for line in [
            "register-host",
            "resume-host a b",
            "connect a",
            "connect-relay a",
            "echo a",
            "can a",
            "open",
            "shut",
            "nonsense",
        ] {
            let command = CommandIndex::of(&PlayerCommand::parse(line));
            counters.command(command, Duration::from_millis(1));
            counters.command_failed(command);
            let metrics = counters.metrics();
            let name = COMMANDS[command.0];
            assert!(line.starts_with(name) || name == "other");
            let of_name = metrics.commands.iter().find(|it| it.0 == name);
            assert_eq!(of_name.map(|it| it.1.count), Some(1), "{line}");
            assert!(metrics.command_failures.contains(&(name, 1)), "{line}");
        }
        counters.refused(ConnectKind::Relay, RefusalReason::RelaysFull);
        let refusals = counters.metrics().refusals;
        assert!(refusals.contains(&("connect-relay", "relays-full", 1)));
        assert_eq!(refusals.iter().map(|refusal| refusal.2).sum::<u64>(), 1);
    }
}
