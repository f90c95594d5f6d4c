//! Requests to servers that greet and refuse in words: generation 2, which does not tell which
//! request it refuses, and our own.

use std::time::Duration;

use noray_protocol::{
    defaults::ANSWER_TIMEOUT,
    player::requests::ConnectError,
    wire::command::{
        ConnectKind::{Nat, Relay},
        PlayerCommand, RefusalReason, ServerCommand,
    },
};
use proptest::prelude::*;

use crate::simulation::{
    Action::{Ask, Read, Serve, Unasked},
    Fate, Line, Server, World, courses,
};

const UNNAMED: &str = "Error: Host has no remote address registered!";

fn named(oid: &str) -> String {
    format!("Error: Unknown host oid: {oid}")
}

/// A server that answers while it reads, refuses once it has handled everything that it read in
/// this turn, and does not know `echo`.
struct Generation2;

impl Server for Generation2 {
    fn greeting(&self) -> Option<ServerCommand> {
        Some(ServerCommand::Greeting("noray v2.1.0".to_owned()))
    }

    fn turn(&self, commands: &[(PlayerCommand, Option<Fate>)]) -> Vec<Line> {
        let mut lines = Vec::new();
        let mut refusals = Vec::new();
        for (command, fate) in commands {
            let (PlayerCommand::Connect(kind, Ok(oid)), Some(fate)) = (command, fate) else {
                continue;
            };
            lines.extend(Line::connect(*kind, *fate));
            let text = match fate {
                Fate::Unknown => named(oid.as_str()),
                Fate::Failing => UNNAMED.to_owned(),
                Fate::Connected | Fate::Own => continue,
            };
            refusals.push(Line::new(format!("{} \"{text}\"", kind.command())));
        }
        lines.extend(refusals);
        lines
    }
}

/// A server that greets, echoes, and answers and refuses in order.
struct OurServer;

impl Server for OurServer {
    fn greeting(&self) -> Option<ServerCommand> {
        Some(ServerCommand::Greeting("noray-server v0.1.0".to_owned()))
    }

    fn turn(&self, commands: &[(PlayerCommand, Option<Fate>)]) -> Vec<Line> {
        let mut lines = Vec::new();
        for (command, fate) in commands {
            match (command, fate) {
                (PlayerCommand::Echo(text), _) => lines.push(Line::new(format!("echo {text}"))),
                (PlayerCommand::Connect(kind, Ok(oid)), Some(fate)) => {
                    lines.extend(Line::connect(*kind, *fate));
                    if fate.fails() {
                        let reason = RefusalReason::UnknownHost;
                        let refusal = ServerCommand::refusal(*kind, Some(oid), reason);
                        lines.push(Line::new(refusal.to_line()));
                    }
                }
                _ => {}
            }
        }
        lines
    }
}

/// Returns a simulation in which the greeting was read.
fn greeted<S: Server>(server: S) -> World<S> {
    let mut world = World::new(server, ANSWER_TIMEOUT);
    world.settle();
    world
}

/// Asserts that nothing is left, not even after a long time.
fn check_nothing_is_left<S: Server>(world: &mut World<S>) {
    let failures =
        |world: &World<S>| -> usize { world.asked.iter().map(|asked| asked.failures.len()).sum() };
    let before = failures(world);
    world.pass(Duration::from_secs(3600));
    world.pass(Duration::from_secs(3600));
    assert_eq!(failures(world), before, "something was told too late");
    assert_eq!(world.requests.next_deadline(), None);
}

