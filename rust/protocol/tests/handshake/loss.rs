//! How often one side is stranded: it gives up while the other one is connected.

use noray_protocol::player::handshake::Outcome;
use proptest::prelude::*;

use crate::{
    network::Ends,
    pairs::{
        Kind::{self, New, NewBlind, Old, OldBlind},
        shake_often,
    },
};

const RUNS: u64 = 1000;

/// Returns a share of the runs, in percent.
fn share(all: &[Ends], what: impl Fn(&Ends) -> bool) -> f64 {
    100.0 * all.iter().filter(|ends| what(ends)).count() as f64 / all.len() as f64
}

fn stranded(loss: u32, kinds: [Kind; 2]) -> f64 {
    share(&shake_often(loss, RUNS, kinds), Ends::stranded)
}

/// Fails when the finishing side sends fewer last datagrams, or when a side forgets what it heard.
/// With a fifth of all datagrams lost, netfox.noray's players strand one another 17 times in 100,
/// ours about once in 600.
#[test]
fn ours_hardly_ever_strand_each_other() {
    let old = stranded(20, [Old, Old]);
    assert!(
        (12.0..22.0).contains(&old),
        "the simulation is off: {old} %"
    );
    let new = stranded(20, [New, New]);
    assert!(new <= 0.5, "{new} %");
}

/// Fails when ours strands netfox.noray. In the 7 of 100 runs that remain, netfox.noray strands
/// ours with its single last datagram.
#[test]
fn ours_hardly_ever_strands_netfox() {
    let all = shake_often(20, RUNS, [New, Old]);
    let either = share(&all, Ends::stranded);
    assert!(either <= 9.0, "{either} %");
    let netfox = share(&all, |ends| {
        ends.stranded() && ends.outcomes[0] == Outcome::Connected
    });
    assert!(netfox <= 0.5, "{netfox} %");
}

/// Fails when the joining side, netfox.noray's or ours, misses a host that cannot read,
/// netfox.noray's or ours, even with two fifths of all datagrams lost.
#[test]
fn nobody_misses_a_blind_host() {
    for seeing in [New, Old] {
        for blind in [NewBlind, OldBlind] {
            for loss in [20, 40] {
                let all = shake_often(loss, RUNS / 5, [seeing, blind]);
                let connected = share(&all, |ends| ends.outcomes[0] == Outcome::Connected);
                assert_eq!(connected, 100.0, "{seeing:?} to {blind:?}, {loss} % lost");
            }
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(60))]

    /// Fails when a handshake ends early without a result, or when both sides give up although
    /// datagrams come through.
    #[test]
    fn somebody_gets_through(loss in 0..=40_u32, new_only in any::<bool>()) {
        let kinds = if new_only { [New, New] } else { [New, Old] };
        for ends in shake_often(loss, 10, kinds) {
            prop_assert!(ends.both_connected() || ends.stranded(), "{:?}", ends);
        }
    }
}
