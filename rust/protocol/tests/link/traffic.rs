//! How much a link sends, and to whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
    time::{Duration, Instant},
};

use noray_protocol::{
    defaults::{CHECK_INTERVAL, CHECK_PACE, HANDSHAKE_INTERVAL, NEIGHBOUR_PORTS},
    wire::check::CHECK_LENGTH,
};

use crate::{
    home::Home,
    our_player::Cause,
    pair::Pair,
    server::Kind,
    simulation::{Internet, Sent, World},
};

/// Calls `look` for all pairs of homes, with what each player sent.
fn scenes(mut look: impl FnMut(&Pair, &[Sent])) {
    for kind in Kind::ALL {
        for host in Home::ALL {
            for joining in Home::ALL {
                for loss in [0, 20] {
                    let mut pair = Pair::new(kind, [host, joining], Internet::losing(loss), 3);
                    pair.world.sent = Some(Vec::new());
                    pair.meet_within(Duration::from_secs(12));
                    pair.world.run_for(Duration::from_secs(5));
                    let sent = pair.world.sent.take().unwrap_or_default();
                    look(&pair, &sent);
                }
            }
        }
    }
}

/// Fails when checks go out faster than RFC 8445 allows. Answers do not count.
#[test]
fn checks_keep_their_pace() {
    scenes(|pair, sent| {
        let mut last: BTreeMap<usize, Instant> = BTreeMap::new();
        let mut last_to: BTreeMap<(usize, SocketAddr, bool), Instant> = BTreeMap::new();
        for sent in sent.iter().filter(|sent| sent.cause == Cause::Own) {
            let is_check = sent.bytes.len() == CHECK_LENGTH;
            let is_handshake = sent.bytes.len() == 4;
            // A datagram that opens the router for a neighbour of a relay is no check.
            let opens_neighbour = is_handshake
                && sent.to.ip() == pair.world.server.ip
                && pair.world.relay(sent.player) != Some(sent.to.port());
            if !is_check && !is_handshake || opens_neighbour {
                continue;
            }
            // A host's handshakes with candidates belong to no session.
            let to_candidate = sent.player == pair.host && is_handshake;
            let least_to = if to_candidate {
                HANDSHAKE_INTERVAL
            } else {
                CHECK_INTERVAL
            };
            if is_check {
                let last = last.insert(sent.player, sent.at);
                let pause = last.map(|last| sent.at - last);
                assert!(pause.is_none_or(|pause| pause >= CHECK_PACE), "{pause:?}");
            }
            let pause = last_to
                .insert((sent.player, sent.to, to_candidate), sent.at)
                .map(|last| sent.at - last);
            assert!(
                pause.is_none_or(|pause| pause >= least_to),
                "{pause:?} {sent:?}"
            );
        }
    });
}

/// Fails when anything goes to an address that is neither announced, nor the registrar's, nor a
/// neighbour of an announced relay, nor one that was heard before.
#[test]
fn nothing_goes_to_strangers() {
    scenes(|pair, sent| {
        let world = &pair.world;
        let mut known: BTreeSet<SocketAddr> = BTreeSet::from([world.registrar()]);
        known.extend(
            [pair.host, pair.joining]
                .map(|player| world.server.registered(player).expect("registered")),
        );
        // Behind a symmetric NAT, another port than the announced one answers.
        let outside: BTreeSet<_> = (world.routers.iter().map(|router| router.outside))
            .chain([pair.host, pair.joining].map(|player| world.address(player).ip()))
            .collect();
        for sent in sent {
            let relay = sent.to.ip() == world.server.ip && is_relay(world, sent.to.port());
            let right = known.contains(&sent.to) || relay || outside.contains(&sent.to.ip());
            assert!(right, "{sent:?}");
        }
    });
}

/// Whether a port is a relay's, or a neighbour of one.
fn is_relay(world: &World, port: u16) -> bool {
    let relays = world.server.relay_ports();
    (relays.iter()).any(|relay| (*relay..=relay + NEIGHBOUR_PORTS).contains(&port))
}

/// Fails when an address that is announced repeatedly is sent more than its pace allows.
#[test]
fn announcing_again_makes_nobody_faster() {
    let mut pair = Pair::new(
        Kind::Ours,
        [Home::ServerOnly, Home::Router],
        Internet::GOOD,
        1,
    );
    let (host, joining) = (pair.host, pair.joining);
    let address = pair.world.server.registered(host).expect("registered");
    pair.world.sent = Some(Vec::new());
    pair.world.join(joining, host);
    for _ in 0..200 {
        pair.world.run_for(Duration::from_millis(5));
        pair.world.with(joining, |ours, now| {
            ours.link
                .announced(now, noray_protocol::wire::check::PathKind::Direct, address);
        });
    }
    let sent: Vec<_> = (pair.world.sent.iter().flatten())
        .filter(|sent| sent.player == joining && sent.to == address)
        .map(|sent| sent.at)
        .collect();
    assert!(sent.len() > 10);
    for pair in sent.windows(2) {
        assert!(
            pair[1] - pair[0] >= CHECK_INTERVAL,
            "{:?}",
            pair[1] - pair[0]
        );
    }
}
