//! A player as the protocol knows it, without a game.

use std::io::{self, BufRead, BufReader, Write as _};
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use socket2::{Domain, Socket, Type};

use crate::server::Server;

/// No answer for so long is an error.
const ANSWER: Duration = Duration::from_secs(10);
/// Pause until the PrivateID is sent once more.
const REGISTRAR_INTERVAL: Duration = Duration::from_millis(500);

/// A registered player.
pub(super) struct Player {
    commands: Commands,
    /// By which others find it.
    pub oid: String,
    /// The socket whose address is registered.
    pub udp: UdpSocket,
}

impl Player {
    /// Connects, registers, and registers its address. Players of different numbers have
    /// different addresses.
    pub(super) fn register(server: &Server, number: usize) -> Result<Self> {
        let address = address_of(number);
        let mut commands = Commands::connect(address, server.port).context("cannot connect")?;
        let [oid, private_id] = commands.register()?;
        let udp = UdpSocket::bind((address, 0))?;
        register_address(&udp, &private_id, server)?;
        Ok(Self { commands, oid, udp })
    }

    /// Asks to be put through to a player, and waits for the answer.
    pub(super) fn connect(&mut self, other: &Self) -> Result<()> {
        self.commands.write(&format!("connect {}\n", other.oid))?;
        let address = other.udp.local_addr()?;
        // Others may have asked for this player before.
        self.commands.read(&format!("connect {address}"))?;
        Ok(())
    }

    /// Asks for relays for this player and another; the addresses that stand for the other,
    /// and for this one.
    pub(super) fn connect_relay(&mut self, other: &mut Self) -> Result<[SocketAddr; 2]> {
        self.commands
            .write(&format!("connect-relay {}\n", other.oid))?;
        let port = |line: String| line.parse::<u16>().with_context(|| format!("got {line:?}"));
        let ports = [
            port(self.commands.read("connect-relay ")?)?,
            port(other.commands.read("connect-relay ")?)?,
        ];
        Ok(ports.map(|port| (Ipv4Addr::LOCALHOST, port).into()))
    }
}

fn register_address(udp: &UdpSocket, private_id: &str, server: &Server) -> Result<()> {
    let registrar = SocketAddrV4::new(Ipv4Addr::LOCALHOST, server.registrar_port);
    udp.set_read_timeout(Some(REGISTRAR_INTERVAL))?;
    let until = Instant::now() + ANSWER;
    while Instant::now() < until {
        udp.send_to(private_id.as_bytes(), registrar)?;
        let mut answer = [0; 256];
        match udp.recv(&mut answer) {
            Ok(2) if answer.starts_with(b"OK") => return Ok(()),
            Ok(_) => bail!("the registrar refused the PrivateID"),
            Err(_) => {}
        }
    }
    bail!("no answer from the registrar")
}

/// A connection for commands.
pub(super) struct Commands(BufReader<TcpStream>);

impl Commands {
    /// Connects from this address.
    pub(super) fn connect(from: Ipv4Addr, port: u16) -> io::Result<Self> {
        // Lines are short, and players many.
        Ok(Self(BufReader::with_capacity(512, connect(from, port)?)))
    }

    /// The OpenID and the PrivateID of a new player.
    pub(super) fn register(&mut self) -> Result<[String; 2]> {
        self.write("register-host\n")?;
        Ok([self.read("set-oid ")?, self.read("set-pid ")?])
    }

    fn write(&mut self, line: &str) -> Result<()> {
        let written = self.0.get_mut().write_all(line.as_bytes());
        written.context("the connection for commands is broken")
    }

    /// The rest of the next line that begins so.
    fn read(&mut self, begin: &str) -> Result<String> {
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line);
            match read.with_context(|| format!("no line `{begin}`"))? {
                0 => bail!("the server closed the connection"),
                _ => {
                    if let Some(rest) = line.trim_end().strip_prefix(begin) {
                        return Ok(rest.to_owned());
                    }
                }
            }
        }
    }
}

/// A player's address: not in 127.0.0.0/16, where everything else is.
pub(super) fn address_of(number: usize) -> Ipv4Addr {
    let [.., high, low] = number.to_be_bytes();
    Ipv4Addr::new(127, 1, high, low)
}

/// A TCP connection from this address.
pub(super) fn connect(from: Ipv4Addr, port: u16) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddrV4::new(from, 0).into())?;
    socket.connect(&SocketAddrV4::new(Ipv4Addr::LOCALHOST, port).into())?;
    socket.set_tcp_nodelay(true)?;
    socket.set_read_timeout(Some(ANSWER))?;
    Ok(socket.into())
}
