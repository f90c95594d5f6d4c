//! Players who send nonsense, while the server serves others as if they were alone.

use std::{
    io::Write,
    iter::repeat_with,
    net::{Ipv4Addr, UdpSocket},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
    thread,
    time::{Duration, Instant},
};

use noray_server::Config;

use fastrand::Rng;
use noray_testkit::{
    library_server::LibraryServer,
    player::{AcceptsPlayers, Player, RelayedPair, ask_registrar, eventually},
};

/// How long a player may wait for an answer while others misbehave: far less than a stalled server
/// takes, far more than a busy machine.
const SERVED: Duration = Duration::from_secs(2);

/// Runs `misbehave`. Until it is done, and once more, checks that the server still answers,
/// registers, introduces and relays two other players.
pub(crate) fn while_others_play(server: &LibraryServer, misbehave: impl FnOnce() + Send) {
    let pair = server.relayed_pair();
    let mut player = server.registered();
    let is_done = AtomicBool::new(false);
    thread::scope(|scope| {
        scope.spawn(|| {
            // If that thread fails, the loop below must end too.
            let done = SetOnDrop(&is_done);
            misbehave();
            drop(done);
        });
        loop {
            let was_done = is_done.load(Relaxed);
            let start = Instant::now();
            player.expect_silence();
            pair.exchange(b"served");
            let answer = player.ask(&format!("connect {}", player.oid));
            assert_eq!(answer, format!("connect {}", player.address()));
            assert_eq!(player.line(), answer);
            player.register_remote().unwrap();
            let took = start.elapsed();
            assert!(took < SERVED, "{took:?}");
            if was_done {
                break;
            }
            // Within the limits of a well-behaved player.
            thread::sleep(Duration::from_millis(120));
        }
    });
    let mut late = server.registered();
    late.expect_silence();
}

struct SetOnDrop<'a>(&'a AtomicBool);

impl Drop for SetOnDrop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Relaxed);
    }
}

fn dial(server: &LibraryServer) -> Player {
    let player = server.dial();
    // The server limits the rate, so sending may block, which is the sender's own problem.
    player
        .tcp
        .set_write_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    player
}

#[test]
fn nonsense_over_tcp() {
    let server = LibraryServer::start();
    let address = (
        server.server.command_address(),
        server.server.registrar_address(),
    );
    while_others_play(&server, || {
        let mut noise = Rng::with_seed(0x9e37_79b9_7f4a_7c15);
        let random = bytes(&mut noise, 20_000);
        let lines: [&[u8]; 14] = [
            b".r1 x\n",
            b"!r1 x\n",
            b"|s1 x\n|s1\n",
            b"connect?1 x\n",
            b"\rraw 99999999999999999999\n",
            b"\rraw 10\n",
            b"connect \"unbalanced\nconnect \"\n",
            b"\"\"\"\"\n\"",
            b"connect \0\0\0\nregister-host \0\n",
            b"connect \xff\xfe\xfd\necho \xc3\n",
            b"register-host\nregister-host x y z\nconnect -\nconnect-relay -\n",
            b"GET / HTTP/1.1\r\nHost: x\r\n\r\n",
            b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
            &random,
        ];
        let mut open = Vec::new();
        for line in lines {
            let mut player = Player::dial(address.0, address.1).unwrap();
            player.send_bytes(line);
            open.push(player);
        }
        // The connections still work for a sensible line.
        for player in &mut open {
            player.send_bytes(b"\necho sensible\n");
            loop {
                if player.line() == "echo sensible" {
                    break;
                }
            }
        }
    });
}

#[test]
fn random_commands() {
    let server = LibraryServer::start();
    while_others_play(&server, || {
        let mut noise = Rng::with_seed(42);
        let words: [&[u8]; 14] = [
            b"register-host",
            b"connect",
            b"connect-relay",
            b"echo",
            b" ",
            b"\n",
            b"\n",
            b"\r",
            b"\"",
            b"-",
            b"x",
            b"\0",
            b"\xff",
            b"127.0.0.1:80",
        ];
        for _ in 0..10 {
            let mut player = dial(&server);
            let bytes: Vec<u8> = (0..500)
                .flat_map(|_| words[noise.usize(..words.len())])
                .copied()
                .collect();
            let _ = player.tcp.write_all(&bytes);
        }
    });
}

#[test]
fn lines_without_end_and_floods() {
    let server = LibraryServer::start();
    while_others_play(&server, || {
        let until = Instant::now() + Duration::from_secs(1);
        let endless = vec![b'x'; 64 * 1024];
        let flood = b"connect nobody\n".repeat(4096);
        let mut senders: Vec<_> = (0..8).map(|_| dial(&server)).collect();
        while Instant::now() < until {
            for (index, sender) in senders.iter_mut().enumerate() {
                let _ = sender
                    .tcp
                    .write(if index % 2 == 0 { &endless } else { &flood });
            }
        }
    });
    eventually("the flooders are gone", || {
        server.server.stats().connections == 0
    });
}

