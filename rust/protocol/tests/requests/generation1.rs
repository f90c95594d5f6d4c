//! Requests to a server of generation 1, which refuses in silence.

use std::time::Duration;

use noray_protocol::{
    defaults::ANSWER_TIMEOUT,
    player::requests::ConnectError,
    wire::command::{
        ConnectKind::{self, Nat, Relay},
        PlayerCommand, ServerCommand,
    },
};
use proptest::prelude::*;

use crate::simulation::{
    Action::{Ask, Read, Unasked},
    Fate, Line, Server, World, courses,
};

/// A server that answers `echo` and `connect` while it reads, and `connect-relay` once it has
/// handled everything that it read in this turn.
struct Generation1;

impl Server for Generation1 {
    fn greeting(&self) -> Option<ServerCommand> {
        None
    }

    fn turn(&self, commands: &[(PlayerCommand, Option<Fate>)]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut later = Vec::new();
        for (command, fate) in commands {
            match (command, fate) {
                (PlayerCommand::Echo(text), _) => lines.push(Line::new(format!("echo {text}"))),
                (PlayerCommand::Connect(Nat, _), Some(fate)) => {
                    lines.extend(Line::connect(Nat, *fate));
                }
                (PlayerCommand::Connect(Relay, _), Some(fate)) => {
                    later.extend(Line::connect(Relay, *fate));
                }
                _ => {}
            }
        }
        lines.extend(later);
        lines
    }
}

fn world() -> World<Generation1> {
    World::new(Generation1, ANSWER_TIMEOUT)
}

/// Asserts that nothing is left, not even after a long time.
fn check_nothing_is_left(world: &mut World<Generation1>) {
    let failures =
        |world: &World<_>| -> usize { world.asked.iter().map(|asked| asked.failures.len()).sum() };
    let before = failures(world);
    world.pass(Duration::from_secs(3600));
    assert_eq!(failures(world), before, "something was told too late");
    assert_eq!(world.requests.next_deadline(), None);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Fails when an unknown OpenID is not reported, or twice, or when an answered request is
    /// reported, with any number of requests in flight.
    #[test]
    fn each_failure_is_told_once(course in courses(false)) {
        let mut world = world();
        world.play(&course);
        for asked in &world.asked {
            let expected = if asked.fate.fails() { vec![ConnectError::NoAnswer] } else { vec![] };
            prop_assert_eq!(&asked.failures, &expected, "{:?}", asked);
        }
        check_nothing_is_left(&mut world);
    }

    /// Fails when another player's connect ever fails an answered request, or hides a failure
    /// although it came before the first fence or after the last one.
    #[test]
    fn unasked_connects_make_no_failures(course in courses(true)) {
        let mut world = world();
        world.play(&course);
        for asked in &world.asked {
            let told = asked.failures.len();
            if !asked.fate.fails() {
                prop_assert_eq!(told, 0, "{:?}", asked);
            } else if asked.disturbed {
                prop_assert!(told <= 1, "{:?}", asked);
            } else {
                prop_assert_eq!(told, 1, "{:?}", asked);
            }
        }
        check_nothing_is_left(&mut world);
    }

    /// Fails when a `connect` can be disturbed although its write arrived in one piece: then
    /// nothing comes between its fences.
    #[test]
    fn whole_writes_of_connect_are_exact(
        fates in prop::collection::vec((any::<bool>(), any::<bool>()), 1..10),
    ) {
        let mut world = world();
        for (known, unasked_first) in fates {
            if unasked_first {
                world.unasked(Nat);
            }
            world.ask(Nat, if known { Fate::Connected } else { Fate::Unknown });
            world.serve(usize::MAX);
            world.unasked(Nat);
        }
        world.settle();
        for asked in &world.asked {
            prop_assert!(!asked.disturbed);
            prop_assert_eq!(asked.failures.len(), usize::from(asked.fate.fails()));
        }
    }
}

/// Fails when a failure takes more round trips than it must: one for `connect`, two for
/// `connect-relay`.
#[test]
fn a_failure_takes_one_or_two_round_trips() {
    for (kind, round_trips) in [(Nat, 1), (Relay, 2)] {
        let mut world = world();
        world.ask(kind, Fate::Unknown);
        for round_trip in 1..=round_trips {
            assert!(world.asked[0].failures.is_empty());
            world.serve(usize::MAX);
            world.read(usize::MAX);
            assert_eq!(world.asked[0].failures.is_empty(), round_trip < round_trips);
        }
    }
}

/// Fails when the answers to two `connect-relay` in one write are mixed up: the server answers both
/// behind the fences of both.
#[test]
fn of_two_relays_only_the_unknown_one_fails() {
    for fates in [
        [Fate::Unknown, Fate::Connected],
        [Fate::Connected, Fate::Unknown],
    ] {
        let mut world = world();
        for fate in fates {
            world.ask(Relay, fate);
        }
        world.settle();
        for asked in &world.asked {
            assert_eq!(
                asked.failures.len(),
                usize::from(asked.fate.fails()),
                "{asked:?}"
            );
        }
    }
}

/// Fails when requests wait for each other for more than one round trip each.
#[test]
fn several_relays_take_a_round_trip_each() {
    let mut world = world();
    for _ in 0..5 {
        world.ask(Relay, Fate::Unknown);
    }
    for round_trip in 1..=6 {
        world.serve(usize::MAX);
        world.read(usize::MAX);
        let told = world
            .asked
            .iter()
            .filter(|asked| !asked.failures.is_empty())
            .count();
        assert_eq!(told, round_trip - 1);
    }
}

/// Fails when a connect that came before the first fence is taken for the answer before it is known
/// that the server echoes.
#[test]
fn a_connect_before_the_first_fence_is_no_answer() {
    for kind in [Nat, Relay] {
        let mut world = world();
        world.play(&[Unasked(kind), Ask(kind, Fate::Unknown), Read(1)]);
        assert_eq!(world.asked[0].failures, [ConnectError::NoAnswer]);
    }
}

/// The one ambiguous case: another player's connect between the fences of a request that fails.
/// Fails when this hides more than that one failure, or leaves the request open.
#[test]
fn a_connect_between_the_fences_hides_one_failure() {
    let between: fn(&mut World<Generation1>, ConnectKind) = |world, kind| {
        world.ask(kind, Fate::Unknown);
        match kind {
            // Only if the network cuts the write: here after the first fence.
            Nat => world.serve("echo noray-godot-1\n".len()),
            // Within the round trip of the third fence.
            Relay => world.serve(usize::MAX),
        }
        world.unasked(kind);
        world.ask(kind, Fate::Unknown);
        world.settle();
    };
    for kind in [Nat, Relay] {
        let mut world = world();
        between(&mut world, kind);
        assert!(world.asked[0].disturbed);
        assert_eq!(world.asked[0].failures, []);
        assert_eq!(world.asked[1].failures, [ConnectError::NoAnswer]);
        check_nothing_is_left(&mut world);
    }
}

/// Fails when a line that comes twice also answers the next request.
#[test]
fn own_open_id() {
    for kind in [Nat, Relay] {
        let mut world = world();
        world.ask(kind, Fate::Own);
        world.ask(kind, Fate::Unknown);
        world.settle();
        assert_eq!(world.asked[0].failures, []);
        assert_eq!(world.asked[1].failures, [ConnectError::NoAnswer]);
        check_nothing_is_left(&mut world);
    }
}
