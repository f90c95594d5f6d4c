//! A player as the protocol knows it, whose calls do not block.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::timeout;

use crate::defaults::REGISTRATION_REPEAT;

/// A registered player of our server.
pub struct AsyncPlayer {
    commands: BufReader<TcpStream>,
    /// How long one answer may take.
    patience: Duration,
    /// The socket whose address is registered.
    pub udp: UdpSocket,
    /// Its OpenID.
    pub oid: String,
    /// Its PrivateID.
    pub pid: String,
}

impl AsyncPlayer {
    /// Connects, and registers itself and its address. One answer may take `patience`.
    ///
    /// # Errors
    /// The server does not do in time what it is asked.
    pub async fn registered(
        commands: SocketAddr,
        registrar: SocketAddr,
        patience: Duration,
    ) -> Result<Self> {
        let tcp = timeout(patience, TcpStream::connect(commands)).await;
        let tcp = tcp
            .context("no connection in time")?
            .context("no connection")?;
        tcp.set_nodelay(true)?;
        let mut player = Self {
            // Lines are short, and players many.
            commands: BufReader::with_capacity(512, tcp),
            patience,
            udp: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await?,
            oid: String::new(),
            pid: String::new(),
        };
        player.rest_of_line("hi ").await?;
        player.send("register-host").await?;
        player.oid = player.rest_of_line("set-oid ").await?;
        player.pid = player.rest_of_line("set-pid ").await?;
        let registered = timeout(patience, player.register_address(registrar)).await;
        registered.context("the registrar does not answer")??;
        Ok(player)
    }

    /// Sends the PrivateID until the registrar answers.
    async fn register_address(&self, registrar: SocketAddr) -> Result<()> {
        let mut answer = [0; 256];
        loop {
            self.udp.send_to(self.pid.as_bytes(), registrar).await?;
            let received = timeout(REGISTRATION_REPEAT, self.udp.recv_from(&mut answer)).await;
            if let Ok(received) = received {
                let (length, from) = received?;
                if from == registrar {
                    ensure!(&answer[..length] == b"OK", "the registrar refused");
                    return Ok(());
                }
            }
        }
    }

    /// Returns the registered address.
    pub fn address(&self) -> Result<SocketAddr> {
        Ok(self.udp.local_addr()?)
    }

    /// Sends a command.
    pub async fn send(&mut self, line: &str) -> Result<()> {
        let line = format!("{line}\n");
        Ok(self.commands.get_mut().write_all(line.as_bytes()).await?)
    }

    /// Returns the next line, which must begin so, without that.
    ///
    /// # Errors
    /// None comes in time, or another one.
    pub async fn rest_of_line(&mut self, begin: &str) -> Result<String> {
        let mut line = String::new();
        let read = timeout(self.patience, self.commands.read_line(&mut line)).await;
        let read = read.with_context(|| format!("no {begin:?} in time"))?;
        ensure!(read? > 0, "closed, and not {begin:?}");
        match line.trim_end().strip_prefix(begin) {
            Some(rest) => Ok(rest.to_owned()),
            None => bail!("not {begin:?} but another line"),
        }
    }

    /// Reads the next line, which must be this one.
    pub async fn expect(&mut self, line: &str) -> Result<()> {
        let rest = self.rest_of_line(line).await?;
        ensure!(rest.is_empty(), "{line:?} and {rest:?}");
        Ok(())
    }

    /// Reads the next line, which must announce a relay, and returns its port.
    pub async fn relay_port(&mut self) -> Result<u16> {
        let port = self.rest_of_line("connect-relay ").await?;
        port.parse().with_context(|| format!("no port: {port}"))
    }
}

#[cfg(all(test, feature = "library-server"))]
mod tests {
    use super::*;
    use crate::library_server::LibraryServer;
    use crate::player::{AcceptsPlayers as _, Player, address_of};

    #[test]
    fn both_kinds_of_player_meet() {
        let server = LibraryServer::start();
        let mut host = Player::registered_from(address_of(1), &server).unwrap();
        server.runtime.block_on(async {
            let (commands, registrar) = (server.commands(), server.registrar());
            let patience = crate::defaults::ANSWER;
            let joining = AsyncPlayer::registered(commands, registrar, patience).await;
            let mut joining = joining.unwrap();
            joining
                .send(&format!("connect {}", host.oid))
                .await
                .unwrap();
            let line = format!("connect {}", host.address());
            joining.expect(&line).await.unwrap();
        });
        let mut other = Player::registered_from(address_of(2), &server).unwrap();
        other.try_connect_to(&host).unwrap();
        let [at_host, _] = other.try_relay_with(&mut host).unwrap();
        other.send_datagram(b"x", at_host.port());
        assert_eq!(host.datagram().0, b"x");
    }
}
