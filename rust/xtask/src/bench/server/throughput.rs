//! How many packets a second one relayed pair gets through.
//!
//! The sender offers more and more, until what is delivered falls: on few cores, a sender that
//! offers too much takes the processor's time from the server.

use std::cell::RefCell;
use std::net::{SocketAddr, UdpSocket};
use std::thread;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::load::{FLAT_OUT, Load, Try};
use super::machine::{self, Ticks};
use super::player::Player;
use super::table::{Part, Row, thousands};
use super::turns::{by_turns, medians, with_server};
use crate::server::{Program, Server};

/// Each server is measured so often.
const ROUNDS: usize = 5;
/// The first rate that is tried, in packets a second, and from one to the next.
const LOWEST: f64 = 20_000.0;
const STEP: f64 = 1.4;
/// How long each rate is tried, and how long the best ones are.
const TRY: Duration = Duration::from_millis(300);
const LONG_TRY: Duration = Duration::from_secs(1);
/// So many of the best rates are tried again.
const BEST: usize = 3;
/// After so many rates in a row that deliver clearly less than the best one, no higher one will
/// deliver more.
const WORSE: usize = 3;

/// More than any of the servers relays.
pub(super) const NO_LIMITS: [(&str, &str); 3] = [
    ("NORAY_UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC", "1tb"),
    ("NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC", "1tb"),
    ("NORAY_UDP_RELAY_MAX_LIFETIME_TRAFFIC", "1pb"),
];

/// How the values are laid out. Rates are in packets a second.
const DELIVERED: usize = 0;
const OFFERED: usize = 1;
/// The server's microseconds for a packet that arrives.
const PROCESSOR: usize = 2;
/// What arrives when the sender takes a core for itself.
const FLAT_OUT_DELIVERED: usize = 3;
/// Cores in use, by whom.
const SERVER_CORES: usize = 4;
const OUR_CORES: usize = 5;
const ALL_CORES: usize = 6;

type Values = [f64; 7];

/// Measures all programs, and the system with no server between.
pub(super) fn measure(programs: &[Program]) -> Result<Part> {
    let direct = RefCell::new(Vec::new());
    let measured = by_turns(programs, ROUNDS, |program| {
        if matches!(program, Program::Ours(_)) {
            direct.borrow_mut().push(without_relay()?);
        }
        with_server(program, &NO_LIMITS, relayed)
    })?;
    let direct = medians(&direct.into_inner());
    let row = |what: &str, at: usize, show: &dyn Fn(f64) -> String, to_reach| {
        Row::new(what, measured.ours[at], measured.other(at), show, to_reach)
    };
    let share = |value| format!("{:.0} %", 100.0 * value / direct[DELIVERED]);
    let share_of = format!(
        "- share of the {} a second that arrive with no relay between",
        thousands(direct[DELIVERED])
    );
    let microseconds = |value| format!("{value:.2} µs");
    let mut notes = vec![format!(
        "Throughput: the sender offers {} packets a second, then two fifths more each time, until \
         less arrives; the most that arrived counts. Limits of traffic are off in both servers. \
         Packets are sent in batches and taken one by one. The sender flat out with no relay \
         between: {} arrive.",
        thousands(LOWEST),
        thousands(direct[FLAT_OUT_DELIVERED]),
    )];
    let cores = thread::available_parallelism()?.get();
    notes.push(cores_in_use("with no relay between", &direct, cores));
    notes.push(cores_in_use("with our server", &measured.ours, cores));
    if let Some(Ok(other)) = &measured.other {
        notes.push(cores_in_use("with the other server", other, cores));
    }
    Ok(Part {
        rows: vec![
            row(
                "relay: packets a second delivered, 200 B, one pair",
                DELIVERED,
                &thousands,
                "5",
            ),
            row(&share_of, DELIVERED, &share, "reported"),
            row(
                "- the server's processor time for a packet",
                PROCESSOR,
                &microseconds,
                "reported",
            ),
            row("- offered then, a second", OFFERED, &thousands, ""),
            row(
                "- delivered with the sender flat out",
                FLAT_OUT_DELIVERED,
                &thousands,
                "",
            ),
        ],
        notes,
    })
}

fn cores_in_use(when: &str, values: &Values, cores: usize) -> String {
    let (server, ours) = (values[SERVER_CORES], values[OUR_CORES]);
    let others = (values[ALL_CORES] - server - ours).max(0.0);
    format!(
        "Of {cores} cores in use {when}: the server {server:.2}, the sender and the receiver \
         {ours:.2}, other programs {others:.2}."
    )
}

fn relayed(server: &Server) -> Result<Values> {
    let (mut from, mut to) = (Player::register(server, 1)?, Player::register(server, 2)?);
    let [address, _] = from.connect_relay(&mut to)?;
    best(&from.udp, &to.udp, address, Some(server.process()))
}

fn without_relay() -> Result<Values> {
    let socket = || UdpSocket::bind("127.0.0.1:0");
    let (from, to) = (socket()?, socket()?);
    best(&from, &to, to.local_addr()?, None)
}

/// Searches the rate at which most arrives.
fn best(
    from: &UdpSocket,
    to: &UdpSocket,
    address: SocketAddr,
    server: Option<u32>,
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
        let values = at_rate(&mut load, this.rate, server)?;
        if values[DELIVERED] > best[DELIVERED] {
            best = values;
        }
    }
    best[FLAT_OUT_DELIVERED] = load.offer(FLAT_OUT, LONG_TRY)?.delivered;
    Ok(best)
}

/// What arrives at this rate, and what it costs.
fn at_rate(load: &mut Load<'_>, rate: f64, server: Option<u32>) -> Result<Values> {
    let ticks = Ticks::now(server)?;
    let processor = server.map_or(Ok(Duration::ZERO), machine::processor_time)?;
    let this = load.offer(rate, LONG_TRY)?;
    let used = server.map_or(Ok(Duration::ZERO), machine::processor_time)?;
    let [server, ours, all] = Ticks::now(server)?.seconds_since(&ticks);
    let per_packet = used.saturating_sub(processor).as_secs_f64() / this.received as f64;
    let seconds = LONG_TRY.as_secs_f64();
    let mut values = Values::default();
    values[DELIVERED] = this.delivered;
    values[OFFERED] = this.offered;
    values[PROCESSOR] = per_packet * 1e6;
    values[SERVER_CORES] = server / seconds;
    values[OUR_CORES] = ours / seconds;
    values[ALL_CORES] = all / seconds;
    Ok(values)
}
