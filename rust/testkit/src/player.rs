//! A player as the protocol knows it, made of plain sockets, without a game.
//!
//! Methods that return a `Result` also serve measurements, where a server that fails is a result.
//! The others are for tests: they panic, and say what did not come.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use socket2::{Domain, Socket, Type};

use crate::defaults::{ANSWER, REGISTRATION_REPEAT};

const REGISTER: &[u8] = b"register-host\n";

/// A server that players can connect to.
pub trait AcceptsPlayers {
    /// Returns where players send commands.
    fn commands(&self) -> SocketAddr;

    /// Returns where players register their address.
    fn registrar(&self) -> SocketAddr;

    /// Returns whether it greets each player, as ours does.
    fn greets(&self) -> bool {
        true
    }

    /// Returns a player connected from this address of the machine who has read nothing.
    fn dial_from(&self, from: Ipv4Addr) -> Result<Player> {
        let tcp = dial(from, self.commands()).context("cannot connect")?;
        let mut player = Player::on(tcp, self.registrar())?;
        player.udp = UdpSocket::bind((from, 0))?;
        Ok(player)
    }

    /// Returns a player connected from this address of the machine; a greeting was read.
    fn player_from(&self, from: Ipv4Addr) -> Result<Player> {
        let mut player = self.dial_from(from)?;
        if self.greets() {
            player.read_greeting()?;
        }
        Ok(player)
    }

    /// Returns a player connected from this address of the machine, with an OpenID and a
    /// registered address.
    fn registered_from(&self, from: Ipv4Addr) -> Result<Player> {
        let mut player = self.dial_from(from)?;
        // At once, as a game does: the time until the greeting is not the registration's.
        player.write(REGISTER)?;
        if self.greets() {
            player.read_greeting()?;
        }
        player.read_ids()?;
        player.register_remote()?;
        Ok(player)
    }

    /// Returns a connected player who has read nothing.
    fn dial(&self) -> Player {
        Player::dial(self.commands(), self.registrar()).unwrap()
    }

    /// Returns a connected player; a greeting was read.
    fn player(&self) -> Player {
        self.player_from(Ipv4Addr::LOCALHOST).unwrap()
    }

    /// Returns a player with an OpenID and a registered address.
    fn registered(&self) -> Player {
        self.registered_from(Ipv4Addr::LOCALHOST).unwrap()
    }

    /// Returns two players who are relayed to each other.
    fn relayed_pair(&self) -> RelayedPair {
        RelayedPair::of(self.registered(), self.registered())
    }
}

/// Connects from this address of the machine; over IPv6, from any.
pub fn dial(from: Ipv4Addr, to: SocketAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, None)?;
    if to.is_ipv4() {
        socket.bind(&SocketAddrV4::new(from, 0).into())?;
    }
    socket.connect_timeout(&to.into(), ANSWER)?;
    Ok(socket.into())
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
    /// How long one answer may take.
    pub patience: Duration,
    unread: Vec<u8>,
}

/// For measurements and tests.
impl Player {
    /// Connects and reads nothing.
    pub fn dial(commands: SocketAddr, registrar: SocketAddr) -> Result<Self> {
        let tcp = TcpStream::connect_timeout(&commands, ANSWER).context("cannot connect")?;
        Self::on(tcp, registrar)
    }

    /// Returns a player on a connection that nothing was read from.
    pub fn on(tcp: TcpStream, registrar: SocketAddr) -> Result<Self> {
        tcp.set_nodelay(true)?;
        tcp.set_write_timeout(Some(ANSWER))?;
        Ok(Self {
            udp: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?,
            tcp,
            registrar,
            oid: String::new(),
            pid: String::new(),
            patience: ANSWER,
            unread: Vec::new(),
        })
    }

    /// Reads the greeting of our server, and what it offers.
    pub fn read_greeting(&mut self) -> Result<()> {
        self.rest_of_line("hi \"noray-server v")?;
        self.rest_of_line("offers ")?;
        Ok(())
    }

    /// Registers itself.
    pub fn register(&mut self) -> Result<()> {
        self.write(REGISTER)?;
        self.read_ids()
    }

    fn read_ids(&mut self) -> Result<()> {
        self.oid = self.rest_of_line("set-oid ")?;
        self.pid = self.rest_of_line("set-pid ")?;
        Ok(())
    }

    /// Registers its address.
    pub fn register_remote(&self) -> Result<()> {
        let pid = self.pid.as_bytes();
        let answer = ask_registrar_within(self.patience, &self.udp, self.registrar, pid)?;
        ensure!(answer == "OK", "the registrar answers {answer:?}");
        Ok(())
    }

    /// Asks for another player's address and waits for the answer.
    pub fn connect_to(&mut self, other: &Self) -> Result<()> {
        self.ask_for(
            &format!("connect {}", other.oid),
            &format!("connect {}", other.address()),
        )
    }