fn expected(oid: &str, fate: Fate) -> Vec<ConnectError> {
    match fate {
        Fate::Unknown => vec![ConnectError::ServerText(named(oid))],
        Fate::Failing => vec![ConnectError::ServerText(UNNAMED.to_owned())],
        Fate::Connected | Fate::Own => vec![],
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    /// Fails when a refusal of generation 2 fails the wrong request, with any number of them in
    /// flight.
    #[test]
    fn generation_2_refusals_are_told_apart(course in courses(true)) {
        let mut world = greeted(Generation2);
        world.play(&course);
        let mixed_up = |kind| {
            let of_kind = || world.asked.iter().filter(|asked| asked.kind == kind);
            of_kind().any(|asked| asked.disturbed)
                && of_kind().any(|asked| asked.fate == Fate::Failing)
        };
        let mut told = 0;
        for asked in &world.asked {
            told += asked.failures.len();
            prop_assert!(asked.failures.len() <= 1);
            // Requests of one kind can be mixed up only by a stray line together with a refusal
            // that names nobody.
            if !mixed_up(asked.kind) {
                let expected = expected(&asked.oid, asked.fate);
                prop_assert_eq!(&asked.failures, &expected, "{:?}", asked);
            }
        }
        // No failure is lost or reported twice.
        let failing = world.asked.iter().filter(|asked| asked.fate.fails()).count();
        prop_assert_eq!(told, failing);
        check_nothing_is_left(&mut world);
    }

    /// Fails when a refusal of our own server ever fails the wrong request, or when fences that
    /// were sent before the greeting was read have an effect.
    #[test]
    fn our_servers_refusals_are_exact(course in courses(true), early in any::<bool>()) {
        let mut world = World::new(OurServer, ANSWER_TIMEOUT);
        if !early {
            world.settle();
        }
        world.play(&course);
        for asked in &world.asked {
            let refused = ConnectError::Refused(
                RefusalReason::UnknownHost,
                RefusalReason::UnknownHost.sentence().to_owned(),
            );
            let expected = if asked.fate.fails() { vec![refused] } else { vec![] };
            prop_assert_eq!(&asked.failures, &expected, "{:?}", asked);
        }
        check_nothing_is_left(&mut world);
    }
}

/// Fails when fences are sent to a server that has greeted.
#[test]
fn no_fences_after_the_greeting() {
    let mut world = greeted(Generation2);
    let oid = noray_protocol::wire::id::OpenId::new("a").unwrap();
    let text = world.requests.request(world.now, Nat, oid);
    assert_eq!(text.unwrap(), "connect a\n");
}

/// Fails when a failure takes longer than a round trip.
#[test]
fn a_failure_takes_one_round_trip() {
    for kind in [Nat, Relay] {
        let mut world = greeted(Generation2);
        world.ask(kind, Fate::Failing);
        world.serve(usize::MAX);
        world.read(usize::MAX);
        assert_eq!(world.asked[0].failures.len(), 1);
    }
}

/// Fails when a request that was sent before the greeting was read is forgotten, or delays those
/// after it.
#[test]
fn requests_before_the_greeting_was_read() {
    for kind in [Nat, Relay] {
        for first in [Fate::Connected, Fate::Unknown, Fate::Failing] {
            let mut world = World::new(Generation2, ANSWER_TIMEOUT);
            world.ask(kind, first);
            world.settle();
            world.ask(kind, Fate::Connected);
            world.ask(kind, Fate::Unknown);
            world.settle();
            for asked in &world.asked {
                let expected = expected(&asked.oid, asked.fate);
                assert_eq!(asked.failures, expected, "{asked:?}");
            }
            check_nothing_is_left(&mut world);
        }
    }
}

/// Fails when other players' connects during a request hide its failure, or attribute it to nobody,
/// or to a request that was answered before.
#[test]
fn a_single_request_fails_despite_unasked_connects() {
    for kind in [Nat, Relay] {
        let mut world = greeted(Generation2);
        world.ask(kind, Fate::Connected);
        world.settle();
        world.ask(kind, Fate::Failing);
        world.unasked(kind);
        world.unasked(kind);
        world.settle();
        assert!(world.asked[1].disturbed);
        assert_eq!(world.asked[0].failures, []);
        assert_eq!(world.asked[1].failures, expected("", Fate::Failing));
        check_nothing_is_left(&mut world);
    }
}

/// The one ambiguous case on generation 2: another player's connect, then a refusal that names
/// nobody, while a second request waits behind the first. Fails when this makes more than one
/// failure, or when a name does not help.
#[test]
fn an_unnamed_refusal_can_be_put_down_to_the_wrong_one() {
    let course = |fate| [Ask(Nat, fate), Ask(Nat, Fate::Connected), Unasked(Nat)];
    let mut world = greeted(Generation2);
    world.play(&course(Fate::Failing));
    let told: Vec<_> = world
        .asked
        .iter()
        .map(|asked| asked.failures.len())
        .collect();
    assert_eq!(told, [0, 1]);
    check_nothing_is_left(&mut world);

    let mut world = greeted(Generation2);
    world.play(&course(Fate::Unknown));
    let told: Vec<_> = world
        .asked
        .iter()
        .map(|asked| asked.failures.len())
        .collect();
    assert_eq!(told, [1, 0]);
    check_nothing_is_left(&mut world);
}

/// Fails when two requests of one kind are out at a time: generation 2 sends the refusal of the
/// first behind the answer to the second.
#[test]
fn one_request_of_a_kind_at_a_time() {
    let mut world = greeted(Generation2);
    let course = [
        Ask(Nat, Fate::Failing),
        Ask(Nat, Fate::Connected),
        Ask(Relay, Fate::Connected),
        Serve(usize::MAX),
        Read(usize::MAX),
    ];
    world.play(&course);
    for asked in &world.asked {
        assert_eq!(
            asked.failures,
            expected(&asked.oid, asked.fate),
            "{asked:?}"
        );
    }
}

/// Fails when our own server's refusal of an OpenID that it writes as `-` leaves the request open,
/// or when a refusal without a request is swallowed.
#[test]
fn refusals_without_an_open_request() {
    let mut world = greeted(OurServer);
    let oid = noray_protocol::wire::id::OpenId::new("-").unwrap();
    world.requests.request(world.now, Nat, oid).unwrap();
    let refusal = ServerCommand::refusal(Nat, None, RefusalReason::InvalidOpenId);
    let failure = world.requests.receive(&refusal).failure.unwrap();
    assert_eq!(failure.oid, "-");
    assert_eq!(world.requests.next_deadline(), None);

    let failure = world.requests.receive(&refusal).failure.unwrap();
    assert_eq!((failure.kind, failure.oid.as_str()), (Nat, ""));
    let error = ServerCommand::ConnectError(Relay, "Error: x".to_owned());
    let failure = world.requests.receive(&error).failure.unwrap();
    assert_eq!((failure.kind, failure.oid.as_str()), (Relay, ""));
    assert_eq!(
        failure.error,
        ConnectError::ServerText("Error: x".to_owned())
    );
}
