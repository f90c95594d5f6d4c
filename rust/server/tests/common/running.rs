//! The program in a process of its own, and what the system tells of it.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use crate::harness::{PATIENCE, Player, free_ports};

/// The binary with nothing of this test's environment but what it is told.
pub(crate) fn binary() -> Command {
    without_settings(Command::new(env!("CARGO_BIN_EXE_noray-server")))
}

/// The binary with so many descriptors at the most.
pub(crate) fn binary_with_descriptors(limit: usize) -> Command {
    let program = env!("CARGO_BIN_EXE_noray-server");
    let mut command = without_settings(Command::new("sh"));
    command.args(["-c", &format!("ulimit -n {limit}; exec {program}")]);
    command
}

fn without_settings(mut command: Command) -> Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("NORAY_") {
            command.env_remove(name);
        }
    }
    command
}

/// A setting, as the help of the binary tells it.
pub(crate) struct Setting {
    pub name: String,
    pub flag: String,
    /// What kind of value it takes.
    pub value: String,
    pub default: String,
    /// What it means.
    pub help: String,
}

impl Setting {
    /// All settings, in the order of the help.
    pub(crate) fn all() -> Vec<Self> {
        let output = binary().arg("--help").output().unwrap();
        assert!(output.status.success());
        let help = String::from_utf8(output.stdout).unwrap();
        let words: Vec<_> = help.split_whitespace().collect();
        let words = words.join(" ");
        let arguments = words.split(" --").filter(|it| it.contains("[env: "));
        arguments.map(|it| Self::read(it).expect(it)).collect()
    }

    /// Reads `flag <VALUE> help [env: NAME] [default: VALUE]`.
    fn read(text: &str) -> Option<Self> {
        let (flag, rest) = text.split_once(" <")?;
        let (value, rest) = rest.split_once("> ")?;
        let (help, rest) = rest.split_once(" [env: ")?;
        let (name, rest) = rest.split_once("] [default: ")?;
        let (default, _) = rest.split_once(']')?;
        Some(Self {
            name: name.to_owned(),
            flag: flag.to_owned(),
            value: value.to_owned(),
            default: default.to_owned(),
            help: help.to_owned(),
        })
    }
}

/// The setting of so many relay ports that are free.
pub(crate) fn relay_ports(count: usize) -> String {
    let ports: Vec<_> = free_ports(count).iter().map(u16::to_string).collect();
    ports.join(",")
}

/// A server in a process of its own, ended with this.
pub(crate) struct Running {
    pub child: Child,
    pub commands: SocketAddr,
    pub registrar: SocketAddr,
    /// What it said when it had started.
    pub started: String,
}

impl Running {
    /// On free ports of 127.0.0.1.
    pub(crate) fn start(command: &mut Command) -> Self {
        Self::start_at(command, [0, 0])
    }

    /// With these ports for commands and for the registrar.
    pub(crate) fn start_at(command: &mut Command, ports: [u16; 2]) -> Self {
        let mut child = command
            .env("NORAY_UDP_HOST", "127.0.0.1")
            .env("NORAY_SOCKET_HOST", "127.0.0.1")
            .env("NORAY_SOCKET_PORT", ports[0].to_string())
            .env("NORAY_UDP_REGISTRAR_PORT", ports[1].to_string())
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
    pub(crate) fn http(&self) -> SocketAddr {
        address_after("metrics on ", &self.started)
    }

    pub(crate) fn player(&self) -> Player {
        Player::connect(self.commands, self.registrar)
    }

    /// A player with an OpenID and a registered address.
    pub(crate) fn registered(&self) -> Player {
        let mut player = self.player();
        player.register();
        player.register_remote();
        player
    }

    /// Two relayed players, host and client, and the port at which the client finds the host.
    pub(crate) fn relayed_pair(&self) -> (Player, Player, u16) {
        let mut host = self.registered();
        let mut client = self.registered();
        let port = client.relay_port(&format!("connect-relay {}", host.oid));
        host.relay_port("");
        (host, client, port)
    }

    #[cfg(unix)]
    pub(crate) fn signal(&self, name: &str) {
        let status = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(status.unwrap().success());
    }

    /// Waits for the end: the exit code and the log.
    pub(crate) fn wait(mut self) -> (Option<i32>, String) {
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

/// What the system tells of the process.
#[cfg(target_os = "linux")]
impl Running {
    /// Its memory, in KiB.
    pub(crate) fn memory(&self) -> usize {
        let status = self.proc("status");
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
        let digits = line.and_then(|line| line.split_whitespace().next());
        digits.expect(&status).parse().expect(&status)
    }

    /// How many descriptors it has open.
    pub(crate) fn descriptors(&self) -> usize {
        let folder = format!("/proc/{}/fd", self.child.id());
        std::fs::read_dir(folder).unwrap().count()
    }

    /// The processor time that it took since its start.
    pub(crate) fn processor_time(&self) -> Duration {
        let stat = self.proc("stat");
        // Behind the name, which may hold anything.
        let (_, fields) = stat.rsplit_once(')').expect(&stat);
        let ticks = |index: usize| -> u64 {
            let field = fields.split_whitespace().nth(index).expect(&stat);
            field.parse().expect(&stat)
        };
        let per_second = rustix::param::clock_ticks_per_second();
        Duration::from_millis((ticks(11) + ticks(12)) * 1000 / per_second)
    }

    fn proc(&self, file: &str) -> String {
        std::fs::read_to_string(format!("/proc/{}/{file}", self.child.id())).unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn address_after(text: &str, line: &str) -> SocketAddr {
    let (_, rest) = line.split_once(text).expect(line);
    rest.split(' ').next().unwrap().parse().expect(line)
}

/// The answer's status line and everything behind it.
pub(crate) fn request(address: SocketAddr, request: &str) -> Option<(String, String)> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream.write_all(request.as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (status, rest) = answer.split_once("\r\n")?;
    Some((status.to_owned(), rest.to_owned()))
}

pub(crate) fn get(address: SocketAddr, path: &str) -> (String, String) {
    request(
        address,
        &format!("GET {path} HTTP/1.1\r\nHost: noray\r\n\r\n"),
    )
    .expect("an answer")
}

pub(crate) fn metrics(server: &Running) -> String {
    let (status, rest) = get(server.http(), "/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    let (head, body) = rest.split_once("\r\n\r\n").unwrap();
    assert!(
        head.to_lowercase()
            .contains("content-type: text/plain; version=0.0.4"),
        "{head}"
    );
    body.to_owned()
}

/// The value of a metric, named with its labels.
pub(crate) fn value(text: &str, name: &str) -> f64 {
    let line = |line: &str| Some(line.strip_prefix(name)?.strip_prefix(' ')?.to_owned());
    let found = text.lines().find_map(line);
    found.expect(name).parse().expect(name)
}
