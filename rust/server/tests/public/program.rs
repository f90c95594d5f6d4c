//! The two programs, started with the same settings on free ports of 127.0.0.1.

use std::{
    collections::BTreeMap,
    io::{BufRead, BufReader, Read},
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::PathBuf,
    process::{Child, Command, ExitStatus, Stdio},
    sync::{Arc, Mutex},
    thread::sleep,
    time::{Duration, Instant},
};

use tempfile::TempDir;

use crate::harness::{PATIENCE, Player, free_ports};

/// Both programs are ready within it: Node needs a second or two, more on a busy machine.
const START: Duration = Duration::from_secs(60);

/// A server's program.
#[derive(Clone)]
pub(crate) struct Program(Kind);

#[derive(Clone)]
enum Kind {
    Ours,
    /// The folder of an installed copy.
    Public(PathBuf),
}

impl Program {
    pub(crate) fn ours() -> Self {
        Self(Kind::Ours)
    }

    /// The public server, if the environment names a copy.
    pub(crate) fn public() -> Option<Self> {
        let folder = std::env::var_os("PUBLIC_NORAY_DIR")?;
        let folder = std::path::absolute(PathBuf::from(folder)).expect("a path");
        Some(Self(Kind::Public(folder)))
    }

    /// A server with eight relay ports.
    pub(crate) fn start(&self, settings: &[(&str, &str)]) -> Server {
        self.start_with_ports(&free_ports(8), settings)
    }

    /// A server and two players on it who are relayed to each other.
    pub(crate) fn start_relayed(&self, settings: &[(&str, &str)]) -> (Server, Relayed) {
        let server = self.start(settings);
        let pair = server.relayed();
        (server, pair)
    }

    /// A server with these relay ports.
    pub(crate) fn start_with_ports(
        &self,
        relay_ports: &[u16],
        settings: &[(&str, &str)],
    ) -> Server {
        let (mut command, ready) = match &self.0 {
            Kind::Ours => (
                Command::new(env!("CARGO_BIN_EXE_noray-server")),
                "noray-server v",
            ),
            Kind::Public(folder) => {
                let mut command = Command::new("node");
                command.arg(folder.join("bin/noray.mjs"));
                // The last of what it does at its start.
                (command, "Applying dynamic relaying")
            }
        };
        let [port, http] = [free_tcp_port(), free_tcp_port()];
        let registrar = free_ports(1)[0];
        let ports: Vec<_> = relay_ports.iter().map(u16::to_string).collect();
        // Neither may find a file with settings.
        let folder = TempDir::new().unwrap();
        command
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        without_settings(&mut command);
        command
            .env("NORAY_SOCKET_HOST", "127.0.0.1")
            .env("NORAY_SOCKET_PORT", port.to_string())
            .env("NORAY_HTTP_HOST", "127.0.0.1")
            .env("NORAY_HTTP_PORT", http.to_string())
            .env("NORAY_UDP_HOST", "127.0.0.1")
            .env("NORAY_UDP_REGISTRAR_PORT", registrar.to_string())
            .env("NORAY_UDP_RELAY_PORTS", ports.join(","))
            .envs(settings.iter().copied());
        let mut child = command.spawn().expect("the program starts");
        let log = Arc::new(Mutex::new(String::new()));
        collect(child.stdout.take().unwrap(), &log);
        collect(child.stderr.take().unwrap(), &log);
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let mut server = Server {
            commands: address(port),
            registrar: address(registrar),
            http: address(http),
            relay_ports: relay_ports.to_vec(),
            greets: matches!(self.0, Kind::Ours),
            child,
            log,
            _folder: folder,
        };
        let deadline = Instant::now() + START;
        // Both say so before somebody can connect.
        while !server.log().contains(ready)
            || std::net::TcpStream::connect(server.commands).is_err()
        {
            let ended = server.child.try_wait().unwrap();
            assert!(ended.is_none(), "{ended:?}:\n{}", server.log());
            assert!(Instant::now() < deadline, "not ready:\n{}", server.log());
            sleep(Duration::from_millis(10));
        }
        server
    }

