//! What a server with its default limits does under a flood and under garbage, and what other
//! players notice of it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, SocketAddr, UdpSocket};
use std::panic::resume_unwind;
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use noray_testkit::player::{AcceptsPlayers as _, address_of, dial};
use noray_testkit::server::{ServerPorts, ServerProcess, ServerProgram};
use noray_testkit::{files, paths};

use super::comparison::{DEFAULT_RELAYS, launch};
use super::packet_stream::{PAYLOAD, PacketStream};
use super::socket_pair::SocketPair;
use super::table::{Part, Row, thousands};

/// Packets of a flood.
const FLOOD: u64 = 1_000_000;
/// Packets of a flood a second: 150 times what is allowed, and less than any server here takes in.
const FLOOD_RATE: f64 = 100_000.0;
/// From one look at a flooded server to the next.
const FLOOD_PART: Duration = Duration::from_millis(250);
/// From packet to packet of each bystander: a sixth of what is allowed.
const PACE: Duration = Duration::from_millis(10);
/// From a bystander's last packet until no more comes.
const REST: Duration = Duration::from_millis(500);
/// A server that ends does so within this time after its reason.
const END: Duration = Duration::from_millis(100);
/// How long a server may take to read an input and close the connection behind it.
const READ: Duration = Duration::from_secs(2);
/// A server that ends more often is not started again.
const MOST_ENDS: usize = 5;
/// What the bystanders send, and nobody else.
const PACKET: [u8; PAYLOAD] = [9; PAYLOAD];
/// The fuzz targets whose kept inputs are sent.
const TARGETS: [&str; 5] = ["framing", "commands", "datagrams", "registrar", "relay"];
/// The largest UDP payload over IPv4.
const MAX_DATAGRAM: usize = 65_507;

const STILL_UP: &str = "still up";

/// Measures all programs, one after the other.
pub(super) fn measure(programs: &[ServerProgram]) -> Result<Part> {
    let inputs = corpus()?;
    let of_each = |attack: &dyn Fn(&ServerProgram) -> Result<Outcome>| {
        programs.iter().map(attack).collect::<Result<Vec<_>>>()
    };
    let floods = of_each(&flood)?;
    let garbage = of_each(&|program| send_garbage(program, &inputs))?;
    let row = |what, outcomes: &[Outcome], at: usize, target| {
        let other = outcomes.get(1).map(|other| other[at].as_str());
        Row::of_words(what, &outcomes[0][at], other, target)
    };
    let fed = format!(
        "{} inputs of the fuzz corpus, by TCP and UDP",
        thousands(inputs.len() as f64)
    );
    let bystanders = "- packets of another pair that arrived";
    Ok(Part {
        rows: vec![
            row("1,000,000 packets over the limit", &floods, 0, STILL_UP),
            row(bystanders, &floods, 1, "all"),
            row(&fed, &garbage, 0, STILL_UP),
            row(bystanders, &garbage, 1, "all"),
        ],
        notes: vec![format!(
            "Abuse: the limits are the default ones; {} packets a second of {PAYLOAD} bytes \
             through one relay, 128 KiB a second being allowed; the other pair sends 100 packets \
             a second each way.",
            thousands(FLOOD_RATE)
        )],
    })
}

/// What became of an attacked server, and of the bystanders' packets.
type Outcome = [String; 2];

/// Returns the kept inputs of the fuzz targets.
fn corpus() -> Result<Vec<Vec<u8>>> {
    let mut inputs = Vec::new();
    for target in TARGETS {
        let folder = paths::root().join("rust/fuzz/corpus").join(target);
        let before = inputs.len();
        for file in files::entries(&folder)? {
            inputs.push(fs::read(file)?);
        }
        ensure!(inputs.len() > before, "{} is empty", folder.display());
    }
    Ok(inputs)
}

/// One player of a relayed pair sends far more than it may.
fn flood(program: &ServerProgram) -> Result<Outcome> {
    let mut bystanders = Packets::default();
    let end = attack(program, &mut bystanders, |server, _| {
        let sockets = SocketPair::relayed(server, 0)?;
        let mut stream = PacketStream::new(&sockets)?;
        let mut sent = 0;
        while sent < FLOOD && !server.child.has_ended() {
            sent += stream.offer(FLOOD_RATE, FLOOD_PART)?.sent;
        }
        Ok(format!("within {} packets", thousands(sent as f64)))
    })?;
    Ok([end, bystanders.to_string()])
}

