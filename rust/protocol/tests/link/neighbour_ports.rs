//! What is gained by opening the router for the ports behind an announced relay.

use std::time::Duration;

use noray_protocol::defaults::NEIGHBOUR_PORTS;

use crate::{home::Home, pair::Pair, server::Kind, simulation::Internet};

const SEEDS: u64 = 20;
const HOMES: [[Home; 2]; 2] = [
    [Home::Router, Home::Symmetric],
    [Home::Symmetric, Home::Router],
];

/// Returns the percentage of pairs that connect, and the most relays that one pair took.
fn share(kind: Kind, ports: u16, crowd: u16, loss: u32) -> (u64, usize) {
    let (mut met, mut relays) = (0, 0);
    for seed in 0..SEEDS {
        for homes in HOMES {
            let mut pair = Pair::new(kind, homes, Internet::losing(loss), seed);
            pair.world.neighbours = ports;
            pair.world.server.crowd = crowd;
            met += u64::from(pair.meet_within(Duration::from_secs(8)).time.is_some());
            relays = relays.max(pair.world.server.most_relays);
        }
    }
    (100 * met / (2 * SEEDS), relays)
}

/// Fails when the neighbour ports are not worth their datagrams on generation 2, or would be on
/// generation 1, where a port is random: there, N of them hit once in 2,049 / N.
#[test]
fn neighbours_gain_generation_2() {
    for crowd in [0, 1, 3] {
        for ports in [1, 2, NEIGHBOUR_PORTS] {
            let (met, relays) = share(Kind::Generation2, ports, crowd, 0);
            println!(
                "2.x, {ports} neighbours, up to {crowd} others between: {met} % meet, {relays} relays"
            );
        }
    }
    assert_eq!(share(Kind::Generation2, 0, 0, 0).0, 0);
    assert_eq!(share(Kind::Generation2, NEIGHBOUR_PORTS, 0, 0).0, 100);
    assert!(share(Kind::Generation2, NEIGHBOUR_PORTS, 1, 0).0 >= 90);
    let (met, relays) = share(Kind::Generation2, NEIGHBOUR_PORTS, 0, 20);
    println!("with 20 % loss: {met} % within 8 s, {relays} relays");
    assert!(met >= 70);
    assert_eq!(share(Kind::Generation1, NEIGHBOUR_PORTS, 0, 0).0, 0);
}
