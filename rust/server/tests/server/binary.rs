//! The program: settings, exit codes, signals, log.

use std::{
    io::{BufRead, BufReader, Read},
    net::SocketAddr,
    process::{Child, Command, Output, Stdio},
    time::Instant,
};

use noray_server::SETTINGS;

use crate::harness::{PATIENCE, Player, eventually, free_ports};

/// The binary with nothing of this test's environment but what it is told.
fn binary() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_noray-server"));
    for setting in SETTINGS {
        command.env_remove(setting.name);
    }
    command
}

fn run(command: &mut Command) -> (Output, String) {
    let output = command.output().unwrap();
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    (output, error)
}

struct Running {
    child: Child,
    commands: SocketAddr,
    registrar: SocketAddr,
}

impl Running {
    /// On free ports of 127.0.0.1.
    fn start(command: &mut Command) -> Self {
        let mut child = command
            .env("NORAY_UDP_HOST", "127.0.0.1")
            .env("NORAY_SOCKET_HOST", "127.0.0.1")
            .env("NORAY_SOCKET_PORT", "0")
            .env("NORAY_UDP_REGISTRAR_PORT", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        let after = |text: &str| -> SocketAddr {
            let (_, rest) = line.split_once(text).expect(&line);
            rest.split(' ').next().unwrap().parse().expect(&line)
        };
        Self {
            commands: after("commands on "),
            registrar: after("registrar on "),
            child,
        }
    }

    fn player(&self) -> Player {
        Player::connect(self.commands, self.registrar)
    }

    #[cfg(unix)]
    fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end: the exit code and the log.
    #[cfg(unix)]
    fn wait(mut self) -> (Option<i32>, String) {
        let deadline = Instant::now() + PATIENCE;
        let status = loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                break status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            std::thread::sleep(std::time::Duration::from_millis(5));
        };
        let mut log = String::new();
        let stderr = self.child.stderr.as_mut().unwrap();
        stderr.read_to_string(&mut log).unwrap();
        (status.code(), log)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn help_tells_every_setting_with_its_default() {
    let (output, _) = run(binary().arg("--help"));
    assert!(output.status.success());
    let help = String::from_utf8(output.stdout).unwrap();
    let words: String = help.split_whitespace().collect::<Vec<_>>().join(" ");
    for setting in SETTINGS {
        let default = setting.show(&noray_server::Config::default());
        assert!(words.contains(&format!("--{} <{}>", setting.flag, setting.value)));
        assert!(words.contains(&format!("[env: {}]", setting.name)));
        assert!(
            words.contains(&format!("[default: {default}]")),
            "{setting:?}"
        );
    }
}

#[test]
fn a_bad_setting_is_named_and_gives_exit_code_2() {
    for command in [
        binary().env("NORAY_UDP_RELAY_PORTS", "many"),
        binary().arg("--udp-relay-ports=many"),
    ] {
        let (output, error) = run(command);
        assert_eq!(output.status.code(), Some(2));
        let expected = "noray-server: NORAY_UDP_RELAY_PORTS (--udp-relay-ports): `many` is no port";
        assert!(error.starts_with(expected), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
    let (output, _) = run(binary().arg("--no-such-flag"));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_taken_port_is_named_and_gives_exit_code_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = (taken.local_addr().unwrap(), taken);
    let (output, error) = run(binary()
        .env("NORAY_SOCKET_HOST", "127.0.0.1")
        .env("NORAY_SOCKET_PORT", taken.0.port().to_string())
        .env("NORAY_LOGLEVEL", "silent"));
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "noray-server: cannot listen for commands on {} (TCP): ",
        taken.0
    );
    assert!(error.starts_with(&expected), "{error}");
    assert_eq!(error.lines().count(), 1);
}

#[test]
fn flags_come_before_the_environment() {
    let server = Running::start(
        binary()
            .env("NORAY_OID_LENGTH", "5")
            .env("NORAY_PID_LENGTH", "50")
            .env("NORAY_UDP_RELAY_TIMEOUT", "")
            .arg("--oid-length=7"),
    );
    let mut player = server.player();
    player.register();
    assert_eq!((player.oid.len(), player.pid.len()), (7, 50));
}

#[cfg(unix)]
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

#[cfg(unix)]
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
#[cfg(target_os = "linux")]
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
            let time = std::time::Duration::from_millis(100);
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
