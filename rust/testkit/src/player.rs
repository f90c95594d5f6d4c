//! A player as the protocol knows it, made of plain sockets, without a game.
//!
//! Methods that return a `Result` serve measurements, where a server that fails is a result. The
//! others are for tests: they panic, and say what did not come.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Socket, Type};

use crate::defaults::{ANSWER, REGISTRATION_REPEAT};

/// A server that players can connect to.
pub trait AcceptsPlayers {
    /// Returns where players send commands.
    fn commands(&self) -> SocketAddr;

    /// Returns where players register their address.
    fn registrar(&self) -> SocketAddr;

    /// Returns a connected player; a greeting of ours was read.
    fn player(&self) -> Player {
        Player::connect(self.commands(), self.registrar())
    }

    /// Returns a player with an OpenID and a registered address.
    fn registered(&self) -> Player {
        let mut player = self.player();
        player.register();
        player.register_remote();
        player
    }

    /// Returns two players who are relayed to each other.
    fn relayed_pair(&self) -> RelayedPair {
        RelayedPair::of(self.registered(), self.registered())
    }
}

/// A player.
pub struct Player {
    /// The connection for commands.
    pub tcp: TcpStream,
    /// The socket whose address it registers.
    pub udp: UdpSocket,
    /// Where it registers.
    pub registrar: SocketAddr,
    /// Its OpenID, once it has one.
    pub oid: String,
    /// Its PrivateID, once it has one.
    pub pid: String,
    unread: Vec<u8>,
}

/// Connects from this address of the machine.
pub fn dial(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddrV4::new(from, 0).into())?;
    socket.connect_timeout(&to.into(), ANSWER)?;
    Ok(socket.into())
}

/// For measurements.
impl Player {
    /// Connects from this address of the machine, and reads nothing.
    pub fn connect_from(
        from: Ipv4Addr,
        commands: SocketAddr,
        registrar: SocketAddr,
    ) -> Result<Self> {
        let tcp = dial(from, commands).context("cannot connect")?;
        Ok(Self::new(tcp, from, registrar)?)
    }

    fn new(tcp: TcpStream, from: Ipv4Addr, registrar: SocketAddr) -> io::Result<Self> {
        tcp.set_nodelay(true)?;
        tcp.set_write_timeout(Some(ANSWER))?;
        Ok(Self {
            tcp,
            udp: UdpSocket::bind((from, 0))?,
            registrar,
            oid: String::new(),
            pid: String::new(),
            unread: Vec::new(),
        })
    }

    /// Connects from this address of the machine, and registers itself and its address.
    pub fn registered_from(from: Ipv4Addr, server: &impl AcceptsPlayers) -> Result<Self> {
        let mut player = Self::connect_from(from, server.commands(), server.registrar())?;
        player.try_register()?;
        player.try_register_remote()?;
        Ok(player)
    }

    /// Registers itself.
    pub fn try_register(&mut self) -> Result<()> {
        self.try_send("register-host")?;
        self.oid = self.rest_of_line("set-oid ")?;
        self.pid = self.rest_of_line("set-pid ")?;
        Ok(())
    }

    /// Registers its address.
    pub fn try_register_remote(&self) -> Result<()> {
        let answer = try_ask_registrar(&self.udp, self.registrar, self.pid.as_bytes())?;
        ensure!(answer == "OK", "the registrar answers {answer:?}");
        Ok(())
    }

    /// Asks for another player's address and waits for the answer.
    pub fn try_connect_to(&mut self, other: &Self) -> Result<()> {
        self.try_send(&format!("connect {}", other.oid))?;
        let address = other.udp.local_addr()?;
        self.rest_of_line(&format!("connect {address}"))?;
        Ok(())
    }

