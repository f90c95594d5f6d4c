//! A game that goes over a link: it begins like ENet's, then both sides send numbered datagrams.

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

/// Pause between numbered datagrams.
pub(crate) const STREAM_INTERVAL: Duration = Duration::from_millis(50);
/// How long ENet waits before it repeats the beginning of a connection; doubles each time.
const REPEAT: Duration = Duration::from_millis(500);

const HELLO: u8 = 1;
const WELCOME: u8 = 2;
const THANKS: u8 = 3;
const NUMBERED: u8 = 4;

/// One side's view of the game with a peer.
#[derive(Clone, Debug, Default)]
pub(crate) struct Game {
    /// When the peer's first datagram came.
    pub entered: Option<Instant>,
    /// How many numbered datagrams went out.
    pub sent: u32,
    /// The numbers that came in.
    pub got: BTreeSet<u32>,
    /// When the last datagram came in.
    pub last_got: Option<Instant>,
    /// The longest time without one, once they came.
    pub longest_gap: Duration,
    /// What is repeated until the peer answers, when next, and the pause after that.
    repeated: Option<(u8, Instant, Duration)>,
    stream: Option<Instant>,
}

impl Game {
    /// Returns the joining side's view, which says hello at once.
    pub(crate) fn joining(now: Instant) -> Self {
        Self {
            repeated: Some((HELLO, now, REPEAT)),
            ..Self::default()
        }
    }

    /// Takes a datagram. Returns the answer.
    pub(crate) fn receive(&mut self, now: Instant, bytes: &[u8]) -> Option<Vec<u8>> {
        let &[_, _, kind, a, b, c, d] = bytes else {
            return None;
        };
        if let Some(last) = self.last_got.replace(now) {
            self.longest_gap = self.longest_gap.max(now.saturating_duration_since(last));
        }
        if kind == HELLO {
            if self.entered.is_none() && self.repeated.is_none() {
                self.repeated = Some((WELCOME, now, REPEAT));
            }
            return None;
        }
        self.entered.get_or_insert(now);
        self.repeated = None;
        if kind == NUMBERED {
            self.got.insert(u32::from_be_bytes([a, b, c, d]));
        }
        (kind == WELCOME).then(|| datagram(THANKS, 0))
    }

    /// Returns what goes out now.
    pub(crate) fn tick(&mut self, now: Instant, streaming: bool) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        if let Some((kind, next, pause)) = &mut self.repeated
            && now >= *next
        {
            *next = now + *pause;
            *pause *= 2;
            out.push(datagram(*kind, 0));
        }
        if streaming && self.entered.is_some() {
            if self.stream.is_none_or(|next| now >= next) {
                self.stream = Some(now + STREAM_INTERVAL);
                self.sent += 1;
                out.push(datagram(NUMBERED, self.sent));
            }
        } else {
            self.stream = None;
        }
        out
    }

    pub(crate) fn due(&self, streaming: bool, now: Instant) -> Option<Instant> {
        let stream = (streaming && self.entered.is_some()).then(|| self.stream.unwrap_or(now));
        let repeated = self.repeated.map(|(_, next, _)| next);
        stream.into_iter().chain(repeated).min()
    }
}

/// Returns a datagram that looks like ENet's, and not like a handshake's.
fn datagram(kind: u8, number: u32) -> Vec<u8> {
    let [a, b, c, d] = number.to_be_bytes();
    vec![0x8f, 0xff, kind, a, b, c, d]
}
