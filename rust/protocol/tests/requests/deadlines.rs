//! Requests to a server that does not answer, in simulated time, and their limits.

use std::time::{Duration, Instant};

use noray_protocol::{
    defaults::{ANSWER_TIMEOUT, LONGEST_WAIT, MAX_REQUESTS_IN_FLIGHT},
    player::requests::{ConnectError, Requests},
    wire::{
        command::{
            ConnectKind::{self, Nat, Relay},
            PlayerCommand, RefusalReason, ServerCommand,
        },
        id::OpenId,
    },
};
use proptest::{collection::vec, prelude::*};

use crate::simulation::{Fate, Line, Server, World};

const MILLISECOND: Duration = Duration::from_millis(1);

/// A server that neither echoes nor refuses, and answers what it can.
struct Silent;

impl Server for Silent {
    fn greeting(&self) -> Option<ServerCommand> {
        None
    }

    fn turn(&self, commands: &[(PlayerCommand, Option<Fate>)]) -> Vec<Line> {
        let connect = |(command, fate): &(PlayerCommand, Option<Fate>)| match (command, fate) {
            (PlayerCommand::Connect(kind, _), Some(fate)) => Line::connect(*kind, *fate),
            _ => Vec::new(),
        };
        commands.iter().flat_map(connect).collect()
    }
}

fn world() -> World<Silent> {
    World::new(Silent, ANSWER_TIMEOUT)
}

fn oid(number: usize) -> OpenId {
    OpenId::new(&format!("host-{number}")).unwrap()
}

fn greeted() -> Requests {
    let mut requests = Requests::new(ANSWER_TIMEOUT);
    requests.receive(&ServerCommand::Greeting("noray v2".to_owned()));
    requests
}

fn address() -> ServerCommand {
    ServerCommand::ConnectNat("203.0.113.7:54321".parse().unwrap())
}

/// Fails when a request waits too long or too short for a silent server, or fails twice.
#[test]
fn silence_ends_with_the_time_out() {
    for kind in [Nat, Relay] {
        let mut world = world();
        world.ask(kind, Fate::Unknown);
        assert_eq!(
            world.requests.next_deadline(),
            Some(world.now + ANSWER_TIMEOUT)
        );
        world.settle();
        world.pass(ANSWER_TIMEOUT - MILLISECOND);
        assert_eq!(world.asked[0].failures, []);
        world.pass(MILLISECOND);
        let expected = [ConnectError::TimedOut(ANSWER_TIMEOUT)];
        assert_eq!(world.asked[0].failures, expected);
        world.pass(Duration::from_secs(3600));
        assert_eq!(world.asked[0].failures, expected);
        assert_eq!(world.requests.next_deadline(), None);
    }
}

/// Fails when a request fails that a server without `echo` answered.
#[test]
fn a_server_without_echo_is_believed() {
    for kind in [Nat, Relay] {
        let mut world = world();
        world.ask(kind, Fate::Connected);
        world.settle();
        world.pass(Duration::from_secs(3600));
        assert_eq!(world.asked[0].failures, []);
        assert_eq!(world.requests.next_deadline(), None);
    }
}

/// Fails when a relay request that waits for another one is never sent to a silent server, or those
/// after it wait too.
#[test]
fn a_silent_server_holds_up_nobody_for_good() {
    let mut world = world();
    world.ask(Relay, Fate::Unknown);
    world.ask(Relay, Fate::Connected);
    world.settle();
    world.pass(ANSWER_TIMEOUT);
    assert_eq!(world.asked[0].failures.len(), 1);
    world.ask(Relay, Fate::Connected);
    world.settle();
    world.pass(Duration::from_secs(3600));
    world.pass(Duration::from_secs(3600));
    for asked in &world.asked[1..] {
        assert_eq!(asked.failures, [], "{asked:?}");
    }
    assert_eq!(world.requests.next_deadline(), None);
}

/// Fails when a late request that nobody fetched is lost: the next line from the server returns it.
#[test]
fn unsent_requests_are_not_lost() {
    let now = Instant::now();
    let mut requests = Requests::new(ANSWER_TIMEOUT);
    assert!(!requests.request(now, Relay, oid(0)).unwrap().is_empty());
    assert_eq!(requests.request(now, Relay, oid(1)).unwrap(), "");
    assert_eq!(requests.expire(now + ANSWER_TIMEOUT).len(), 1);
    let send = requests.receive(&ServerCommand::Unknown).send.unwrap();
    assert!(send.contains("connect-relay host-1\n"));
    assert_eq!(requests.unsent(), None);
    assert_eq!(requests.receive(&ServerCommand::Unknown).send, None);
}

/// Fails when a time-out of zero, or of all time, overflows or never ends.
#[test]
fn extreme_time_outs() {
    let now = Instant::now();
    let mut requests = Requests::new(Duration::ZERO);
    requests.request(now, Relay, oid(0)).unwrap();
    requests.request(now, Relay, oid(1)).unwrap();
    let told: usize = (0..4).map(|_| requests.expire(now).len()).sum();
    assert_eq!((told, requests.next_deadline()), (2, None));

    let mut requests = Requests::new(Duration::MAX);
    requests.request(now, Nat, oid(0)).unwrap();
    assert_eq!(requests.next_deadline(), Some(now + LONGEST_WAIT));
    assert!(requests.expire(now + Duration::from_secs(3600)).is_empty());
    assert_eq!(requests.abandon().len(), 1);
}

