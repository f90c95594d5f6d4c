//! Garbage for every open port of a process: what strangers, port scanners and old games send.
//!
//! A port that is open on loopback alone is none: a sender there runs on the same machine
//! and can disturb a game more easily. ENet, which empties its
//! socket once a frame, could not bear it either.

use std::io::Write as _;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use noray_testkit::child::ChildProcess;
use noray_testkit::process_info::ProcessInfo;

use crate::nat::namespaces::Namespaces;
use crate::nat::network::Machine;

/// How often datagrams go out: at 10,000 a second ten to each port at once.
const TICK: Duration = Duration::from_millis(1);

/// How often the process is asked which ports it has.
const LOOK: Duration = Duration::from_millis(100);

/// How often the amount sent is printed.
const REPORT: Duration = Duration::from_secs(1);

/// A sender of garbage, which runs on the machine of the process that it aims at.
pub(crate) struct Garbage(ChildProcess);

impl Garbage {
    /// Starts to send `rate` datagrams a second to each port of `process`.
    pub(crate) fn start(
        namespaces: &Namespaces,
        machine: &Machine,
        process: u32,
        rate: u32,
    ) -> Result<Self> {
        let own = std::env::current_exe().context("cannot find our own executable")?;
        let mut command = namespaces.inside(&machine.namespace, &own);
        let address = machine.address;
        command.args(format!("garbage {process} {address} {rate}").split(' '));
        Ok(Self(ChildProcess::start("garbage", &mut command)?))
    }

    /// Ends it. Returns how many datagrams a second went to each port, and to how many ports at the
    /// most.
    pub(crate) fn stop(self) -> Result<(u64, u64)> {
        let log = self.0.stop();
        let (mut rates, mut most_ports) = (Vec::new(), 0);
        for line in &log {
            let numbers = line.split(' ').filter_map(|word| word.parse().ok());
            if let [rate, ports] = numbers.collect::<Vec<u64>>()[..] {
                rates.push(rate);
                most_ports = most_ports.max(ports);
            }
        }
        let (sum, seconds): (u64, u64) = (rates.iter().sum(), rates.len() as u64);
        let rate = sum.checked_div(seconds);
        let rate = rate.with_context(|| format!("no garbage was sent: {}", log.join("\n")))?;
        Ok((rate, most_ports))
    }
}

/// Sends `rate` datagrams a second to each UDP port that `process` has open to others, at the
/// `address` of its machine, until ended. Prints once a second how many went to each port.
pub(crate) fn send(process: u32, address: Ipv4Addr, rate: u32) -> Result<()> {
    let process_info = ProcessInfo::of(process)?;
    let socket = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    let mut random = fastrand::Rng::with_seed(process.into());
    let block: Vec<u8> = (0..1400).map(|_| random.u8(..)).collect();
    let mut targets: Vec<SocketAddr> = Vec::new();
    let (mut looked, mut reported) = (None::<Instant>, Instant::now());
    let (mut sent, mut most_ports) = (0_u64, 0);
    let (mut due, mut last) = (0.0, Instant::now());
    loop {
        if looked.is_none_or(|looked| looked.elapsed() >= LOOK) {
            targets = open_ports(&process_info, address)?;
            most_ports = most_ports.max(targets.len());
            looked = Some(Instant::now());
        }
        // After a pause of the machine not all that was missed at once.
        due += (last.elapsed().as_secs_f64() * f64::from(rate)).min(f64::from(rate) / 10.0);
        last = Instant::now();
        while due >= 1.0 {
            due -= 1.0;
            sent += 1;
            for target in &targets {
                // A port that was closed a moment ago refuses.
                let _ = socket.send_to(datagram(&mut random, &block), target);
            }
        }
        if reported.elapsed() >= REPORT {
            let rate = (sent as f64 / reported.elapsed().as_secs_f64()) as u64;
            println!("sent {rate} {most_ports}");
            std::io::stdout().flush()?;
            sent = 0;
            reported = Instant::now();
        }
        thread::sleep(TICK);
    }
}

/// Returns where a process at `address` hears others.
fn open_ports(process: &ProcessInfo, address: Ipv4Addr) -> Result<Vec<SocketAddr>> {
    let mut sockets = process.udp_sockets()?;
    sockets.retain(|socket| !socket.ip().to_canonical().is_loopback());
    for socket in &mut sockets {
        // An IPv6 socket takes IPv4 too.
        if socket.ip().is_unspecified() {
            socket.set_ip(address.into());
        }
    }
    Ok(sockets)
}

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

/// Returns a meaningless datagram; about half of them begin like a meaningful one.
fn datagram<'a>(random: &mut fastrand::Rng, block: &'a [u8]) -> &'a [u8] {
    if random.bool() {
        return BEGINNINGS[random.usize(..BEGINNINGS.len())];
    }
    let start = random.usize(..256);
    // Mostly short, as a game's packets are; some as long as they can be.
    let length = match random.u8(..8) {
        0 => 1100,
        _ => random.usize(..64),
    };
    &block[start..start + length]
}
