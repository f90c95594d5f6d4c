//! Receives and sends many datagrams with one system call, where the system can.
//!
//! Linux receives up to 32 datagrams at once. Datagrams that came from one sender in a row leave
//! with one call, and the system cuts them apart (GSO on Linux, USO on Windows), which costs a
//! fraction of sending each. A system that can do none of this gets each datagram for itself.

use std::{
    array,
    cell::RefCell,
    io::{self, IoSliceMut},
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::atomic::{AtomicBool, Ordering::Relaxed},
};

use noray_protocol::server::relay_table::Route;
use quinn_udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use tokio::{io::Interest, net::UdpSocket};

use crate::{
    defaults::{MAX_DATAGRAM, MAX_RUN, MAX_RUN_LENGTH},
    sockets::{bind_udp, is_answerable, send_datagram},
};

thread_local! {
    /// One set of buffers for each thread: no task switch comes between receiving and sending.
    /// Two megabytes, of which small datagrams touch little.
    static BUFFERS: RefCell<Buffers> = RefCell::new(Buffers {
        received: vec![0; BATCH_SIZE * MAX_DATAGRAM],
        run: Vec::with_capacity(MAX_RUN * MAX_RUN_LENGTH),
    });
}

struct Buffers {
    received: Vec<u8>,
    run: Vec<u8>,
}

/// Datagrams that one sender sent in a row to one address, all of one length; only the last may be
/// shorter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Run<'a> {
    /// Who sent them, and to which of the server's addresses.
    pub(crate) from: Route,
    /// The length of each but the last, in bytes.
    pub(crate) length: usize,
    payload: &'a [u8],
}

impl Run<'_> {
    /// Returns the number of datagrams, at least one.
    pub(crate) fn count(&self) -> usize {
        self.payload.len().div_ceil(self.length.max(1)).max(1)
    }

    /// Returns the length of the last one, in bytes.
    pub(crate) fn last_length(&self) -> usize {
        self.payload.len() - (self.count() - 1) * self.length
    }

    /// Returns them one by one.
    pub(crate) fn datagrams(&self) -> impl Iterator<Item = &[u8]> {
        let empty = self.payload.is_empty().then_some(self.payload);
        self.payload.chunks(self.length.max(1)).chain(empty)
    }

    /// Returns the first `count` of them.
    pub(crate) fn first(&self, count: usize) -> Self {
        let length = count.saturating_mul(self.length);
        Self {
            payload: self.payload.get(..length).unwrap_or(self.payload),
            ..*self
        }
    }
}

/// What the system can do, as far as we found out.
#[derive(Debug)]
pub(crate) struct Batching {
    /// `None` if the system can do nothing of what it is for.
    system: Option<UdpSocketState>,
    /// The system cannot receive several datagrams at once.
    receives_singly: AtomicBool,
}

