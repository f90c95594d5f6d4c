//! What a server with default limits does under abuse, and what others notice of it.

use std::fs;
use std::io::{ErrorKind, Read, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::load::{Load, PAYLOAD};
use super::player::{self, Player};
use super::table::{Part, Row, thousands};
use super::turns::launch;
use crate::paths;
use crate::server::{Program, Server};

/// Packets that one player sends, far more than it may.
const FLOOD: u64 = 1_000_000;
/// Packets a second of them: 150 times what is allowed, and less than any server here takes in.
const FLOOD_RATE: f64 = 100_000.0;
/// Whether the server still runs is looked after so long.
const FLOOD_PART: Duration = Duration::from_millis(250);
/// Pause between two packets that each of the others sends: a sixth of what is allowed.
const PACE: Duration = Duration::from_millis(10);
/// The others' last packets arrive within this time.
const REST: Duration = Duration::from_millis(500);
/// A server that ends does so within this time after its reason.
const END: Duration = Duration::from_millis(100);
/// How long a server may take to read an input and close the connection behind it.
const READ: Duration = Duration::from_secs(2);
/// A server that ends more often than this is not started again.
const MOST_ENDS: usize = 5;
/// What the others send: nobody else does.
const PACKET: [u8; PAYLOAD] = [9; PAYLOAD];
/// The kept inputs: a folder for each target.
const TARGETS: [&str; 5] = ["framing", "commands", "datagrams", "registrar", "relay"];
/// Largest UDP payload over IPv4.
const MAX_DATAGRAM: usize = 65_507;

/// Abuses all programs, one after the other.
pub(super) fn measure(programs: &[Program]) -> Result<Part> {
    let inputs = corpus()?;
    let floods = of_each(programs, flood)?;
    let fuzzed = of_each(programs, |program| feed(program, &inputs))?;
    let row = |what: &str, of: &[Outcome], tell: fn(&Outcome) -> String, to_reach| {
        let other = of.get(1).map(tell);
        Row::of_words(what, &tell(&of[0]), other.as_deref(), to_reach)
    };
    let end = |outcome: &Outcome| outcome.end.clone();
    let others = |outcome: &Outcome| {
        let Played {
            sent,
            received,
            strange,
        } = outcome.others;
        let [sent, received] = [sent, received].map(|count| thousands(count as f64));
        match strange {
            0 => format!("{received} of {sent}"),
            _ => format!("{received} of {sent}, and {strange} of strangers'"),
        }
    };
    let fed = format!(
        "{} inputs of the fuzz corpus, by TCP and UDP",
        thousands(inputs.len() as f64)
    );
    Ok(Part {
        rows: vec![
            row("1,000,000 packets over the limit", &floods, end, "still up"),
            row(
                "- packets of another pair that arrived",
                &floods,
                others,
                "all",
            ),
            row(&fed, &fuzzed, end, "still up"),
            row(
                "- packets of another pair that arrived",
                &fuzzed,
                others,
                "all",
            ),
        ],
        notes: vec![format!(
            "Abuse: the limits are the default ones; {} packets a second of {PAYLOAD} bytes \
             through one relay, 128 KiB a second being allowed; the other pair sends 100 packets \
             a second each way.",
            thousands(FLOOD_RATE)
        )],
    })
}

/// What came of it.
struct Outcome {
    /// What became of the server.
    end: String,
    others: Played,
}

fn of_each(
    programs: &[Program],
    abuse: impl Fn(&Program) -> Result<Outcome>,
) -> Result<Vec<Outcome>> {
    programs.iter().map(abuse).collect()
}

/// Inputs that were found to reach different code.
fn corpus() -> Result<Vec<Vec<u8>>> {
    let folder = paths::root().join("rust").join("fuzz").join("corpus");
    let mut inputs = Vec::new();
    for target in TARGETS {
        let folder = folder.join(target);
        let before = inputs.len();
        let files = fs::read_dir(&folder).with_context(|| format!("{}", folder.display()))?;
        for file in files {
            let path = file?.path();
            inputs.push(fs::read(&path).with_context(|| format!("{}", path.display()))?);
        }
        ensure!(inputs.len() > before, "{} is empty", folder.display());
    }
    Ok(inputs)
}

/// One of a relayed pair sends far more than it may.
fn flood(program: &Program) -> Result<Outcome> {
    let mut running = Running::start(program)?;
    let (mut from, mut to) = (
        Player::register(&running.server, 1)?,
        Player::register(&running.server, 2)?,
    );
    let [address, _] = from.connect_relay(&mut to)?;
    let mut load = Load::new(&from.udp, &to.udp, address)?;
    let mut sent = 0;
    let ((), others) = running.others.play_during(|| {
        while sent < FLOOD && !running.server.has_ended() {
            sent += load.offer(FLOOD_RATE, FLOOD_PART)?.sent;
        }
        Ok(())
    })?;
    Ok(Outcome {
        end: running.end(&format!("within {} packets", thousands(sent as f64))),
        others,
    })
}

/// Each input is sent as all that a connection says, and as a datagram to the registrar and to a
/// relay.
fn feed(program: &Program, inputs: &[Vec<u8>]) -> Result<Outcome> {
    let mut inputs = inputs.iter().enumerate();
    let mut ends = 0;
    let mut all = Played::default();
    loop {
        let mut running = Running::start(program)?;
        let (server, relay) = (&mut running.server, running.others.ways[0]);
        let ((), others) = running.others.play_during(|| {
            while !server.has_ended()
                && let Some((number, input)) = inputs.next()
            {
                send_input(server, relay, number, input)?;
            }
            Ok(())
        })?;
        all.add(&others);
        let end = running.end("by itself");
        ends += usize::from(end != STILL_UP);
        let is_over = inputs.len() == 0;
        if is_over || ends > MOST_ENDS {
            let end = match ends {
                0 => end,
                1 => "exits once".to_owned(),
                _ if is_over => format!("exits {ends} times"),
                _ => format!("exits {ends} times, before {} inputs", inputs.len()),
            };
            return Ok(Outcome { end, others: all });
        }
    }
}

fn send_input(server: &Server, relay: SocketAddr, number: usize, input: &[u8]) -> Result<()> {
    // What it was told of another one must not count for this one.
    let address = player::address_of(1000 + number);
    let datagram = &input[..input.len().min(MAX_DATAGRAM)];
    let udp = UdpSocket::bind((address, 0))?;
    let registrar = SocketAddrV4::new(Ipv4Addr::LOCALHOST, server.registrar_port);
    udp.send_to(datagram, registrar)?;
    udp.send_to(datagram, relay)?;
    // A server that is gone or closes early is found out below.
    let Ok(mut connection) = player::connect(address, server.port) else {
        return Ok(());
    };
    let _ = connection.write_all(input);
    let _ = connection.shutdown(Shutdown::Write);
    connection.set_read_timeout(Some(READ))?;
    let mut answer = [0; 4096];
    loop {
        match connection.read(&mut answer) {
            Ok(0) => return Ok(()),
            Err(error) if error.kind() != ErrorKind::Interrupted => return Ok(()),
            _ => {}
        }
    }
}

const STILL_UP: &str = "still up";

/// A server with a relayed pair on it.
struct Running {
    server: Server,
    others: Others,
}

impl Running {
    fn start(program: &Program) -> Result<Self> {
        let mut server = launch(program, &[])?;
        server.wait_until_ready()?;
        let others = Others::meet(&server)?;
        Ok(Self { server, others })
    }

    /// Ends it, and says what became of it before: a new player is to be served.
    fn end(mut self, when: &str) -> String {
        thread::sleep(END);
        let serves = Player::register(&self.server, 3);
        let is_up = !self.server.has_ended();
        match (is_up, serves, self.server.stop()) {
            (true, Ok(_), Ok(())) => STILL_UP.to_owned(),
            (false, ..) => format!("exits {when}"),
            (true, Err(error), _) | (true, _, Err(error)) => format!("{error:#}"),
        }
    }
}

/// A relayed pair that keeps to the limits.
struct Others {
    players: [Player; 2],
    /// Where each sends to.
    ways: [SocketAddr; 2],
}

/// Packets of a pair.
#[derive(Default)]
struct Played {
    sent: u64,
    received: u64,
    /// Received, but not from each other.
    strange: u64,
}

impl Played {
    fn add(&mut self, more: &Self) {
        self.sent += more.sent;
        self.received += more.received;
        self.strange += more.strange;
    }
}

impl Others {
    fn meet(server: &Server) -> Result<Self> {
        let (mut one, mut other) = (Player::register(server, 11)?, Player::register(server, 12)?);
        let ways = one.connect_relay(&mut other)?;
        let players = [one, other];
        for player in &players {
            player.udp.set_nonblocking(true)?;
        }
        Ok(Self { players, ways })
    }

    /// Both send all the time until `act` is done.
    fn play_during<T>(&self, act: impl FnOnce() -> Result<T>) -> Result<(T, Played)> {
        let stop = AtomicBool::new(false);
        thread::scope(|scope| {
            let playing = scope.spawn(|| self.play(&stop));
            // Some packets come before it, too.
            thread::sleep(REST);
            let result = act();
            thread::sleep(REST);
            stop.store(true, Relaxed);
            let played = match playing.join() {
                Ok(played) => played?,
                Err(panic) => std::panic::resume_unwind(panic),
            };
            Ok((result?, played))
        })
    }

    fn play(&self, stop: &AtomicBool) -> Result<Played> {
        let mut played = Played::default();
        let start = Instant::now();
        let mut turns = 0;
        while !stop.load(Relaxed) {
            for (player, way) in self.players.iter().zip(self.ways) {
                player.udp.send_to(&PACKET, way)?;
                played.sent += 1;
            }
            self.take(&mut played);
            turns += 1;
            thread::sleep((PACE * turns).saturating_sub(start.elapsed()));
        }
        thread::sleep(REST);
        self.take(&mut played);
        Ok(played)
    }

    fn take(&self, played: &mut Played) {
        let mut buffer = [0; 2048];
        for player in &self.players {
            while let Ok(length) = player.udp.recv(&mut buffer) {
                if buffer[..length] == PACKET {
                    played.received += 1;
                } else {
                    played.strange += 1;
                }
            }
        }
    }
}
