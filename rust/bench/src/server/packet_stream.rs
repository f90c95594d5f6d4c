//! A stream of packets from one socket to another, at any rate.

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::Result;
use quinn_udp::{Transmit, UdpSocketState};
use socket2::SockRef;

use super::batch_receiver::{BatchReceiver, SOCKET_BUFFER};
use super::socket_pair::SocketPair;

/// Bytes of a packet, as a game of some players sends them.
pub(super) const PAYLOAD: usize = 200;
/// More than any system sends, in packets a second.
pub(super) const FLAT_OUT: f64 = 1e9;
/// How often the sender wakes up.
const TICK: Duration = Duration::from_micros(500);
/// How often the receiver looks: it is not woken for each packet.
const PAUSE: Duration = Duration::from_micros(200);
/// From the first packet until counting begins.
const WARM_UP: Duration = Duration::from_millis(100);
/// From the last packet until no more comes.
const REST: Duration = Duration::from_millis(100);

/// A stream of packets from one socket to another.
pub(super) struct PacketStream<'a> {
    sockets: &'a SocketPair,
    sender: UdpSocketState,
    receiver: BatchReceiver,
}

/// What came of a rate. Rates are in packets a second.
pub(super) struct Trial {
    /// The rate that was asked for.
    pub rate: f64,
    /// The rate that was sent.
    pub offered: f64,
    /// The rate that arrived.
    pub delivered: f64,
    /// Packets sent in all.
    pub sent: u64,
    /// Packets received in all.
    pub received: u64,
}

impl<'a> PacketStream<'a> {
    /// Prepares a stream between two sockets.
    pub(super) fn new(sockets: &'a SocketPair) -> Result<Self> {
        SockRef::from(&sockets.from).set_send_buffer_size(SOCKET_BUFFER)?;
        Ok(Self {
            sockets,
            sender: UdpSocketState::new((&sockets.from).into())?,
            receiver: BatchReceiver::plain(&sockets.to)?,
        })
    }

    /// Sends at `rate` for `time`, then waits until no more comes.
    pub(super) fn offer(&mut self, rate: f64, time: Duration) -> Result<Trial> {
        let (sockets, sender, receiver) = (self.sockets, &self.sender, &mut self.receiver);
        let mut received = 0;
        let start = Instant::now();
        thread::scope(|scope| {
            let sending = scope.spawn(|| send(sender, sockets, rate, time));
            let mut take_until = |until: Duration| {
                while start.elapsed() < until {
                    receiver.take(&sockets.to, |_, _| received += 1)?;
                    thread::sleep(PAUSE);
                }
                anyhow::Ok((start.elapsed(), received))
            };
            let first = take_until(WARM_UP)?;
            let last = take_until(time)?;
            let sent = sending
                .join()
                .unwrap_or_else(|panic| resume_unwind(panic))?;
            let all = take_until(start.elapsed() + REST)?;
            Ok(Trial {
                rate,
                sent,
                offered: sent as f64 / time.as_secs_f64(),
                delivered: (last.1 - first.1) as f64 / (last.0 - first.0).as_secs_f64(),
                received: all.1,
            })
        })
    }
}

/// Sends at `rate` for `time`, and returns the number of packets.
fn send(system: &UdpSocketState, sockets: &SocketPair, rate: f64, time: Duration) -> Result<u64> {
    let most = system.max_gso_segments();
    let payload = vec![7; most * PAYLOAD];
    let start = Instant::now();
    let mut sent = 0;
    loop {
        let now = start.elapsed();
        if now >= time {
            return Ok(sent);
        }
        let due = (now.as_secs_f64() * rate) as u64;
        if sent >= due {
            thread::sleep(TICK);
            continue;
        }
        let count = usize::try_from(due - sent)?.min(most);
        let batch = Transmit {
            destination: sockets.address,
            ecn: None,
            contents: &payload[..count * PAYLOAD],
            segment_size: (count > 1).then_some(PAYLOAD),
            src_ip: None,
        };
        match system.try_send((&sockets.from).into(), &batch) {
            Ok(()) => sent += count as u64,
            // The system's buffers are full.
            Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => thread::yield_now(),
            Err(error) => return Err(error.into()),
        }
    }
}
