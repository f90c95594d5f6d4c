//! What a link knows of a peer, shared between the link and the game.

use std::{
    net::SocketAddr,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use noray_protocol::{player::link::ActivePath, wire::check::PathKind};

/// The active path to a peer, and the traffic so far, at one moment.
#[derive(Clone, Copy, PartialEq, Debug)]
pub struct PeerSnapshot {
    /// The kind of the active path.
    pub kind: PathKind,
    /// The address that the game's datagrams go to.
    pub address: SocketAddr,
    /// Smoothed round-trip time of the checks; `None` when the peer sends no checks.
    pub round_trip: Option<Duration>,
    /// Mean deviation of the round-trip time.
    pub jitter: Option<Duration>,
    /// The share of the last checks that had no answer, 0 to 1.
    pub loss: f32,
    /// Bytes that the game sent to the peer.
    pub bytes_sent: u64,
    /// Bytes that the game received from the peer.
    pub bytes_received: u64,
    /// Datagrams that the game sent to the peer.
    pub packets_sent: u64,
    /// Datagrams that the game received from the peer.
    pub packets_received: u64,
    /// When this path became the active one.
    pub since: Instant,
    /// Whether the link still has this peer, and the peer answers.
    pub alive: bool,
}

/// What a link knows of a peer, live. Clones share it.
#[derive(Clone, Debug)]
pub struct PeerStats(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    /// The active path, and since when it is.
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
    /// Returns the statistics of a peer that this path reaches, with nothing counted yet.
    #[must_use]
    pub fn new(path: ActivePath) -> Self {
        Self(Arc::new(Shared {
            path: Mutex::new((path, Instant::now())),
            alive: AtomicBool::new(true),
            sent: Counter::default(),
            received: Counter::default(),
        }))
    }

    /// Returns all of it as it is now.
    #[must_use]
    pub fn snapshot(&self) -> PeerSnapshot {
        let (path, since) = *self.path();
        PeerSnapshot {
            kind: path.kind,
            address: path.address,
            round_trip: path.quality.round_trip,
            jitter: path.quality.jitter,
            loss: path.quality.loss,
            bytes_sent: self.0.sent.bytes.load(Ordering::Relaxed),
            bytes_received: self.0.received.bytes.load(Ordering::Relaxed),
            packets_sent: self.0.sent.packets.load(Ordering::Relaxed),
            packets_received: self.0.received.packets.load(Ordering::Relaxed),
            since,
            alive: self.0.alive.load(Ordering::Relaxed) && !path.quality.is_silent,
        }
    }

    /// Returns the address that the game's datagrams go to.
    pub(super) fn destination(&self) -> SocketAddr {
        self.path().0.address
    }

    /// Takes what is now known of the active path, and returns whether its kind has changed.
    pub(super) fn update(&self, path: ActivePath) -> bool {
        let mut current = self.path();
        let (former, since) = &mut *current;
        let changed = former.kind != path.kind;
        if former.address != path.address {
            *since = Instant::now();
        }
        *former = path;
        changed
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

    fn path(&self) -> MutexGuard<'_, (ActivePath, Instant)> {
        self.0.path.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
