//! What players do to meet, as in the protocol's tables.

use std::{
    net::{Ipv6Addr, Shutdown, UdpSocket},
    time::Duration,
};

use noray_server::{ByteSize, Config};
use noray_testkit::{
    defaults::{ANSWER, SILENCE},
    library_server::LibraryServer,
    player::{AcceptsPlayers, Player, ask_registrar},
};

#[test]
fn the_greeting_comes_first_and_names_the_version() {
    let server = LibraryServer::start();
    let mut player = server.dial();
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(player.line(), format!("hi \"noray-server v{version}\""));
    assert_eq!(player.line(), "offers hosting");
}

#[test]
fn register_host_gives_an_open_id_and_then_a_private_id() {
    let server = LibraryServer::start();
    let mut player = server.player();
    player.register().unwrap();
    let is_url_safe = |id: &str| {
        id.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte))
    };
    assert_eq!(player.oid.len(), 21);
    assert_eq!(player.pid.len(), 128);
    assert!(is_url_safe(&player.oid) && is_url_safe(&player.pid));
    assert_eq!(server.server.stats().players, 1);
}

#[test]
fn ids_have_the_configured_length_and_characters() {
    let server = LibraryServer::with(Config {
        open_id_length: 6,
        open_id_charset: "äöü".to_owned(),
        private_id_length: 40,
        private_id_charset: "01".to_owned(),
        ..LibraryServer::config()
    });
    let mut host = server.registered();
    assert_eq!(host.oid.chars().count(), 6);
    assert!(host.oid.chars().all(|char| "äöü".contains(char)));
    assert_eq!(host.pid.len(), 40);
    let mut client = server.registered();
    let answer = client.ask(&format!("connect {}", host.oid));
    assert_eq!(answer, format!("connect {}", host.address()));
    assert_eq!(host.line(), format!("connect {}", client.address()));
}

/// The public server keeps the first address.
#[test]
fn the_registrar_keeps_the_newest_address_and_answers_repeats() {
    let server = LibraryServer::start();
    let mut player = server.registered();
    player.register_remote().unwrap();
    player.udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    player.register_remote().unwrap();
    let answer = player.ask(&format!("connect {}", player.oid));
    assert_eq!(answer, format!("connect {}", player.address()));
}

#[test]
fn the_registrar_refuses_what_is_no_private_id_without_repeating_it() {
    let server = LibraryServer::start();
    let player = server.registered();
    let lower = player.pid.to_lowercase();
    let longer = format!("{}x", player.pid);
    let with_lf = format!("{}\n", player.pid);
    let long = "x".repeat(60_000);
    for datagram in [
        "",
        "x",
        &player.oid,
        &lower,
        &longer,
        &with_lf,
        &player.pid[1..],
        &long,
    ] {
        let answer = ask_registrar(&player.udp, player.registrar, datagram.as_bytes()).unwrap();
        assert_eq!(answer, "Unknown host pid!");
    }
    let answer = ask_registrar(&player.udp, player.registrar, b"\xff\xfe\0").unwrap();
    assert_eq!(answer, "Unknown host pid!");
}

#[test]
fn the_registrar_does_not_answer_answers() {
    let server = LibraryServer::start();
    let player = server.registered();
    for datagram in ["OK", "Unknown host pid!", "Error: Unknown host pid: OK"] {
        player
            .udp
            .send_to(datagram.as_bytes(), player.registrar)
            .unwrap();
    }
    assert_eq!(player.datagram_within(SILENCE), None);
}

#[test]
fn connect_tells_both_players_the_others_address() {
    let server = LibraryServer::start();
    let mut host = server.registered();
    let mut client = server.registered();
    let answer = client.ask(&format!("connect {}", host.oid));
    assert_eq!(answer, format!("connect {}", host.address()));
    assert_eq!(host.line(), format!("connect {}", client.address()));
    host.expect_silence();
    client.expect_silence();
}

#[test]
fn a_relay_carries_packets_both_ways_unchanged() {
    let server = LibraryServer::start();
    let pair = server.relayed_pair();
    assert_ne!(pair.host_port, pair.client_port);
    for length in [0, 1, 5, 1400] {
        pair.exchange(&(0..length).map(|byte| byte as u8).collect::<Vec<_>>());
    }
    assert_eq!(server.server.stats().relays, 2);
}

#[test]
fn a_relay_carries_the_largest_packet() {
    let server = LibraryServer::start();
    server.relayed_pair().exchange(&[7; 65_507]);
}

#[test]
fn a_burst_arrives_in_order_and_unchanged() {
    let server = LibraryServer::with(Config {
        max_individual_traffic: ByteSize(1 << 30),
        ..LibraryServer::config()
    });
    let pair = server.relayed_pair();
    // Runs of one length, which the system joins and cuts, and breaks between them.
    let packets: Vec<_> = (0..200u8)
        .map(|number| {
            vec![
                number;
                if number % 50 < 40 {
                    100
                } else {
                    usize::from(number % 7)
                }
            ]
        })
        .collect();
    for packet in &packets {
        pair.client.send_datagram(packet, pair.host_port);
    }
    for packet in packets {
        assert_eq!(pair.host.datagram(), (packet, pair.client_port));
    }
}

#[test]
fn a_host_tells_its_relayed_players_apart_by_port() {
    let server = LibraryServer::start();
    let mut first = server.relayed_pair();
    let mut second = server.registered();
    let host_port = second.relay_port(&format!("connect-relay {}", first.host.oid));
    let second_port = first.host.relay_port("");
    assert_eq!(host_port, first.host_port, "the host has one port for all");
    assert_ne!(second_port, first.client_port);
    first.exchange(b"first");
    second.send_datagram(b"second", host_port);
    assert_eq!(first.host.datagram(), (b"second".to_vec(), second_port));
    first.host.send_datagram(b"to second", second_port);
    assert_eq!(second.datagram(), (b"to second".to_vec(), host_port));
    assert_eq!(first.client.datagram_within(SILENCE), None);
    first.client.expect_silence();
}

