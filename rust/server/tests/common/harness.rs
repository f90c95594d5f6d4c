//! A server to test, and players made of plain sockets.

use std::{
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream, UdpSocket},
    sync::atomic::{AtomicU16, Ordering::Relaxed},
    time::{Duration, Instant},
};

use noray_server::{Config, Server, Stats};
use tokio::runtime::{Builder, Runtime};

/// Longer than anything here takes, on a busy machine too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(10);
/// How long nothing must come before we believe that nothing comes.
pub(crate) const SILENCE: Duration = Duration::from_millis(150);

/// A server on free ports of 127.0.0.1, on a runtime of its own.
pub(crate) struct TestServer {
    pub server: Server,
    pub runtime: Runtime,
}

pub(crate) fn config() -> Config {
    Config {
        socket_host: Ipv4Addr::LOCALHOST.into(),
        socket_port: 0,
        udp_host: Ipv4Addr::LOCALHOST,
        registrar_port: 0,
        relay_ports: free_ports(8).into(),
        ..Config::default()
    }
}

pub(crate) fn runtime() -> Runtime {
    Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap()
}

impl TestServer {
    pub(crate) fn start() -> Self {
        Self::with(config())
    }

    pub(crate) fn with(config: Config) -> Self {
        let runtime = runtime();
        let server = Server::start(config, runtime.handle()).unwrap();
        Self { server, runtime }
    }

    pub(crate) fn stats(&self) -> Stats {
        self.server.stats()
    }

    pub(crate) fn player(&self) -> Player {
        Player::connect(
            self.server.command_address(),
            self.server.registrar_address(),
        )
    }

    /// A player with an OpenID and a registered address.
    pub(crate) fn registered(&self) -> Player {
        let mut player = self.player();
        player.register();
        player.register_remote();
        player
    }
}

/// UDP ports that nobody has, below those that systems give out by themselves; no
/// two tests get the same.
pub(crate) fn free_ports(count: usize) -> Vec<u16> {
    const FIRST: u16 = 12_000;
    const LAST: u16 = 32_000;
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Several test processes may run at once.
    let start = (std::process::id() % 100) as u16 * 200;
    let mut ports = Vec::new();
    while ports.len() < count {
        let offset = (start + NEXT.fetch_add(1, Relaxed)) % (LAST - FIRST);
        let port = FIRST + offset;
        if UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            ports.push(port);
        }
    }
    ports.sort_unstable();
    ports
}

/// Waits until a condition holds, or fails.
pub(crate) fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

pub(crate) struct Player {
    pub tcp: TcpStream,
    pub udp: UdpSocket,
    pub registrar: SocketAddr,
    pub oid: String,
    pub pid: String,
    unread: Vec<u8>,
}

impl Player {
    /// Connects and takes the greeting.
    pub(crate) fn connect(commands: SocketAddr, registrar: SocketAddr) -> Self {
        Self::dial(commands, registrar).greeted()
    }

    /// Connects and reads nothing.
    pub(crate) fn dial(commands: SocketAddr, registrar: SocketAddr) -> Self {
        let tcp = TcpStream::connect_timeout(&commands, PATIENCE).unwrap();
        Self::on(tcp, registrar)
    }

    /// On a connection that nothing was read from.
    pub(crate) fn on(tcp: TcpStream, registrar: SocketAddr) -> Self {
        tcp.set_nodelay(true).unwrap();
        tcp.set_write_timeout(Some(PATIENCE)).unwrap();
        let udp = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        Self {
            tcp,
            udp,
            registrar,
            oid: String::new(),
            pid: String::new(),
            unread: Vec::new(),
        }
    }

    /// Takes the greeting.
    pub(crate) fn greeted(mut self) -> Self {
        let greeting = self.line();
        assert!(greeting.starts_with("hi \"noray-server v"), "{greeting}");
        self
    }