#[test]
fn slow_readers_and_half_open_connections() {
    let server = LibraryServer::with(Config {
        write_timeout: Duration::from_millis(300).into(),
        ..LibraryServer::config()
    });
    while_others_play(&server, || {
        let mut open = Vec::new();
        for _ in 0..50 {
            // Reads no answers.
            let mut slow = dial(&server);
            let _ = slow.tcp.write(&b"register-host\necho x\n".repeat(200));
            open.push(slow);
            // Sends half a line and no more.
            let mut half = dial(&server);
            half.tcp.write_all(b"register-ho").unwrap();
            open.push(half);
        }
        thread::sleep(Duration::from_millis(500));
    });
}

#[test]
fn connections_that_come_and_go() {
    let server = LibraryServer::start();
    while_others_play(&server, || {
        for round in 0..300 {
            let mut player = dial(&server);
            if round % 2 == 0 {
                player
                    .tcp
                    .write_all(b"register-host\nregister-host\n")
                    .unwrap();
            }
            if round % 3 == 0 {
                // The system sends a reset for unread data.
                let _ = player.line_within(Duration::from_millis(1));
            }
        }
    });
    eventually("all are gone", || server.server.stats().connections == 0);
    assert_eq!(server.server.stats().players, 0);
}

#[test]
fn datagrams_to_the_registrar() {
    let server = LibraryServer::start();
    let registrar = server.server.registrar_address();
    while_others_play(&server, || {
        let mut noise = Rng::with_seed(7);
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < until {
            for length in [0, 1, 20, 127, 128, 129, 1200, 1201, 9000, 65_507] {
                let length = length.min(noise.usize(..length + 1) + length / 2);
                let _ = udp.send_to(&bytes(&mut noise, length), registrar);
            }
        }
    });
}

#[test]
fn a_flood_of_refused_registrations_is_not_answered_in_full() {
    let server = LibraryServer::start();
    let registrar = server.server.registrar_address();
    let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    udp.set_nonblocking(true).unwrap();
    let mut answers = 0;
    let mut buffer = [0; 64];
    for _ in 0..20_000 {
        let _ = udp.send_to(b"x", registrar);
        while udp.recv(&mut buffer).is_ok() {
            answers += 1;
        }
    }
    assert!(answers < 10_000, "{answers}");
    // A player with a PrivateID still gets its answer.
    let mut player = server.player();
    player.register().unwrap();
    assert_eq!(
        ask_registrar(&player.udp, registrar, player.pid.as_bytes()).unwrap(),
        "OK"
    );
}

#[test]
fn datagrams_of_strangers_to_relays() {
    let server = LibraryServer::start();
    let pair = server.relayed_pair();
    pair.exchange(b"heard");
    while_others_play(&server, || {
        let mut noise = Rng::with_seed(99);
        // On another IP address where the system has more; elsewhere they are not
        // learned, because the players are heard from their registered addresses.
        let ip = Ipv4Addr::new(127, 0, 0, if cfg!(target_os = "linux") { 9 } else { 1 });
        let strangers: Vec<_> = (0..8).map(|_| UdpSocket::bind((ip, 0)).unwrap()).collect();
        // A registered player who did not ask is a stranger too, on any IP address.
        let registered = server.registered();
        for round in 0..2000 {
            let payload = bytes(&mut noise, round % 1500);
            for port in [pair.host_port, pair.client_port] {
                let stranger = &strangers[noise.usize(..strangers.len())];
                let _ = stranger.send_to(&payload, (Ipv4Addr::LOCALHOST, port));
                registered.send_datagram(&payload, port);
            }
        }
        for stranger in &strangers {
            let _ = stranger.send_to(&[0; 65_507], (Ipv4Addr::LOCALHOST, pair.host_port));
        }
        assert_eq!(registered.datagram_within(Duration::from_millis(50)), None);
    });
    let pause = Duration::from_millis(50);
    assert_eq!(
        pair.host.datagram_within(pause),
        None,
        "a stranger's packet"
    );
    assert_eq!(
        pair.client.datagram_within(pause),
        None,
        "a stranger's packet"
    );
    assert_eq!(server.server.stats().relays, 4, "strangers open no relays");
    pair.exchange(b"undisturbed");
}

#[test]
fn a_player_who_floods_its_relay_slows_nobody() {
    let server = LibraryServer::start();
    let flooders = server.relayed_pair();
    while_others_play(&server, || {
        let until = Instant::now() + Duration::from_secs(1);
        while Instant::now() < until {
            for length in [0, 1, 1400, 60_000] {
                let payload = vec![0; length];
                let to = (Ipv4Addr::LOCALHOST, flooders.host_port);
                let _ = flooders.client.udp.send_to(&payload, to);
            }
        }
    });
}

#[test]
fn a_player_whose_socket_is_gone_harms_no_relay() {
    let server = LibraryServer::start();
    let pair = server.relayed_pair();
    let RelayedPair {
        host,
        client,
        host_port,
        ..
    } = pair;
    let Player { udp, .. } = host;
    drop(udp);
    // The system answers each packet that nobody is there.
    for _ in 0..100 {
        client.send_datagram(b"anyone?", host_port);
    }
    while_others_play(&server, || ());
    assert_eq!(client.datagram_within(Duration::from_millis(50)), None);
}

fn bytes(random: &mut Rng, length: usize) -> Vec<u8> {
    repeat_with(|| random.u8(..)).take(length).collect()
}
