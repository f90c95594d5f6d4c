//! The link's UDP socket.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket as StdUdpSocket},
    sync::{
        Arc, PoisonError, RwLock,
        atomic::{AtomicBool, AtomicU16, Ordering},
    },
};

use socket2::SockRef;
use tokio::net::UdpSocket;
use tracing::debug;

use crate::defaults::RECEIVE_BUFFER;

/// The socket to all peers and the registrar. It can be bound anew: some systems take a socket from
/// an application that sleeps.
#[derive(Debug)]
pub(super) struct LinkSocket {
    /// `None` while the system gives none.
    socket: RwLock<Option<Arc<UdpSocket>>>,
    is_ipv6: bool,
    port: AtomicU16,
    /// Whether sending told that the system took the socket away.
    is_dead: AtomicBool,
}

impl LinkSocket {
    /// Binds to all interfaces, for the registrar's IP version; port 0 is any free one.
    pub(super) fn bind(registrar: SocketAddr, port: u16) -> io::Result<Self> {
        let is_ipv6 = registrar.is_ipv6();
        let (socket, port) = open(is_ipv6, port)?;
        Ok(Self {
            socket: RwLock::new(Some(Arc::new(socket))),
            is_ipv6,
            port: AtomicU16::new(port),
            is_dead: AtomicBool::new(false),
        })
    }

    /// Binds a new socket in place of this one, to the same port if it can be had. Returns whether
    /// it was.
    pub(super) fn bind_anew(&self) -> io::Result<bool> {
        let mut current = self.socket.write().unwrap_or_else(PoisonError::into_inner);
        // First of all, so that the port is free.
        *current = None;
        self.is_dead.store(true, Ordering::Relaxed);
        let former = self.port();
        let (socket, port) = open(self.is_ipv6, former).or_else(|error| {
            debug!(%error, port = former, "port is not to be had again");
            open(self.is_ipv6, 0)
        })?;
        *current = Some(Arc::new(socket));
        self.port.store(port, Ordering::Relaxed);
        self.is_dead.store(false, Ordering::Relaxed);
        Ok(port == former)
    }

    /// Whether the system is known to have taken the socket away.
    pub(super) fn is_dead(&self) -> bool {
        self.is_dead.load(Ordering::Relaxed)
    }

    /// Whether the socket can reach the registrar, and from `port` if one is given.
    pub(super) fn serves(&self, registrar: SocketAddr, port: Option<u16>) -> bool {
        self.is_ipv6 == registrar.is_ipv6() && port.is_none_or(|port| self.port() == port)
    }

    pub(super) fn port(&self) -> u16 {
        self.port.load(Ordering::Relaxed)
    }

    /// Sends a datagram. One that the system does not take counts as lost on its way.
    pub(super) fn send(&self, to: SocketAddr, bytes: &[u8]) {
        let to = match to {
            SocketAddr::V4(v4) if self.is_ipv6 => {
                SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port()))
            }
            _ => to,
        };
        let current = self.socket.read().unwrap_or_else(PoisonError::into_inner);
        let Some(socket) = &*current else {
            return;
        };
        // tokio's own send does nothing until it has seen the socket ready.
        if let Err(error) = SockRef::from(&**socket).send_to(bytes, &to.into()) {
            if is_sockets_end(&error) {
                self.is_dead.store(true, Ordering::Relaxed);
            }
            debug!(%error, %to, "datagram not sent");
        }
    }

    /// Waits until there may be something to receive.
    pub(super) async fn readable(&self) {
        match self.current() {
            // The receive that follows reports the error.
            Some(socket) => drop(socket.readable().await),
            None => std::future::pending().await,
        }
    }

    /// Receives a datagram if one waits, and returns its length and sender.
    ///
    /// # Errors
    /// The system's. Some report here that an earlier datagram of ours was refused.
    pub(super) fn try_receive(&self, buffer: &mut [u8]) -> io::Result<Option<(usize, SocketAddr)>> {
        let current = self.socket.read().unwrap_or_else(PoisonError::into_inner);
        let Some(socket) = &*current else {
            return Ok(None);
        };
        match socket.try_recv_from(buffer) {
            Ok((length, from)) => {
                let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                Ok(Some((length, from)))
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    fn current(&self) -> Option<Arc<UdpSocket>> {
        let current = self.socket.read().unwrap_or_else(PoisonError::into_inner);
        current.clone()
    }
}

/// Returns a socket on all interfaces, and its port.
fn open(is_ipv6: bool, port: u16) -> io::Result<(UdpSocket, u16)> {
    let any = if is_ipv6 {
        IpAddr::V6(Ipv6Addr::UNSPECIFIED)
    } else {
        IpAddr::V4(Ipv4Addr::UNSPECIFIED)
    };
    let socket = StdUdpSocket::bind((any, port))?;
    socket.set_nonblocking(true)?;
    if let Err(error) = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER) {
        debug!(%error, "receive buffer keeps its default size");
    }
    let port = socket.local_addr()?.port();
    Ok((UdpSocket::from_std(socket)?, port))
}

/// Whether the system says that the socket is none any more: it was shut down, or its descriptor
/// closed.
fn is_sockets_end(error: &io::Error) -> bool {
    /// `EBADF`: the descriptor is closed.
    const NO_DESCRIPTOR: i32 = 9;
    /// `ENOTSOCK` of Linux, of the BSDs (Apple's among them), and Windows' `WSAENOTSOCK`.
    const NO_SOCKET: [i32; 3] = [88, 38, 10038];
    let is_code = |code| code == NO_DESCRIPTOR && cfg!(unix) || NO_SOCKET.contains(&code);
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected
    ) || error.raw_os_error().is_some_and(is_code)
}
