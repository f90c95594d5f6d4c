//! Two sockets, one of which sends to the other: with a relay between, or straight.

use std::net::{SocketAddr, TcpStream, UdpSocket};

use anyhow::Result;
use noray_testkit::player::{AcceptsPlayers as _, address_of};
use noray_testkit::server::ServerProcess;

/// A socket that sends and one that receives.
pub(super) struct SocketPair {
    pub from: UdpSocket,
    pub to: UdpSocket,
    /// Where `from` sends, so that `to` receives.
    pub address: SocketAddr,
    /// Keeps the players at the server, if there is one between.
    _commands: Vec<TcpStream>,
}

impl SocketPair {
    /// Returns sockets without a server between.
    pub(super) fn straight() -> Result<Self> {
        let [from, to] = [
            UdpSocket::bind("127.0.0.1:0")?,
            UdpSocket::bind("127.0.0.1:0")?,
        ];
        Ok(Self {
            address: to.local_addr()?,
            from,
            to,
            _commands: Vec::new(),
        })
    }

    /// Returns the sockets of the pair of players with this number, whom the server relays.
    pub(super) fn relayed(server: &ServerProcess, number: usize) -> Result<Self> {
        let mut from = server.registered_from(address_of(2 * number))?;
        let mut to = server.registered_from(address_of(2 * number + 1))?;
        let [address, _] = from.relay_with(&mut to)?;
        Ok(Self {
            from: from.udp,
            to: to.udp,
            address,
            _commands: vec![from.tcp, to.tcp],
        })
    }
}
