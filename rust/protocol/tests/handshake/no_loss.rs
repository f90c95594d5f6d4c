//! Without loss, every handshake finishes soon. Frames are counted from when the later side begins.

use std::time::Duration;

use noray_protocol::{defaults::HANDSHAKE_INTERVAL, player::handshake::Outcome};
use proptest::prelude::*;

use crate::{
    network::{Ends, FRAME, Network},
    pairs::{
        Kind::{self, New, NewBlind, Old, OldBlind},
        shake,
    },
};

/// A repeat falls into the first frame after the interval.
fn interval() -> f64 {
    (HANDSHAKE_INTERVAL.as_secs_f64() / FRAME.as_secs_f64()).ceil() + 1.0
}

fn frames(time: Duration) -> f64 {
    time.as_secs_f64() / FRAME.as_secs_f64()
}

/// Returns delays and lags, in milliseconds, and which side is first.
fn courses() -> impl Strategy<Value = (u64, u64, u64, u64, bool)> {
    (
        0..80_u64,
        0..80_u64,
        0..500_u64,
        any::<u64>(),
        any::<bool>(),
    )
}

fn run(course: (u64, u64, u64, u64, bool), mut kinds: [Kind; 2]) -> (Ends, f64) {
    let (least, more, lag, seed, swap) = course;
    let network = Network {
        loss: 0,
        doubled: 10,
        delay: (
            Duration::from_millis(least),
            Duration::from_millis(least + more),
        ),
        deaf: None,
    };
    kinds.rotate_left(usize::from(swap));
    let mut ends = shake(network, seed, Duration::from_millis(lag), kinds);
    ends.outcomes.rotate_left(usize::from(swap));
    ends.times.rotate_left(usize::from(swap));
    (ends, frames(network.delay.1))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Fails when a side waits for anything but news: four datagrams, each answered in the next
    /// frame.
    #[test]
    fn ours_with_ours(course in courses()) {
        let (ends, delay) = run(course, [New, New]);
        prop_assert!(ends.both_connected());
        for side in 0..2 {
            prop_assert!(ends.frames(side) <= 4.0 * delay + 4.0, "{:?}", ends);
        }
    }

    /// Fails when ours does not finish with netfox.noray, which looks once per interval, or waits
    /// for more than those looks.
    #[test]
    fn ours_with_netfox(course in courses()) {
        let (ends, delay) = run(course, [New, Old]);
        prop_assert!(ends.both_connected());
        prop_assert!(ends.frames(0) <= 3.0 * delay + 2.0 * interval() + 2.0, "{:?}", ends);
        prop_assert!(ends.frames(1) <= 4.0 * delay + 4.0 * interval() + 2.0, "{:?}", ends);
    }

    /// Fails when the joining side does not finish with the first datagram that reaches it, or when
    /// the blind side goes on after ENet is connected.
    #[test]
    fn ours_with_a_blind_host(course in courses(), netfox in any::<bool>()) {
        let blind = if netfox { OldBlind } else { NewBlind };
        let (ends, delay) = run(course, [New, blind]);
        prop_assert_eq!(ends.outcomes, [Outcome::Connected; 2]);
        prop_assert!(ends.frames(0) <= delay + interval() + 1.0, "{:?}", ends);
        if !netfox {
            prop_assert!(ends.frames(1) <= ends.frames(0) + 2.0 * delay + 1.0, "{:?}", ends);
        }
    }

    /// Fails when our blind host does not serve netfox.noray's joining player.
    #[test]
    fn netfox_with_our_blind_host(course in courses()) {
        let (ends, delay) = run(course, [Old, NewBlind]);
        prop_assert_eq!(ends.outcomes, [Outcome::Connected; 2]);
        prop_assert!(ends.frames(0) <= delay + 3.0 * interval() + 1.0, "{:?}", ends);
    }

    /// Fails when the simulated netfox.noray does not finish with itself.
    #[test]
    fn netfox_with_netfox(course in courses()) {
        let (ends, _) = run(course, [Old, Old]);
        prop_assert!(ends.both_connected());
    }
}

/// Fails when two players on one machine need more than four frames.
#[test]
fn on_loopback() {
    for seed in 0..200 {
        let (ends, _) = run((0, 0, seed % 40, seed, seed % 2 == 0), [New, New]);
        assert!(
            ends.both_connected() && ends.frames(0).max(ends.frames(1)) <= 4.0,
            "{ends:?}"
        );
        // Our host is heard with its first datagram when it begins second, and with one of its
        // early repeats when it was up to 80 ms too early.
        for host_first in [false, true] {
            let (ends, _) = run((0, 0, seed % 80, seed, host_first), [New, NewBlind]);
            assert!(ends.frames(0) <= 2.0, "{ends:?}");
        }
    }
}
