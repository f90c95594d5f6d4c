//! The program on Unix: signals, log, lack of descriptors.

use std::{
    io::Read,
    process::Command,
    time::{Duration, Instant},
};

use noray_server::SETTINGS;

use crate::{
    binary::{Running, binary},
    harness::{PATIENCE, Player, eventually, free_ports},
};

impl Running {
    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end: the exit code and the log.
    fn wait(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::sleep(Duration::from_millis(5));
        };
        let mut log = String::new();
        let stderr = self.child.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        (status.code(), log)
    }
}

#[test]
fn signals_stop_it_with_exit_code_0() {
    for signal in ["INT", "TERM"] {
        let server = Running::start(&mut binary());
        let mut player = server.player();
        player.register();
        server.signal(signal);
        assert!(player.is_closed_within(PATIENCE));
        let (code, log) = server.wait();
        assert_eq!(code, Some(0), "{log}");
    }
}

#[test]
fn the_log_tells_much_and_never_a_private_id() {
    let ports = free_ports(4);
    let server = Running::start(
        binary()
            .arg("--loglevel=trace")
            .arg(format!("--udp-relay-ports={}-{}", ports[0], ports[3])),
    );
    let mut host = server.player();
    let mut client = server.player();
    for player in [&mut host, &mut client] {
        player.register();
        player.register_remote();
    }
    // A careless player shows it in every place there is.
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
    client.udp.send_to(&spoilt, server.registrar).unwrap();
    client.send(&format!("connect-relay {}", host.oid));
    while !client.line().starts_with("connect-relay ") {}
    let port = host.relay_port("");
    host.send_datagram(client.pid.as_bytes(), port);
    // It first gets what the registrar said of the spoilt one.
    while client.datagram().0 != client.pid.as_bytes() {}
    server.signal("TERM");
    let (_, log) = server.wait();
    assert!(log.contains("player registered"), "{log}");
    for pid in [&host.pid, &client.pid] {
        // Not even a part of one.
        assert!(!log.contains(&pid[..16]), "a PrivateID is in the log");
    }
}

/// With all descriptors taken the server waits until some come back.
#[test]
fn it_survives_a_lack_of_descriptors() {
    let program = format!("ulimit -n 30; exec {}", env!("CARGO_BIN_EXE_noray-server"));
    let mut command = Command::new("sh");
    for setting in SETTINGS {
        command.env_remove(setting.name);
    }
    let ports = free_ports(2);
    let ports = format!("{}, {}", ports[0], ports[1]);
    let server = Running::start(
        command
            .env("NORAY_UDP_RELAY_PORTS", ports)
            .args(["-c", &program]),
    );
    let mut players: Vec<_> = (0..60)
        .map(|_| Player::dial(server.commands, server.registrar))
        .collect();
    let served = players
        .iter_mut()
        .map(|player| {
            let time = Duration::from_millis(100);
            player.line_within(time).is_some()
        })
        .filter(|served| *served)
        .count();
    assert!((5..30).contains(&served), "{served}");
    // Those who are in are served, but no relay can be opened for them.
    let [first, second, ..] = &mut players[..] else {
        panic!("no players");
    };
    for player in [&mut *first, &mut *second] {
        player.register();
        player.register_remote();
    }
    let answer = first.ask(&format!("connect-relay {}", second.oid));
    assert!(answer.contains(" relays-full "), "{answer}");
    players.truncate(2);
    let mut newcomer = server.player();
    newcomer.expect_silence();
    let [first, second] = &mut players[..] else {
        panic!("no players");
    };
    let ask = format!("connect-relay {}", second.oid);
    eventually("a relay is opened", || {
        first.ask(&ask).starts_with("connect-relay ")
    });
    server.signal("TERM");
    let (code, log) = server.wait();
    assert_eq!(code, Some(0));
    let complaints = log.matches("cannot accept connections").count();
    assert!((1..10).contains(&complaints), "{log}");
}