/// Fails when more requests are kept than the limit allows, or when answered ones count for good.
#[test]
fn requests_are_bounded() {
    let now = Instant::now();
    for mut requests in [Requests::new(ANSWER_TIMEOUT), greeted()] {
        for number in 0..MAX_REQUESTS_IN_FLIGHT {
            requests.request(now, Nat, oid(number)).unwrap();
        }
        let failure = requests.request(now, Relay, oid(9999)).unwrap_err();
        assert_eq!(failure.error, ConnectError::TooMany);
        assert_eq!((failure.kind, failure.oid.as_str()), (Relay, "host-9999"));
        assert_eq!(requests.abandon().len(), MAX_REQUESTS_IN_FLIGHT);
    }
    let mut requests = greeted();
    for number in 0..3 * MAX_REQUESTS_IN_FLIGHT {
        requests.request(now, Nat, oid(number)).unwrap();
        requests.receive(&address());
    }
}

/// Fails when a lost connection leaves a request waiting, fails an answered one, or fails one
/// twice.
#[test]
fn a_lost_connection_ends_all() {
    let now = Instant::now();
    let mut requests = greeted();
    requests.request(now, Nat, oid(0)).unwrap();
    requests.receive(&address());
    for number in 1..4 {
        requests.request(now, Nat, oid(number)).unwrap();
    }
    let failures = requests.abandon();
    let oids: Vec<_> = failures
        .iter()
        .map(|failure| failure.oid.as_str())
        .collect();
    assert_eq!(oids, ["host-1", "host-2", "host-3"]);
    assert!(
        failures
            .iter()
            .all(|failure| failure.error == ConnectError::Disconnected)
    );
    assert!(requests.abandon().is_empty());
    assert_eq!((requests.unsent(), requests.next_deadline()), (None, None));
}

/// Fails when the game sees our fences, or does not see its own echoes.
#[test]
fn only_fences_are_internal() {
    let mut requests = Requests::new(ANSWER_TIMEOUT);
    let text = requests.request(Instant::now(), Nat, oid(0)).unwrap();
    let fence = text.lines().next().unwrap().strip_prefix("echo ").unwrap();
    let echo = |text: &str| ServerCommand::Echo(text.to_owned());
    for text in ["hello", "", "noray-godot-", "noray-godot-x", "1"] {
        assert!(!requests.receive(&echo(text)).internal, "{text}");
    }
    for text in [fence, "noray-godot-999"] {
        assert!(requests.receive(&echo(text)).internal, "{text}");
    }
}

/// Returns any line that a server can send.
fn server_commands() -> impl Strategy<Value = ServerCommand> {
    let kinds = || prop_oneof![Just(Nat), Just(Relay)];
    prop_oneof![
        1 => Just(ServerCommand::Greeting(String::new())),
        4 => Just(address()),
        4 => Just(ServerCommand::ConnectRelay(49152)),
        2 => (kinds(), "host-[0-9]").prop_map(|(kind, text)| {
            ServerCommand::ConnectError(kind, text)
        }),
        2 => (kinds(), 0..12_usize).prop_map(|(kind, number)| {
            let reason = RefusalReason::UnknownHost;
            ServerCommand::refusal(kind, Some(&oid(number)), reason)
        }),
        8 => (0..40_u32).prop_map(|number| ServerCommand::Echo(format!("noray-godot-{number}"))),
        1 => Just(ServerCommand::Unknown),
    ]
}

#[derive(Clone, Debug)]
enum Step {
    Ask(ConnectKind),
    Receive(ServerCommand),
    Wait(Duration),
}

proptest! {
    /// Fails when a lying server keeps a request open for more than a few time-outs, makes it fail
    /// twice, or makes anything panic.
    #[test]
    fn liars_cannot_keep_requests_open(
        steps in vec(prop_oneof![
            3 => prop_oneof![Just(Nat), Just(Relay)].prop_map(Step::Ask),
            8 => server_commands().prop_map(Step::Receive),
            2 => (0..8000_u64).prop_map(|time| Step::Wait(Duration::from_millis(time))),
        ], 0..60)
    ) {
        let mut now = Instant::now();
        let mut requests = Requests::new(ANSWER_TIMEOUT);
        let mut asked = 0;
        let mut timed_out = Vec::new();
        for step in steps {
            match step {
                Step::Ask(kind) => {
                    requests.request(now, kind, oid(asked)).unwrap();
                    asked += 1;
                }
                Step::Receive(command) => {
                    requests.receive(&command);
                }
                Step::Wait(time) => {
                    now += time;
                    timed_out.extend(requests.expire(now));
                }
            }
        }
        let last = now;
        for _ in 0..1000 {
            let Some(deadline) = requests.next_deadline() else {
                break;
            };
            now = now.max(deadline);
            timed_out.extend(requests.expire(now));
        }
        prop_assert_eq!(requests.next_deadline(), None);
        prop_assert!(now - last <= 3 * ANSWER_TIMEOUT, "{:?}", now - last);
        let mut oids: Vec<_> = timed_out.iter().map(|failure| &failure.oid).collect();
        let all = oids.len();
        oids.sort();
        oids.dedup();
        prop_assert_eq!(oids.len(), all);
        prop_assert!(all <= asked);
    }
}
