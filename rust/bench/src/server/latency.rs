//! How long a packet takes through a relay.
//!
//! The sender writes the time into the packet just before it sends it, and the system stamps the
//! packet's arrival. So it does not count when our receiver gets to run, which is at the end.

use std::num::NonZeroU64;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};
use noray_testkit::process_info::ProcessInfo;
use noray_testkit::server::{ServerProcess, ServerProgram};
use noray_testkit::statistics::{median, percentile};

use super::batch_receiver::BatchReceiver;
use super::comparison::{NO_LIMITS, compare, compare_relays, with_server};
use super::packet_stream::PAYLOAD;
use super::socket_pair::SocketPair;
use super::table::{Part, microseconds};

/// How often each server is measured.
const ROUNDS: usize = 7;
const PAIRS: usize = 100;
/// Packets a second of all pairs together, one way.
const RATE: u64 = 6000;
const TIME: Duration = Duration::from_secs(3);
/// Idle relays that are open as well, to see whether a packet costs more with them.
const IDLE_RELAYS: usize = 10_000;
const IDLE_ROUNDS: usize = 3;
/// Ports for all relays.
const MANY_RELAYS: usize = 12_000;
/// From the last packet until no more comes.
const REST: Duration = Duration::from_millis(300);

/// 99th percentile and median in microseconds, percent lost, the server's microseconds a packet.
type Values = [f64; 4];

/// Measures all programs.
pub(super) fn measure(programs: &[ServerProgram]) -> Result<Part> {
    let ([at_50, at_99], measured) = compare_relays(programs, ROUNDS, without_relay, relayed)?;
    // Idle relays must stay open.
    let settings = [&NO_LIMITS[..], &[("NORAY_UDP_RELAY_TIMEOUT", "10m")]].concat();
    let crowded = compare(&programs[..1], IDLE_ROUNDS, |program| {
        with_server(program, MANY_RELAYS, &settings, |server| {
            open_idle_relays(server)?;
            relayed(server)
        })
    })?;
    let precise: fn(f64) -> String = |value| format!("{value:.1} µs");
    let latency = "relay: 99th percentile latency, 6,000 packets a second over 100 pairs";
    let cpu_time = "- the server's processor time for a packet";
    let mut rows = measured.rows(&[
        (latency, microseconds, "half"),
        ("- median", microseconds, "reported"),
        ("- lost", |value| format!("{value:.2} %"), ""),
        (cpu_time, precise, "reported"),
    ]);
    let crowded_cpu_time = "- the same, 10,000 relays more open";
    rows.push(crowded.row(3, crowded_cpu_time, precise, "constant"));
    Ok(Part {
        rows,
        notes: vec![format!(
            "Latency: from just before a packet is sent until the system has it for the \
             receiver, by the system's own time stamp; {ROUNDS} rounds. With no relay between: \
             99th percentile {at_99:.0} µs, median {at_50:.0} µs."
        )],
    })
}

fn relayed(server: &ServerProcess) -> Result<Values> {
    let process = ProcessInfo::of(server.child.id())?;
    let streams = (0..PAIRS).map(|pair| stream(SocketPair::relayed(server, pair)?));
    let mut streams = streams.collect::<Result<Vec<_>>>()?;
    let before = process.cpu_time_of_threads()?;
    let (latencies, sent) = measure_latencies(&mut streams)?;
    let used = process.cpu_time_of_threads()?.saturating_sub(before);
    let arrived = latencies.len() as f64;
    Ok([
        percentile(&latencies, 99),
        median(&latencies),
        100.0 * (1.0 - arrived / sent as f64),
        used.as_secs_f64() * 1e6 / arrived,
    ])
}

/// Opens relays whose players leave.
fn open_idle_relays(server: &ServerProcess) -> Result<()> {
    for pair in PAIRS..PAIRS + IDLE_RELAYS / 2 {
        SocketPair::relayed(server, pair)?;
    }
    let open = ProcessInfo::of(server.child.id())?.descriptors()?;
    ensure!(
        open > IDLE_RELAYS,
        "only {open} of {IDLE_RELAYS} relays are open"
    );
    Ok(())
}

/// Returns median and 99th percentile without a server in between.
fn without_relay() -> Result<[f64; 2]> {
    let streams = (0..PAIRS).map(|_| stream(SocketPair::straight()?));
    let mut streams = streams.collect::<Result<Vec<_>>>()?;
    let (latencies, _) = measure_latencies(&mut streams)?;
    Ok([median(&latencies), percentile(&latencies, 99)])
}

/// Two sockets, and what receives at the second.
type Stream = (SocketPair, BatchReceiver);

fn stream(sockets: SocketPair) -> Result<Stream> {
    let receiver = BatchReceiver::stamped(&sockets.to)?;
    Ok((sockets, receiver))
}

/// Returns how many microseconds each packet took that arrived, and how many packets were sent.
fn measure_latencies(streams: &mut [Stream]) -> Result<(Vec<f64>, u64)> {
    // A thread of its own, which alone sleeps precisely.
    let sent = thread::scope(|scope| scope.spawn(|| send(streams)).join());
    let sent = sent.unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
    thread::sleep(REST);
    let mut latencies = Vec::new();
    let mut unclear = 0;
    for (sockets, receiver) in streams {
        receiver.take(&sockets.to, |packet, came| {
            match (came, packet.first_chunk()) {
                (Some(came), Some(sent)) => {
                    let sent = Duration::from_nanos(u64::from_le_bytes(*sent));
                    latencies.push(came.saturating_sub(sent).as_secs_f64() * 1e6);
                }
                _ => unclear += 1,
            }
        })?;
    }
    ensure!(unclear == 0, "{unclear} packets came without a time");
    ensure!(!latencies.is_empty(), "nothing arrived");
    Ok((latencies, sent))
}

/// Sends a packet of each stream in turn, at even intervals, and returns the number of packets.
fn send(streams: &[Stream]) -> Result<u64> {
    // The system would wake several threads together, up to 50 µs late.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
    let total = RATE * TIME.as_secs();
    let mut payload = [7; PAYLOAD];
    let start = Instant::now();
    for (number, (sockets, _)) in (0..total).zip(streams.iter().cycle()) {
        let due = Duration::from_nanos(number * 1_000_000_000 / RATE);
        let wait = due.saturating_sub(start.elapsed());
        if !wait.is_zero() {
            thread::sleep(wait);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let now = u64::try_from(now.as_nanos())?;
        payload[..8].copy_from_slice(&now.to_le_bytes());
        let sent = sockets.from.send_to(&payload, sockets.address);
        sent.context("cannot send")?;
    }
    Ok(total)
}
