//! ENet's side of the link: a socket on the loopback address for each other player.

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

use super::{actor::Outside, stats::PeerStats};
use crate::defaults::{
    ENET_DATAGRAM, ENET_OPENING, ENET_OPENING_BYTES, ENET_OPENING_DATAGRAMS, ENET_OPENING_REPEATS,
    ERROR_PAUSE,
};

/// Stands for another player on the loopback address. Dropping it closes its socket.
#[derive(Debug)]
pub(super) struct Loopback {
    socket: Arc<UdpSocket>,
    pub(super) port: u16,
    pub(super) stats: PeerStats,
    /// What `stats` had counted when it was looked at last.
    pub(super) seen_sent: u64,
    pump: Option<DropGuard>,
}

impl Loopback {
    /// A socket that ENet does not talk to yet.
    pub(super) fn open(stats: PeerStats) -> io::Result<Self> {
        let socket = StdUdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_nonblocking(true)?;
        let port = socket.local_addr()?.port();
        Ok(Self {
            socket: Arc::new(UdpSocket::from_std(socket)?),
            port,
            stats,
            seen_sent: 0,
            pump: None,
        })
    }

    /// Talks to the ENet on this port, and to nobody else.
    pub(super) fn connect(&mut self, enet_port: u16, outside: Arc<Outside>) -> io::Result<()> {
        let enet = SocketAddr::from((Ipv4Addr::LOCALHOST, enet_port));
        SockRef::from(&*self.socket).connect(&enet.into())?;
        let cancel = CancellationToken::new();
        let task = pump(Arc::clone(&self.socket), self.stats.clone(), outside);
        tokio::spawn(cancel.clone().run_until_cancelled_owned(task));
        self.pump = Some(cancel.drop_guard());
        Ok(())
    }

    /// Hands ENet a datagram of the other player's. One that the system does not take is a lost
    /// packet.
    pub(super) fn deliver(&self, bytes: &[u8]) {
        self.stats.count_received(bytes.len());
        // Not by the runtime, which sends nothing before it has seen the socket ready.
        if let Err(error) = SockRef::from(&*self.socket).send(bytes) {
            debug!(%error, "a datagram for ENet is lost");
        }
    }
}

/// Sends what ENet says to the other player.
async fn pump(socket: Arc<UdpSocket>, stats: PeerStats, outside: Arc<Outside>) {
    let mut buffer = vec![0; ENET_DATAGRAM];
    let (mut began, mut repeated) = (None, 0);
    loop {
        match socket.recv(&mut buffer).await {
            Ok(length) => {
                stats.count_sent(length);
                let to = stats.destination();
                outside.send(to, &buffer[..length]);
                // ENet takes a datagram that comes again for what it is, and while it connects it
                // repeats a lost one only after half a second, then one, two, four.
                let began = *began.get_or_insert_with(Instant::now);
                if repeated < ENET_OPENING_DATAGRAMS
                    && length <= ENET_OPENING_BYTES
                    && began.elapsed() < ENET_OPENING
                {
                    repeated += 1;
                    for _ in 0..ENET_OPENING_REPEATS {
                        outside.send(to, &buffer[..length]);
                    }
                }
            }
            // The system tells that ENet is not there (yet, or any more).
            Err(error) => {
                debug!(%error, "receiving from ENet");
                sleep(ERROR_PAUSE).await;
            }
        }
    }
}
