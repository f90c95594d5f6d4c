//! How long a packet is on its way through a relay.
//!
//! The sender writes the time into the packet just before it sends it, and the system notes when
//! it came: when our receiver gets to run does not count. So it only runs at the end.

use std::cell::RefCell;
use std::net::{SocketAddr, UdpSocket};
use std::num::NonZeroU64;
use std::thread;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, ensure};

use super::load::PAYLOAD;
use super::machine;
use super::player::Player;
use super::receiving::Receiver;
use super::statistics::{median, percentile};
use super::table::{Part, Row};
use super::throughput::NO_LIMITS;
use super::turns::{by_turns, medians, with_server};
use crate::server::{Program, Server};

/// Each server is measured so often.
const ROUNDS: usize = 7;
const PAIRS: usize = 100;
/// Packets a second of all pairs together, one way.
const RATE: u64 = 6000;
const TIME: Duration = Duration::from_secs(3);
/// Relays that are open besides, when it is measured whether a packet costs more with them.
const CROWD: usize = 10_000;
const CROWD_ROUNDS: usize = 3;
/// Room for the crowd, below the ports that systems hand out by themselves; and a crowd that
/// is idle stays.
const CROWD_SETTINGS: [(&str, &str); 2] = [
    ("NORAY_UDP_RELAY_PORTS", "20000-31999"),
    ("NORAY_UDP_RELAY_TIMEOUT", "10m"),
];
/// What is on its way arrives within this time.
const REST: Duration = Duration::from_millis(300);

/// Median and 99th percentile in microseconds, lost per cent, the server's microseconds a packet.
type Values = [f64; 4];

/// Measures all programs.
pub(super) fn measure(programs: &[Program]) -> Result<Part> {
    let direct = RefCell::new(Vec::new());
    let measured = by_turns(programs, ROUNDS, |program| {
        if matches!(program, Program::Ours(_)) {
            direct.borrow_mut().push(without_relay()?);
        }
        with_server(program, &NO_LIMITS, relayed)
    })?;
    let [at_50, at_99] = medians(&direct.into_inner());
    let crowd_settings = [&NO_LIMITS[..], &CROWD_SETTINGS].concat();
    let crowded = by_turns(&programs[..1], CROWD_ROUNDS, |program| {
        with_server(program, &crowd_settings, |server| {
            open_crowd(server)?;
            relayed(server)
        })
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
            Row::new(
                "- the same, 10,000 relays more open",
                crowded.ours[3],
                None,
                |value| format!("{value:.1} µs"),
                "constant",
            ),
        ],
        notes: vec![format!(
            "Latency: from just before a packet is sent until the system has it for the \
             receiver, by the system's own time stamp; {ROUNDS} rounds. With no relay between: \
             99th percentile {at_99:.0} µs, median {at_50:.0} µs."
        )],
    })
}

fn relayed(server: &Server) -> Result<Values> {
    let mut players = Vec::new();
    let mut ways = Vec::new();
    for pair in 0..PAIRS {
        let mut from = Player::register(server, 2 * pair)?;
        let mut to = Player::register(server, 2 * pair + 1)?;
        let [address, _] = from.connect_relay(&mut to)?;
        let (from_udp, to_udp) = (from.udp.try_clone()?, to.udp.try_clone()?);
        ways.push(PathKind::new(from_udp, to_udp, address)?);
        players.push([from, to]);
    }
    let before = machine::processor_time(server.process())?;
    let (latencies, sent) = on_their_way(&mut ways)?;
    let used = machine::processor_time(server.process())?.saturating_sub(before);
    let arrived = latencies.len() as f64;
    Ok([
        median(&latencies),
        percentile(&latencies, 99),
        100.0 * (1.0 - arrived / sent as f64),
        used.as_secs_f64() * 1e6 / arrived,
    ])
}

/// Relays that nobody uses any more, and that are still open.
fn open_crowd(server: &Server) -> Result<()> {
    for pair in PAIRS..PAIRS + CROWD / 2 {
        let mut from = Player::register(server, 2 * pair)?;
        let mut to = Player::register(server, 2 * pair + 1)?;
        from.connect_relay(&mut to)?;
    }
    let open = machine::open_files(server.process())?;
    ensure!(open > CROWD, "of {CROWD} relays, {open} are open at most");
    Ok(())
}

/// The same with no server between: median and 99th percentile in microseconds.
fn without_relay() -> Result<[f64; 2]> {
    let socket = || UdpSocket::bind("127.0.0.1:0");
    let ways = (0..PAIRS).map(|_| {
        let (from, to) = (socket()?, socket()?);
        let address = to.local_addr()?;
        PathKind::new(from, to, address)
    });
    let mut ways = ways.collect::<Result<Vec<_>>>()?;
    let (latencies, _) = on_their_way(&mut ways)?;
    Ok([median(&latencies), percentile(&latencies, 99)])
}

/// From one socket to another.
struct PathKind {
    from: UdpSocket,
    to: UdpSocket,
    /// Where `from` sends, so that `to` receives.
    address: SocketAddr,
    receiver: Receiver,
}

impl PathKind {
    fn new(from: UdpSocket, to: UdpSocket, address: SocketAddr) -> Result<Self> {
        let receiver = Receiver::stamped(&to)?;
        Ok(Self {
            from,
            to,
            address,
            receiver,
        })
    }
}

/// How many microseconds each packet took that arrived, and how many packets were sent.
fn on_their_way(ways: &mut [PathKind]) -> Result<(Vec<f64>, u64)> {
    // A thread of its own: it alone sleeps exactly.
    let sent = thread::scope(|scope| scope.spawn(|| send(ways)).join());
    let sent = match sent {
        Ok(sent) => sent?,
        Err(panic) => std::panic::resume_unwind(panic),
    };
    thread::sleep(REST);
    let mut latencies = Vec::new();
    let mut unclear = 0;
    for way in ways {
        way.receiver
            .take(&way.to, |packet, came| match (came, packet.first_chunk()) {
                (Some(came), Some(sent)) => {
                    let sent = Duration::from_nanos(u64::from_le_bytes(*sent));
                    latencies.push(came.saturating_sub(sent).as_secs_f64() * 1e6);
                }
                _ => unclear += 1,
            })?;
    }
    ensure!(unclear == 0, "{unclear} packets came without a time");
    ensure!(!latencies.is_empty(), "nothing arrived");
    Ok((latencies, sent))
}

/// Sends a packet of each pair in turn, evenly; says how many.
fn send(ways: &[PathKind]) -> Result<u64> {
    // The system wakes others together, up to 50 µs late.
    rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
    let total = RATE * TIME.as_secs();
    let mut payload = [7; PAYLOAD];
    let start = Instant::now();
    for (number, way) in (0..total).zip(ways.iter().cycle()) {
        let due = Duration::from_nanos(number * 1_000_000_000 / RATE);
        let wait = due.saturating_sub(start.elapsed());
        if !wait.is_zero() {
            thread::sleep(wait);
        }
        let now = SystemTime::now().duration_since(UNIX_EPOCH)?;
        let now = u64::try_from(now.as_nanos())?;
        payload[..8].copy_from_slice(&now.to_le_bytes());
        let sent = way.from.send_to(&payload, way.address);
        sent.context("cannot send")?;
    }
    Ok(total)
}
