//! What the players do: two meet, play by relay, leave, and come back as new players.

use std::cell::{Cell, RefCell};
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use noray_testkit::player::Player;
use noray_testkit::process_info::udp_drops;
use tokio::net::UdpSocket;
use tokio::task::spawn_blocking;
use tokio::time::{MissedTickBehavior, interval, sleep};

use crate::defaults;
use crate::tally::Tally;

/// Bytes of a packet.
pub(crate) const PACKET: usize = 200;

/// All players of a server.
pub(crate) struct Crowd {
    /// Where players send commands.
    pub commands: SocketAddr,
    /// Where players register their address.
    pub registrar: SocketAddr,
    /// The ports that relays may have.
    pub relay_ports: Range<u16>,
    /// When the last players leave.
    pub until: Instant,
    /// What they have done and seen so far.
    pub tally: RefCell<Tally>,
}

impl Crowd {
    async fn join(&self) -> Result<Player> {
        let (commands, registrar) = (self.commands, self.registrar);
        let player = spawn_blocking(move || registered(commands, registrar)).await??;
        self.count(|tally| {
            tally.joined += 1;
            tally.secrets.add(&player.pid)
        })?;
        Ok(player)
    }

    fn count<T>(&self, change: impl FnOnce(&mut Tally) -> T) -> T {
        change(&mut self.tally.borrow_mut())
    }
}

/// Plays one game after the other until the time is over; begins after `delay`.
pub(crate) async fn play_as_pair(crowd: Rc<Crowd>, pair: u32, delay: Duration) {
    let mut random = fastrand::Rng::with_seed(pair.into());
    let mut between =
        |least: Duration, most: Duration| least + most.saturating_sub(least).mul_f64(random.f64());
    sleep(delay).await;
    for game in 0.. {
        let left = crowd.until.saturating_duration_since(Instant::now());
        if left < defaults::SHORTEST_GAME {
            return;
        }
        let time = between(defaults::SHORTEST_GAME, defaults::LONGEST_GAME).min(left);
        let label = [std::process::id(), pair, game];
        if let Err(error) = play(&crowd, label, time).await {
            crowd.count(|tally| tally.fail(format!("pair {pair}: {error:#}")));
        }
        let absence = between(defaults::SHORTEST_ABSENCE, defaults::LONGEST_ABSENCE);
        sleep(absence).await;
    }
}

/// Two new players meet, and play for `time`.
async fn play(crowd: &Crowd, label: Label, time: Duration) -> Result<()> {
    let (host, joining) = tokio::try_join!(crowd.join(), crowd.join())?;
    let (mut players, relays) = spawn_blocking(|| meet([joining, host])).await??;
    crowd.count(|tally| {
        tally.met += 1;
        tally.relay_ports.extend(relays.map(|relay| relay.port()));
    });
    let [joining, host] = [&players[0], &players[1]].map(|player| {
        player.udp.set_nonblocking(true)?;
        UdpSocket::from_std(player.udp.try_clone()?)
    });

    let game = Game {
        crowd,
        label,
        end: Instant::now() + time,
        sent: Default::default(),
        received: Default::default(),
    };
    let played = tokio::try_join!(
        game.take_part(0, joining?, relays[0]),
        game.take_part(1, host?, relays[1])
    );
    if game.missing() > 0 {
        // Before the sockets are closed, and the system forgets their counters.
        let addresses = [players.each_ref().map(Player::address), relays];
        let ports = addresses.as_flattened().iter().map(SocketAddr::port);
        let ports: Vec<u16> = ports.collect();
        let dropped = udp_drops(&ports)?;
        crowd.count(|tally| tally.dropped_by_system += dropped);
        bail!(
            "{} of {} packets are missing; full buffers dropped {dropped}",
            game.missing(),
            game.sent[0].get() + game.sent[1].get()
        );
    }
    played?;
    spawn_blocking(move || {
        for player in &mut players {
            player.ask_for("echo still here", "echo still here")?;
        }
        anyhow::Ok(())
    })
    .await??;
    crowd.count(|tally| tally.played += 1);
    Ok(())
}

