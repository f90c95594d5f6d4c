//! What the server tells of itself from time to time.

use std::time::{Duration, Instant};

use anyhow::Result;
use noray_testkit::metrics::Metrics;
use noray_testkit::process_info::ProcessInfo;

use crate::tally::Tally;

pub(crate) const MEMORY: &str = "process_resident_memory_bytes";
pub(crate) const DESCRIPTORS: &str = "process_open_fds";
pub(crate) const CONNECTIONS: &str = "noray_tcp_connections";
pub(crate) const PLAYERS: &str = "noray_active_hosts";
pub(crate) const RELAYS: &str = "noray_relay_count";

pub(crate) const MIB: f64 = 1024.0 * 1024.0;

/// The head of the table whose rows [`Observations::row`] makes.
pub(crate) const TABLE_HEAD: &str = "\
| minute | players | relays | packets sent | delivered | memory, MiB | descriptors | server's CPU | players' CPU |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

/// One look at the server.
#[derive(Clone, Debug)]
pub(crate) struct Observation {
    /// When.
    pub at: Instant,
    /// The processor time of the server's process since its start.
    pub cpu_time: Duration,
    /// What the server tells of itself.
    pub metrics: Metrics,
}

impl Observation {
    /// Returns by how much a metric is higher than at `earlier`; not a number if it is not told.
    pub(crate) fn rise_since(&self, earlier: &Self, name: &str) -> f64 {
        let value = |seen: &Self| seen.metrics.value(name).unwrap_or(f64::NAN);
        value(self) - value(earlier)
    }
}

/// All looks at the server.
pub(crate) struct Observations {
    /// Before the first player came.
    pub start: Observation,
    /// While players came and went.
    pub all: Vec<Observation>,
    /// After the last player left.
    pub end: Option<Observation>,
    /// Where the last row ended: when, the server's processor time, and that of the players.
    last_row: (Instant, Duration, Duration),
}

impl Observations {
    /// Begins with a server without players.
    pub(crate) fn begin(start: Observation) -> Self {
        Self {
            last_row: (start.at, start.cpu_time, own_cpu_time()),
            start,
            all: Vec::new(),
            end: None,
        }
    }

    /// Returns whether the server holds nothing of the players any more.
    pub(crate) fn is_as_at_start(&self, now: &Observation) -> bool {
        ![CONNECTIONS, PLAYERS, RELAYS, DESCRIPTORS]
            .into_iter()
            .any(|name| now.rise_since(&self.start, name) > 0.0)
    }

    /// Returns a row of the table, for the time since the last one.
    pub(crate) fn row(&mut self, minute: u64, tally: &Tally) -> String {
        let Some(now) = self.all.last() else {
            return String::new();
        };
        let (since, server_before, own_before) = self.last_row;
        let own = own_cpu_time();
        self.last_row = (now.at, now.cpu_time, own);
        let seconds = (now.at - since).as_secs_f64();
        let percent = |used: Duration| 100.0 * used.as_secs_f64() / seconds;
        let value = |name| now.metrics.value(name).unwrap_or(f64::NAN);
        format!(
            "| {minute} | {} | {} | {} | {} | {:.1} | {} | {:.1} % | {:.1} % |",
            value(PLAYERS),
            value(RELAYS),
            tally.sent,
            tally.delivered,
            value(MEMORY) / MIB,
            value(DESCRIPTORS),
            percent(now.cpu_time.saturating_sub(server_before)),
            percent(own.saturating_sub(own_before)),
        )
    }
}

/// Returns the processor time of this process, whose players are all in it.
fn own_cpu_time() -> Duration {
    let own = ProcessInfo::of(std::process::id()).and_then(|process| process.cpu_time());
    // Only the table needs it.
    own.unwrap_or_default()
}

/// Looks at a server's process and its metrics.
pub(crate) fn observe(process: u32, http: std::net::SocketAddr) -> Result<Observation> {
    let metrics = Metrics::fetch(http)?;
    Ok(Observation {
        at: Instant::now(),
        cpu_time: ProcessInfo::of(process)?.cpu_time()?,
        metrics,
    })
}
