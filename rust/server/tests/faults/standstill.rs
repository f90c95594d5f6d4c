//! The process stands still for longer than its time-outs, as on a machine that sleeps, and goes on.

use noray_testkit::{
    defaults::ANSWER,
    player::{AcceptsPlayers, Player, RelayedPair},
    server::ServerProcess,
};
use std::{thread::sleep, time::Duration};

use crate::program::{binary, metrics, relay_ports, start, value};

const TIMEOUT: Duration = Duration::from_secs(2);

/// So many that the server cannot look at all of them in one turn when it wakes up.
const PAIRS: usize = 150;
const LATE_PLAYERS: usize = 40;
/// Packets that each player sends meanwhile.
const ROUNDS: u8 = 16;

/// Two players of a relayed game who go on sending.
struct Pair {
    players: [Player; 2],
    ports: [u16; 2],
}

impl Pair {
    fn new(server: &ServerProcess) -> Self {
        let RelayedPair {
            host,
            client,
            host_port,
            ..
        } = server.relayed_pair();
        client.send_datagram(b"begin", host_port);
        let (_, client_port) = host.datagram();
        Self {
            players: [host, client],
            ports: [client_port, host_port],
        }
    }

    fn send(&self, payload: &[u8]) {
        for (player, port) in self.players.iter().zip(self.ports) {
            player.send_datagram(payload, port);
        }
    }

    fn expect(&self, payload: &[u8]) {
        for (player, port) in self.players.iter().zip(self.ports) {
            assert_eq!(player.datagram(), (payload.to_vec(), port));
        }
    }
}

#[test]
fn who_was_there_is_there() {
    let server = start(
        binary()
            .env("NORAY_UDP_RELAY_PORTS", relay_ports(2 * PAIRS + 50))
            .env("NORAY_UDP_RELAY_TIMEOUT", "2s")
            .env("NORAY_UDP_RELAY_CLEANUP_INTERVAL", "20ms")
            .env("NORAY_UNREGISTERED_TIMEOUT", "2s")
            .env("NORAY_WRITE_TIMEOUT", "2s"),
    );
    let mut pairs: Vec<Pair> = Vec::new();
    for number in 0..PAIRS {
        pairs.push(Pair::new(&server));
        // The first pairs must not be idle until the last ones have come.
        if number % 10 == 0 {
            pairs.iter().for_each(|pair| pair.send(b"alive"));
            pairs.iter().for_each(|pair| pair.expect(b"alive"));
        }
    }
    // One game is over.
    let _idle = server.relayed_pair();
    for round in 0..3_u8 {
        pairs.iter().for_each(|pair| pair.send(&[round]));
        pairs.iter().for_each(|pair| pair.expect(&[round]));
    }
    let mut late_players: Vec<_> = (0..LATE_PLAYERS).map(|_| server.player()).collect();

    server.child.signal("STOP").unwrap();
    // The players do not know, and go on playing.
    for round in 0..ROUNDS {
        pairs.iter().for_each(|pair| pair.send(&[round]));
        sleep(2 * TIMEOUT / u32::from(ROUNDS));
    }
    for player in &mut late_players {
        player.send("register-host");
    }
    server.child.signal("CONT").unwrap();

    for round in 0..ROUNDS {
        pairs.iter().for_each(|pair| pair.expect(&[round]));
    }
    for player in &mut late_players {
        let answer = player.line_within(ANSWER);
        assert!(answer.is_some_and(|line| line.starts_with("set-oid ")));
    }
    for pair in pairs {
        pair.send(b"and on");
        pair.expect(b"and on");
        for mut player in pair.players {
            player.expect_silence();
        }
    }
    // An idle relay still expires.
    let deadline = std::time::Instant::now() + ANSWER;
    while value(&metrics(&server), "noray_relay_expired") == 0.0 {
        assert!(std::time::Instant::now() < deadline);
        sleep(Duration::from_millis(100));
    }
}