/// Connects a new player, and registers it and its address.
fn registered(commands: SocketAddr, registrar: SocketAddr) -> Result<Player> {
    let mut player = Player::dial(commands, registrar)?;
    player.patience = defaults::ANSWER;
    player.read_greeting()?;
    player.register()?;
    player.register_remote()?;
    Ok(player)
}

/// Tells two players each other's address, and opens relays. Returns where each sends.
fn meet([mut joining, mut host]: [Player; 2]) -> Result<([Player; 2], [SocketAddr; 2])> {
    joining.connect_to(&host)?;
    host.expect_line(&format!("connect {}", joining.address()))?;
    let relays = joining.relay_with(&mut host)?;
    Ok(([joining, host], relays))
}

/// What a game's packets begin with, unlike those of any other game: the process, the number of
/// the pair, and that of its game.
type Label = [u32; 3];

fn packet([run, pair, game]: Label, sender: u32, number: u32) -> [u8; PACKET] {
    let mut packet = [0; PACKET];
    let words = [run, pair, game, sender, number];
    for (place, word) in packet.chunks_exact_mut(4).zip(words) {
        place.copy_from_slice(&word.to_be_bytes());
    }
    packet
}

/// A game of two players, who send each other bursts of packets.
struct Game<'a> {
    crowd: &'a Crowd,
    label: Label,
    end: Instant,
    sent: [Cell<u32>; 2],
    received: [Cell<u32>; 2],
}

impl Game<'_> {
    /// Sends until the game ends, and receives until all packets have come.
    async fn take_part(&self, me: usize, udp: UdpSocket, relay: SocketAddr) -> Result<()> {
        let mut tick = interval(defaults::BURST_INTERVAL);
        // After a pause, no bursts make up for it.
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let mut buffer = [0; 2048];
        loop {
            let now = Instant::now();
            let is_complete = self.received[me].get() == self.sent[1 - me].get();
            if now > self.end + defaults::ANSWER || (now > self.end && is_complete) {
                return Ok(());
            }
            tokio::select! {
                received = udp.recv_from(&mut buffer) => {
                    let (length, from) = received?;
                    self.receive(me, &buffer[..length], from, relay);
                }
                _ = tick.tick() => if Instant::now() < self.end {
                    for _ in 0..defaults::BURST {
                        self.send(me, &udp, relay).await?;
                    }
                },
            }
        }
    }

    async fn send(&self, me: usize, udp: &UdpSocket, relay: SocketAddr) -> Result<()> {
        let number = self.sent[me].get();
        let packet = packet(self.label, me as u32, number);
        let sent = udp.send_to(&packet, relay).await?;
        ensure!(sent == PACKET, "the system cut a packet");
        self.sent[me].set(number + 1);
        self.crowd.count(|tally| tally.sent += 1);
        Ok(())
    }

    fn receive(&self, me: usize, packet: &[u8], from: SocketAddr, relay: SocketAddr) {
        let number = self.received[me].get();
        if from == relay && packet == self::packet(self.label, 1 - me as u32, number) {
            self.received[me].set(number + 1);
            self.crowd.count(|tally| tally.delivered += 1);
        } else if self.crowd.relay_ports.contains(&from.port()) {
            self.crowd.count(|tally| tally.astray += 1);
        }
        // Other packets are the registrar's answers to repeats, or another program's.
    }

    fn missing(&self) -> u32 {
        let sum = |counts: &[Cell<u32>; 2]| counts[0].get() + counts[1].get();
        sum(&self.sent).saturating_sub(sum(&self.received))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn packets_of_games_and_sides_differ() {
        let packets = [
            packet([1, 2, 1], 0, 0),
            packet([1, 2, 2], 0, 0),
            packet([1, 2, 1], 1, 0),
            packet([1, 2, 1], 0, 1),
        ];
        assert_eq!(HashSet::from(packets).len(), packets.len());
    }
}
