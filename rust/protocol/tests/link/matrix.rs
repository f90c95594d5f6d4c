//! Which path opens between which players, on which server, and how soon.

use std::time::Duration;

use noray_protocol::wire::check::PathKind;

use crate::{
    home::Home::{self, AddressFilter, ServerOnly, Symmetric},
    pair::Pair,
    server::Kind,
    simulation::Internet,
};

const DIRECT: Duration = Duration::from_millis(300);
const RELAY: Duration = Duration::from_millis(1500);
const PUBLIC_RELAY: Duration = Duration::from_millis(2500);

/// Returns the best path kind that the routers and the server allow.
fn possible(kind: Kind, homes: [Home; 2]) -> Option<PathKind> {
    let symmetric = homes.iter().filter(|home| **home == Symmetric).count();
    // A router that lets in another port than the one that it sent to.
    let lenient = homes
        .iter()
        .any(|home| home.is_open() || *home == AddressFilter);
    let direct = !homes.contains(&ServerOnly) && (symmetric == 0 || symmetric == 1 && lenient);
    if direct {
        return Some(PathKind::Direct);
    }
    let relay = match (kind, symmetric) {
        (Kind::Ours | Kind::Takeover, _) | (_, 0) => true,
        // The relay is on the next free port, which is among the opened neighbours.
        (Kind::Generation2, 1) => true,
        // The relay is on a random port.
        (Kind::Generation1, 1) => lenient,
        _ => false,
    };
    relay.then_some(PathKind::Relay)
}

/// Fails when a pair of players does not get the best possible path, or gets it later than
/// promised.
#[test]
fn everybody_meets_where_the_server_allows_it() {
    for kind in Kind::ALL {
        println!("{kind:?}: host (down), joining player (across)");
        print!("{:15}", "");
        for joining in Home::ALL {
            print!("{:>15}", format!("{joining:?}"));
        }
        println!();
        for host in Home::ALL {
            print!("{:15}", format!("{host:?}"));
            for joining in Home::ALL {
                let homes = [host, joining];
                let result = Pair::new(kind, homes, Internet::GOOD, 1).meet();
                let cell = match (result.path_kind, result.time) {
                    (Some(path_kind), Some(time)) => {
                        format!("{path_kind:?} {:.2} s", time.as_secs_f64())
                    }
                    _ => "-".to_owned(),
                };
                print!("{cell:>15}");
                assert_eq!(
                    result.path_kind,
                    possible(kind, homes),
                    "{kind:?} {homes:?}"
                );
                let limit = match (result.path_kind, kind) {
                    (Some(PathKind::Relay), Kind::Ours) => RELAY,
                    (Some(PathKind::Relay), _) => PUBLIC_RELAY,
                    _ => DIRECT,
                };
                let late = result.time.filter(|time| *time > limit);
                assert_eq!(late, None, "{kind:?} {homes:?}");
            }
            println!();
        }
    }
}

/// Fails when a slow internet (300 ms there and back) keeps players from a path that opens on a
/// fast one, or when the seed decides what opens.
#[test]
fn what_opens_is_no_luck() {
    let slow = Internet {
        loss: 0,
        doubled: 5,
        delay: (Duration::from_millis(60), Duration::from_millis(90)),
    };
    for kind in Kind::ALL {
        for host in Home::ALL {
            for joining in Home::ALL {
                let homes = [host, joining];
                for seed in 0..5 {
                    let mut pair = Pair::new(kind, homes, slow, seed);
                    let result = pair.meet();
                    // On a slow network, the relay can be first.
                    let in_lan = result.path_kind.map(|kind| kind == PathKind::Lan);
                    let expected = possible(kind, homes).map(|_| false);
                    assert_eq!(in_lan, expected, "{kind:?} {homes:?} seed {seed}");
                    pair.world.run_for(Duration::from_secs(5));
                    assert_eq!(
                        pair.path_kind(),
                        possible(kind, homes),
                        "{kind:?} {homes:?} seed {seed}"
                    );
                }
            }
        }
    }
}

/// Fails when players behind one router do not connect.
#[test]
fn one_home() {
    let mut pair = Pair::in_one_home(Kind::Ours, true);
    let result = pair.meet();
    assert_eq!(result.path_kind, Some(PathKind::Direct));
    assert!(result.time.is_some_and(|time| time <= DIRECT), "{result:?}");

    let mut pair = Pair::in_one_home(Kind::Ours, false);
    let result = pair.meet();
    assert_eq!(result.path_kind, Some(PathKind::Relay));
    assert!(result.time.is_some_and(|time| time <= RELAY), "{result:?}");

    let mut pair = Pair::in_one_home(Kind::Ours, false);
    let lan = pair.world.address(pair.host);
    pair.world.join(pair.joining, pair.host);
    pair.world
        .with(pair.joining, |ours, now| ours.link.found_in_lan(now, lan));
    let joining = pair.joining;
    let time = pair
        .world
        .run_until(DIRECT, |world| world.entered(joining).is_some());
    assert!(time.is_some(), "by LAN");
    assert_eq!(pair.path_kind(), Some(PathKind::Lan));
}
