//! How many packets a second one relayed pair gets through.
//!
//! The sender offers more and more, until what is delivered falls: on few cores, a sender that
//! offers too much takes the processor's time from the server.

use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use quinn_udp::{Transmit, UdpSocketState};
use socket2::SockRef;

use super::machine;
use super::player::Player;
use super::receiving::{Receiver, SOCKET_BUFFER};
use super::statistics::median;
use super::table::{Part, Row, thousands};
use super::turns::{by_turns, with_server};
use crate::server::{Program, Server};

/// Bytes of a packet: what a game of some players sends.
pub const PAYLOAD: usize = 200;
/// Each server is measured so often.
const ROUNDS: usize = 3;
/// The first rate that is tried, in packets a second, and from one to the next.
const LOWEST: f64 = 20_000.0;
const STEP: f64 = 1.4;
/// How long each rate is tried, and how long the best ones are.
const TRY: Duration = Duration::from_millis(300);
const LONG_TRY: Duration = Duration::from_millis(1000);
/// So many of the best rates are tried again.
const BEST: usize = 3;
/// After so many rates in a row that deliver clearly less than the best one, no higher one will
/// deliver more.
const WORSE: usize = 3;
/// The sender wakes up so often.
const TICK: Duration = Duration::from_micros(500);
/// Faster than any system.
const FLAT_OUT: f64 = 1e9;
/// The receiver looks so often: it is not woken for each packet.
const PAUSE: Duration = Duration::from_micros(200);
/// Nothing more comes after so long.
const REST: Duration = Duration::from_millis(100);
/// What is on its way before counting begins.
const WARM_UP: Duration = Duration::from_millis(100);

/// More than any of the servers relays.
pub const NO_LIMITS: [(&str, &str); 3] = [
    ("NORAY_UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC", "1tb"),
    ("NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC", "1tb"),
    ("NORAY_UDP_RELAY_MAX_LIFETIME_TRAFFIC", "1pb"),
];

/// Delivered, offered, processor's time, delivered when flat out, offered when flat out.
type Values = [f64; 5];

/// Measures all programs, and the system with no server between.
pub fn measure(programs: &[Program]) -> Result<Part> {
    let mut direct = Vec::new();
    let measured = by_turns(programs, ROUNDS, |program| {
        with_server(program, &NO_LIMITS, relayed)
    })?;
    for _ in 0..ROUNDS {
        direct.push(without_relay()?);
    }
    let direct: Values = std::array::from_fn(|at| {
        let values: Vec<f64> = direct.iter().map(|values| values[at]).collect();
        median(&values)
    });
    let [delivered, ..] = direct;
    let share = |value: f64| format!("{:.0} %", 100.0 * value / delivered);
    let microseconds = |value: f64| format!("{value:.2} µs");
    let other = |at| measured.other(at);
    let ours = measured.ours;
    Ok(Part {
        rows: vec![
            Row::new(
                "relay: packets a second delivered, 200 B, one pair",
                ours[0],
                other(0),
                thousands,
                "5",
            ),
            Row::new(
                &format!(
                    "- share of the {} a second that arrive with no relay between",
                    thousands(delivered)
                ),
                ours[0],
                other(0),
                share,
                "reported",
            ),
            Row::new(
                "- the server's processor time for a packet",
                ours[2],
                other(2),
                microseconds,
                "reported",
            ),
            Row::new("- offered then, a second", ours[1], other(1), thousands, ""),
            Row::new(
                "- delivered, the sender taking a core for itself",
                ours[3],
                other(3),
                thousands,
                "",
            ),
        ],
        notes: vec![format!(
            "Throughput: the sender offers from {} packets a second on, two fifths more each time, \
             until less arrives; the most that arrived counts. With no relay between: {} offered, \
             {} arrived of {} with the sender flat out. Limits of traffic are off in both servers. \
             Packets are sent in batches and received one by one, on {} cores for sender, server \
             and receiver.",
            thousands(LOWEST),
            thousands(direct[1]),
            thousands(direct[3]),
            thousands(direct[4]),
            thread::available_parallelism()?,
        )],
    })
}

fn relayed(server: &Server) -> Result<Values> {
    let (mut from, mut to) = (Player::register(server, 1)?, Player::register(server, 2)?);
    let [address, _] = from.connect_relay(&mut to)?;
    let process = server.process();
    best(&from.udp, &to.udp, address, || {
        machine::processor_time(process)
    })
}

