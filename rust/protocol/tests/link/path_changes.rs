//! Path changes in the middle of a game.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use noray_protocol::{
    defaults::{CHECK_WINDOW, PATH_TIMEOUT, REASK_INTERVAL, SUSPECT_AFTER},
    player::link::{LinkEvent, Quality},
    wire::check::PathKind,
};

use crate::{
    game::STREAM_INTERVAL,
    home::Home,
    pair::{Clients, Pair},
    server::Kind,
    simulation::Internet,
};

const MOMENT: Duration = Duration::from_millis(700);

/// A pair whose game streams, and the joining player's router.
fn playing(kind: Kind, homes: [Home; 2], internet: Internet, seed: u64) -> (Pair, usize) {
    let mut pair = Pair::new(kind, homes, internet, seed);
    assert!(pair.meet().time.is_some());
    pair.world.stream(pair.host, true);
    pair.world.stream(pair.joining, true);
    pair.world.run_for(Duration::from_secs(2));
    let router = pair.world.routers.len() - 1;
    (pair, router)
}

impl Pair {
    /// Returns how many numbered datagrams of the two players never arrived.
    fn lost(&mut self) -> usize {
        for player in [self.host, self.joining] {
            self.world.stream(player, false);
        }
        self.world.run_for(Duration::from_secs(1));
        let game = |player| {
            let games = &self.world.ours(player).games;
            assert_eq!(games.len(), 1, "one game, and the same one");
            games.values().next().expect("a game").clone()
        };
        let [host, joining] = [self.host, self.joining].map(game);
        (host.sent as usize - joining.got.len()) + (joining.sent as usize - host.got.len())
    }

    fn goes(&mut self, kind: PathKind, limit: Duration) -> Option<Duration> {
        let (host, joining) = (self.host, self.joining);
        self.world.run_until(limit, |world| {
            [host, joining]
                .iter()
                .filter_map(|player| world.ours(*player).path(world.now))
                .filter(|path| path.kind == kind)
                .count()
                == 2
        })
    }
}

/// Fails when both players do not move to a direct path that opens, when the relay does not take
/// over again, or when more is lost than in the time until the closed path is noticed.
#[test]
fn relay_to_direct_and_back() {
    for kind in Kind::ALL {
        let homes = [Home::Router, Home::ServerOnly];
        let (mut pair, router) = playing(kind, homes, Internet::GOOD, 1);
        let server = pair.world.server.ip;
        assert_eq!(pair.path_kind(), Some(PathKind::Relay));
        // Until the direct path is no longer tried, so that only a new request finds it.
        pair.world.run_for(CHECK_WINDOW * 3);
        pair.world.routers[router].only = None;
        let opened = pair.goes(PathKind::Direct, REASK_INTERVAL * 4 + MOMENT);
        assert!(opened.is_some(), "{kind:?}: direct is not taken");
        pair.world.run_for(Duration::from_secs(60));

        pair.world.routers[router].only = Some(server);
        let shut = pair.goes(PathKind::Relay, PATH_TIMEOUT + MOMENT);
        assert!(shut.is_some(), "{kind:?}: the relay does not take over");
        pair.world.run_for(Duration::from_secs(5));
        let lost = pair.lost();
        println!("{kind:?}: direct after {opened:?}, relay again after {shut:?}, {lost} lost");
        let both = 2 * (PATH_TIMEOUT + MOMENT).as_millis() / STREAM_INTERVAL.as_millis();
        assert!(lost as u128 <= both, "{lost} lost");
        for player in [pair.host, pair.joining] {
            let moves = pair.world.ours(player).moves();
            assert!(moves <= 3, "{moves} moves");
        }
    }
}

/// Fails when a change to a better path loses anything.
#[test]
fn nothing_is_lost_on_the_move_to_a_better_path() {
    let homes = [Home::Router, Home::ServerOnly];
    let (mut pair, router) = playing(Kind::Ours, homes, Internet::GOOD, 1);
    pair.world.routers[router].only = None;
    assert!(
        pair.goes(PathKind::Direct, REASK_INTERVAL * 2 + MOMENT)
            .is_some()
    );
    pair.world.run_for(Duration::from_secs(5));
    assert_eq!(pair.lost(), 0);
}

/// Fails when a game without a relay in reserve gets none after its direct path closes.
#[test]
fn direct_to_a_relay_that_nobody_asked_for_yet() {
    for kind in Kind::ALL {
        let (mut pair, router) = playing(kind, [Home::Router; 2], Internet::GOOD, 1);
        assert_eq!(pair.path_kind(), Some(PathKind::Direct));
        pair.world.routers[router].only = Some(pair.world.server.ip);
        let shut = pair.goes(PathKind::Relay, PATH_TIMEOUT + MOMENT * 2);
        println!("{kind:?}: relay after {shut:?}");
        assert!(shut.is_some());
    }
}

/// Fails when a game does not move to the local network once the host is found there.
#[test]
fn lan_found_late_takes_over() {
    let mut pair = Pair::in_one_home(Kind::Ours, true);
    assert_eq!(pair.meet().path_kind, Some(PathKind::Direct));
    pair.world.stream(pair.host, true);
    pair.world.stream(pair.joining, true);
    pair.world.run_for(Duration::from_secs(2));
    let lan: SocketAddr = pair.world.address(pair.host);
    pair.world
        .with(pair.joining, |ours, now| ours.link.found_in_lan(now, lan));
    assert!(pair.goes(PathKind::Lan, MOMENT).is_some());
    pair.world.run_for(Duration::from_secs(5));
    assert_eq!(pair.lost(), 0);
}

