//! How long a packet is on its way through a relay.
//!
//! The sender writes the time into the packet just before it sends it, and the system notes when
//! it came: when our receiver gets to run does not count. So it only runs at the end.

use std::net::SocketAddr;
use std::num::NonZeroU64;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use super::machine;
use super::player::Player;
use super::receiving::Receiver;
use super::statistics::{median, percentile};
use super::table::{Part, Row};
use super::throughput::{NO_LIMITS, PAYLOAD};
use super::turns::{by_turns, with_server};
use crate::server::{Program, Server};

/// Each server is measured so often.
const ROUNDS: usize = 5;
const PAIRS: usize = 100;
/// Packets a second of all pairs together, one way.
const RATE: u64 = 6000;
const TIME: Duration = Duration::from_secs(4);
/// What is on its way arrives within this time.
const REST: Duration = Duration::from_millis(300);

/// Median and 99th percentile in microseconds, lost per cent, the server's microseconds a packet.
type Values = [f64; 4];

/// Measures all programs.
pub fn measure(programs: &[Program]) -> Result<Part> {
    let measured = by_turns(programs, ROUNDS, |program| {
        with_server(program, &NO_LIMITS, relayed)
    })?;
    let row = |what: &str, at: usize, show: fn(f64) -> String, to_reach| {
        Row::new(what, measured.ours[at], measured.other(at), show, to_reach)
    };
    let microseconds = |value| format!("{value:.0} µs");
    Ok(Part {
        rows: vec![
            row(
                "relay: 99th percentile latency, 6,000 packets a second over 100 pairs",
                1,
                microseconds,
                "half",
            ),
            row("- median", 0, microseconds, "reported"),
            row("- lost", 2, |value| format!("{value:.2} %"), ""),
            row(
                "- the server's processor time for a packet",
                3,
                |value| format!("{value:.1} µs"),
                "reported",
            ),
        ],
        notes: vec![
            "Latency: from just before a packet is sent until the system has it for the \
             receiver, by the system's own time stamp."
                .to_owned(),
        ],
    })
}

fn relayed(server: &Server) -> Result<Values> {
    let mut pairs = Vec::new();
    for pair in 0..PAIRS {
        let mut from = Player::register(server, 2 * pair)?;
        let mut to = Player::register(server, 2 * pair + 1)?;
        let [address, _] = from.connect_relay(&mut to)?;
        let receiver = Receiver::stamped(&to.udp)?;
        pairs.push((from, to, address, receiver));
    }
    let before = machine::processor_time(server.process())?;
    let ways = pairs.iter().map(|(from, _, address, _)| (from, *address));
    let ways: Vec<(&Player, SocketAddr)> = ways.collect();
    // A thread of its own: it alone sleeps exactly.
    let sent = thread::scope(|scope| scope.spawn(|| send(&ways)).join());
    let sent = match sent {
        Ok(sent) => sent?,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    thread::sleep(REST);
    let used = machine::processor_time(server.process())?.saturating_sub(before);

    let mut latencies = Vec::new();
    let mut unclear = 0;
    for (_, to, _, receiver) in &mut pairs {
        receiver.take(&to.udp, |packet, came| match (came, packet.first_chunk()) {
            (Some(came), Some(sent)) => {
                let sent = Duration::from_nanos(u64::from_le_bytes(*sent));
                latencies.push(came.saturating_sub(sent).as_secs_f64() * 1e6);
            }
            _ => unclear += 1,
        })?;
    }
    ensure!(unclear == 0, "{unclear} packets came without a time");
    ensure!(!latencies.is_empty(), "nothing arrived");
    let arrived = latencies.len() as f64;
    Ok([
        median(&latencies),
        percentile(&latencies, 99),
        100.0 * (1.0 - arrived / sent as f64),
        used.as_secs_f64() * 1e6 / arrived,
    ])
}

/// Sends a packet of each pair in turn, evenly; says how many.
fn send(ways: &[(&Player, SocketAddr)]) -> Result<u64> {
    // The system wakes others together, up to 50 µs late.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
    let total = RATE * TIME.as_secs();
    let mut payload = [7; PAYLOAD];
    let start = Instant::now();
    for (number, (from, to)) in (0..total).zip(ways.iter().cycle()) {
        let due = Duration::from_nanos(number * 1_000_000_000 / RATE);
        let wait = due.saturating_sub(start.elapsed());
        if !wait.is_zero() {
            thread::sleep(wait);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let now = u64::try_from(now.as_nanos())?;
        payload[..8].copy_from_slice(&now.to_le_bytes());
        from.udp.send_to(&payload, to).context("cannot send")?;
    }
    Ok(total)
}