fn without_relay() -> Result<Values> {
    let socket = || UdpSocket::bind("127.0.0.1:0");
    let (from, to) = (socket()?, socket()?);
    let address = to.local_addr()?;
    best(&from, &to, address, || Ok(Duration::ZERO))
}

/// Searches the rate at which most arrives.
fn best(
    from: &UdpSocket,
    to: &UdpSocket,
    address: SocketAddr,
    processor_time: impl Fn() -> Result<Duration>,
) -> Result<Values> {
    let mut load = Load::new(from, to, address)?;
    let mut tries: Vec<Try> = Vec::new();
    let (mut rate, mut most, mut worse) = (LOWEST, 0.0_f64, 0);
    while worse < WORSE {
        let this = load.offer(rate, TRY)?;
        most = most.max(this.delivered);
        let is_all_there_is = this.offered < 0.8 * rate;
        let is_worse = this.delivered < 0.95 * most || is_all_there_is;
        worse = if is_worse { worse + 1 } else { 0 };
        tries.push(this);
        rate *= STEP;
    }
    ensure!(most > 0.0, "nothing arrived");
    tries.sort_by(|a, b| b.delivered.total_cmp(&a.delivered));
    let mut best = Values::default();
    for this in tries.iter().take(BEST) {
        let before = processor_time()?;
        let this = load.offer(this.rate, LONG_TRY)?;
        let used = processor_time()?.saturating_sub(before);
        if this.delivered > best[0] {
            let microseconds = used.as_secs_f64() * 1e6 / this.received as f64;
            best = [this.delivered, this.offered, microseconds, 0.0, 0.0];
        }
    }
    let flat_out = load.offer(FLAT_OUT, LONG_TRY)?;
    best[3] = flat_out.delivered;
    best[4] = flat_out.offered;
    Ok(best)
}

struct Load<'a> {
    from: &'a UdpSocket,
    to: &'a UdpSocket,
    address: SocketAddr,
    sender: UdpSocketState,
    receiver: Receiver,
}

/// What came of a rate. All rates are in packets a second.
struct Try {
    rate: f64,
    offered: f64,
    delivered: f64,
    received: u64,
}

impl<'a> Load<'a> {
    fn new(from: &'a UdpSocket, to: &'a UdpSocket, address: SocketAddr) -> Result<Self> {
        SockRef::from(from).set_send_buffer_size(SOCKET_BUFFER)?;
        Ok(Self {
            from,
            to,
            address,
            sender: UdpSocketState::new(from.into())?,
            receiver: Receiver::plain(to)?,
        })
    }

    /// Sends at this rate for so long, and then waits until nothing more comes.
    fn offer(&mut self, rate: f64, time: Duration) -> Result<Try> {
        let (from, to, address) = (self.from, self.to, self.address);
        let (sender, receiver) = (&self.sender, &mut self.receiver);
        let mut received = 0;
        let start = Instant::now();
        thread::scope(|scope| {
            let sending = scope.spawn(|| send(sender, from, address, rate, time));
            let mut take_until = |until: Duration| {
                while start.elapsed() < until {
                    receiver.take(to, |_, _| received += 1)?;
                    thread::sleep(PAUSE);
                }
                anyhow::Ok((start.elapsed(), received))
            };
            let first = take_until(WARM_UP)?;
            let last = take_until(time)?;
            let sent = match sending.join() {
                Ok(sent) => sent?,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            let all = take_until(start.elapsed() + REST)?;
            Ok(Try {
                rate,
                offered: sent as f64 / time.as_secs_f64(),
                delivered: (last.1 - first.1) as f64 / (last.0 - first.0).as_secs_f64(),
                received: all.1,
            })
        })
    }
}

/// Sends at this rate for so long; says how many packets.
fn send(
    system: &UdpSocketState,
    socket: &UdpSocket,
    to: SocketAddr,
    rate: f64,
    time: Duration,
) -> Result<u64> {
    let most = system.max_gso_segments();
    let payload = vec![7; most * PAYLOAD];
    let start = Instant::now();
    let mut sent = 0;
    loop {
        let now = start.elapsed();
        if now >= time {
            return Ok(sent);
        }
        let due = (now.as_secs_f64() * rate) as u64;
        if sent >= due {
            thread::sleep(TICK);
            continue;
        }
        let count = usize::try_from(due - sent)?.min(most);
        let batch = Transmit {
            destination: to,
            ecn: None,
            contents: &payload[..count * PAYLOAD],
            segment_size: (count > 1).then_some(PAYLOAD),
            src_ip: None,
        };
        match system.try_send(socket.into(), &batch) {
            Ok(()) => sent += count as u64,
            // The system's buffers are full.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    }
}
