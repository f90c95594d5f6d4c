//! What the players do, and what each of them counts.

use std::cell::{Cell, Ref, RefCell};
use std::collections::HashSet;
use std::fmt;
use std::fs;
use std::net::{Ipv4Addr, SocketAddr};
use std::ops::RangeInclusive;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use super::watched::Watched;
use crate::defaults;

/// Bytes of each packet.
pub(super) const PACKET: usize = 200;

/// How much of a PrivateID must not be in the log.
const PRIVATE: usize = 16;

/// Failures that are told; all are counted.
const TOLD: usize = 20;

/// What all players did and saw together.
#[derive(Default, Debug)]
pub(super) struct Counts {
    /// Players who registered themselves and their addresses.
    pub joined: u64,
    /// Pairs that met: the one was told the other's address, and a relay was opened for both.
    pub met: u64,
    /// Pairs that played until their time was over.
    pub played: u64,
    /// Packets.
    pub sent: u64,
    pub delivered: u64,
    /// Packets that the system dropped because a socket's buffer was full.
    pub dropped_by_system: u64,
    /// Packets that the server delivered to whom they were not for, or not as they were sent.
    pub astray: u64,
    /// Relay ports that were given.
    pub ports: HashSet<u16>,
    /// Pairs for whom something failed, and what.
    pub failed: u64,
    pub failures: Vec<String>,
}

impl fmt::Display for Counts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} joins, {} relays on {} ports, {} packets sent, {} delivered, {} astray",
            self.joined,
            2 * self.met,
            self.ports.len(),
            self.sent,
            self.delivered,
            self.astray
        )
    }
}

/// The beginnings of all PrivateIDs that were given.
#[derive(Default)]
pub(super) struct PrivateIds(HashSet<[u8; PRIVATE]>);

impl PrivateIds {
    fn note(&mut self, id: &str) -> Result<()> {
        let begin = id.as_bytes().first_chunk().context("a short PrivateID")?;
        self.0.insert(*begin);
        Ok(())
    }

    /// How many of them are in the log.
    pub(super) fn found_in(&self, log: &[String]) -> usize {
        let windows = log.iter().flat_map(|line| line.as_bytes().windows(PRIVATE));
        let found: HashSet<&[u8]> = windows.filter(|window| self.0.contains(*window)).collect();
        found.len()
    }
}

/// All players.
pub(super) struct Crowd {
    commands: SocketAddr,
    registrar: SocketAddr,
    relays: RangeInclusive<u16>,
    /// When the last ones leave.
    until: Instant,
    counts: RefCell<Counts>,
    private_ids: RefCell<PrivateIds>,
}

impl Crowd {
    /// Players of this server, who leave at that time.
    pub(super) fn new(server: &Watched, until: Instant) -> Self {
        Self {
            commands: server.commands,
            registrar: server.registrar,
            relays: server.relays.clone(),
            until,
            counts: RefCell::default(),
            private_ids: RefCell::default(),
        }
    }

    pub(super) fn counts(&self) -> Ref<'_, Counts> {
        self.counts.borrow()
    }

    pub(super) fn private_ids(&self) -> Ref<'_, PrivateIds> {
        self.private_ids.borrow()
    }

    fn count(&self, change: impl FnOnce(&mut Counts)) {
        change(&mut self.counts.borrow_mut());
    }
}

/// Two players who meet, play, leave, and come back as somebody else, until the time is over.
pub(super) async fn pair(crowd: Rc<Crowd>, number: u32, wait: Duration) {
    let mut dice = Dice::new(number);
    sleep(wait).await;
    for session in 0.. {
        let left = crowd.until.saturating_duration_since(Instant::now());
        if left < defaults::SOAK_SHORTEST_GAME {
            return;
        }
        let time = dice.between(defaults::SOAK_SHORTEST_GAME, defaults::SOAK_LONGEST_GAME);
        let game = Label {
            run: std::process::id(),
            pair: number,
            session,
        };
        if let Err(error) = play(&crowd, game, time.min(left)).await {
            crowd.count(|counts| {
                counts.failed += 1;
                if counts.failures.len() < TOLD {
                    counts.failures.push(format!("pair {number}: {error:#}"));
                }
            });
        }
        sleep(dice.between(Duration::from_secs(1), defaults::SOAK_LONGEST_ABSENCE)).await;
    }
}

