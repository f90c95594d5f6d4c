//! With a fifth of all datagrams lost.

use std::time::Duration;

use crate::{
    home::Home,
    pair::{Clients, Pair},
    server::Kind,
    simulation::Internet,
};

const SEEDS: u64 = 1000;
const LIMIT: Duration = Duration::from_secs(3);

struct Shares {
    opened: u64,
    in_time: u64,
    ever: u64,
    median: Duration,
    late: Duration,
}

fn measure(clients: Clients, kind: Kind, homes: [Home; 2]) -> Shares {
    let mut opened = 0;
    let mut times: Vec<_> = (0..SEEDS)
        .map(|seed| {
            let result = Pair::of(clients, kind, homes, Internet::losing(20), seed).meet();
            opened += u64::from(result.open.is_some_and(|open| open <= LIMIT));
            result.time.unwrap_or(Duration::MAX)
        })
        .collect();
    times.sort();
    let within = |limit| times.iter().filter(|time| **time <= limit).count() as u64;
    let shares = Shares {
        opened,
        in_time: within(LIMIT),
        ever: within(Duration::from_secs(40)),
        median: times[times.len() / 2],
        late: times[times.len() * 95 / 100],
    };
    println!(
        "{clients:?} {kind:?} {homes:?}: of {SEEDS}, {} open and {} in the game within 3 s, {} ever; median {:.2} s, 95 % within {:.2} s",
        shares.opened,
        shares.in_time,
        shares.ever,
        shares.median.as_secs_f64(),
        shares.late.as_secs_f64()
    );
    shares
}

/// Fails when checks, their pace or their windows do not cope with the loss. A pair whose path
/// opened and whose game is late waits for ENet, which repeats the beginning of a connection after
/// 0.5 s, 1 s and 2 s.
#[test]
fn two_of_ours_meet_directly() {
    let shares = measure(Clients::Ours, Kind::Ours, [Home::Router; 2]);
    assert!(shares.opened >= 990 && shares.in_time >= 960);
    assert!(shares.ever >= 999);
}

/// Fails as above; here each datagram can be lost twice.
#[test]
fn two_of_ours_meet_by_relay() {
    let shares = measure(Clients::Ours, Kind::Ours, [Home::Router, Home::Symmetric]);
    assert!(shares.opened >= 980 && shares.in_time >= 790);
    assert!(shares.ever >= 980);
}

/// Fails when ours reaches a netfox.noray host less often than a netfox.noray player does, beyond
/// chance.
#[test]
fn ours_joins_an_old_host() {
    let shares = measure(Clients::OldHost, Kind::Generation1, [Home::Router; 2]);
    let old = measure(Clients::Old, Kind::Generation1, [Home::Router; 2]);
    assert!(shares.in_time + 15 >= old.in_time && shares.ever + 2 >= old.ever);
}

/// Fails when a netfox.noray player reaches ours less often than a netfox.noray host, beyond
/// chance.
#[test]
fn an_old_player_joins_ours() {
    let shares = measure(Clients::OldJoining, Kind::Generation1, [Home::Router; 2]);
    let old = measure(Clients::Old, Kind::Generation1, [Home::Router; 2]);
    assert!(shares.in_time + 15 >= old.in_time && shares.ever + 2 >= old.ever);
}
