//! How joins end, and what happens next.

use std::time::Duration;

use noray_protocol::{
    defaults::LINGER,
    player::{
        link::{JoinError, JoinProgress, LinkEvent},
        requests::ConnectError,
    },
    wire::{check::PathKind, command::ConnectKind, id::OpenId},
};

use crate::{
    home::Home,
    pair::Pair,
    server::Kind,
    simulation::{Internet, World},
};

const SECOND: Duration = Duration::from_secs(1);

fn pair(kind: Kind, host: Home, joining: Home) -> Pair {
    Pair::new(kind, [host, joining], Internet::GOOD, 1)
}

impl Pair {
    fn error_within(&mut self, limit: Duration) -> Option<JoinError> {
        let joining = self.joining;
        let failed = |world: &World| world.ours(joining).join_error().is_some();
        self.world.run_until(limit, failed)?;
        self.world.ours(joining).join_error().cloned()
    }

    fn join_with(&mut self, oid: &str, timeout: Duration, force_relay: bool) {
        let oid = OpenId::new(oid).expect("an OpenID");
        let session = self.world.dice.roll();
        self.world.with(self.joining, |ours, now| {
            ours.join_with(now, &oid, session, timeout, force_relay);
        });
    }

    /// Asserts that nothing of a join is left.
    fn assert_quiet(&mut self) {
        self.world.sent = Some(Vec::new());
        self.world.run_for(SECOND * 10);
        let registrar = self.world.registrar();
        let joining = self.joining;
        let sent = (self.world.sent.iter().flatten())
            .filter(|sent| sent.player == joining && sent.to != registrar);
        assert_eq!(sent.count(), 0, "it still sends");
        assert!(!self.world.ours(joining).link.is_used());
    }
}

/// Fails when an unknown OpenID is not reported as such, on any server, directly or by relay.
#[test]
fn no_such_host() {
    for kind in Kind::ALL {
        for force_relay in [false, true] {
            let mut pair = pair(kind, Home::Router, Home::Router);
            pair.join_with("nobody", SECOND * 15, force_relay);
            let error = pair.error_within(SECOND * 2);
            // Generation 2 refuses a relay only in words.
            let words =
                force_relay && matches!(kind, Kind::Generation2 | Kind::Takeover | Kind::Ours);
            let right = match &error {
                Some(JoinError::NoSuchHost(_)) => true,
                Some(JoinError::HostUnreachable(_)) => words,
                _ => false,
            };
            assert!(right, "{kind:?} {force_relay}: {error:?}");
            pair.assert_quiet();
        }
    }
}

/// Used to fail: a server of generation 2 gives the joining player the relay behind the host's,
/// which the datagrams to the neighbour ports reached. They came back, and the player took itself
/// for a host that knows only the plain handshake.
#[test]
fn nobody_joins_itself_by_its_own_relay() {
    for kind in Kind::ALL {
        for seed in 0..20 {
            let homes = [Home::Router, Home::ServerOnly];
            let mut pair = Pair::new(kind, homes, Internet::losing(10), seed);
            pair.world
                .with(pair.host, |ours, now| ours.link.stop_hosting(now));
            pair.world.join(pair.joining, pair.host);
            let error = pair.error_within(SECOND * 15);
            assert_eq!(pair.world.ours(pair.joining).opened(), None);
            assert!(
                matches!(error, Some(JoinError::HostUnreachable(_))),
                "{kind:?}: {error:?}"
            );
        }
    }
}

/// Fails when an unreachable host is not given up once everything was tried.
#[test]
fn host_unreachable() {
    let mut pair = pair(Kind::Generation1, Home::Router, Home::Symmetric);
    pair.world.join(pair.joining, pair.host);
    let error = pair.error_within(SECOND * 10);
    let Some(JoinError::HostUnreachable(reason)) = &error else {
        panic!("{error:?}");
    };
    assert!(
        reason.contains("directly") && reason.contains("by relay"),
        "{reason}"
    );
    pair.assert_quiet();
}

/// Fails when a full host admits a player, turns away those who are in, or stays full when one of
/// them leaves.
#[test]
fn host_full() {
    let mut pair = pair(Kind::Ours, Home::Router, Home::Router);
    let other = pair.world.add_ours(None);
    pair.world.run_for(SECOND);
    pair.world
        .with(pair.host, |ours, _| ours.host_with(1, false));
    pair.world.join(other, pair.host);
    pair.world.run_for(SECOND);
    assert!(pair.world.entered(other).is_some());
    pair.world.join(pair.joining, pair.host);
    assert_eq!(pair.error_within(SECOND), Some(JoinError::HostFull));
    pair.assert_quiet();
    assert_eq!(pair.world.ours(pair.host).games.len(), 1);

    let id = pair.world.ours(other).games.keys().next().copied();
    pair.world.with(other, |ours, now| {
        ours.link.release(now, id.expect("a game"));
    });
    pair.world.run_for(LINGER + SECOND);
    let result = pair.meet_within(SECOND);
    assert_eq!(result.path_kind, Some(PathKind::Direct));
}