impl Batching {
    /// Finds out what the system can do.
    ///
    /// # Errors
    /// There is no socket to find out with.
    pub(crate) fn new() -> io::Result<Self> {
        // `UdpSocketState::new` sets options that are wrong for relays, which must let the network
        // fragment large datagrams and need no time stamps. So it gets a socket of its own, and
        // tells what the system can do with any socket.
        let socket = bind_udp(SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0))?;
        Ok(Self::on(UdpSocketState::new((&socket).into())))
    }

    fn on(system: io::Result<UdpSocketState>) -> Self {
        if let Err(error) = &system {
            tracing::warn!(%error, "the system receives and sends datagrams one by one only");
        }
        Self {
            receives_singly: AtomicBool::new(system.is_err()),
            system: system.ok(),
        }
    }

    /// Receives the waiting datagrams and hands them on in runs. Returns `true` if there may be
    /// more. Drops datagrams that nobody could answer.
    ///
    /// # Errors
    /// The socket does not receive.
    pub(crate) fn receive(
        &self,
        socket: &UdpSocket,
        mut handle: impl FnMut(Run<'_>),
    ) -> io::Result<bool> {
        BUFFERS.with_borrow_mut(|buffers| {
            let mut metas = [RecvMeta::default(); BATCH_SIZE];
            let count = self.receive_some(socket, &mut buffers.received, &mut metas)?;
            let datagrams = buffers.received.chunks_exact(MAX_DATAGRAM).zip(&metas);
            let datagrams = datagrams.take(count).filter_map(|(buffer, meta)| {
                let SocketAddr::V4(from) = meta.addr else {
                    return None;
                };
                let datagram = buffer.get(..meta.len)?;
                let from = Route {
                    player: from,
                    server: meta.dst_ip.and_then(own_address),
                };
                is_answerable(from.player).then_some((from, datagram))
            });
            let system = self.system.as_ref();
            let max_run = system.map_or(1, |system| MAX_RUN.min(system.max_gso_segments()));
            in_runs(datagrams, max_run, &mut buffers.run, &mut handle);
            Ok(count == BATCH_SIZE)
        })
    }

    /// Receives what is there, up to a batch, and returns the number of datagrams.
    fn receive_some(
        &self,
        socket: &UdpSocket,
        buffer: &mut [u8],
        metas: &mut [RecvMeta; BATCH_SIZE],
    ) -> io::Result<usize> {
        if let Some(system) = &self.system
            && !self.receives_singly.load(Relaxed)
        {
            match receive_batch(system, socket, buffer, metas) {
                Err(error) if error.kind() == io::ErrorKind::Unsupported => {
                    tracing::warn!(%error, "the system receives datagrams one by one only");
                    self.receives_singly.store(true, Relaxed);
                }
                result => return result,
            }
        }
        receive_singly(socket, buffer, metas)
    }

    /// Sends a run, and drops what cannot leave right now, as networks do.
    pub(crate) fn send(&self, socket: &UdpSocket, run: &Run<'_>, to: Route) {
        if run.count() > 1 && self.has_left(socket, run.payload, Some(run.length), to) {
            return;
        }
        for datagram in run.datagrams() {
            self.send_one(socket, datagram, to);
        }
    }

    /// Sends a datagram, or drops it if it cannot leave right now, as networks do.
    pub(crate) fn send_one(&self, socket: &UdpSocket, datagram: &[u8], to: Route) {
        if to.server.is_some() && self.has_left(socket, datagram, None, to) {
            return;
        }
        // From the address that the system chooses.
        send_datagram(socket, datagram, to.player);
    }

    /// Sends datagrams from the address that the player knows. Returns `false` if they must be sent
    /// in another way.
    fn has_left(
        &self,
        socket: &UdpSocket,
        payload: &[u8],
        segment_size: Option<usize>,
        to: Route,
    ) -> bool {
        let Some(system) = &self.system else {
            return false;
        };
        let transmit = Transmit {
            destination: to.player.into(),
            ecn: None,
            contents: payload,
            segment_size,
            src_ip: to.server.map(IpAddr::V4),
        };
        match system.try_send(socket.into(), &transmit) {
            Ok(()) => true,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => true,
            // The network's hardware cannot cut it, which quinn-udp remembers; or the server no
            // longer has the address.
            Err(error) => {
                tracing::debug!(%error, ?to, "datagrams are sent in another way");
                false
            }
        }
    }
}

/// Returns the address to which a datagram came, unless it was one for many machines: nothing can be
/// sent from such an address.
fn own_address(to: IpAddr) -> Option<Ipv4Addr> {
    match to.to_canonical() {
        IpAddr::V4(ip) if !ip.is_multicast() && !ip.is_broadcast() && !ip.is_unspecified() => {
            Some(ip)
        }
        _ => None,
    }
}