/// Sends each input as a whole connection, and as a datagram to the registrar and to a relay. A
/// server that ends is started again.
fn send_garbage(program: &ServerProgram, inputs: &[Vec<u8>]) -> Result<Outcome> {
    let mut inputs = inputs.iter().enumerate();
    let mut ends = 0;
    let mut bystanders = Packets::default();
    loop {
        let end = attack(program, &mut bystanders, |server, relay| {
            while !server.child.has_ended()
                && let Some((number, input)) = inputs.next()
            {
                send_input(server, relay, number, input)?;
            }
            Ok("by itself".to_owned())
        })?;
        ends += usize::from(end != STILL_UP);
        let is_over = inputs.len() == 0;
        if is_over || ends > MOST_ENDS {
            let end = match ends {
                0 => end,
                1 => "exits once".to_owned(),
                _ if is_over => format!("exits {ends} times"),
                _ => format!("exits {ends} times, before {} inputs", inputs.len()),
            };
            return Ok([end, bystanders.to_string()]);
        }
    }
}

fn send_input(
    server: &ServerProcess,
    relay: SocketAddr,
    number: usize,
    input: &[u8],
) -> Result<()> {
    // An address for each, since limits are by address.
    let address = address_of(1000 + number);
    let datagram = &input[..input.len().min(MAX_DATAGRAM)];
    let udp = UdpSocket::bind((address, 0))?;
    udp.send_to(datagram, server.registrar())?;
    udp.send_to(datagram, relay)?;
    // A server that has ended, or closes early, is found out by the caller.
    let Ok(mut connection) = dial(address, server.commands()) else {
        return Ok(());
    };
    let _ = connection.write_all(input);
    let _ = connection.shutdown(Shutdown::Write);
    connection.set_read_timeout(Some(READ))?;
    let _ = connection.read_to_end(&mut Vec::new());
    Ok(())
}

/// Attacks a new server while two bystanders, who keep to the limits, play from a moment before
/// until a moment after. `act` gets the server and a bystander's relay, and returns when a server
/// that ended did so.
///
/// Returns what had become of the server: it must serve a new player.
fn attack(
    program: &ServerProgram,
    bystanders: &mut Packets,
    act: impl FnOnce(&mut ServerProcess, SocketAddr) -> Result<String>,
) -> Result<String> {
    let mut server = launch(program, ServerPorts::free(DEFAULT_RELAYS), &[])?;
    server.wait_until_ready()?;
    let mut one = server.registered_from(address_of(11))?;
    let mut other = server.registered_from(address_of(12))?;
    let relays = one.relay_with(&mut other)?;
    let stop = AtomicBool::new(false);
    let when = thread::scope(|scope| {
        let playing = scope.spawn(|| play([&one.udp, &other.udp], relays, bystanders, &stop));
        thread::sleep(REST);
        let when = act(&mut server, relays[0]);
        thread::sleep(REST);
        stop.store(true, Relaxed);
        let played = playing.join();
        played.unwrap_or_else(|panic| resume_unwind(panic))?;
        when
    })?;
    thread::sleep(END);
    let served = server.registered_from(address_of(3));
    let is_up = !server.child.has_ended();
    Ok(match (is_up, served, server.stop()) {
        (true, Ok(_), Ok(_)) => STILL_UP.to_owned(),
        (false, ..) => format!("exits {when}"),
        (true, Err(error), _) | (true, _, Err(error)) => format!("{error:#}"),
    })
}

/// Packets of the bystanders.
#[derive(Default)]
struct Packets {
    sent: u64,
    received: u64,
    /// Received, but from somebody else.
    foreign: u64,
}

impl std::fmt::Display for Packets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [sent, received] = [self.sent, self.received].map(|count| thousands(count as f64));
        write!(f, "{received} of {sent}")?;
        match self.foreign {
            0 => Ok(()),
            foreign => write!(f, ", and {foreign} of strangers'"),
        }
    }
}

/// Sends each bystander's packets to its relay at an even pace, and receives what comes, until
/// `stop` is set.
fn play(
    sockets: [&UdpSocket; 2],
    relays: [SocketAddr; 2],
    packets: &mut Packets,
    stop: &AtomicBool,
) -> Result<()> {
    for socket in sockets {
        socket.set_nonblocking(true)?;
    }
    let start = Instant::now();
    let mut turns = 0;
    while !stop.load(Relaxed) {
        for (socket, relay) in sockets.iter().zip(relays) {
            socket.send_to(&PACKET, relay)?;
            packets.sent += 1;
        }
        receive(sockets, packets);
        turns += 1;
        thread::sleep((PACE * turns).saturating_sub(start.elapsed()));
    }
    thread::sleep(REST);
    receive(sockets, packets);
    Ok(())
}

fn receive(sockets: [&UdpSocket; 2], packets: &mut Packets) {
    let mut buffer = [0; 2048];
    for socket in sockets {
        while let Ok(length) = socket.recv(&mut buffer) {
            if buffer[..length] == PACKET {
                packets.received += 1;
            } else {
                packets.foreign += 1;
            }
        }
    }
}