    /// Sends a command, which must be answered by this line.
    pub fn ask_for(&mut self, command: &str, answer: &str) -> Result<()> {
        self.write(format!("{command}\n").as_bytes())?;
        self.expect_line(answer)
    }

    /// Asks for relays for itself and another. Returns the addresses that stand for the other, and
    /// for itself.
    ///
    /// # Errors
    /// The server does not open relays.
    pub fn relay_with(&mut self, other: &mut Self) -> Result<[SocketAddr; 2]> {
        self.write(format!("connect-relay {}\n", other.oid).as_bytes())?;
        let server = self.registrar.ip();
        Ok([self.announced_relay()?, other.announced_relay()?].map(|port| (server, port).into()))
    }

    /// Reads the next line, which must announce a relay, and returns its port.
    fn announced_relay(&mut self) -> Result<u16> {
        let port = self.rest_of_line("connect-relay ")?;
        port.parse().with_context(|| format!("no port: {port:?}"))
    }

    /// Reads the next line, which must be this one.
    pub fn expect_line(&mut self, line: &str) -> Result<()> {
        let rest = self.rest_of_line(line)?;
        ensure!(rest.is_empty(), "{line:?} and {rest:?}");
        Ok(())
    }

    /// Returns the next line, which must begin so, without that.
    ///
    /// # Errors
    /// None comes in time, or another one, or the server closes the connection.
    fn rest_of_line(&mut self, begin: &str) -> Result<String> {
        let line = self.line_within(self.patience);
        let line = line.with_context(|| format!("no line {begin:?}"))?;
        match line.strip_prefix(begin) {
            Some(rest) => Ok(rest.to_owned()),
            None if line.starts_with("set-pid ") => bail!("not {begin:?} but a PrivateID"),
            None => bail!("not {begin:?} but {line:?}"),
        }
    }

    fn write(&mut self, bytes: &[u8]) -> Result<()> {
        let written = self.tcp.write_all(bytes);
        written.context("the connection for commands is broken")
    }

    /// Reads what has come, or waits for it. Returns its length: 0 after the server has closed.
    fn read_until(&mut self, deadline: Instant) -> io::Result<usize> {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(ErrorKind::TimedOut.into());
        }
        self.tcp.set_read_timeout(Some(left))?;
        let mut chunk = [0; 4096];
        let length = self.tcp.read(&mut chunk)?;
        self.unread.extend_from_slice(&chunk[..length]);
        Ok(length)
    }
}

/// For tests.
impl Player {
    /// Sends a command.
    pub fn send(&mut self, line: &str) {
        self.send_bytes(format!("{line}\n").as_bytes());
    }

    /// Sends bytes as they are.
    pub fn send_bytes(&mut self, bytes: &[u8]) {
        self.write(bytes).unwrap();
    }

    /// Returns the next line.
    pub fn line(&mut self) -> String {
        self.line_within(self.patience)
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
            let Ok(1..) = self.read_until(deadline) else {
                return None;
            };
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
        loop {
            match self.read_until(deadline) {
                Ok(0) => return true,
                Ok(_) => self.unread.clear(),
                Err(error) => return !is_timeout(error.kind()),
            }
        }
    }

    /// Reads until nothing more comes, and counts the lines that begin like this.
    pub fn count_lines(&mut self, beginning: &str) -> usize {
        let pause = Duration::from_millis(500);
        while let Ok(1..) = self.read_until(Instant::now() + pause) {}
        let bytes = std::mem::take(&mut self.unread);
        let lines = bytes.split(|byte| *byte == b'\n');
        lines
            .filter(|line| line.starts_with(beginning.as_bytes()))
            .count()
    }

    /// Returns the address that it registers.
    pub fn address(&self) -> SocketAddr {
        self.udp.local_addr().unwrap()
    }

    /// Sends a command for a relay, unless it is empty, and returns the port that stands for the
    /// other player.
    pub fn relay_port(&mut self, line: &str) -> u16 {
        if !line.is_empty() {
            self.send(line);
        }
        self.announced_relay().unwrap()
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
pub fn ask_registrar(udp: &UdpSocket, registrar: SocketAddr, datagram: &[u8]) -> Result<String> {
    ask_registrar_within(ANSWER, udp, registrar, datagram)
}

fn ask_registrar_within(
    time: Duration,
    udp: &UdpSocket,
    registrar: SocketAddr,
    datagram: &[u8],
) -> Result<String> {
    udp.set_read_timeout(Some(REGISTRATION_REPEAT))?;
    let mut buffer = [0; 2048];
    let until = Instant::now() + time;
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
        let [to_host, to_client] = client.relay_with(&mut host).unwrap();
        Self {
            host,
            client,
            host_port: to_host.port(),
            client_port: to_client.port(),
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