/// Fails when a player waits at a host that takes no new players, when those who are in have to
/// leave, or when the host cannot open again.
#[test]
fn a_closed_host_does_not_let_a_player_wait() {
    let mut pair = pair(Kind::Ours, Home::Router, Home::Router);
    let other = pair.world.add_ours(None);
    pair.world.run_for(SECOND);
    pair.world
        .with(pair.host, |ours, _| ours.host_with(8, false));
    pair.world.join(other, pair.host);
    pair.world.run_for(SECOND);
    pair.world
        .with(pair.host, |ours, _| ours.link.set_closed(true));
    pair.world.join(pair.joining, pair.host);
    assert_eq!(pair.error_within(SECOND), Some(JoinError::HostClosed));
    pair.assert_quiet();
    assert_eq!(pair.world.ours(pair.host).games.len(), 1);
    assert!(pair.world.entered(other).is_some());

    pair.world
        .with(pair.host, |ours, _| ours.link.set_closed(false));
    let result = pair.meet_within(SECOND);
    assert_eq!(result.path_kind, Some(PathKind::Direct));
}

/// Fails when players that come at the same moment get more places than there are.
#[test]
fn a_host_is_never_more_than_full() {
    let mut world = World::new(Kind::Ours, Internet::GOOD, 1);
    let host = world.add_ours(None);
    let players: Vec<_> = (0..20).map(|_| world.add_ours(None)).collect();
    world.run_for(SECOND);
    world.with(host, |ours, _| ours.host_with(5, false));
    for player in &players {
        world.join(*player, host);
    }
    world.run_for(SECOND * 3);
    let entered = players
        .iter()
        .filter(|player| world.entered(**player).is_some());
    assert_eq!(entered.count(), 5);
    let full = players
        .iter()
        .filter(|player| world.ours(**player).join_error() == Some(&JoinError::HostFull));
    assert_eq!(full.count(), 15);
}

/// Fails when 64 players that come at the same moment are not admitted within a second.
#[test]
fn sixty_four_at_once() {
    let mut world = World::new(Kind::Ours, Internet::GOOD, 1);
    let router = Home::Router.build(&mut world);
    let host = world.add_ours(router);
    let players: Vec<_> = (0..64).map(|_| world.add_ours(None)).collect();
    world.run_for(SECOND);
    world.with(host, |ours, _| ours.host_with(64, false));
    for player in &players {
        world.join(*player, host);
    }
    let time = world.run_until(SECOND, |world| {
        players
            .iter()
            .all(|player| world.entered(*player).is_some())
    });
    println!("64 in after {time:?}");
    assert!(time.is_some());
}

/// Fails when a join that is cancelled, at whatever stage, reports another error or leaves
/// something.
#[test]
fn cancelled_at_each_stage() {
    let stages = [
        None,
        Some(JoinProgress::Asking),
        Some(JoinProgress::TryingDirect),
        Some(JoinProgress::TryingRelay),
    ];
    for stage in stages {
        let mut pair = pair(Kind::Generation1, Home::Router, Home::Symmetric);
        let joining = pair.joining;
        if stage.is_none() {
            pair.world
                .with(joining, |ours, now| ours.link.set_server(now, None));
        }
        pair.world.join(joining, pair.host);
        if let Some(stage) = stage {
            let reached = |world: &World| world.ours(joining).had(&LinkEvent::Progress(stage));
            assert!(
                pair.world.run_until(SECOND * 3, reached).is_some(),
                "{stage:?}"
            );
        }
        pair.world.with(joining, |ours, _| ours.link.cancel_join());
        let error = pair.world.ours(joining).join_error();
        assert_eq!(error, Some(&JoinError::Cancelled), "{stage:?}");
        pair.assert_quiet();
        // A second time there is nothing to cancel.
        pair.world.with(joining, |ours, _| ours.link.cancel_join());
        let failed = |event: &&(_, LinkEvent)| matches!(event.1, LinkEvent::JoinFailed(_));
        assert_eq!(
            pair.world
                .ours(joining)
                .events
                .iter()
                .filter(failed)
                .count(),
            1
        );
    }
}

/// Fails when a join without a server or without a path ends later than its time-out.
#[test]
fn timed_out() {
    for connected in [false, true] {
        let mut pair = pair(Kind::Generation1, Home::Router, Home::Symmetric);
        if !connected {
            pair.world
                .with(pair.joining, |ours, now| ours.link.set_server(now, None));
        }
        let timeout = Duration::from_millis(2500);
        pair.join_with("open-0", timeout, false);
        assert_eq!(pair.error_within(timeout - Duration::from_millis(1)), None);
        let error = pair.error_within(Duration::from_millis(1));
        assert_eq!(error, Some(JoinError::TimedOut(timeout)));
        pair.assert_quiet();
    }
}

/// Used to fail: a time-out that no clock can name made the link panic.
#[test]
fn a_time_out_without_end() {
    let mut pair = pair(Kind::Ours, Home::Router, Home::Router);
    pair.join_with("open-0", Duration::MAX, false);
    pair.world.run_for(SECOND);
    assert!(pair.world.entered(pair.joining).is_some());
}