#[test]
fn asking_for_a_relay_again_gives_the_same_ports() {
    let server = LibraryServer::start();
    let mut pair = server.relayed_pair();
    let host_oid = pair.host.oid.clone();
    let again = pair.client.relay_port(&format!("connect-relay {host_oid}"));
    assert_eq!(again, pair.host_port);
    assert_eq!(pair.host.relay_port(""), pair.client_port);
}

#[test]
fn a_second_identity_lives_beside_the_first_which_is_the_one_that_asks() {
    let server = LibraryServer::start();
    let mut player = server.registered();
    let (first_oid, first_address) = (player.oid.clone(), player.address());
    player.register().unwrap();
    assert_ne!(player.oid, first_oid);
    player.udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    player.register_remote().unwrap();
    assert_eq!(server.server.stats().players, 2);

    let mut other = server.registered();
    for (oid, address) in [
        (first_oid, first_address),
        (player.oid.clone(), player.address()),
    ] {
        let answer = other.ask(&format!("connect {oid}"));
        assert_eq!(answer, format!("connect {address}"));
        assert_eq!(player.line(), format!("connect {}", other.address()));
    }
    player.send(&format!("connect {}", other.oid));
    assert_eq!(other.line(), format!("connect {first_address}"));
}

#[test]
fn a_players_own_open_id_gives_the_line_twice() {
    let server = LibraryServer::start();
    let mut player = server.registered();
    let expected = format!("connect {}", player.address());
    assert_eq!(player.ask(&format!("connect {}", player.oid)), expected);
    assert_eq!(player.line(), expected);
    let port = player.relay_port(&format!("connect-relay {}", player.oid));
    assert_eq!(player.relay_port(""), port);
    player.expect_silence();
}

#[test]
fn echo_comes_back_as_it_was() {
    let server = LibraryServer::start();
    let mut player = server.player();
    for text in ["hello", "two  spaces ", "\"", "äöü 🎲", "\\\"\\n", "\0"] {
        assert_eq!(player.ask(&format!("echo {text}")), format!("echo {text}"));
    }
}

#[test]
fn lines_are_read_however_they_were_cut() {
    let server = LibraryServer::start();
    let mut player = server.player();
    for byte in "echo äöü\r\nregister-host\r\n".bytes() {
        player.send_bytes(&[byte]);
        // Without a pause the system would join them again.
        std::thread::sleep(Duration::from_millis(3));
    }
    assert_eq!(player.line(), "echo äöü");
    assert!(player.line().starts_with("set-oid "));
    assert!(player.line().starts_with("set-pid "));
    player.send_bytes(b"echo 1\necho 2\r\n\n\nunknown\necho 3\nec");
    player.send_bytes(b"ho 4\n");
    for number in 1..=4 {
        assert_eq!(player.line(), format!("echo {number}"));
    }
}

#[test]
fn unknown_commands_are_passed_over() {
    let server = LibraryServer::start();
    let mut player = server.player();
    for line in [
        "",
        " ",
        "hi",
        "set-oid x",
        "CONNECT x",
        "connect\tx",
        "register-host-2",
        ".r1 x",
        "connect?1 x",
        "|s data",
        "\u{feff}echo x",
    ] {
        player.send(line);
        player.expect_silence();
    }
}

#[test]
fn what_was_asked_before_the_end_is_answered() {
    let server = LibraryServer::with(Config {
        max_lines_per_second: 10,
        ..LibraryServer::config()
    });
    let mut player = server.player();
    // More than the server reads at once.
    player.send_bytes("echo last\n".repeat(40).as_bytes());
    player.tcp.shutdown(Shutdown::Write).unwrap();
    for _ in 0..40 {
        assert_eq!(player.line(), "echo last");
    }
    assert!(player.is_closed_within(ANSWER));
}

#[test]
fn a_player_is_gone_with_its_connection() {
    let server = LibraryServer::start();
    let host = server.registered();
    let mut client = server.registered();
    let (oid, pid) = (host.oid.clone(), host.pid.clone());
    drop(host.tcp);
    let deadline = std::time::Instant::now() + ANSWER;
    while server.server.stats().players > 1 {
        assert!(std::time::Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
    let answer = client.ask(&format!("connect {oid}"));
    assert!(answer.starts_with(&format!("refused connect {oid} unknown-host ")));
    let answer = ask_registrar(&client.udp, client.registrar, pid.as_bytes()).unwrap();
    assert_eq!(answer, "Unknown host pid!");
}

#[test]
#[ignore = "needs IPv6"]
fn commands_may_come_over_ipv6() {
    let config = Config {
        socket_host: Ipv6Addr::LOCALHOST.into(),
        ..LibraryServer::config()
    };
    let server = LibraryServer::with(config);
    server.relayed_pair().exchange(b"six");
}

#[test]
#[ignore = "needs IPv6"]
fn the_unspecified_ipv6_address_takes_ipv4_too() {
    let server = LibraryServer::with(Config {
        socket_host: Ipv6Addr::UNSPECIFIED.into(),
        ..LibraryServer::config()
    });
    let port = server.server.command_address().port();
    for host in ["127.0.0.1", "[::1]"] {
        let address = format!("{host}:{port}").parse().unwrap();
        let mut player = Player::dial(address, server.registrar()).unwrap();
        player.read_greeting().unwrap();
        player.expect_silence();
    }
}
