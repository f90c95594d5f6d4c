//! Receives many datagrams with one call, which costs the machine little.

use std::io::{self, IoSliceMut};
use std::net::UdpSocket;
use std::time::Duration;

use anyhow::Result;
use quinn_udp::{BATCH_SIZE, RecvMeta, UdpSocketState};
use socket2::SockRef;

/// Bytes that the system holds for a socket: the most that Linux allows by default on servers.
pub(super) const SOCKET_BUFFER: usize = 4 * 1024 * 1024;
/// Bytes for the datagrams that the system joins.
const DATAGRAM: usize = 16 * 1024;

/// Receives many datagrams with one call.
pub(super) struct BatchReceiver {
    system: UdpSocketState,
    buffer: Vec<u8>,
}

impl BatchReceiver {
    /// Prepares a socket whose datagrams the system does not join.
    pub(super) fn plain(socket: &UdpSocket) -> Result<Self> {
        socket.set_nonblocking(true)?;
        // `UdpSocketState` sets options on its own socket, but receives from any: without the
        // options, the system joins nothing.
        let other = UdpSocket::bind("127.0.0.1:0")?;
        Self::new(socket, &other)
    }

    /// Prepares a socket whose datagrams the system stamps with their time.
    pub(super) fn stamped(socket: &UdpSocket) -> Result<Self> {
        Self::new(socket, socket)
    }

    fn new(socket: &UdpSocket, with_options: &UdpSocket) -> Result<Self> {
        SockRef::from(socket).set_recv_buffer_size(SOCKET_BUFFER)?;
        Ok(Self {
            system: UdpSocketState::new(with_options.into())?,
            buffer: vec![0; BATCH_SIZE * DATAGRAM],
        })
    }

    /// Takes all datagrams that have arrived, each with its time since 1970 if the system stamps
    /// them.
    pub(super) fn take(
        &mut self,
        socket: &UdpSocket,
        mut each: impl FnMut(&[u8], Option<Duration>),
    ) -> io::Result<()> {
        loop {
            let mut metas = [RecvMeta::default(); BATCH_SIZE];
            let mut parts = self.buffer.chunks_exact_mut(DATAGRAM);
            let mut parts: [IoSliceMut<'_>; BATCH_SIZE] =
                std::array::from_fn(|_| IoSliceMut::new(parts.next().unwrap_or_default()));
            let count = match self.system.recv(socket.into(), &mut parts, &mut metas) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                other => other?,
            };
            for (part, meta) in parts.iter().zip(&metas).take(count) {
                for datagram in part[..meta.len].chunks(meta.stride.max(1)) {
                    each(datagram, meta.timestamp);
                }
            }
        }
    }
}
