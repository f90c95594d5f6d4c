//! The kinds of players, and handshakes between them.

use std::time::{Duration, Instant};

use noray_protocol::{
    defaults::{HANDSHAKE_INTERVAL, HANDSHAKE_TIMEOUT},
    player::handshake::{BlindHandshake, Handshake, Outcome, Step},
};

use crate::{
    netfox_client::{NetfoxClient, NetfoxHandshake},
    network::{Begin, Dice, Ends, Network, Player, play},
};

/// The kinds of players.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    New,
    Old,
    NewBlind,
    OldBlind,
}

enum Machine {
    Seeing(Handshake),
    Blind(BlindHandshake),
}

/// Our handshake, stepped once a frame.
struct NewPlayer {
    machine: Machine,
    outcome: Option<Outcome>,
}

impl Player for NewPlayer {
    fn frame(&mut self, now: Instant, packets: Vec<Vec<u8>>, connected: bool) -> Vec<Vec<u8>> {
        if self.outcome.is_some() {
            return Vec::new();
        }
        let Step {
            packet,
            copies,
            outcome,
        } = match &mut self.machine {
            Machine::Seeing(handshake) => {
                packets.iter().for_each(|packet| handshake.receive(packet));
                handshake.step(now)
            }
            Machine::Blind(handshake) => handshake.step(now, connected),
        };
        self.outcome = outcome;
        vec![packet.to_vec(); copies as usize]
    }

    fn outcome(&self) -> Option<Outcome> {
        self.outcome
    }
}

impl Kind {
    fn player(self) -> Begin {
        let time_out = HANDSHAKE_TIMEOUT.as_secs_f64();
        let new = |machine| {
            Box::new(NewPlayer {
                machine,
                outcome: None,
            })
        };
        Box::new(move |now| match self {
            Self::New => new(Machine::Seeing(Handshake::new(
                now,
                HANDSHAKE_TIMEOUT,
                HANDSHAKE_INTERVAL,
            ))),
            Self::NewBlind => new(Machine::Blind(BlindHandshake::new(
                now,
                HANDSHAKE_TIMEOUT,
                HANDSHAKE_INTERVAL,
            ))),
            Self::Old => Box::new(NetfoxHandshake::new(NetfoxClient::new(now, time_out))),
            Self::OldBlind => Box::new(NetfoxHandshake::new(NetfoxClient::blind(now, time_out))),
        })
    }
}

/// Runs one handshake; the second player begins `lag` after the first.
pub(crate) fn shake(network: Network, seed: u64, lag: Duration, kinds: [Kind; 2]) -> Ends {
    play(network, seed, lag, kinds.map(Kind::player))
}

/// A bad network: 10 to 60 ms in each direction, so that datagrams overtake each other.
pub(crate) fn bad_network(loss: u32) -> Network {
    Network {
        loss,
        doubled: 2,
        delay: (Duration::from_millis(10), Duration::from_millis(60)),
        deaf: None,
    }
}

/// Runs many handshakes on a bad network, each with its own lag. The first of `kinds` begins first
/// in every other one.
pub(crate) fn shake_often(loss: u32, runs: u64, kinds: [Kind; 2]) -> Vec<Ends> {
    let run = |seed: u64| {
        let lag = Dice(seed ^ 0xABCD).between(Duration::ZERO, Duration::from_millis(200));
        let turn = seed as usize % 2;
        let mut in_order = kinds;
        in_order.rotate_left(turn);
        let mut ends = shake(bad_network(loss), seed, lag, in_order);
        ends.outcomes.rotate_left(turn);
        ends.times.rotate_left(turn);
        ends
    };
    (0..runs).map(run).collect()
}
