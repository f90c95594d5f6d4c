//! What is known of another player, shared between the link and the game.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use noray_protocol::{player::link::ActivePath, wire::check::PathKind};

/// Another player's path as it is now.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PeerSnapshot {
    /// The kind of way.
    pub kind: PathKind,
    /// The address outside to which the game goes.
    pub address: SocketAddr,
    /// Smoothed round trip of the checks; `None` with a player whose game sends none.
    pub round_trip: Option<Duration>,
    /// Mean deviation of the round trip.
    pub jitter: Option<Duration>,
    /// The part of the last checks that were not answered, 0 to 1.
    pub loss: f32,
    /// The game's bytes to the player.
    pub bytes_sent: u64,
    /// The game's bytes from the player.
    pub bytes_received: u64,
    /// The game's datagrams to the player.
    pub packets_sent: u64,
    /// The game's datagrams from the player.
    pub packets_received: u64,
    /// Since when the game goes this way.
    pub since: Instant,
    /// Whether the link still has this player.
    pub alive: bool,
}

/// What is known of another player, live.
#[derive(Clone, Debug)]
pub struct PeerStats(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    path: Mutex<(ActivePath, Instant)>,
    alive: AtomicBool,
    sent: Counter,
    received: Counter,
}

#[derive(Debug, Default)]
struct Counter {
    bytes: AtomicU64,
    packets: AtomicU64,
}

impl Counter {
    fn count(&self, bytes: usize) {
        self.bytes.fetch_add(bytes as u64, Ordering::Relaxed);
        self.packets.fetch_add(1, Ordering::Relaxed);
    }
}

impl PeerStats {
    /// Returns the statistics of a peer that is reached as `report` says, with nothing counted yet.
    #[must_use]
    pub fn new(report: ActivePath) -> Self {
        Self(Arc::new(Shared {
            path: Mutex::new((report, Instant::now())),
            alive: AtomicBool::new(true),
            sent: Counter::default(),
            received: Counter::default(),
        }))
    }

    /// All of it at one time.
    #[must_use]
    pub fn snapshot(&self) -> PeerSnapshot {
        let (report, since) = *self.path();
        PeerSnapshot {
            kind: report.kind,
            address: report.address,
            round_trip: report.quality.round_trip,
            jitter: report.quality.jitter,
            loss: report.quality.loss,
            bytes_sent: self.0.sent.bytes.load(Ordering::Relaxed),
            bytes_received: self.0.received.bytes.load(Ordering::Relaxed),
            packets_sent: self.0.sent.packets.load(Ordering::Relaxed),
            packets_received: self.0.received.packets.load(Ordering::Relaxed),
            since,
            alive: self.0.alive.load(Ordering::Relaxed),
        }
    }

    /// Where the game goes.
    pub(super) fn destination(&self) -> SocketAddr {
        self.path().0.address
    }

    /// Takes what is new; whether the kind of way is another.
    pub(super) fn update(&self, report: ActivePath) -> bool {
        let mut path = self.path();
        let moved = path.0.kind != report.kind;
        if path.0.address != report.address {
            path.1 = Instant::now();
        }
        path.0 = report;
        moved
    }

    pub(super) fn count_sent(&self, bytes: usize) {
        self.0.sent.count(bytes);
    }

    pub(super) fn count_received(&self, bytes: usize) {
        self.0.received.count(bytes);
    }

    pub(super) fn packets_sent(&self) -> u64 {
        self.0.sent.packets.load(Ordering::Relaxed)
    }

    pub(super) fn set_gone(&self) {
        self.0.alive.store(false, Ordering::Relaxed);
    }

    fn path(&self) -> std::sync::MutexGuard<'_, (ActivePath, Instant)> {
        self.0.path.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
