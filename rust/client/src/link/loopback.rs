//! ENet's side of the link: a socket on the loopback address for each peer.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket as StdUdpSocket},
    sync::Arc,
};

use socket2::SockRef;
use tokio::{
    net::UdpSocket,
    time::{Instant, sleep},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::debug;

use super::{socket::LinkSocket, stats::PeerStats};
use crate::defaults::{
    ENET_DATAGRAM, ENET_OPENING, ENET_OPENING_BYTES, ENET_OPENING_DATAGRAMS, ENET_OPENING_REPEATS,
    ERROR_PAUSE,
};

/// Stands for a peer on the loopback address. Dropping it closes its socket.
#[derive(Debug)]
pub(super) struct LoopbackSocket {
    socket: Arc<UdpSocket>,
    port: u16,
    stats: PeerStats,
    /// The packets that `stats` had counted when [`Self::was_used`] last looked.
    seen_sent: u64,
    forwarding: Option<DropGuard>,
}

impl LoopbackSocket {
    /// Opens a socket that ENet does not talk to yet.
    pub(super) fn open(stats: PeerStats) -> io::Result<Self> {
        let socket = StdUdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let port = socket.local_addr()?.port();
        Ok(Self {
            socket: Arc::new(UdpSocket::from_std(socket)?),
            port,
            stats,
            seen_sent: 0,
            forwarding: None,
        })
    }

    /// Starts to exchange datagrams with the ENet on this port, and with nobody else.
    pub(super) fn connect(&mut self, enet_port: u16, outside: Arc<LinkSocket>) -> io::Result<()> {
        let enet = SocketAddr::from((Ipv4Addr::LOCALHOST, enet_port));
        SockRef::from(&*self.socket).connect(&enet.into())?;
        let cancel = CancellationToken::new();
        let task = forward_from_enet(Arc::clone(&self.socket), self.stats.clone(), outside);
        tokio::spawn(cancel.clone().run_until_cancelled_owned(task));
        self.forwarding = Some(cancel.drop_guard());
        Ok(())
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn stats(&self) -> &PeerStats {
        &self.stats
    }

    /// Whether ENet has sent anything to the peer since the last call.
    pub(super) fn was_used(&mut self) -> bool {
        let sent = self.stats.packets_sent();
        std::mem::replace(&mut self.seen_sent, sent) != sent
    }

    /// Hands a peer's datagram to ENet. One that the system does not take counts as lost on its way.
    pub(super) fn deliver(&self, bytes: &[u8]) {
        self.stats.count_received(bytes.len());
        // tokio's own send does nothing until it has seen the socket ready.
        if let Err(error) = SockRef::from(&*self.socket).send(bytes) {
            debug!(%error, "datagram not handed to ENet");
        }
    }
}

/// Sends what ENet says to the peer, over the active path.
async fn forward_from_enet(socket: Arc<UdpSocket>, stats: PeerStats, outside: Arc<LinkSocket>) {
    let mut buffer = vec![0; ENET_DATAGRAM];
    let mut opening = Opening::default();
    loop {
        match socket.recv(&mut buffer).await {
            Ok(length) => {
                stats.count_sent(length);
                let to = stats.destination();
                outside.send(to, &buffer[..length]);
                for _ in 0..opening.repeats(length) {
                    outside.send(to, &buffer[..length]);
                }
            }
            // The system reports that ENet does not listen, yet or any more.
            Err(error) => {
                debug!(%error, "receiving from ENet");
                sleep(ERROR_PAUSE).await;
            }
        }
    }
}

/// The first datagrams of a game, which go out several times: ENet repeats a lost one only after
/// half a second while it connects, then after one, two and four, and ignores a duplicate.
#[derive(Default)]
struct Opening {
    began: Option<Instant>,
    repeated: u32,
}

impl Opening {
    /// Returns how often to repeat a datagram of this length that is sent now.
    fn repeats(&mut self, length: usize) -> u32 {
        let began = *self.began.get_or_insert_with(Instant::now);
        if self.repeated < ENET_OPENING_DATAGRAMS
            && length <= ENET_OPENING_BYTES
            && began.elapsed() < ENET_OPENING
        {
            self.repeated += 1;
            ENET_OPENING_REPEATS
        } else {
            0
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_first_short_datagrams_are_repeated() {
        let mut opening = Opening::default();
        assert_eq!(opening.repeats(ENET_OPENING_BYTES + 1), 0);
        for _ in 0..ENET_OPENING_DATAGRAMS {
            assert_eq!(opening.repeats(ENET_OPENING_BYTES), ENET_OPENING_REPEATS);
        }
        assert_eq!(opening.repeats(1), 0);
    }
}