    /// Asks for relays for itself and another. Returns the addresses that stand for the other, and
    /// for itself.
    ///
    /// # Errors
    /// The server does not open relays.
    pub fn try_relay_with(&mut self, other: &mut Self) -> Result<[SocketAddr; 2]> {
        self.try_send(&format!("connect-relay {}", other.oid))?;
        let server = self.registrar.ip();
        let address = |line: String| -> Result<SocketAddr> {
            let port: u16 = line.parse().with_context(|| format!("got {line:?}"))?;
            Ok((server, port).into())
        };
        Ok([
            address(self.rest_of_line("connect-relay ")?)?,
            address(other.rest_of_line("connect-relay ")?)?,
        ])
    }

    /// Sends a command.
    pub fn try_send(&mut self, line: &str) -> Result<()> {
        let line = format!("{line}\n");
        let sent = self.tcp.write_all(line.as_bytes());
        sent.context("the connection for commands is broken")
    }

    /// Returns the rest of the next line that begins so; other lines are skipped.
    ///
    /// # Errors
    /// None comes in time, or the server closes the connection.
    pub fn rest_of_line(&mut self, begin: &str) -> Result<String> {
        loop {
            let line = self.line_within(ANSWER);
            let line = line.with_context(|| format!("no line {begin:?}"))?;
            if let Some(rest) = line.strip_prefix(begin) {
                return Ok(rest.to_owned());
            }
        }
    }
}

/// For tests.
impl Player {
    /// Connects and reads a greeting, if the server is ours.
    pub fn connect(commands: SocketAddr, registrar: SocketAddr) -> Self {
        Self::dial(commands, registrar).greeted()
    }

    /// Connects and reads nothing.
    pub fn dial(commands: SocketAddr, registrar: SocketAddr) -> Self {
        let tcp = TcpStream::connect_timeout(&commands, ANSWER).expect("a connection");
        Self::on(tcp, registrar)
    }

    /// Returns a player on a connection that nothing was read from.
    pub fn on(tcp: TcpStream, registrar: SocketAddr) -> Self {
        Self::new(tcp, Ipv4Addr::LOCALHOST, registrar).expect("sockets")
    }

    /// Reads the greeting of our server.
    #[must_use]
    pub fn greeted(mut self) -> Self {
        let greeting = self.line();
        assert!(greeting.starts_with("hi \"noray-server v"), "{greeting}");
        self
    }

