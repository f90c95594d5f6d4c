//! Garbage for every open port of a process: what strangers, port scanners and old games send.
//!
//! A port that is open on loopback alone is none: who can send there runs on the same machine
//! and has better ways to disturb a game. Nor could ENet bear it, whose socket is emptied once a
//! frame.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddrV4, UdpSocket};
use std::process::Stdio;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::proc;
use super::tools::Tools;
use super::topology::Machine;
use crate::process::Game;

/// How often datagrams go out: at 10,000 a second ten to each port at once.
const TICK: Duration = Duration::from_millis(1);

/// How often the process is asked which ports it has.
const LOOK: Duration = Duration::from_millis(100);

/// How often it is told how much was sent.
const TELL: Duration = Duration::from_secs(1);

/// A sender of garbage, which runs on the machine of the process that it aims at.
pub(crate) struct Flood {
    game: Game,
    read: usize,
}

impl Flood {
    /// Starts one.
    pub(crate) fn start(tools: &Tools, machine: &Machine, process: u32, rate: u32) -> Result<Self> {
        let own = std::env::current_exe().context("cannot find our own executable")?;
        let mut command = tools.inside(&machine.namespace, &own);
        command
            .arg("natlab-flood")
            .arg(process.to_string())
            .arg(machine.address.to_string())
            .arg(rate.to_string())
            .stdin(Stdio::null());
        Ok(Self {
            game: Game::start("flood", &mut command)?,
            read: 0,
        })
    }

    /// Ends it and returns how many datagrams a second went to each port, and to how many ports
    /// at the most.
    pub(crate) fn stop(mut self) -> Result<(u64, usize)> {
        let mut told = Vec::new();
        let _ = self.game.wait_for(&mut self.read, Instant::now(), |line| {
            told.extend(line.strip_prefix("sent ").map(str::to_owned));
            None::<()>
        });
        let said = self.game.stop();
        let words = |line: &String| {
            let (rate, ports) = line.split_once(' ')?;
            Some((rate.parse::<u64>().ok()?, ports.parse::<usize>().ok()?))
        };
        let sums: Vec<_> = told.iter().filter_map(words).collect();
        let seconds = u64::try_from(sums.len()).unwrap_or(u64::MAX);
        let rate = sums.iter().map(|(rate, _)| rate).sum::<u64>();
        let ports = sums.iter().map(|&(_, ports)| ports).max();
        ports
            .and_then(|ports| Some((rate.checked_div(seconds)?, ports)))
            .with_context(|| format!("the garbage was not sent: {}", said.join("\n")))
    }
}

/// Sends `rate` datagrams a second to each UDP port that `process` has open to others, at the
/// `address` of its machine, until ended. Tells once a second
/// how many went to each port.
pub(crate) fn run(process: u32, address: Ipv4Addr, rate: u32) -> Result<()> {
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let mut garbage = Garbage(0x9E37_79B9_7F4A_7C15 ^ u64::from(process));
    let mut ports: Vec<SocketAddrV4> = Vec::new();
    let (mut looked, mut told) = (None::<Instant>, Instant::now());
    let mut most_ports = 0;
    let mut due = 0.0;
    let mut sent = 0_u64;
    let mut last = Instant::now();
    loop {
        if looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            ports = proc::udp_sockets(process)?;
            ports.retain(|port| !port.ip().is_loopback());
            most_ports = most_ports.max(ports.len());
            looked = Some(Instant::now());
        }
        // After a pause of the machine not all that was missed at once.
        due += (last.elapsed().as_secs_f64() * f64::from(rate)).min(f64::from(rate) / 10.0);
        last = Instant::now();
        while due >= 1.0 {
            due -= 1.0;
            sent += 1;
            for port in &ports {
                let mut target = *port;
                if target.ip().is_unspecified() {
                    target.set_ip(address);
                }
                // A port that was closed a moment ago refuses.
                let _ = socket.send_to(garbage.next(), target);
            }
        }
        if told.elapsed() >= TELL {
            let rate = (sent as f64 / told.elapsed().as_secs_f64()) as u64;
            println!("sent {rate} {most_ports}");
            std::io::stdout().flush()?;
            sent = 0;
            told = Instant::now();
        }
        thread::sleep(TICK);
    }
}

/// Datagrams without sense, some of which look as if they had one. A plain generator of
/// pseudo-random numbers (xorshift) is enough.
struct Garbage(u64);

/// Beginnings that a link, a registrar or ENet might look at twice.
const BEGINNINGS: [&[u8]; 8] = [
    b"",
    b"$rwx",
    b"$-w-",
    b"$",
    b"OK",
    b"\x8f\xff\x00\x00\x82\xff\x00\x01",
    b"\x00\x00\x81\x00\x00\x01",
    b"connect 203.0.113.1:1\n",
];

impl Garbage {
    const BLOCK: [u8; 1400] = {
        let mut block = [0; 1400];
        let mut state: u32 = 1;
        let mut index = 0;
        while index < block.len() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            block[index] = (state >> 24) as u8;
            index += 1;
        }
        block
    };

    fn next(&mut self) -> &'static [u8] {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        static BLOCK: [u8; 1400] = Garbage::BLOCK;
        let [kind, low, high, ..] = self.0.to_le_bytes();
        if kind < 128 {
            return BEGINNINGS[usize::from(kind % 8)];
        }
        let start = usize::from(low);
        // Mostly short, as a game's packets are; some as long as they can be.
        let length = if kind < 240 {
            usize::from(high) % 64
        } else {
            1100
        };
        &BLOCK[start..start + length]
    }
}