/// Receives what is there, up to a batch, with one call.
fn receive_batch(
    system: &UdpSocketState,
    socket: &UdpSocket,
    buffer: &mut [u8],
    metas: &mut [RecvMeta; BATCH_SIZE],
) -> io::Result<usize> {
    let mut count = 0;
    let mut chunks = buffer.chunks_exact_mut(MAX_DATAGRAM);
    let mut slices: [_; BATCH_SIZE] =
        array::from_fn(|_| IoSliceMut::new(chunks.next().unwrap_or_default()));
    let received = socket.try_io(Interest::READABLE, || {
        count = system.recv(socket.into(), &mut slices, metas)?;
        if count < BATCH_SIZE {
            // There is no more: the runtime waits until the system tells it.
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(())
    });
    match received {
        Err(error) if error.kind() != io::ErrorKind::WouldBlock => Err(error),
        _ => Ok(count),
    }
}

/// Receives what is there, up to a batch, with a call for each.
fn receive_singly(
    socket: &UdpSocket,
    buffer: &mut [u8],
    metas: &mut [RecvMeta; BATCH_SIZE],
) -> io::Result<usize> {
    let mut count = 0;
    for (chunk, meta) in buffer.chunks_exact_mut(MAX_DATAGRAM).zip(metas) {
        match socket.try_recv_from(chunk) {
            Ok((length, from)) => {
                *meta = RecvMeta::default();
                (meta.addr, meta.len) = (from, length);
                count += 1;
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // What came before is handed on first; the next call meets the error again, if it stays.
            Err(_) if count > 0 => break,
            Err(error) => return Err(error),
        }
    }
    Ok(count)
}

/// Joins datagrams that one sender sent in a row, at most `max`.
fn in_runs<'a>(
    datagrams: impl Iterator<Item = (Route, &'a [u8])>,
    max: usize,
    buffer: &mut Vec<u8>,
    handle: &mut impl FnMut(Run<'_>),
) {
    let mut datagrams = datagrams.peekable();
    while let Some((from, first)) = datagrams.next() {
        let length = first.len();
        let mut count = 1;
        let mut last = length;
        // An empty datagram is sent alone: within a run, nothing would tell it apart.
        let may_follow = |(next, datagram): &(Route, &[u8]), last: usize| {
            *next == from && (1..=length).contains(&datagram.len()) && last == length
        };
        buffer.clear();
        if length <= MAX_RUN_LENGTH {
            while count < max
                && let Some((_, next)) = datagrams.next_if(|next| may_follow(next, last))
            {
                if count == 1 {
                    buffer.extend_from_slice(first);
                }
                buffer.extend_from_slice(next);
                count += 1;
                last = next.len();
            }
        }
        let payload = if count == 1 { first } else { &*buffer };
        handle(Run {
            from,
            length,
            payload,
        });
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn runs(datagrams: &[(u16, Vec<u8>)], max: usize) -> Vec<(u16, Vec<Vec<u8>>)> {
        let mut runs = Vec::new();
        let datagrams = datagrams.iter().map(|(port, datagram)| {
            let from = SocketAddrV4::new(Ipv4Addr::LOCALHOST, *port);
            (from.into(), datagram.as_slice())
        });
        in_runs(datagrams, max, &mut Vec::new(), &mut |run: Run<'_>| {
            let parts: Vec<_> = run.datagrams().collect();
            assert_eq!(parts.len(), run.count());
            assert_eq!(parts.last().map(|last| last.len()), Some(run.last_length()));
            let parts = parts.into_iter().map(<[u8]>::to_vec).collect();
            runs.push((run.from.player.port(), parts));
        });
        runs
    }

    #[test]
    fn what_follows_without_a_break_is_joined() {
        let lengths = [
            (1, 5),
            (1, 5),
            (1, 3),
            (1, 5),
            (2, 5),
            (1, 5),
            (1, 6),
            (1, 0),
            (1, 0),
        ];
        let datagrams = lengths.map(|(port, length)| (port, vec![port as u8; length]));
        let lengths = |runs: Vec<(u16, Vec<Vec<u8>>)>| -> Vec<(u16, Vec<usize>)> {
            let lengths = |parts: Vec<Vec<u8>>| parts.iter().map(Vec::len).collect();
            runs.into_iter()
                .map(|(port, parts)| (port, lengths(parts)))
                .collect()
        };
        assert_eq!(
            lengths(runs(&datagrams, 64)),
            [
                (1, vec![5, 5, 3]),
                (1, vec![5]),
                (2, vec![5]),
                (1, vec![5]),
                (1, vec![6]),
                (1, vec![0]),
                (1, vec![0])
            ]
        );
        assert_eq!(runs(&datagrams, 1).len(), datagrams.len());
        let long = [(1, vec![0; MAX_RUN_LENGTH + 1]), (1, vec![0; 1])];
        assert_eq!(runs(&long, 64).len(), 2);
    }

    #[test]
    fn the_first_of_a_run() {
        let run = Run {
            from: SocketAddrV4::new(Ipv4Addr::LOCALHOST, 1).into(),
            length: 4,
            payload: &[7; 10],
        };
        let parts = |run: Run<'_>| (run.count(), run.last_length());
        assert_eq!(parts(run), (3, 2));
        assert_eq!(parts(run.first(3)), (3, 2));
        assert_eq!(parts(run.first(2)), (2, 4));
        assert_eq!(parts(run.first(1)), (1, 4));
    }

    proptest! {
        #[test]
        fn no_datagram_is_lost_or_changed(
            datagrams in proptest::collection::vec((1..3u16, 0..4usize, any::<u8>()), 0..40),
            max in 1..8usize,
        ) {
            let datagrams: Vec<_> = datagrams
                .into_iter()
                .map(|(port, length, byte)| (port, vec![byte; length]))
                .collect();
            let mut again = Vec::new();
            for (port, parts) in runs(&datagrams, max) {
                prop_assert!(parts.len() <= max);
                again.extend(parts.into_iter().map(|part| (port, part)));
            }
            prop_assert_eq!(again, datagrams);
        }
    }

    /// Returns what this system can do, what one can that has no calls for many datagrams, and what
    /// one can that lacks the call that receives them.
    fn systems() -> [Batching; 3] {
        let lacking = || io::Error::from(io::ErrorKind::Unsupported);
        let receives_singly = Batching::new().unwrap();
        receives_singly.receives_singly.store(true, Relaxed);
        [
            Batching::new().unwrap(),
            Batching::on(Err(lacking())),
            receives_singly,
        ]
    }

    fn pair() -> (UdpSocket, UdpSocket, SocketAddrV4) {
        let socket = || UdpSocket::from_std(bind_udp("127.0.0.1:0".parse().unwrap()).unwrap());
        let (from, to) = (socket().unwrap(), socket().unwrap());
        let SocketAddr::V4(address) = to.local_addr().unwrap() else {
            panic!("an IPv4 socket")
        };
        (from, to, address)
    }

    #[tokio::test]
    async fn a_run_arrives_as_it_was_on_any_system() {
        let (from, to, address) = pair();
        let payload: Vec<_> = (0..1000).map(|byte| byte as u8).collect();
        for batching in systems() {
            for length in [1000, 999, 300, 100] {
                let run = Run {
                    from: address.into(),
                    length,
                    payload: &payload,
                };
                batching.send(&from, &run, address.into());
                for part in payload.chunks(length) {
                    let mut buffer = [0; 2000];
                    let received = to.recv(&mut buffer).await.unwrap();
                    assert_eq!(&buffer[..received], part);
                }
            }
        }
    }

    #[tokio::test]
    async fn an_address_that_the_server_has_lost_does_not_silence_it() {
        let (from, to, address) = pair();
        let lost = Route {
            player: address,
            // Reserved for documentation: no machine has it.
            server: Some(Ipv4Addr::new(192, 0, 2, 1)),
        };
        let run = Run {
            from: lost,
            length: 4,
            payload: b"manymany",
        };
        for batching in systems() {
            batching.send_one(&from, b"once", lost);
            batching.send(&from, &run, lost);
            for expected in [b"once", b"many", b"many"] {
                let mut buffer = [0; 10];
                let received = to.recv(&mut buffer).await.unwrap();
                assert_eq!(&buffer[..received], expected);
            }
        }
    }

    #[tokio::test]
    async fn a_receiver_is_told_of_what_comes_later_on_any_system() {
        let (from, to, address) = pair();
        for batching in systems() {
            for count in [1, 2, BATCH_SIZE, BATCH_SIZE + 1, 3 * BATCH_SIZE] {
                for number in 0..count {
                    send_datagram(&from, &[number as u8], address);
                }
                let mut received = Vec::new();
                while received.len() < count {
                    to.readable().await.unwrap();
                    batching
                        .receive(&to, |run| received.extend_from_slice(run.payload))
                        .unwrap();
                }
                let sent: Vec<_> = (0..count).map(|number| number as u8).collect();
                assert_eq!(received, sent);
            }
        }
    }
}
