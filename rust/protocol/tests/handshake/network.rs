//! A network between two players that loses, delays, swaps and doubles datagrams as a seed decides,
//! and the frames in which the two look at it.

use std::time::{Duration, Instant};

use noray_protocol::player::handshake::Outcome;

/// A frame at 60 frames a second.
pub(crate) const FRAME: Duration = Duration::from_micros(16_667);

/// Numbers that look random and are the same for the same seed (splitmix64).
pub(crate) struct Dice(pub u64);

impl Dice {
    fn roll(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    fn percent(&mut self, share: u32) -> bool {
        self.roll() % 100 < u64::from(share)
    }

    pub(crate) fn between(&mut self, least: Duration, most: Duration) -> Duration {
        let span = (most - least).as_micros() as u64;
        least + Duration::from_micros(self.roll() % (span + 1))
    }
}

/// What happens to a datagram on the network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    /// The percentage of datagrams that never arrive.
    pub loss: u32,
    /// The percentage of datagrams that arrive twice.
    pub doubled: u32,
    /// The shortest and the longest delay; in between, datagrams overtake each other.
    pub delay: (Duration, Duration),
    /// The side that nothing reaches.
    pub deaf: Option<usize>,
}

/// One side, as the simulation drives it: once a frame.
pub(crate) trait Player {
    /// Takes what came since the last frame, and returns what the side sends. `connected` tells
    /// that the game's own connection stands, which only ENet knows.
    fn frame(&mut self, now: Instant, packets: Vec<Vec<u8>>, connected: bool) -> Vec<Vec<u8>>;
    fn outcome(&self) -> Option<Outcome>;
}

/// Makes a player at the time when it begins.
pub(crate) type Begin = Box<dyn FnOnce(Instant) -> Box<dyn Player>>;

/// How the handshake ended for both sides.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ends {
    pub outcomes: [Outcome; 2],
    /// When each side ended, counted from when the later one began.
    pub times: [Duration; 2],
}

impl Ends {
    pub(crate) fn both_connected(&self) -> bool {
        self.outcomes == [Outcome::Connected; 2]
    }

    /// Whether one side believes to be connected, and the other does not.
    pub(crate) fn stranded(&self) -> bool {
        let connected = self.outcomes.map(|outcome| outcome == Outcome::Connected);
        connected[0] != connected[1]
    }

    pub(crate) fn frames(&self, side: usize) -> f64 {
        self.times[side].as_secs_f64() / FRAME.as_secs_f64()
    }
}

struct Packet {
    arrival: Instant,
    to: usize,
    bytes: Vec<u8>,
}

/// Runs until both sides have ended. The second one begins `lag` after the first. What reaches a
/// side before it begins or after it ends is lost, as on a closed port.
pub(crate) fn play(network: Network, seed: u64, lag: Duration, players: [Begin; 2]) -> Ends {
    let mut dice = Dice(seed);
    let origin = Instant::now();
    let first = origin + dice.between(Duration::ZERO, FRAME);
    let begins = [first, first + lag];
    let [one, other] = players;
    let mut players = [one(begins[0]), other(begins[1])];
    let mut frames = begins;
    let mut ends = [None, None];
    let mut under_way: Vec<Packet> = Vec::new();
    while ends.contains(&None) {
        let side = usize::from(ends[0].is_some() || ends[1].is_none() && frames[1] < frames[0]);
        let now = frames[side];
        frames[side] += FRAME;
        let mut inbox: Vec<Packet> = Vec::new();
        under_way.retain_mut(|packet| {
            let arrived = packet.to == side && packet.arrival <= now;
            if arrived && packet.arrival >= begins[side] {
                let bytes = std::mem::take(&mut packet.bytes);
                inbox.push(Packet { bytes, ..*packet });
            }
            !arrived
        });
        inbox.sort_by_key(|packet| packet.arrival);
        let inbox = inbox.into_iter().map(|packet| packet.bytes).collect();
        // ENet needs about a round trip once the other side has finished.
        let round_trip = 2 * network.delay.1;
        let connected = ends[1 - side].is_some_and(|end: Instant| {
            players[1 - side].outcome() == Some(Outcome::Connected) && now >= end + round_trip
        });
        for bytes in players[side].frame(now, inbox, connected) {
            let copies = 1 + u32::from(dice.percent(network.doubled));
            for _ in 0..copies {
                if !dice.percent(network.loss) && network.deaf != Some(1 - side) {
                    under_way.push(Packet {
                        arrival: now + dice.between(network.delay.0, network.delay.1),
                        to: 1 - side,
                        bytes: bytes.clone(),
                    });
                }
            }
        }
        if players[side].outcome().is_some() {
            ends[side] = Some(now);
        }
        assert!(
            now < origin + Duration::from_secs(60),
            "somebody never ends"
        );
    }
    let later = begins[0].max(begins[1]);
    Ends {
        outcomes: players.map(|player| player.outcome().expect("it has ended")),
        times: ends.map(|end| end.unwrap_or(later).saturating_duration_since(later)),
    }
}
