//! Players who want too much, and relays that expire.

use std::{
    io::Write,
    net::{Ipv4Addr, UdpSocket},
    thread::sleep,
    time::{Duration, Instant},
};

use noray_server::{ByteSize, Config};
use noray_testkit::{
    defaults::{ANSWER, SILENCE},
    library_server::LibraryServer,
    player::{AcceptsPlayers, eventually},
    ports::free_ports,
};

#[test]
fn connections_over_the_limit_are_closed_and_places_are_given_back() {
    let server = LibraryServer::with(Config {
        max_connections: 2,
        ..LibraryServer::config()
    });
    let first = server.player();
    let mut second = server.player();
    for _ in 0..5 {
        assert!(server.dial().is_closed_within(ANSWER));
    }
    second.expect_silence();
    drop(first);
    eventually("a free place", || server.server.stats().connections == 1);
    server.player().expect_silence();
}

#[test]
fn one_address_gets_no_more_than_its_share() {
    let server = LibraryServer::with(Config {
        max_connections_per_address: 2,
        ..LibraryServer::config()
    });
    let players = [server.player(), server.player()];
    assert!(server.dial().is_closed_within(ANSWER));
    drop(players);
    eventually("free places", || server.server.stats().connections == 0);
    server.player().expect_silence();
}

#[test]
fn identities_over_the_limit_are_passed_over() {
    let server = LibraryServer::with(Config {
        max_hosts_per_connection: 3,
        ..LibraryServer::config()
    });
    let mut player = server.player();
    for _ in 0..3 {
        player.register().unwrap();
    }
    player.send("register-host");
    player.expect_silence();
    assert_eq!(server.server.stats().players, 3);
}

#[test]
fn ids_that_are_used_up_are_no_reason_to_stop() {
    let server = LibraryServer::with(Config {
        open_id_length: 1,
        open_id_charset: "ab".to_owned(),
        ..LibraryServer::config()
    });
    let mut player = server.player();
    player.register().unwrap();
    let first = player.oid.clone();
    player.register().unwrap();
    assert_ne!(player.oid, first);
    player.send("register-host");
    player.expect_silence();
}

#[test]
fn long_lines_are_skipped_and_the_next_one_is_read() {
    let server = LibraryServer::with(Config {
        max_line_length: ByteSize(100),
        ..LibraryServer::config()
    });
    let mut player = server.player();
    let longest = format!("echo {}", "x".repeat(95));
    assert_eq!(player.ask(&longest), longest);
    player.send(&format!("{longest}x"));
    player.expect_silence();
    player.send(&"y".repeat(50_000));
    player.expect_silence();
}

