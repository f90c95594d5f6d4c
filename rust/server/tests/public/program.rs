//! The two programs, started with the same settings on free ports of 127.0.0.1.

use noray_testkit::{
    defaults::ANSWER,
    player::{AcceptsPlayers, Player, RelayedPair},
    ports::free_ports,
    server::{ServerPorts, ServerProcess, ServerProgram, without_settings},
};
use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    ops::Deref,
    path::PathBuf,
    process::{Command, ExitStatus},
};
use tempfile::TempDir;

/// A server's program.
#[derive(Clone)]
pub(crate) struct Program(ServerProgram);

impl Program {
    pub(crate) fn ours() -> Self {
        Self(ServerProgram::Ours(
            env!("CARGO_BIN_EXE_noray-server").into(),
        ))
    }

    /// Returns the public server's program, if the environment names a copy.
    pub(crate) fn public() -> Option<Self> {
        let folder = std::env::var_os("PUBLIC_NORAY_DIR")?;
        let folder = std::path::absolute(PathBuf::from(folder)).expect("a path");
        Some(Self(ServerProgram::Public(folder)))
    }

    /// Starts a server with eight relay ports.
    pub(crate) fn start(&self, settings: &[(&str, &str)]) -> Server {
        self.start_with_ports(&free_ports(8), settings)
    }

    /// Starts a server, and returns it with two players who are relayed to each other.
    pub(crate) fn start_relayed(&self, settings: &[(&str, &str)]) -> (Server, RelayedPair) {
        let server = self.start(settings);
        let pair = server.relayed_pair();
        (server, pair)
    }

    /// Starts a server with these relay ports.
    pub(crate) fn start_with_ports(
        &self,
        relay_ports: &[u16],
        settings: &[(&str, &str)],
    ) -> Server {
        // The last line of each at its start.
        let ready = match &self.0 {
            ServerProgram::Ours(_) => "noray-server v",
            ServerProgram::Public(_) => "Applying dynamic relaying",
        };
        let mut ports = ServerPorts::free(0);
        ports.relays = relay_ports.to_vec();
        // Neither program may find a file with settings.
        let folder = TempDir::new().unwrap();
        let mut command = self.0.command();
        command
            .current_dir(folder.path())
            .envs(settings.iter().copied());
        let is_ours = self.0.is_ours();
        let mut process = ServerProcess::launch_command(&mut command, ports, is_ours).unwrap();
        process.wait_for_log(ready).unwrap();
        process.wait_until_ready().unwrap();
        Server {
            process,
            _folder: folder,
        }
    }

    /// Returns how the program understands settings in the environment and in a file `.env` in its
    /// working directory: by the public server's names, in the form that ours shows. `None` if the
    /// program refuses them.
    pub(crate) fn understood(
        &self,
        settings: &[(&str, &str)],
        file: &str,
    ) -> Option<BTreeMap<&'static str, String>> {
        let folder = TempDir::new().unwrap();
        std::fs::write(folder.path().join(".env"), file).unwrap();
        let mut command = self.0.command();
        match &self.0 {
            ServerProgram::Ours(_) => command.arg("--check"),
            ServerProgram::Public(copy) => {
                command = Command::new("node");
                without_settings(&mut command);
                command.args(["--input-type=module", "--eval", SHOW_CONFIG]);
                command.arg(copy.join("src/config.mjs"))
            }
        };
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

/// Returns a setting's value in the form that ours shows, with characters of a set sorted.
pub(crate) fn normal(name: &str, value: &str) -> String {
    if name.ends_with("_CHARSET") {
        let mut chars: Vec<_> = value.chars().collect();
        chars.sort_unstable();
        return chars.into_iter().collect();
    }
    let mut command = Program::ours().0.command();
    let output = command.arg("--check").env(name, value).output().unwrap();
    assert!(output.status.success(), "{name}={value}");
    value_of(name, &String::from_utf8(output.stdout).unwrap())
}

/// Returns a setting's value from a program's output.
fn value_of(name: &str, shown: &str) -> String {
    let mut lines = shown.lines();
    let line = lines.find_map(|line| line.strip_prefix(name)?.strip_prefix('='));
    let value = line.expect(name).split(" # ").next().unwrap_or_default();
    value.trim().to_owned()
}

/// A running server. It ends when this is dropped.
pub(crate) struct Server {
    process: ServerProcess,
    _folder: TempDir,
}

impl Deref for Server {
    type Target = ServerProcess;

    fn deref(&self) -> &ServerProcess {
        &self.process
    }
}

impl Server {
    /// Connects a player to the server at this address and reads the greeting, if there is one.
    pub(crate) fn player_at(&self, ip: IpAddr) -> Player {
        let at = |address: SocketAddr| SocketAddr::new(ip, address.port());
        let mut player = Player::dial(at(self.commands()), at(self.registrar())).unwrap();
        if self.greets() {
            player.read_greeting().unwrap();
        }
        player
    }

    /// Waits for the server's end and returns how it ended.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        self.process.child.wait(ANSWER).expect("the server ends")
    }

    /// Checks that players can come.
    pub(crate) fn expect_alive(&mut self) {
        assert!(!self.process.child.has_ended(), "{}", self.log());
        self.player().expect_silence();
    }
}
