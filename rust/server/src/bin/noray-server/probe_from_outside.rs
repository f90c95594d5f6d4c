//! `--probe HOST[:PORT]`: goes to a server as two players would, to find the port that is shut.

use std::{
    io::{self, BufRead, BufReader, ErrorKind, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, ToSocketAddrs, UdpSocket},
    time::{Duration, Instant},
};

use noray_protocol::wire::{
    command::{ConnectKind, PlayerCommand, ServerCommand, ServerLine},
    framing::Framing,
    id::{OpenId, PrivateId},
};
use noray_server::defaults;

/// The limit for each step.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Pause between two datagrams, which may get lost.
const REPEAT: Duration = Duration::from_millis(250);

/// What one player sends the other.
const HELLO: &[u8] = b"noray-server --probe";

/// Why players cannot come, as far as it can be seen from here.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutsideError {
    #[error("{0}: give a name or an IPv4 address, and a port if it is not {port}", port = defaults::COMMAND_PORT)]
    Target(String),
    #[error("{host}: no IPv4 address found; players need one")]
    NotFound { host: String },
    #[error(
        "no connection to {address} (TCP): {source}; is the server running, and the port open in \
         its firewall and its provider's?"
    )]
    Commands {
        address: SocketAddrV4,
        source: io::Error,
    },
    #[error("{0} answers, but not like a noray server: {1}")]
    NoServer(SocketAddrV4, String),
    #[error(
        "no answer from the registrar at {0} (UDP): is the port open in the server's firewall and \
         its provider's? (another port: --udp-registrar-port)"
    )]
    Registrar(SocketAddrV4),
    #[error("the server refuses a relay: {0}")]
    Refused(String),
    #[error(
        "nothing comes through the relay at {0} (UDP): are all relay ports open in the server's \
         firewall and its provider's?"
    )]
    Relay(SocketAddrV4),
    #[error("no socket: {0}")]
    Socket(#[source] io::Error),
}

/// Checks the commands, the registrar and a relay of a server. Says on standard output what works.
///
/// # Errors
/// The first that does not work.
pub(crate) fn probe(target: &str, registrar_port: u16) -> Result<(), OutsideError> {
    let address = resolve(target)?;
    let mut players = [Player::connect(address)?, Player::connect(address)?];
    println!("commands at {address} (TCP): ok");
    let registrar = SocketAddrV4::new(*address.ip(), registrar_port);
    for player in &players {
        player.register(registrar)?;
    }
    println!("registrar at {registrar} (UDP): ok");
    let [asking, host] = &mut players;
    let request = PlayerCommand::Connect(ConnectKind::Relay, Ok(host.oid.clone()));
    asking.send(&request)?;
    let ports = [asking.relay_port()?, host.relay_port()?];
    let [to_host, to_asking] = ports.map(|port| SocketAddrV4::new(*address.ip(), port));
    host.hears(asking, to_host)?;
    asking.hears(host, to_asking)?;
    println!("relays at {to_host} and {to_asking} (UDP): ok");
    Ok(())
}

/// Returns the IPv4 address of `HOST` or `HOST:PORT`.
fn resolve(target: &str) -> Result<SocketAddrV4, OutsideError> {
    let bad = || OutsideError::Target(target.to_owned());
    let (host, port) = match target.rsplit_once(':') {
        Some((host, port)) => (host, port.parse().map_err(|_| bad())?),
        None => (target, defaults::COMMAND_PORT),
    };
    if host.is_empty() || host.contains(':') || port == 0 {
        return Err(bad());
    }
    let found = (host, port).to_socket_addrs().ok();
    let first = found.and_then(|mut found| {
        found.find_map(|address| match address {
            SocketAddr::V4(address) => Some(address),
            SocketAddr::V6(_) => None,
        })
    });
    first.ok_or_else(|| OutsideError::NotFound {
        host: host.to_owned(),
    })
}

/// A player without a game.
struct Player {
    address: SocketAddrV4,
    lines: BufReader<TcpStream>,
    udp: UdpSocket,
    oid: OpenId,
    pid: PrivateId,
}