async fn play(crowd: &Crowd, label: Label, time: Duration) -> Result<()> {
    let (mut host, mut guest) = tokio::try_join!(Player::join(crowd), Player::join(crowd))?;
    guest.send(&format!("connect {}", host.oid)).await?;
    guest
        .expect(&format!("connect {}", host.address()?))
        .await?;
    host.expect(&format!("connect {}", guest.address()?))
        .await?;
    guest.send(&format!("connect-relay {}", host.oid)).await?;
    let ports = [guest.relay_port().await?, host.relay_port().await?];
    crowd.count(|counts| {
        counts.met += 1;
        counts.ports.extend(ports);
    });

    let game = Game {
        crowd,
        label,
        over: Instant::now() + time,
        sent: Default::default(),
        received: Default::default(),
    };
    let played = tokio::try_join!(
        game.take_part(0, &guest.udp, ports[0]),
        game.take_part(1, &host.udp, ports[1])
    );
    if game.missing() > 0 {
        // Before the sockets are closed, and what the system knows of them with it.
        let sockets = [guest.address()?.port(), host.address()?.port()];
        let dropped = dropped_by_system(&[&sockets[..], &ports[..]].concat())?;
        crowd.count(|counts| counts.dropped_by_system += dropped);
        bail!(
            "{} of {} packets are missing; full buffers dropped {dropped}",
            game.missing(),
            game.sent[0].get() + game.sent[1].get()
        );
    }
    played?;
    // Both are served as ever.
    for player in [&mut guest, &mut host] {
        player.send("echo still here").await?;
        player.expect("echo still here").await?;
    }
    crowd.count(|counts| counts.played += 1);
    Ok(())
}

/// What each packet of a game begins with, so that it is like none of another game's.
#[derive(Clone, Copy)]
struct Label {
    run: u32,
    pair: u32,
    session: u32,
}

impl Label {
    fn packet(self, from: u32, number: u32) -> [u8; PACKET] {
        let mut packet = [0; PACKET];
        let words = [self.run, self.pair, self.session, from, number];
        for (place, word) in packet.chunks_exact_mut(4).zip(words) {
            place.copy_from_slice(&word.to_be_bytes());
        }
        packet
    }
}

/// A game of two, each of whom says something now and then.
struct Game<'a> {
    crowd: &'a Crowd,
    label: Label,
    over: Instant,
    sent: [Cell<u32>; 2],
    received: [Cell<u32>; 2],
}

impl Game<'_> {
    /// Sends until the game is over, and receives until everything is there.
    async fn take_part(&self, me: usize, udp: &UdpSocket, port: u16) -> Result<()> {
        let other = 1 - me;
        let to = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut tick = interval(defaults::SOAK_PACKET_INTERVAL);
        // No burst makes up for a pause.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut buffer = [0; 2048];
        loop {
            let now = Instant::now();
            let is_complete = self.received[me].get() == self.sent[other].get();
            if now > self.over + defaults::SOAK_ANSWER || (now > self.over && is_complete) {
                return Ok(());
            }
            tokio::select! {
                received = udp.recv_from(&mut buffer) => {
                    let (length, from) = received?;
                    self.receive(me, &buffer[..length], from, to);
                }
                _ = tick.tick() => if Instant::now() < self.over {
                    for _ in 0..defaults::SOAK_PACKETS {
                        self.send(me, udp, to).await?;
                    }
                },
            }
        }
    }

    async fn send(&self, me: usize, udp: &UdpSocket, to: SocketAddr) -> Result<()> {
        let number = self.sent[me].get();
        let packet = self.label.packet(me as u32, number);
        ensure!(
            udp.send_to(&packet, to).await? == PACKET,
            "a packet was cut"
        );
        self.sent[me].set(number + 1);
        self.crowd.count(|counts| counts.sent += 1);
        Ok(())
    }

    fn receive(&self, me: usize, packet: &[u8], from: SocketAddr, expected: SocketAddr) {
        let number = self.received[me].get();
        if from == expected && packet == self.label.packet(1 - me as u32, number) {
            self.received[me].set(number + 1);
            self.crowd.count(|counts| counts.delivered += 1);
        } else if self.crowd.relays.contains(&from.port()) {
            self.crowd.count(|counts| counts.astray += 1);
        }
        // Else it is the registrar's answer to a repeat, or another program's.
    }

    fn missing(&self) -> u32 {
        let sum = |cells: &[Cell<u32>; 2]| cells[0].get() + cells[1].get();
        sum(&self.sent).saturating_sub(sum(&self.received))
    }
}

/// A player as the protocol knows it.
struct Player {
    commands: BufReader<TcpStream>,
    udp: UdpSocket,
    oid: String,
}

