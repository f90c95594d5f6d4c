//! The link's UDP socket.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
};

use socket2::SockRef;
use tokio::net::UdpSocket;
use tracing::debug;

use crate::defaults::RECEIVE_BUFFER;

/// The socket to all peers and the registrar.
#[derive(Debug)]
pub(super) struct LinkSocket {
    socket: UdpSocket,
    is_ipv6: bool,
}

impl LinkSocket {
    /// Binds to all interfaces, for the registrar's IP version; port 0 is any free one.
    pub(super) async fn bind(registrar: SocketAddr, port: u16) -> io::Result<Self> {
        let any = match registrar {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = UdpSocket::bind((any, port)).await?;
        if let Err(error) = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER) {
            debug!(%error, "receive buffer keeps its default size");
        }
        Ok(Self {
            socket,
            is_ipv6: registrar.is_ipv6(),
        })
    }

    /// Whether the socket can reach the registrar, and from `port` if one is given.
    pub(super) fn serves(&self, registrar: SocketAddr, port: Option<u16>) -> bool {
        self.is_ipv6 == registrar.is_ipv6()
            && port.is_none_or(|port| self.port().is_ok_and(|bound| bound == port))
    }

    pub(super) fn port(&self) -> io::Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    /// Sends a datagram. One that the system does not take counts as lost on its way.
    pub(super) fn send(&self, to: SocketAddr, bytes: &[u8]) {
        let to = match to {
            SocketAddr::V4(v4) if self.is_ipv6 => {
                SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port()))
            }
            _ => to,
        };
        // tokio's own send does nothing until it has seen the socket ready.
        if let Err(error) = SockRef::from(&self.socket).send_to(bytes, &to.into()) {
            debug!(%error, %to, "datagram not sent");
        }
    }

    /// Waits until there may be something to receive.
    pub(super) async fn readable(&self) {
        // The receive that follows reports the error.
        let _ = self.socket.readable().await;
    }

    /// Receives a datagram if one waits, and returns its length and sender.
    pub(super) fn try_receive(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        loop {
            match self.socket.try_recv_from(buffer) {
                Ok((length, from)) => {
                    let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                    return Some((length, from));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // Some systems report here that an earlier datagram of ours was refused.
                Err(error) => debug!(%error, "receiving on the link's socket"),
            }
        }
    }
}
