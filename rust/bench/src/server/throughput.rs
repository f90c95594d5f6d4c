//! How many packets a second one relayed pair gets through.
//!
//! The sender offers more and more, until less is delivered: on few cores, a sender that offers too
//! much takes processor time from the server.

use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};
use noray_testkit::process_info::{ProcessInfo, machine_cpu_time};
use noray_testkit::server::{ServerProcess, ServerProgram};

use super::comparison::compare_relays;
use super::packet_stream::{FLAT_OUT, PacketStream, Trial};
use super::socket_pair::SocketPair;
use super::table::{Part, thousands};

/// How often each server is measured.
const ROUNDS: usize = 5;
/// The first rate, in packets a second.
const LOWEST: f64 = 20_000.0;
/// From one rate to the next.
const STEP: f64 = 1.4;
/// How long each rate is tried.
const TRIAL: Duration = Duration::from_millis(300);
/// How long the best rates are tried again.
const LONG_TRIAL: Duration = Duration::from_secs(1);
/// How many of the best rates are tried again.
const BEST: usize = 3;
/// After so many rates in a row that deliver clearly less than the best, no higher one delivers
/// more.
const WORSE: usize = 3;

/// The indices of the values, in the order of the rows. Rates are in packets a second.
const DELIVERED: usize = 0;
/// The server's processor time for each packet that arrives, in microseconds.
const CPU_TIME: usize = 1;
const OFFERED: usize = 2;
/// The rate that arrives while the sender uses a whole core.
const FLAT_OUT_DELIVERED: usize = 3;
/// Cores in use.
const SERVER_CORES: usize = 4;
const OUR_CORES: usize = 5;
const ALL_CORES: usize = 6;

type Values = [f64; 7];

/// Measures all programs, and the system without a server in between.
pub(super) fn measure(programs: &[ServerProgram]) -> Result<Part> {
    let (direct, measured) = compare_relays(programs, ROUNDS, without_relay, relayed)?;
    let share = |value| format!("{:.0} %", 100.0 * value / direct[DELIVERED]);
    let share_of = format!(
        "- share of the {} a second that arrive with no relay between",
        thousands(direct[DELIVERED])
    );
    let cores = thread::available_parallelism()?.get();
    let mut notes = vec![
        format!(
            "Throughput: the sender offers {} packets a second, then two fifths more each time, \
             until less arrives; the most that arrived counts. Limits of traffic are off in both \
             servers. Packets are sent in batches and taken one by one. The sender flat out with \
             no relay between: {} arrive.",
            thousands(LOWEST),
            thousands(direct[FLAT_OUT_DELIVERED]),
        ),
        cores_in_use("with no relay between", &direct, cores),
        cores_in_use("with our server", &measured.ours, cores),
    ];
    if let Some(Ok(other)) = &measured.other {
        notes.push(cores_in_use("with the other server", other, cores));
    }
    let delivered = "relay: packets a second delivered, 200 B, one pair";
    let cpu_time = "- the server's processor time for a packet";
    let mut rows = measured.rows(&[
        (delivered, thousands, "5"),
        (cpu_time, |value| format!("{value:.2} µs"), "reported"),
        ("- offered then, a second", thousands, ""),
        ("- delivered with the sender flat out", thousands, ""),
    ]);
    rows.insert(1, measured.row(DELIVERED, &share_of, share, "reported"));
    Ok(Part { rows, notes })
}

fn cores_in_use(when: &str, values: &Values, cores: usize) -> String {
    let (server, ours) = (values[SERVER_CORES], values[OUR_CORES]);
    let others = (values[ALL_CORES] - server - ours).max(0.0);
    format!(
        "Of {cores} cores in use {when}: the server {server:.2}, the sender and the receiver \
         {ours:.2}, other programs {others:.2}."
    )
}

fn relayed(server: &ServerProcess) -> Result<Values> {
    let process = ProcessInfo::of(server.child.id())?;
    best(&SocketPair::relayed(server, 0)?, Some(&process))
}

fn without_relay() -> Result<Values> {
    best(&SocketPair::straight()?, None)
}

/// Searches the rate at which most arrives.
fn best(sockets: &SocketPair, server: Option<&ProcessInfo>) -> Result<Values> {
    let mut stream = PacketStream::new(sockets)?;
    let mut trials: Vec<Trial> = Vec::new();
    let (mut rate, mut most, mut worse) = (LOWEST, 0.0_f64, 0);
    while worse < WORSE {
        let trial = stream.offer(rate, TRIAL)?;
        most = most.max(trial.delivered);
        let is_all_there_is = trial.offered < 0.8 * rate;
        let is_worse = trial.delivered < 0.95 * most || is_all_there_is;
        worse = if is_worse { worse + 1 } else { 0 };
        trials.push(trial);
        rate *= STEP;
    }
    ensure!(most > 0.0, "nothing arrived");
    trials.sort_by(|a, b| b.delivered.total_cmp(&a.delivered));
    let mut best = Values::default();
    for trial in trials.iter().take(BEST) {
        let values = at_rate(&mut stream, trial.rate, server)?;
        if values[DELIVERED] > best[DELIVERED] {
            best = values;
        }
    }
    best[FLAT_OUT_DELIVERED] = stream.offer(FLAT_OUT, LONG_TRIAL)?.delivered;
    Ok(best)
}

/// Returns what arrives at a rate, and what it costs.
fn at_rate(
    stream: &mut PacketStream<'_>,
    rate: f64,
    server: Option<&ProcessInfo>,
) -> Result<Values> {
    let before = cpu_times(server)?;
    let trial = stream.offer(rate, LONG_TRIAL)?;
    let after = cpu_times(server)?;
    let used: [f64; 4] = std::array::from_fn(|at| (after[at] - before[at]).max(0.0));
    let [_, server, ours, machine] = used.map(|seconds| seconds / LONG_TRIAL.as_secs_f64());
    let mut values = Values::default();
    values[DELIVERED] = trial.delivered;
    values[OFFERED] = trial.offered;
    values[CPU_TIME] = used[0] / trial.received as f64 * 1e6;
    values[SERVER_CORES] = server;
    values[OUR_CORES] = ours;
    values[ALL_CORES] = machine;
    Ok(values)
}

/// Returns the seconds of processor time used so far: by those of the server's threads that are
/// alive, which is more precise, by the server, by this process, and by all.
fn cpu_times(server: Option<&ProcessInfo>) -> Result<[f64; 4]> {
    let (of_threads, of_server) = match server {
        Some(server) => (server.cpu_time_of_threads()?, server.cpu_time()?),
        None => Default::default(),
    };
    let ours = ProcessInfo::of(std::process::id())?.cpu_time()?;
    let times = [of_threads, of_server, ours, machine_cpu_time()?];
    Ok(times.map(|time| time.as_secs_f64()))
}