impl Player {
    /// Connects, registers, and registers its address.
    async fn join(crowd: &Crowd) -> Result<Self> {
        let tcp = timeout(defaults::SOAK_ANSWER, TcpStream::connect(crowd.commands)).await;
        let tcp = tcp
            .context("no connection in time")?
            .context("no connection")?;
        tcp.set_nodelay(true)?;
        let mut player = Self {
            commands: BufReader::with_capacity(512, tcp),
            udp: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?,
            oid: String::new(),
        };
        player.rest_of("hi ").await?;
        player.send("register-host").await?;
        player.oid = player.rest_of("set-oid ").await?;
        let private_id = player.rest_of("set-pid ").await?;
        crowd.private_ids.borrow_mut().note(&private_id)?;
        let registering = player.register(crowd.registrar, &private_id);
        let registered = timeout(defaults::SOAK_ANSWER, registering).await;
        registered.context("the registrar does not answer")??;
        crowd.count(|counts| counts.joined += 1);
        Ok(player)
    }

    /// Repeats itself until it is answered.
    async fn register(&self, registrar: SocketAddr, private_id: &str) -> Result<()> {
        let mut answer = [0; 256];
        loop {
            self.udp.send_to(private_id.as_bytes(), registrar).await?;
            let received = timeout(defaults::SOAK_REPEAT, self.udp.recv_from(&mut answer)).await;
            if let Ok(received) = received {
                let (length, from) = received?;
                if from == registrar {
                    ensure!(&answer[..length] == b"OK", "the registrar refused");
                    return Ok(());
                }
            }
        }
    }

    fn address(&self) -> Result<SocketAddr> {
        Ok(self.udp.local_addr()?)
    }

    async fn send(&mut self, line: &str) -> Result<()> {
        let line = format!("{line}\n");
        Ok(self.commands.get_mut().write_all(line.as_bytes()).await?)
    }

    /// The next line, which must begin so, without that.
    async fn rest_of(&mut self, begin: &str) -> Result<String> {
        let mut line = String::new();
        let read = timeout(defaults::SOAK_ANSWER, self.commands.read_line(&mut line)).await;
        let read = read.with_context(|| format!("no {begin:?} in time"))?;
        ensure!(read? > 0, "closed, and not {begin:?}");
        match line.trim_end().strip_prefix(begin) {
            Some(rest) => Ok(rest.to_owned()),
            None => bail!("{:?}, and not {begin:?}", line.trim_end()),
        }
    }

    async fn expect(&mut self, line: &str) -> Result<()> {
        let rest = self.rest_of(line).await?;
        ensure!(rest.is_empty(), "{line:?} and {rest:?}");
        Ok(())
    }

    async fn relay_port(&mut self) -> Result<u16> {
        let port = self.rest_of("connect-relay ").await?;
        port.parse().with_context(|| format!("no port: {port}"))
    }
}

/// How many packets the system dropped for sockets on these ports of this machine.
fn dropped_by_system(ports: &[u16]) -> Result<u64> {
    let table = fs::read_to_string("/proc/net/udp").context("/proc/net/udp")?;
    Ok(table.lines().filter_map(|line| drops_of(line, ports)).sum())
}

/// The drops in a line of `/proc/net/udp`, if it is of one of these ports.
fn drops_of(line: &str, ports: &[u16]) -> Option<u64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (_, port) = words.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let drops = words.get(12)?.parse().ok()?;
    ports.contains(&port).then_some(drops)
}

/// Reproducible chance.
struct Dice(u64);

impl Dice {
    fn new(seed: u32) -> Self {
        Self((u64::from(seed) + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15))
    }

    fn between(&mut self, least: Duration, most: Duration) -> Duration {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        let part = self.0 as f64 / u64::MAX as f64;
        least + most.saturating_sub(least).mul_f64(part)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_id_is_found_wherever_it_is() {
        let mut ids = PrivateIds::default();
        assert!(ids.note("short").is_err());
        ids.note("abcdefghijklmnopqrstuvwxyz").unwrap();
        ids.note("ABCDEFGHIJKLMNOPQRSTUVWXYZ").unwrap();
        let log = |line: &str| [String::new(), line.to_owned()];
        assert_eq!(ids.found_in(&log("pid=abcdefghijklmnopqr and on")), 1);
        assert_eq!(ids.found_in(&log("pid=abcdefghijklmno")), 0);
    }

    #[test]
    fn drops_of_our_ports_are_read() {
        let line = "  12: 0100007F:9C40 00000000:0000 07 00000000:00000000 00:00000000 \
                    00000000     0        0 4711 2 0000000000000000 7";
        assert_eq!(drops_of(line, &[1, 40000]), Some(7));
        assert_eq!(drops_of(line, &[1]), None);
        assert_eq!(drops_of("  sl  local_address rem_address   st", &[1]), None);
    }

    #[test]
    fn packets_of_games_and_sides_differ() {
        let label = |session| Label {
            run: 1,
            pair: 2,
            session,
        };
        let packets = [
            label(1).packet(0, 0),
            label(2).packet(0, 0),
            label(1).packet(1, 0),
            label(1).packet(0, 1),
        ];
        assert_eq!(HashSet::from(packets).len(), packets.len());
    }
}
