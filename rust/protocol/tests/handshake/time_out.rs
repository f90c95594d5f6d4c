//! A handshake that fails has the same result as netfox.noray's.

use std::time::{Duration, Instant};

use noray_protocol::{
    defaults::{HANDSHAKE_INTERVAL, HANDSHAKE_TIMEOUT},
    player::handshake::{
        Handshake,
        Outcome::{self, TimedOut, Unconfirmed},
    },
};
use proptest::{collection::vec, prelude::*, sample::select};

use crate::{
    netfox_client::{NetfoxClient, NetfoxHandshake},
    network::{FRAME, Network, Player},
    pairs::{
        Kind::{New, NewBlind, Old, OldBlind},
        bad_network, shake,
    },
};

/// Fails when a path that is open in one direction only has another result than with netfox.noray,
/// or ends earlier or later than the time-out.
#[test]
fn one_way_only() {
    for (kinds, expected) in [
        ([Old, Old], [TimedOut, Unconfirmed]),
        ([New, New], [TimedOut, Unconfirmed]),
        ([New, Old], [TimedOut, Unconfirmed]),
        ([Old, New], [TimedOut, Unconfirmed]),
        // A blind host claims that all is well; ENet will tell.
        ([New, OldBlind], [TimedOut, Outcome::Connected]),
        ([New, NewBlind], [TimedOut, Unconfirmed]),
    ] {
        let network = Network {
            deaf: Some(0),
            ..bad_network(0)
        };
        let ends = shake(network, 1, Duration::ZERO, kinds);
        assert_eq!(ends.outcomes, expected, "{kinds:?}");
        for (side, kind) in kinds.into_iter().enumerate() {
            if matches!(kind, New | NewBlind) {
                let late = ends.times[side].checked_sub(HANDSHAKE_TIMEOUT);
                assert!(late.is_some_and(|late| late <= FRAME), "{ends:?}");
            }
        }
    }
}

/// Fails when a missing peer is reported as anything but a time-out.
#[test]
fn nobody_there() {
    let begin = Instant::now();
    let mut handshake = Handshake::new(begin, HANDSHAKE_TIMEOUT, HANDSHAKE_INTERVAL);
    let last = HANDSHAKE_TIMEOUT - Duration::from_millis(1);
    assert_eq!(handshake.step(begin + last).outcome, None);
    let step = handshake.step(begin + HANDSHAKE_TIMEOUT);
    assert_eq!(step.outcome, Some(TimedOut));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(150))]

    /// Fails when any sequence of datagrams, garbage included, ends differently than with
    /// netfox.noray.
    #[test]
    fn any_packets_end_as_with_netfox(
        packets in vec((0..7700_u64, select(vec!["$-w-", "$rw-", "$rwx", "hello", ""])), 0..6)
    ) {
        let begin = Instant::now();
        let mut old = NetfoxHandshake::new(NetfoxClient::new(begin, HANDSHAKE_TIMEOUT.as_secs_f64()));
        let mut new = Handshake::new(begin, HANDSHAKE_TIMEOUT, HANDSHAKE_INTERVAL);
        let mut packets = packets;
        packets.sort_by_key(|packet| packet.0);
        let mut outcome = None;
        let mut now = begin;
        while old.outcome().is_none() || outcome.is_none() {
            let arrived = |packet: &&(u64, _)| begin + Duration::from_millis(packet.0) <= now;
            let count = packets.iter().take_while(arrived).count();
            let arrived: Vec<_> = packets.drain(..count).map(|packet| packet.1).collect();
            if outcome.is_none() {
                arrived.iter().for_each(|packet| new.receive(packet.as_bytes()));
                outcome = new.step(now).outcome;
            }
            let arrived = arrived.iter().map(|packet| packet.as_bytes().to_vec());
            old.frame(now, arrived.collect(), false);
            now += FRAME;
        }
        prop_assert_eq!(outcome, old.outcome());
    }
}