/// Fails when a router that gives the joining player another port in mid-game ends the game.
#[test]
fn the_joining_players_port_changes() {
    for home in [Home::Router, Home::Symmetric] {
        let (mut pair, router) = playing(Kind::Ours, [Home::OpenNat, home], Internet::GOOD, 1);
        pair.world.routers[router].forget();
        pair.world.run_for(Duration::from_secs(10));
        let games = &pair.world.ours(pair.host).games;
        let last = games.values().filter_map(|game| game.last_got).max();
        let silent = pair.world.now - last.expect("a datagram");
        assert!(
            silent < Duration::from_millis(200),
            "{home:?}: silent for {silent:?}"
        );
        assert_eq!(games.len(), 1);
    }
}

/// Fails when lost checks alone make the game switch back and forth.
#[test]
fn no_flapping_with_a_fifth_lost() {
    let mut moves = 0;
    for seed in 0..5 {
        let (mut pair, router) = playing(
            Kind::Ours,
            [Home::Router, Home::ServerOnly],
            Internet::losing(20),
            seed,
        );
        pair.world.routers[router].only = None;
        // From here on both the relay and a direct path are open.
        assert!(
            pair.goes(PathKind::Direct, Duration::from_secs(120))
                .is_some()
        );
        let before =
            |pair: &Pair| [pair.host, pair.joining].map(|player| pair.world.ours(player).moves());
        let begin = before(&pair);
        pair.world.run_for(Duration::from_secs(600));
        let end = before(&pair);
        moves += end[0] + end[1] - begin[0] - begin[1];
    }
    println!("{moves} moves of 10 players in 10 minutes each");
    assert!(moves <= 6, "{moves} moves");
}

/// A host whose machine is gone looked well: no loss, and the round trip of the last answer.
#[test]
fn a_frozen_host_does_not_look_well() {
    let (mut pair, router) = playing(Kind::Ours, [Home::Router; 2], Internet::GOOD, 1);
    let quality = |pair: &Pair| {
        let path = pair.world.ours(pair.joining).path(pair.world.now);
        path.expect("a path").quality
    };
    let well = quality(&pair);
    assert!(well.loss < 0.01 && !well.is_silent, "{well:?}");

    pair.world.server.hangs = true;
    pair.world.routers[router].only = Some(pair.world.server.ip);
    let began = pair.world.now;
    pair.world.run_for(Duration::from_secs(1));
    let late = quality(&pair);
    assert!(
        late.loss > 0.0 && late.round_trip > Some(SUSPECT_AFTER),
        "{late:?}"
    );
    // The client looks when it is told.
    let told = |(at, event): &&(Instant, LinkEvent)| {
        *at > began + SUSPECT_AFTER && matches!(event, LinkEvent::Measured(_))
    };
    let events = &pair.world.ours(pair.joining).events;
    assert!(events.iter().filter(told).count() >= 2);

    pair.world.run_for(Duration::from_millis(600));
    let silent = quality(&pair);
    assert!(silent.is_silent && silent.loss > late.loss, "{silent:?}");
    assert!(silent.round_trip > late.round_trip, "{silent:?}");

    pair.world.routers[router].only = None;
    pair.world.run_for(Duration::from_secs(1));
    assert!(!quality(&pair).is_silent);
}

/// Fails when lost packets alone make a peer look silent.
#[test]
fn a_bad_line_is_not_taken_for_a_silent_peer() {
    let mut silent = 0;
    for seed in 0..5 {
        let internet = Internet::losing(20);
        let (mut pair, _) = playing(Kind::Ours, [Home::Router; 2], internet, seed);
        for _ in 0..3000 {
            pair.world.run_for(Duration::from_millis(100));
            for player in [pair.host, pair.joining] {
                let path = pair.world.ours(player).path(pair.world.now);
                silent += usize::from(path.is_some_and(|path| path.quality.is_silent));
            }
        }
    }
    println!("silent for {silent} of 30,000 looks");
    assert!(silent <= 30, "{silent} of 30,000");
}

/// A peer that speaks the plain handshake alone answers no checks, and is not silent for that.
#[test]
fn a_player_of_netfox_noray_is_not_taken_for_a_silent_peer() {
    let homes = [Home::Router; 2];
    let mut pair = Pair::of(Clients::OldHost, Kind::Ours, homes, Internet::GOOD, 1);
    assert!(pair.meet().time.is_some());
    pair.world.run_for(Duration::from_secs(3));
    let path = pair.world.ours(pair.joining).path(pair.world.now);
    assert_eq!(path.expect("a path").quality, Quality::default());
}

/// The server announces the inside address of a host in its own home: it won the race with the
/// search in the local network, and counted as a direct path for the whole game.
#[test]
fn a_path_in_the_local_network_is_not_called_direct_because_it_was_announced_first() {
    let homes = [Home::Public, Home::Public];
    let mut pair = Pair::new(Kind::Ours, homes, Internet::GOOD, 1);
    assert!(pair.meet().time.is_some());
    assert_eq!(pair.path_kind(), Some(PathKind::Direct));
    let announced = pair.world.address(pair.host);
    (pair.world).with(pair.joining, |ours, now| {
        ours.link.found_in_lan(now, announced);
    });
    assert!(pair.goes(PathKind::Lan, MOMENT).is_some());
}