    /// What the program makes of settings in the environment, and of a file `.env` where it is
    /// started. By the public server's names, in the form that ours shows; `None` when the
    /// program refuses them.
    pub(crate) fn understood(
        &self,
        settings: &[(&str, &str)],
        file: &str,
    ) -> Option<BTreeMap<&'static str, String>> {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join(".env"), file).unwrap();
        let mut command = match &self.0 {
            Kind::Ours => {
                let mut command = Command::new(env!("CARGO_BIN_EXE_noray-server"));
                command.arg("--check");
                command
            }
            Kind::Public(copy) => {
                let mut command = Command::new("node");
                command.args(["--input-type=module", "--eval", SHOW_CONFIG]);
                command.arg(copy.join("src/config.mjs"));
                command
            }
        };
        without_settings(&mut command);
        let output = command
            .current_dir(folder.path())
            .envs(settings.iter().copied())
            .output()
            .unwrap();
        if !output.status.success() {
            return None;
        }
        let text = String::from_utf8(output.stdout).unwrap();
        let values = PUBLIC_SETTINGS
            .iter()
            .map(|name| (*name, normal(name, &value_of(name, &text))));
        Some(values.collect())
    }
}

/// The public server's settings.
pub(crate) const PUBLIC_SETTINGS: &[&str] = &[
    "NORAY_OID_LENGTH",
    "NORAY_OID_CHARSET",
    "NORAY_PID_LENGTH",
    "NORAY_PID_CHARSET",
    "NORAY_SOCKET_HOST",
    "NORAY_SOCKET_PORT",
    "NORAY_HTTP_HOST",
    "NORAY_HTTP_PORT",
    "NORAY_UDP_RELAY_PORTS",
    "NORAY_UDP_RELAY_TIMEOUT",
    "NORAY_UDP_RELAY_CLEANUP_INTERVAL",
    "NORAY_UDP_REGISTRAR_PORT",
    "NORAY_UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC",
    "NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC",
    "NORAY_UDP_RELAY_TRAFFIC_INTERVAL",
    "NORAY_UDP_RELAY_MAX_LIFETIME_DURATION",
    "NORAY_UDP_RELAY_MAX_LIFETIME_TRAFFIC",
    "NORAY_LOGLEVEL",
];

/// Prints the public server's configuration, in seconds and bytes.
const SHOW_CONFIG: &str = "
    const { pathToFileURL } = await import('node:url');
    const { config } = await import(pathToFileURL(process.argv[1]));
    const relay = config.udpRelay;
    for (const [name, value] of Object.entries({
        OID_LENGTH: config.oid.length,
        OID_CHARSET: config.oid.charset,
        PID_LENGTH: config.pid.length,
        PID_CHARSET: config.pid.charset,
        SOCKET_HOST: config.socket.host,
        SOCKET_PORT: config.socket.port,
        HTTP_HOST: config.http.host,
        HTTP_PORT: config.http.port,
        UDP_RELAY_PORTS: relay.ports,
        UDP_RELAY_TIMEOUT: relay.timeout,
        UDP_RELAY_CLEANUP_INTERVAL: relay.cleanupInterval,
        UDP_REGISTRAR_PORT: relay.registrarPort,
        UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC: relay.maxIndividualTraffic,
        UDP_RELAY_MAX_GLOBAL_TRAFFIC: relay.maxGlobalTraffic,
        UDP_RELAY_TRAFFIC_INTERVAL: relay.trafficInterval,
        UDP_RELAY_MAX_LIFETIME_DURATION: relay.maxLifetimeDuration,
        UDP_RELAY_MAX_LIFETIME_TRAFFIC: relay.maxLifetimeTraffic,
        LOGLEVEL: config.loglevel,
    })) {
        console.log(`NORAY_${name}=${value}`);
    }
";

/// A setting's value in the form that ours shows. Sets of characters are sorted.
pub(crate) fn normal(name: &str, value: &str) -> String {
    if name.ends_with("_CHARSET") {
        let mut chars: Vec<_> = value.chars().collect();
        chars.sort_unstable();
        return chars.into_iter().collect();
    }
    let mut command = Command::new(env!("CARGO_BIN_EXE_noray-server"));
    without_settings(&mut command);
    let output = command.arg("--check").env(name, value).output().unwrap();
    assert!(output.status.success(), "{name}={value}");
    value_of(name, &String::from_utf8(output.stdout).unwrap())
}

