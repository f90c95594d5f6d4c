//! What keeps a host reachable while nobody plays.

use std::time::{Duration, Instant};

use noray_protocol::{
    defaults::{KEEPALIVE_INTERVAL, KEEPALIVE_LOST_INTERVAL, KEEPALIVE_RETRIES, KEEPALIVE_RETRY},
    player::link::LinkEvent,
    wire::check::PathKind,
};

use crate::{home::Home, pair::Pair, server::Kind, simulation::Internet};

const FIVE_MINUTES: Duration = Duration::from_secs(300);

/// Fails when a host's router forgets its mapping while nobody plays. Routers here do so after 30
/// s, and then give another port.
#[test]
fn an_idle_host_stays_joinable() {
    for kind in Kind::ALL {
        let mut pair = Pair::new(kind, [Home::Router; 2], Internet::GOOD, 1);
        pair.world.run_for(FIVE_MINUTES);
        let result = pair.meet();
        assert_eq!(result.path_kind, Some(PathKind::Direct), "{kind:?}");
        assert!(
            result
                .time
                .is_some_and(|time| time < Duration::from_millis(300))
        );
    }
}

/// Fails when the routers of the test above do not forget mappings.
#[test]
fn a_host_without_keepalives_is_lost() {
    let mut pair = Pair::new(Kind::Generation1, [Home::Router; 2], Internet::GOOD, 1);
    pair.world
        .with(pair.host, |ours, _| ours.link.forget_registration());
    pair.world.run_for(FIVE_MINUTES);
    assert_eq!(pair.meet().path_kind, None);
}

/// Fails when two silent players lose their path, or their relay.
#[test]
fn a_silent_game_keeps_its_path() {
    for homes in [[Home::Router; 2], [Home::Router, Home::ServerOnly]] {
        let mut pair = Pair::new(Kind::Generation2, homes, Internet::GOOD, 1);
        let kind = pair.meet().path_kind;
        let (host, joining) = (pair.host, pair.joining);
        let end = pair.world.now + FIVE_MINUTES;
        while pair.world.now < end {
            // The game is in use, but neither player sends anything.
            for player in [host, joining] {
                pair.world.with(player, |ours, now| {
                    let ids: Vec<_> = ours.games.keys().copied().collect();
                    ids.iter().for_each(|id| ours.link.used(now, *id));
                });
            }
            pair.world.run_for(Duration::from_secs(5));
        }
        assert_eq!(pair.path_kind(), kind);
        assert_eq!(pair.world.ours(joining).moves(), 0);
    }
}

/// Fails when a registrar that falls silent or comes back is not noticed in time, or when it is
/// sent more keepalives than documented.
#[test]
fn a_silent_registrar_is_told() {
    let mut pair = Pair::new(Kind::Ours, [Home::Router; 2], Internet::GOOD, 1);
    let host = pair.host;
    pair.world.server.answers = false;
    pair.world.sent = Some(Vec::new());
    let time = |pair: &Pair, event: LinkEvent| -> Option<Instant> {
        let events = &pair.world.ours(host).events;
        events
            .iter()
            .find(|(_, had)| *had == event)
            .map(|(at, _)| *at)
    };
    let lost = pair.world.run_until(Duration::from_secs(60), |world| {
        world.ours(host).had(&LinkEvent::UdpLost)
    });
    let limit = KEEPALIVE_INTERVAL + KEEPALIVE_RETRY * (KEEPALIVE_RETRIES + 1);
    assert!(lost.is_some_and(|lost| lost <= limit), "{lost:?}");
    pair.world.run_for(Duration::from_secs(100));
    let registrar = pair.world.registrar();
    let asked = (pair.world.sent.iter().flatten())
        .filter(|sent| sent.player == host && sent.to == registrar);
    assert!((20..=30).contains(&asked.count()));
    assert_eq!(time(&pair, LinkEvent::UdpBack), None);

    pair.world.server.answers = true;
    let back = pair.world.run_until(Duration::from_secs(60), |world| {
        world.ours(host).had(&LinkEvent::UdpBack)
    });
    let limit = KEEPALIVE_LOST_INTERVAL + Duration::from_millis(100);
    assert!(back.is_some_and(|back| back <= limit), "{back:?}");
    pair.world.run_for(FIVE_MINUTES);
    let lost = |(_, event): &&(Instant, LinkEvent)| *event == LinkEvent::UdpLost;
    let count = pair.world.ours(host).events.iter().filter(lost).count();
    assert_eq!(count, 1);
}