/// Fails when a connection that ends during a request is not reported as the reason.
#[test]
fn server_silent() {
    for error in [ConnectError::Disconnected, ConnectError::TimedOut(SECOND)] {
        let mut pair = pair(Kind::Ours, Home::Router, Home::Router);
        pair.join_with("open-0", SECOND * 15, false);
        pair.world.with(pair.joining, |ours, now| {
            ours.link.set_server(now, None);
            ours.link.refused(ConnectKind::Nat, "", &error);
        });
        let failed = pair.world.ours(pair.joining).join_error().cloned();
        assert!(
            matches!(failed, Some(JoinError::ServerSilent(_))),
            "{failed:?}"
        );
        pair.assert_quiet();
    }
}

/// Fails when a join that ran out of time while the server hung is said to have found no way to the
/// host: first, or after the direct path was announced.
#[test]
fn a_server_that_hangs_is_not_taken_for_a_missing_path() {
    for (has_announced, force_relay) in [(false, false), (false, true), (true, false)] {
        let mut pair = pair(Kind::Ours, Home::Symmetric, Home::Symmetric);
        let (joining, timeout) = (pair.joining, SECOND * 4);
        pair.world.server.hangs = !has_announced;
        pair.join_with("open-0", timeout, force_relay);
        if has_announced {
            let announced = |world: &World| {
                let progress = LinkEvent::Progress(JoinProgress::TryingDirect);
                world.ours(joining).had(&progress)
            };
            assert!(pair.world.run_until(SECOND, announced).is_some());
            pair.world.server.hangs = true;
        }
        let error = pair.error_within(timeout);
        assert!(
            matches!(&error, Some(JoinError::ServerSilent(reason)) if reason == "it no longer answers"),
            "announced {has_announced}, force_relay {force_relay}: {error:?}"
        );
    }
}

/// Fails when the host's known address is no longer tried after the connection has ended.
#[test]
fn the_connection_ends_after_the_announcement() {
    let mut pair = pair(Kind::Ours, Home::Router, Home::Router);
    let joining = pair.joining;
    pair.world.join(joining, pair.host);
    let announced = |world: &World| {
        world
            .ours(joining)
            .had(&LinkEvent::Progress(JoinProgress::TryingDirect))
    };
    assert!(pair.world.run_until(SECOND, announced).is_some());
    pair.world.with(joining, |ours, now| {
        ours.link.set_server(now, None);
        ours.link.forget_registration();
        ours.link
            .refused(ConnectKind::Nat, "", &ConnectError::Disconnected);
    });
    pair.world.run_for(SECOND);
    assert!(pair.world.entered(joining).is_some());
}

/// Fails when a second join does not cancel the first one, or fails itself.
#[test]
fn a_second_join_replaces_the_first() {
    let mut pair = pair(Kind::Ours, Home::Router, Home::Router);
    pair.join_with("nobody", SECOND * 15, false);
    let result = pair.meet();
    assert_eq!(result.path_kind, Some(PathKind::Direct));
    let error = pair.world.ours(pair.joining).join_error();
    assert_eq!(error, Some(&JoinError::Cancelled));
}

/// Fails when a player that left is kept, or is not admitted again from the same address, at once
/// or later.
#[test]
fn left_and_joined_again() {
    for pause in [Duration::ZERO, SECOND / 2, SECOND * 5] {
        let mut pair = pair(Kind::Generation2, Home::Router, Home::Router);
        assert!(pair.meet().time.is_some());
        let (host, joining) = (pair.host, pair.joining);
        let first = pair.world.ours(joining).games.keys().next().copied();
        pair.world.with(joining, |ours, now| {
            ours.link.release(now, first.expect("a game"));
            ours.games.clear();
        });
        pair.world.run_for(pause);
        let result = pair.meet();
        assert_eq!(result.path_kind, Some(PathKind::Direct), "after {pause:?}");
        assert!(result.time.is_some_and(|time| time < SECOND), "{result:?}");
        pair.world.stream(joining, true);
        pair.world.run_for(LINGER * 3);
        let removed = |event: &&(_, LinkEvent)| matches!(event.1, LinkEvent::PeerRemoved(_));
        let events = &pair.world.ours(host).events;
        assert_eq!(events.iter().filter(removed).count(), 1, "after {pause:?}");
        let last = pair
            .world
            .ours(host)
            .games
            .values()
            .last()
            .and_then(|game| game.last_got);
        assert!(last.is_some_and(|last| pair.world.now - last < SECOND / 5));
    }
}

/// Fails when a host that stops does not tell its players.
#[test]
fn a_host_that_stops_says_goodbye() {
    let mut pair = pair(Kind::Ours, Home::Router, Home::Symmetric);
    assert!(pair.meet().time.is_some());
    pair.world
        .with(pair.host, |ours, now| ours.link.stop_hosting(now));
    pair.world.run_for(LINGER * 2 + SECOND);
    for player in [pair.host, pair.joining] {
        assert!(!pair.world.ours(player).link.is_used());
    }
}