    pub(crate) fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes());
    }

    pub(crate) fn send_bytes(&mut self, bytes: &[u8]) {
        self.tcp.write_all(bytes).unwrap();
    }

    /// The next line, which must come.
    pub(crate) fn line(&mut self) -> String {
        self.line_within(PATIENCE)
            .expect("a line, but the server closed or is silent")
    }

    /// The next line; `None` when none comes in time or the server closed.
    pub(crate) fn line_within(&mut self, time: Duration) -> Option<String> {
        let deadline = Instant::now() + time;
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let line: Vec<u8> = self.unread.drain(..=end).collect();
                return Some(String::from_utf8(line[..end].to_vec()).unwrap());
            }
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return None;
            }
            self.tcp.set_read_timeout(Some(left)).unwrap();
            let mut chunk = [0; 4096];
            match self.tcp.read(&mut chunk) {
                Ok(0) => return None,
                Ok(length) => self.unread.extend_from_slice(&chunk[..length]),
                Err(error) if is_timeout(error.kind()) => {}
                Err(_) => return None,
            }
        }
    }

    pub(crate) fn ask(&mut self, line: &str) -> String {
        self.send(line);
        self.line()
    }

    /// Checks that nothing was said, by asking for something that is answered in order.
    pub(crate) fn expect_silence(&mut self) {
        assert_eq!(self.ask("echo silence"), "echo silence");
    }

    /// Whether the server closes this connection.
    pub(crate) fn is_closed_within(&mut self, time: Duration) -> bool {
        let deadline = Instant::now() + time;
        let mut chunk = [0; 4096];
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            self.tcp.set_read_timeout(Some(left)).unwrap();
            match self.tcp.read(&mut chunk) {
                Ok(0) => return true,
                Ok(_) => {}
                Err(error) => return !is_timeout(error.kind()),
            }
        }
    }

    /// Reads until nothing more comes, and counts the lines that begin like this.
    pub(crate) fn count_lines(&mut self, beginning: &str) -> usize {
        let mut bytes = std::mem::take(&mut self.unread);
        self.tcp
            .set_read_timeout(Some(Duration::from_millis(500)))
            .unwrap();
        let mut chunk = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = self.tcp.read(&mut chunk) {
            bytes.extend_from_slice(&chunk[..length]);
        }
        bytes
            .split(|byte| *byte == b'\n')
            .filter(|line| line.starts_with(beginning.as_bytes()))
            .count()
    }

    pub(crate) fn register(&mut self) {
        self.send("register-host");
        let oid = self.line();
        let pid = self.line();
        self.oid = oid.strip_prefix("set-oid ").expect(&oid).to_owned();
        self.pid = pid.strip_prefix("set-pid ").expect(&pid).to_owned();
    }

    pub(crate) fn register_remote(&self) {
        assert_eq!(
            ask_registrar(&self.udp, self.registrar, self.pid.as_bytes()),
            "OK"
        );
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.udp.local_addr().unwrap()
    }

    /// Asks for a relay and takes the port that stands for the other.
    pub(crate) fn relay_port(&mut self, line: &str) -> u16 {
        let line = if line.is_empty() {
            self.line()
        } else {
            self.ask(line)
        };
        let port = line.strip_prefix("connect-relay ").expect(&line);
        port.parse().expect("a port")
    }

    pub(crate) fn send_datagram(&self, payload: &[u8], port: u16) {
        let to = (Ipv4Addr::LOCALHOST, port);
        assert_eq!(self.udp.send_to(payload, to).unwrap(), payload.len());
    }

    /// The next datagram and the port that it came from; `None` if none comes in time.
    pub(crate) fn datagram_within(&self, time: Duration) -> Option<(Vec<u8>, u16)> {
        self.udp.set_read_timeout(Some(time)).unwrap();
        let mut buffer = vec![0; 65_536];
        match self.udp.recv_from(&mut buffer) {
            Ok((length, from)) => Some((buffer[..length].to_vec(), from.port())),
            Err(error) if is_timeout(error.kind()) => None,
            Err(error) => panic!("{error}"),
        }
    }

    pub(crate) fn datagram(&self) -> (Vec<u8>, u16) {
        self.datagram_within(PATIENCE).expect("a datagram")
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Sends a datagram to a registrar, again if it got lost, and returns the answer.
pub(crate) fn ask_registrar(udp: &UdpSocket, registrar: SocketAddr, datagram: &[u8]) -> String {
    udp.set_read_timeout(Some(Duration::from_millis(500)))
        .unwrap();
    let mut buffer = [0; 2048];
    for _ in 0..10 {
        udp.send_to(datagram, registrar).unwrap();
        match udp.recv_from(&mut buffer) {
            Ok((length, from)) => {
                assert_eq!(from, registrar);
                return String::from_utf8(buffer[..length].to_vec()).unwrap();
            }
            Err(error) if is_timeout(error.kind()) => {}
            Err(error) => panic!("{error}"),
        }
    }
    panic!("the registrar does not answer");
}

/// Two players who are relayed to each other, and the port that stands for each.
pub(crate) struct RelayedPair {
    pub host: Player,
    pub client: Player,
    pub host_port: u16,
    pub client_port: u16,
}

impl RelayedPair {
    pub(crate) fn new(server: &TestServer) -> Self {
        let mut host = server.registered();
        let mut client = server.registered();
        let host_port = client.relay_port(&format!("connect-relay {}", host.oid));
        let client_port = host.relay_port("");
        Self {
            host,
            client,
            host_port,
            client_port,
        }
    }

    /// Sends a packet each way and checks where each came from.
    pub(crate) fn exchange(&self, payload: &[u8]) {
        self.client.send_datagram(payload, self.host_port);
        assert_eq!(self.host.datagram(), (payload.to_vec(), self.client_port));
        self.host.send_datagram(payload, self.client_port);
        assert_eq!(self.client.datagram(), (payload.to_vec(), self.host_port));
    }
}

/// Reproducible noise.
pub(crate) struct Noise(pub u64);

impl Noise {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    pub(crate) fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit as u64) as usize
    }

    pub(crate) fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }
}