    /// Sends a command.
    pub fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes());
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.tcp.write_all(bytes).unwrap();
    }

    /// Returns the next line.
    pub fn line(&mut self) -> String {
        self.line_within(ANSWER)
            .expect("a line, but the server closed or is silent")
    }

    /// Returns the next line; `None` when none comes in time or the server closed.
    pub fn line_within(&mut self, time: Duration) -> Option<String> {
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

    /// Sends a command and returns the next line.
    pub fn ask(&mut self, line: &str) -> String {
        self.send(line);
        self.line()
    }

    /// Checks that nothing was said, by asking for something that is answered in order.
    pub fn expect_silence(&mut self) {
        assert_eq!(self.ask("echo silence"), "echo silence");
    }

    /// Returns whether the server closes this connection in time.
    pub fn is_closed_within(&mut self, time: Duration) -> bool {
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
    pub fn count_lines(&mut self, beginning: &str) -> usize {
        let mut bytes = std::mem::take(&mut self.unread);
        let pause = Duration::from_millis(500);
        self.tcp.set_read_timeout(Some(pause)).unwrap();
        let mut chunk = vec![0; 64 * 1024];
        while let Ok(length @ 1..) = self.tcp.read(&mut chunk) {
            bytes.extend_from_slice(&chunk[..length]);
        }
        let lines = bytes.split(|byte| *byte == b'\n');
        lines
            .filter(|line| line.starts_with(beginning.as_bytes()))
            .count()
    }

    /// Registers itself.
    pub fn register(&mut self) {
        self.send("register-host");
        let oid = self.line();
        let pid = self.line();
        self.oid = oid.strip_prefix("set-oid ").expect(&oid).to_owned();
        self.pid = pid
            .strip_prefix("set-pid ")
            .expect("a PrivateID")
            .to_owned();
    }

    /// Registers its address.
    pub fn register_remote(&self) {
        let answer = ask_registrar(&self.udp, self.registrar, self.pid.as_bytes());
        assert_eq!(answer, "OK");
    }

    /// Returns the address that it registers.
    pub fn address(&self) -> SocketAddr {
        self.udp.local_addr().unwrap()
    }

    /// Sends a command for a relay, unless it is empty, and returns the port that stands for the
    /// other player.
    pub fn relay_port(&mut self, line: &str) -> u16 {
        let line = if line.is_empty() {
            self.line()
        } else {
            self.ask(line)
        };
        let port = line.strip_prefix("connect-relay ").expect(&line);
        port.parse().expect("a port")
    }

    /// Sends a datagram to a port of 127.0.0.1.
    pub fn send_datagram(&self, payload: &[u8], port: u16) {
        let to = (Ipv4Addr::LOCALHOST, port);
        assert_eq!(self.udp.send_to(payload, to).unwrap(), payload.len());
    }

    /// Returns the next datagram and the port that it came from; `None` if none comes in time.
    pub fn datagram_within(&self, time: Duration) -> Option<(Vec<u8>, u16)> {
        self.udp.set_read_timeout(Some(time)).unwrap();
        let mut buffer = vec![0; 65_536];
        match self.udp.recv_from(&mut buffer) {
            Ok((length, from)) => Some((buffer[..length].to_vec(), from.port())),
            Err(error) if is_timeout(error.kind()) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// Returns the next datagram and the port that it came from.
    pub fn datagram(&self) -> (Vec<u8>, u16) {
        self.datagram_within(ANSWER).expect("a datagram")
    }
}

fn is_timeout(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// Sends a datagram to a registrar, again if it got lost, and returns the answer.
pub fn ask_registrar(udp: &UdpSocket, registrar: SocketAddr, datagram: &[u8]) -> String {
    try_ask_registrar(udp, registrar, datagram).unwrap()
}

fn try_ask_registrar(udp: &UdpSocket, registrar: SocketAddr, datagram: &[u8]) -> Result<String> {
    udp.set_read_timeout(Some(REGISTRATION_REPEAT))?;
    let mut buffer = [0; 2048];
    let until = Instant::now() + ANSWER;
    while Instant::now() < until {
        udp.send_to(datagram, registrar)?;
        match udp.recv_from(&mut buffer) {
            Ok((length, from)) => {
                ensure!(from == registrar, "an answer comes from {from}");
                return Ok(String::from_utf8(buffer[..length].to_vec())?);
            }
            Err(error) if is_timeout(error.kind()) => {}
            Err(error) => return Err(error.into()),
        }
    }
    bail!("the registrar does not answer")
}

/// Returns the loopback address of the player with this number: not in 127.0.0.0/16, where
/// everything else is.
pub fn address_of(number: usize) -> Ipv4Addr {
    let [.., high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// Two players who are relayed to each other, and the port that stands for each.
pub struct RelayedPair {
    /// The player who was asked for.
    pub host: Player,
    /// The player who asked.
    pub client: Player,
    /// The port at which the client finds the host.
    pub host_port: u16,
    /// The port at which the host finds the client.
    pub client_port: u16,
}

impl RelayedPair {
    /// Lets `client` ask for a relay to `host`.
    pub fn of(mut host: Player, mut client: Player) -> Self {
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
    pub fn exchange(&self, payload: &[u8]) {
        self.client.send_datagram(payload, self.host_port);
        assert_eq!(self.host.datagram(), (payload.to_vec(), self.client_port));
        self.host.send_datagram(payload, self.client_port);
        assert_eq!(self.client.datagram(), (payload.to_vec(), self.host_port));
    }
}

/// Waits until a condition holds.
#[track_caller]
pub fn eventually(what: &str, mut condition: impl FnMut() -> bool) {
    let deadline = Instant::now() + ANSWER;
    while !condition() {
        assert!(Instant::now() < deadline, "never: {what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}
