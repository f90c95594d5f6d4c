//! The program on Unix: signals and log.

use noray_testkit::{
    defaults::ANSWER,
    player::{AcceptsPlayers, RelayedPair, ask_registrar, eventually},
    ports::free_ports,
};
use std::{
    process::Command,
    time::{Duration, Instant},
};

use crate::program::{binary, ended, relay_ports, start};

#[test]
fn signals_stop_it_with_exit_code_0() {
    for signal in ["INT", "TERM"] {
        let server = start(&mut binary());
        let mut player = server.player();
        player.register().unwrap();
        server.child.signal(signal).unwrap();
        assert!(player.is_closed_within(ANSWER));
        let (code, log) = ended(server);
        assert_eq!(code, Some(0), "{log}");
    }
}

fn with_ports(count: usize) -> Command {
    let mut command = binary();
    command.env("NORAY_UDP_RELAY_PORTS", relay_ports(count));
    command
}

#[test]
fn a_game_on_a_relay_goes_on_while_it_drains() {
    let server = start(with_ports(4).arg("--drain-timeout=20s"));
    let RelayedPair {
        mut host,
        mut client,
        host_port: port,
        ..
    } = server.relayed_pair();
    let mut bystanders = [server.player(), server.player()];
    bystanders[0].register().unwrap();
    bystanders[0].register_remote().unwrap();
    assert_eq!(server.get("/health").status, "HTTP/1.1 200 OK");

    server.child.signal("TERM").unwrap();
    eventually("nobody is let in", || {
        std::net::TcpStream::connect(server.commands()).is_err()
    });
    assert!(bystanders[1].is_closed_within(ANSWER));
    let unavailable = "HTTP/1.1 503 Service Unavailable";
    assert_eq!(server.get("/health").status, unavailable);
    // For longer than a quiet relay may be.
    for number in 0..30_u8 {
        client.send_datagram(&[number], port);
        assert_eq!(host.datagram().0, [number]);
        std::thread::sleep(Duration::from_millis(100));
    }
    // The server still serves connected players, but nothing new begins.
    client.send(&format!("connect {}", host.oid));
    assert!(client.line().starts_with("connect 127.0.0.1:"));
    assert!(host.line().starts_with("connect 127.0.0.1:"));
    let refused = bystanders[0].ask(&format!("connect-relay {}", host.oid));
    assert!(refused.contains(" relays-full "), "{refused}");
    client.send("register-host");
    client.expect_silence();

    let quiet = Instant::now();
    let (code, log) = ended(server);
    assert_eq!(code, Some(0), "{log}");
    assert!(quiet.elapsed() > Duration::from_millis(1500), "{log}");
    assert!(quiet.elapsed() < ANSWER, "{log}");
    assert!(log.contains("no game goes through a relay"), "{log}");
}

#[test]
fn draining_has_a_bound() {
    let server = start(with_ports(2).env("NORAY_DRAIN_TIMEOUT", "500ms"));
    let RelayedPair {
        host,
        client,
        host_port: port,
        ..
    } = server.relayed_pair();
    let began = Instant::now();
    server.child.signal("TERM").unwrap();
    while began.elapsed() < Duration::from_millis(300) {
        client.send_datagram(b"on and on", port);
        assert_eq!(host.datagram().0, b"on and on");
        std::thread::sleep(Duration::from_millis(20));
    }
    let (code, log) = ended(server);
    assert_eq!(code, Some(0), "{log}");
    assert!(began.elapsed() < Duration::from_secs(5), "{log}");
    assert!(log.contains("the time for draining is over"), "{log}");
}

#[test]
fn a_second_signal_stops_it_at_once() {
    let server = start(with_ports(2).arg("--drain-timeout=1h"));
    let RelayedPair {
        host: _host,
        client: _client,
        host_port: _,
        ..
    } = server.relayed_pair();
    let began = Instant::now();
    server.child.signal("TERM").unwrap();
    eventually("it drains", || {
        std::net::TcpStream::connect(server.commands()).is_err()
    });
    server.child.signal("INT").unwrap();
    let (code, log) = ended(server);
    assert_eq!(code, Some(0), "{log}");
    assert!(began.elapsed() < Duration::from_millis(1900), "{log}");
    assert!(log.contains("asked a second time"), "{log}");
}

#[test]
fn the_log_tells_much_and_never_a_private_id() {
    let log = log_of_careless_players("text");
    assert!(log.lines().any(|line| line.contains(" DEBUG ")), "{log}");
}

#[test]
fn the_log_in_json_does_the_same() {
    let log = log_of_careless_players("json");
    for line in log.lines() {
        assert!(
            line.starts_with("{\"timestamp\":\"") && line.ends_with('}'),
            "{line}"
        );
    }
    assert!(log.contains("\"message\":\"player registered\""), "{log}");
}

fn log_of_careless_players(format: &str) -> String {
    let ports = free_ports(4);
    let server = start(
        binary()
            .arg("--loglevel=trace")
            .env("NORAY_LOG_FORMAT", format)
            .arg(format!("--udp-relay-ports={}-{}", ports[0], ports[3])),
    );
    let mut host = server.player();
    let mut client = server.player();
    for player in [&mut host, &mut client] {
        player.register().unwrap();
        player.register_remote().unwrap();
    }
    // A careless player sends its PrivateID everywhere.
    for line in [
        client.pid.clone(),
        format!("echo {}", client.pid),
        format!("connect {}", client.pid),
        format!("register-host {}", client.pid),
        format!("connect {} {}", client.oid, client.pid),
    ] {
        client.send(&line);
    }
    let mut spoilt = client.pid.clone().into_bytes();
    spoilt.push(b'!');
    client.udp.send_to(&spoilt, server.registrar()).unwrap();
    client.send(&format!("connect-relay {}", host.oid));
    while !client.line().starts_with("connect-relay ") {}
    let port = host.relay_port("");
    host.send_datagram(client.pid.as_bytes(), port);
    // The answer to the spoilt PrivateID comes first.
    while client.datagram().0 != client.pid.as_bytes() {}
    // Resumed identities: its own, before and after its connection ended, and another player's.
    for (oid, pid) in [
        (&client.oid, &client.pid),
        (&host.oid, &client.pid),
        (&host.oid, &host.pid),
    ] {
        let mut back = server.player();
        back.send(&format!("resume-host {oid} {pid}"));
        while back.ask("echo end") != "echo end" {}
    }
    let back = server.player();
    for datagram in [
        client.pid.clone(),
        format!("{} {}", client.oid, client.pid),
        client.pid[..client.pid.len() - 1].to_owned(),
        format!("{0}{0}{0}{0}{0}{0}{0}{0}{0}{0}", client.pid),
    ] {
        ask_registrar(&back.udp, server.registrar(), datagram.as_bytes()).unwrap();
    }
    server.child.signal("TERM").unwrap();
    let (_, log) = ended(server);
    assert!(log.contains("player registered"), "{log}");
    assert!(log.contains("identity given back"), "{log}");
    assert!(log.contains("identity not given back"), "{log}");
    for pid in [&host.pid, &client.pid] {
        // Not even a part of one.
        assert!(!log.contains(&pid[..16]), "a PrivateID is in the log");
    }
    log
}