/// Returns a setting's value in what a program shows.
fn value_of(name: &str, shown: &str) -> String {
    let mut lines = shown.lines();
    let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let value = line.expect(name).split(" # ").next().unwrap_or_default();
    value.trim().to_owned()
}

/// A developer's own settings must not change what is tested.
fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("NORAY_") {
            command.env_remove(name);
        }
    }
}

/// Of the range of [`free_ports`]: one that systems give out by themselves can be some connection's
/// before the server has it.
fn free_tcp_port() -> u16 {
    loop {
        let port = free_ports(1)[0];
        if TcpListener::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok() {
            return port;
        }
    }
}

fn collect(stream: impl Read + Send + 'static, log: &Arc<Mutex<String>>) {
    let log = log.clone();
    std::thread::spawn(move || {
        for line in BufReader::new(stream).lines().map_while(Result::ok) {
            let mut log = log.lock().unwrap();
            log.push_str(&line);
            log.push('\n');
        }
    });
}

/// A running server, ended with this.
pub(crate) struct Server {
    pub commands: SocketAddr,
    pub registrar: SocketAddr,
    pub http: SocketAddr,
    pub relay_ports: Vec<u16>,
    greets: bool,
    child: Child,
    log: Arc<Mutex<String>>,
    _folder: TempDir,
}

impl Server {
    /// A connection, and nothing read of it.
    pub(crate) fn dial(&self) -> Player {
        Player::dial(self.commands, self.registrar)
    }

    /// A connection; a greeting is taken.
    pub(crate) fn player(&self) -> Player {
        match self.greets {
            true => Player::connect(self.commands, self.registrar),
            false => self.dial(),
        }
    }

    /// A player with an OpenID and a registered address.
    pub(crate) fn registered(&self) -> Player {
        let mut player = self.player();
        player.register();
        player.register_remote();
        player
    }

    /// Two players who are relayed to each other.
    pub(crate) fn relayed(&self) -> Relayed {
        let mut host = self.registered();
        let mut client = self.registered();
        let host_port = client.relay_port(&format!("connect-relay {}", host.oid));
        let client_port = host.relay_port("");
        Relayed {
            host,
            client,
            host_port,
            client_port,
        }
    }

    /// What it has said so far.
    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// How it ended; fails if it does not.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status;
            }
            assert!(Instant::now() < deadline, "the server does not end");
            sleep(Duration::from_millis(5));
        }
    }

    /// Fails unless players can come.
    pub(crate) fn expect_alive(&mut self) {
        let ended = self.child.try_wait().unwrap();
        assert!(ended.is_none(), "the server ended: {ended:?}");
        self.player().expect_silence();
    }

    /// The status line and the rest of an HTTP answer.
    pub(crate) fn get(&self, path: &str) -> (String, String) {
        use std::io::Write;
        let mut stream = std::net::TcpStream::connect(self.http).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nHost: noray\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let (status, rest) = answer.split_once("\r\n").expect("an HTTP answer");
        (status.to_owned(), rest.to_owned())
    }

    #[cfg(unix)]
    pub(crate) fn terminate(&self) {
        let status = Command::new("kill")
            .arg(self.child.id().to_string())
            .status();
        assert!(status.unwrap().success());
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Two players who are relayed to each other, and the port that stands for each.
pub(crate) struct Relayed {
    pub host: Player,
    pub client: Player,
    pub host_port: u16,
    pub client_port: u16,
}

impl Relayed {
    /// Sends a packet each way and checks where each came from.
    pub(crate) fn exchange(&self, payload: &[u8]) {
        self.client.send_datagram(payload, self.host_port);
        assert_eq!(self.host.datagram(), (payload.to_vec(), self.client_port));
        self.host.send_datagram(payload, self.client_port);
        assert_eq!(self.client.datagram(), (payload.to_vec(), self.host_port));
    }
}