impl Player {
    fn connect(address: SocketAddrV4) -> Result<Self, OutsideError> {
        let unreachable = |source| OutsideError::Commands { address, source };
        let stream = TcpStream::connect_timeout(&address.into(), TIMEOUT).map_err(unreachable)?;
        stream
            .set_read_timeout(Some(TIMEOUT))
            .map_err(unreachable)?;
        stream
            .set_write_timeout(Some(TIMEOUT))
            .map_err(unreachable)?;
        let mut lines = BufReader::new(stream);
        send(address, lines.get_mut(), &PlayerCommand::RegisterHost)?;
        let oid = next(address, &mut lines, |command| match command {
            ServerCommand::SetOpenId(oid) => OpenId::new(&oid).ok(),
            _ => None,
        })?;
        let pid = next(address, &mut lines, |command| match command {
            ServerCommand::SetPrivateId(pid) => Some(pid),
            _ => None,
        })?;
        let udp = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0)).map_err(OutsideError::Socket)?;
        udp.set_read_timeout(Some(REPEAT))
            .map_err(OutsideError::Socket)?;
        Ok(Self {
            address,
            lines,
            udp,
            oid,
            pid,
        })
    }

    fn send(&mut self, command: &PlayerCommand) -> Result<(), OutsideError> {
        send(self.address, self.lines.get_mut(), command)
    }

    fn register(&self, registrar: SocketAddrV4) -> Result<(), OutsideError> {
        let ask = || self.udp.send_to(self.pid.reveal().as_bytes(), registrar);
        match answer(&self.udp, registrar, b"OK", ask) {
            true => Ok(()),
            false => Err(OutsideError::Registrar(registrar)),
        }
    }

    fn relay_port(&mut self) -> Result<u16, OutsideError> {
        let told = next(self.address, &mut self.lines, |command| match command {
            ServerCommand::ConnectRelay(port) => Some(Ok(port)),
            ServerCommand::Refused { sentence, .. } => Some(Err(sentence)),
            ServerCommand::ConnectError(_, text) => Some(Err(text)),
            _ => None,
        })?;
        told.map_err(OutsideError::Refused)
    }

    /// Lets another player send through a relay until something arrives here.
    fn hears(&self, other: &Self, relay: SocketAddrV4) -> Result<(), OutsideError> {
        let until = Instant::now() + TIMEOUT;
        let mut buffer = [0; 64];
        while Instant::now() < until {
            let _ = other.udp.send_to(HELLO, relay);
            if let Ok((length, _)) = self.udp.recv_from(&mut buffer)
                && buffer.get(..length) == Some(HELLO)
            {
                return Ok(());
            }
        }
        Err(OutsideError::Relay(relay))
    }
}

/// Asks again and again until this answer comes from that address. Returns whether it did.
fn answer(
    udp: &UdpSocket,
    from: SocketAddrV4,
    wanted: &[u8],
    ask: impl Fn() -> io::Result<usize>,
) -> bool {
    let until = Instant::now() + TIMEOUT;
    let mut buffer = [0; 64];
    while Instant::now() < until {
        let _ = ask();
        if let Ok((length, sender)) = udp.recv_from(&mut buffer)
            && sender == SocketAddr::V4(from)
            && buffer.get(..length) == Some(wanted)
        {
            return true;
        }
    }
    false
}

fn send(
    address: SocketAddrV4,
    stream: &mut TcpStream,
    command: &PlayerCommand,
) -> Result<(), OutsideError> {
    let sent = stream.write_all(format!("{command}\n").as_bytes());
    sent.map_err(|source| OutsideError::Commands { address, source })
}

/// Reads lines until one is what was asked for.
fn next<T>(
    address: SocketAddrV4,
    lines: &mut BufReader<TcpStream>,
    wanted: impl Fn(ServerCommand) -> Option<T>,
) -> Result<T, OutsideError> {
    let no_server = |what: String| OutsideError::NoServer(address, what);
    for _ in 0..MAX_LINES {
        let mut line = String::new();
        let read = io::Read::take(&mut *lines, MAX_LINE).read_line(&mut line);
        match read {
            Ok(0) => return Err(no_server("it closes the connection".to_owned())),
            Ok(_) => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return Err(no_server("nothing came in time".to_owned()));
            }
            Err(error) => return Err(no_server(error.to_string())),
        }
        let line = ServerLine::parse(line.trim_end(), Framing::Quoted);
        if let Some(found) = line.and_then(|line| wanted(line.command)) {
            return Ok(found);
        }
    }
    Err(no_server("it says something else".to_owned()))
}

/// Lines that are read while waiting for one, and the longest of them: something else may answer
/// there, without end.
const MAX_LINES: usize = 100;
const MAX_LINE: u64 = 4096;
