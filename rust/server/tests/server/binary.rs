//! The program: settings and exit codes.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Output, Stdio},
};

use noray_server::SETTINGS;

use crate::harness::Player;

/// The binary with nothing of this test's environment but what it is told.
pub fn binary() -> Command {
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

/// A server in a process of its own, ended with this.
pub struct Running {
    pub child: Child,
    pub commands: SocketAddr,
    pub registrar: SocketAddr,
    /// What it said when it had started.
    pub started: String,
}

impl Running {
    /// On free ports of 127.0.0.1.
    pub fn start(command: &mut Command) -> Self {
        let mut child = command
            .env("NORAY_UDP_HOST", "127.0.0.1")
            .env("NORAY_SOCKET_HOST", "127.0.0.1")
            .env("NORAY_SOCKET_PORT", "0")
            .env("NORAY_UDP_REGISTRAR_PORT", "0")
            .env("NORAY_HTTP_HOST", "127.0.0.1")
            .env("NORAY_HTTP_PORT", "0")
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let mut line = String::new();
        let stdout = child.stdout.as_mut().unwrap();
        BufReader::new(stdout).read_line(&mut line).unwrap();
        Self {
            commands: address_after("commands on ", &line),
            registrar: address_after("registrar on ", &line),
            started: line,
            child,
        }
    }

    /// Where metrics are served.
    pub fn http(&self) -> SocketAddr {
        address_after("metrics on ", &self.started)
    }

    /// Two relayed players, host and client, and the port at which the client finds the host.
    pub fn relayed_pair(&self) -> (Player, Player, u16) {
        let mut host = self.player();
        let mut client = self.player();
        for player in [&mut host, &mut client] {
            player.register();
            player.register_remote();
        }
        let port = client.relay_port(&format!("connect-relay {}", host.oid));
        host.relay_port("");
        (host, client, port)
    }

    pub fn player(&self) -> Player {
        Player::connect(self.commands, self.registrar)
    }
}

fn address_after(text: &str, line: &str) -> SocketAddr {
    let (_, rest) = line.split_once(text).expect(line);
    rest.split(' ').next().unwrap().parse().expect(line)
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
        .env("NORAY_HTTP_PORT", "off")
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