#[test]
fn lines_over_the_rate_wait_their_turn_and_none_is_lost() {
    let server = LibraryServer::with(Config {
        max_lines_per_second: 20,
        ..LibraryServer::config()
    });
    let mut player = server.player();
    let start = Instant::now();
    let lines: String = (0..90).map(|number| format!("echo {number}\n")).collect();
    player.send_bytes(lines.as_bytes());
    for number in 0..90 {
        assert_eq!(player.line(), format!("echo {number}"));
    }
    // 60 at once, then 20 a second.
    let took = start.elapsed();
    assert!(took > Duration::from_millis(1000), "{took:?}");
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn connections_of_one_address_share_its_lines() {
    let server = LibraryServer::with(Config {
        max_lines_per_second_per_address: 20,
        ..LibraryServer::config()
    });
    let mut players = [server.player(), server.player(), server.player()];
    let start = Instant::now();
    for player in &mut players {
        let lines: String = (0..30).map(|number| format!("echo {number}\n")).collect();
        player.send_bytes(lines.as_bytes());
    }
    for player in &mut players {
        for number in 0..30 {
            assert_eq!(player.line(), format!("echo {number}"));
        }
    }
    // 60 at once, then 20 a second.
    let took = start.elapsed();
    assert!(took > Duration::from_millis(1000), "{took:?}");
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn connections_of_one_address_share_its_connects() {
    let server = LibraryServer::with(Config {
        max_connects_per_second_per_address: 1,
        ..LibraryServer::config()
    });
    let host = server.registered();
    let answers: Vec<_> = (0..5)
        .map(|_| server.registered().ask(&format!("connect {}", host.oid)))
        .collect();
    let refused = |answer: &String| answer.contains(" too-many-requests ");
    assert!(!answers[..3].iter().any(refused), "{answers:?}");
    assert!(answers[3..].iter().any(refused), "{answers:?}");
}

#[test]
fn registrations_over_an_addresss_rate_wait_on_new_connections_too() {
    let server = LibraryServer::with(Config {
        max_registrations_per_second_per_address: 5,
        ..LibraryServer::config()
    });
    let start = Instant::now();
    for _ in 0..20 {
        server.player().register().unwrap();
    }
    // 15 at once, then 5 a second.
    let took = start.elapsed();
    assert!(took > Duration::from_millis(900), "{took:?}");
    assert!(took < Duration::from_secs(8), "{took:?}");
}

#[test]
fn a_line_without_end_is_read_at_the_rate_too() {
    let server = LibraryServer::start();
    let mut player = server.player();
    let timeout = Some(Duration::from_millis(20));
    player.tcp.set_write_timeout(timeout).unwrap();
    let until = Instant::now() + Duration::from_secs(1);
    let chunk = vec![b'x'; 64 * 1024];
    let mut taken = 0;
    while Instant::now() < until {
        taken += player.tcp.write(&chunk).unwrap_or_default();
    }
    // 400 KiB, and what the system's own buffers hold. Unpaced, it is gigabytes.
    assert!(taken < 32 << 20, "{taken} bytes");
}

#[test]
fn a_connection_that_does_not_register_is_closed() {
    let server = LibraryServer::with(Config {
        unregistered_timeout: Duration::from_secs(1).into(),
        ..LibraryServer::config()
    });
    let mut idle = server.player();
    let mut busy = server.player();
    let mut registered = server.player();
    registered.register().unwrap();
    let until = Instant::now() + Duration::from_millis(500);
    while Instant::now() < until {
        busy.expect_silence();
    }
    assert!(idle.is_closed_within(ANSWER));
    assert!(busy.is_closed_within(ANSWER), "talking is not registering");
    sleep(Duration::from_millis(500));
    registered.expect_silence();
    eventually("only the player", || server.server.stats().connections == 1);
}

#[test]
fn a_player_who_does_not_read_is_disconnected() {
    let server = LibraryServer::with(Config {
        write_timeout: Duration::from_millis(500).into(),
        max_lines_per_second: 1_000_000,
        max_lines_per_second_per_address: 1_000_000,
        ..LibraryServer::config()
    });
    let mut slow = server.registered();
    let slow_oid = slow.oid.clone();
    let mut other = server.registered();
    slow.tcp
        .set_write_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    // The player sends and does not read: first the system's buffers fill, then the server stops
    // reading, then it closes the connection.
    let line = format!("echo {}\n", "x".repeat(3000));
    let deadline = Instant::now() + ANSWER;
    while server.server.stats().players == 2 {
        assert!(Instant::now() < deadline, "still there");
        let _ = slow.tcp.write(line.as_bytes());
    }
    let answer = other.ask(&format!("connect {slow_oid}"));
    assert!(answer.contains(" unknown-host "), "{answer}");
}

#[test]
fn a_host_who_does_not_read_is_left_in_peace() {
    let server = LibraryServer::with(Config {
        write_timeout: ANSWER.into(),
        max_lines_per_second: 1_000_000,
        max_lines_per_second_per_address: 1_000_000,
        max_connects_per_second: 1_000_000,
        max_connects_per_second_per_address: 1_000_000,
        max_line_length: ByteSize(64),
        max_outbound_queue: ByteSize(8320),
        ..LibraryServer::config()
    });
    let mut host = server.registered();
    let mut other = server.registered();
    let line = format!("echo {}\n", "x".repeat(50)).repeat(1000);
    host.tcp
        .set_write_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let deadline = Instant::now() + ANSWER;
    while host.tcp.write(line.as_bytes()).is_ok() {
        assert!(Instant::now() < deadline, "the server reads on and on");
    }
    let oid = host.oid.clone();
    let mut answered = 0;
    loop {
        assert!(Instant::now() < deadline, "never crowded");
        let answer = other.ask(&format!("connect {oid}"));
        if answer.starts_with("refused") {
            assert!(answer.contains(" too-many-requests "), "{answer}");
            break;
        }
        answered += 1;
    }
    assert_eq!(
        server.server.stats().players,
        2,
        "the host was not thrown out"
    );
    // When the host reads again, it learns of everyone who learned of it.
    assert_eq!(host.count_lines("connect "), answered);
}

#[test]
fn a_relay_drops_what_is_over_its_bandwidth_and_goes_on() {
    let server = LibraryServer::with(Config {
        // One slice for the whole test.
        traffic_interval: Duration::from_secs(2).into(),
        max_individual_traffic: ByteSize(5140),
        ..LibraryServer::config()
    });
    let pair = server.relayed_pair();
    let start = Instant::now();
    for _ in 0..100 {
        pair.client.send_datagram(&[1; 1000], pair.host_port);
    }
    let mut arrived = 0;
    while pair.host.datagram_within(SILENCE).is_some() {
        arrived += 1;
    }
    assert!(
        start.elapsed() < Duration::from_secs(2),
        "too slow to tell anything"
    );
    assert_eq!(arrived, 10, "10,280 bytes a slice are 10 packets");
    pair.host.send_datagram(b"the other way", pair.client_port);
    assert_eq!(pair.client.datagram().0, b"the other way");
    eventually("the next slice", || {
        pair.client.send_datagram(b"again", pair.host_port);
        pair.host.datagram_within(SILENCE).is_some()
    });
}

#[test]
fn all_relays_together_keep_to_the_global_bandwidth() {
    let server = LibraryServer::with(Config {
        traffic_interval: Duration::from_secs(3600).into(),
        max_global_traffic: ByteSize(1),
        ..LibraryServer::config()
    });
    let pair = server.relayed_pair();
    for (from, to, port) in [
        (&pair.client, &pair.host, pair.host_port),
        (&pair.host, &pair.client, pair.client_port),
    ] {
        from.send_datagram(&[1; 1500], port);
        assert!(to.datagram_within(ANSWER).is_some());
    }
    pair.client.send_datagram(&[1; 1500], pair.host_port);
    assert_eq!(pair.host.datagram_within(SILENCE), None);
}

#[test]
fn a_relay_ends_after_its_lifetime() {
    let server = LibraryServer::with(Config {
        max_lifetime_duration: Duration::from_secs(1).into(),
        ..LibraryServer::config()
    });
    let pair = server.relayed_pair();
    pair.exchange(b"young");
    sleep(Duration::from_secs(1));
    pair.client.send_datagram(b"old", pair.host_port);
    assert_eq!(pair.host.datagram_within(SILENCE), None);
}

#[test]
fn a_relay_ends_after_its_traffic() {
    let server = LibraryServer::with(Config {
        max_lifetime_traffic: ByteSize(2000),
        ..LibraryServer::config()
    });
    let pair = server.relayed_pair();
    pair.exchange(&[1; 1900]);
    pair.client.send_datagram(&[2; 100], pair.host_port);
    assert_eq!(pair.host.datagram_within(SILENCE), None);
}

#[test]
fn idle_relays_are_closed_and_their_ports_reused_longest_free_first() {
    let ports = free_ports(4);
    let server = LibraryServer::with(Config {
        relay_ports: ports.clone().into(),
        relay_timeout: Duration::from_secs(1).into(),
        relay_cleanup_interval: Duration::from_millis(20).into(),
        ..LibraryServer::config()
    });
    let mut pair = server.relayed_pair();
    assert_eq!([pair.client_port, pair.host_port], ports[..2]);
    let busy_until = Instant::now() + Duration::from_millis(1500);
    while Instant::now() < busy_until {
        // Packets in one direction keep both relays open.
        pair.client.send_datagram(b"alive", pair.host_port);
        pair.host.datagram();
        sleep(Duration::from_millis(20));
    }
    assert_eq!(server.server.stats().relays, 2);
    eventually("the relays are closed", || {
        server.server.stats().relays == 0
    });
    eventually("the ports are unbound", || {
        (ports[..2].iter()).all(|port| UdpSocket::bind((Ipv4Addr::LOCALHOST, *port)).is_ok())
    });
    let host_oid = pair.host.oid.clone();
    pair.host_port = pair.client.relay_port(&format!("connect-relay {host_oid}"));
    pair.client_port = pair.host.relay_port("");
    assert_eq!([pair.client_port, pair.host_port], ports[2..]);
    pair.exchange(b"anew");
}

#[test]
fn idle_relays_make_room_before_anyone_is_refused() {
    let server = LibraryServer::with(Config {
        relay_ports: free_ports(2).into(),
        relay_timeout: Duration::from_millis(100).into(),
        relay_cleanup_interval: Duration::from_secs(3600).into(),
        ..LibraryServer::config()
    });
    let first = server.relayed_pair();
    sleep(Duration::from_millis(150));
    let second = server.relayed_pair();
    second.exchange(b"room");
    second.client.send_datagram(b"mine", second.host_port);
    second.host.datagram();
    // The first pair's port is the second pair's now: its packets reach nobody.
    first.client.send_datagram(b"stray", first.host_port);
    assert_eq!(second.host.datagram_within(SILENCE), None);
    assert_eq!(second.client.datagram_within(SILENCE), None);
}

#[test]
fn relay_ports_of_other_programs_are_skipped() {
    let ports = free_ports(5);
    let other_program: Vec<_> = [0, 2]
        .map(|index| UdpSocket::bind((Ipv4Addr::LOCALHOST, ports[index])).unwrap())
        .into();
    let server = LibraryServer::with(Config {
        relay_ports: ports.clone().into(),
        ..LibraryServer::config()
    });
    let mut pair = server.relayed_pair();
    assert_eq!([pair.client_port, pair.host_port], [ports[1], ports[3]]);
    pair.exchange(b"skipped");
    let mut third = server.registered();
    third.relay_port(&format!("connect-relay {}", pair.host.oid));
    assert_eq!(pair.host.relay_port(""), ports[4]);
    let mut fourth = server.registered();
    let answer = fourth.ask(&format!("connect-relay {}", pair.host.oid));
    assert!(answer.contains(" relays-full "), "{answer}");
    drop(other_program);
}
