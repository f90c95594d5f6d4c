//! An unused link has nothing to do, and a used one never spins.

use std::time::Duration;

use noray_protocol::{
    defaults::UNUSED_SESSION_TIMEOUT,
    player::{
        link::{JoinConfig, PeerId, ServerKind},
        requests::ConnectError,
    },
    wire::{
        check::{PathKind, SessionId, Side},
        command::ConnectKind,
        id::{OpenId, PrivateId},
    },
};
use proptest::prelude::*;

use crate::{
    home::Home,
    pair::Pair,
    server::Kind,
    simulation::Internet,
    single_link::{SingleLink, at, check, come_in, joining, key},
};

/// Fails when something of a game is left after everybody has left.
#[test]
fn nothing_is_left() {
    for homes in [[Home::Router; 2], [Home::Router, Home::Symmetric]] {
        let mut pair = Pair::new(Kind::Ours, homes, Internet::GOOD, 1);
        assert!(pair.meet().time.is_some());
        let joining = pair.joining;
        let id = pair.world.ours(joining).games.keys().next().copied();
        pair.world.with(joining, |ours, now| {
            ours.link.release(now, id.expect("a game"));
            ours.games.clear();
        });
        pair.world.run_for(Duration::from_secs(15));
        pair.world.with(pair.host, |ours, now| {
            ours.link.stop_hosting(now);
            ours.games.clear();
        });
        for player in [pair.host, joining] {
            pair.world
                .with(player, |ours, _| ours.link.forget_registration());
        }
        pair.world.run_for(Duration::from_secs(15));
        for player in [pair.host, joining] {
            let ours = pair.world.ours(player);
            assert!(!ours.link.is_used());
            assert_eq!(ours.link.next_deadline(pair.world.now), None);
        }
    }
}

/// Fails when a player that vanishes is kept for ever.
#[test]
fn a_player_who_vanishes_is_let_go() {
    let mut single = SingleLink::hosting();
    assert!(come_in(&mut single, at(1, 1), 1).is_some());
    single.wait(Duration::from_secs(120));
    assert_eq!(single.players(), 0);
    assert_eq!(single.link.next_deadline(single.now), None);
}

/// Used to fail: the link's deadline lay in the past until the player was removed, and the client
/// spun for a second.
#[test]
fn a_player_let_go_late_does_not_make_it_spin() {
    let mut single = SingleLink::hosting();
    let id = come_in(&mut single, at(1, 1), 1).expect("a game");
    single.wait(UNUSED_SESSION_TIMEOUT - Duration::from_millis(200));
    single.link.release(single.now, id);
    single.wait(Duration::from_secs(2));
    assert_eq!(single.players(), 0);
}

#[derive(Clone, Debug)]
enum Act {
    Wait(u32),
    Announced(u8, u32, u16),
    Check(u64, u32, u32, bool),
    Plain(u32, u8),
    Garbage(u32, Vec<u8>),
    Game(u32),
    ComeIn(u32, u64),
    Join(u32, bool),
    Cancel,
    Server(u8),
    Refused(bool, u8),
    FoundInLan(u32),
    Host(bool),
    Release(u8),
    Used(u8),
    Register(bool),
    Forget,
    Registrar(bool),
}

fn act() -> impl Strategy<Value = Act> {
    let number = 0..4_u32;
    prop_oneof![
        4 => (0..20_000_u32).prop_map(Act::Wait),
        3 => (0..3_u8, number.clone(), 1..4_u16).prop_map(|(kind, to, port)| Act::Announced(kind, to, port)),
        3 => (0..4_u64, number.clone(), 0..3_u32, any::<bool>())
            .prop_map(|(session, from, question, host)| Act::Check(session, from, question, host)),
        2 => (number.clone(), 0..4_u8).prop_map(|(from, flags)| Act::Plain(from, flags)),
        1 => (number.clone(), prop::collection::vec(any::<u8>(), 0..80))
            .prop_map(|(from, bytes)| Act::Garbage(from, bytes)),
        2 => number.clone().prop_map(Act::Game),
        2 => (number.clone(), 0..4_u64).prop_map(|(from, session)| Act::ComeIn(from, session)),
        1 => (0..30_000_u32, any::<bool>()).prop_map(|(timeout, relay)| Act::Join(timeout, relay)),
        1 => Just(Act::Cancel),
        2 => (0..4_u8).prop_map(Act::Server),
        1 => (any::<bool>(), 0..4_u8).prop_map(|(nat, error)| Act::Refused(nat, error)),
        1 => number.clone().prop_map(Act::FoundInLan),
        1 => any::<bool>().prop_map(Act::Host),
        1 => (0..8_u8).prop_map(Act::Release),
        1 => (0..8_u8).prop_map(Act::Used),
        1 => any::<bool>().prop_map(Act::Register),
        1 => Just(Act::Forget),
        1 => any::<bool>().prop_map(Act::Registrar),
    ]
}

fn perform(single: &mut SingleLink, known: &mut Vec<PeerId>, act: Act) {
    let registrar = at(200, 8809);
    let now = single.now;
    let kind = |code: u8| [PathKind::Lan, PathKind::Direct, PathKind::Relay][usize::from(code % 3)];
    let picked = |known: &[PeerId], index: u8| known.get(usize::from(index)).copied();
    match act {
        Act::Wait(millis) => single.wait(Duration::from_millis(millis.into())),
        Act::Announced(code, to, port) => single.link.announced(now, kind(code), at(to, port)),
        Act::Check(session, from, question, hosts) => {
            let side = if hosts { Side::Hosting } else { Side::Joining };
            let bytes = check(session, question, 1).encode(&key(), side);
            known.extend(single.give(at(from, 1), &bytes).1);
        }
        Act::Plain(from, flags) => {
            let packet = [b"$-w-", b"$rw-", b"$-wx", b"$rwx"][usize::from(flags % 4)];
            single.give(at(from, 1), packet);
        }
        Act::Garbage(from, bytes) => known.extend(single.give(at(from, 1), &bytes).1),
        Act::Game(from) => known.extend(single.give(at(from, 1), b"\x8f\xffgame").1),
        Act::ComeIn(from, session) => {
            let (answers, _) = single.give(at(from, 1), &joining(&check(session, 1, 0)));
            for answer in answers {
                if let Some(read) = crate::single_link::read(&answer.bytes) {
                    single.give(at(from, 1), &joining(&check(session, 2, read.question)));
                }
            }
        }
        Act::Join(timeout, force_relay) => single.link.join(
            now,
            JoinConfig {
                oid: OpenId::new("the-host").expect("an OpenID"),
                session: SessionId(1_u64.to_be_bytes()),
                timeout: Duration::from_millis(timeout.into()),
                force_relay,
            },
        ),
        Act::Cancel => single.link.cancel_join(),
        Act::Server(kind) => {
            let kinds = [ServerKind::Silent, ServerKind::Greeting, ServerKind::Ours];
            single
                .link
                .set_server(now, kinds.get(usize::from(kind)).copied());
        }
        Act::Refused(nat, error) => {
            let kind = if nat {
                ConnectKind::Nat
            } else {
                ConnectKind::Relay
            };
            let errors = [
                ConnectError::NoAnswer,
                ConnectError::Disconnected,
                ConnectError::ServerText("no".to_owned()),
                ConnectError::TooMany,
            ];
            single
                .link
                .refused(kind, "", &errors[usize::from(error % 4)]);
        }
        Act::FoundInLan(address) => single.link.found_in_lan(now, at(address, 1)),
        Act::Host(hosts) => {
            if hosts {
                let again = SingleLink::hosting_config();
                single.link.host(again);
            } else {
                single.link.stop_hosting(now);
            }
        }
        Act::Release(index) => {
            if let Some(id) = picked(known, index) {
                single.link.release(now, id);
            }
        }
        Act::Used(index) => {
            if let Some(id) = picked(known, index) {
                single.link.used(now, id);
            }
        }
        Act::Register(anew) => {
            let pid = PrivateId::new("secret").expect("a PrivateID");
            if anew {
                single.link.register(now, registrar, pid);
            } else {
                single.link.adopt(now, registrar, pid);
            }
        }
        Act::Forget => single.link.forget_registration(),
        Act::Registrar(knows) => {
            single.give(registrar, if knows { b"OK" } else { b"no" });
        }
    }
    single.tick();
}

proptest! {
    /// Fails when any order of calls and datagrams makes a link panic, spin (its deadline is
    /// checked after each step) or keep something for ever.
    #[test]
    fn whatever_happens_it_ends(acts in prop::collection::vec(act(), 1..60)) {
        let mut single = SingleLink::hosting();
        let mut known = Vec::new();
        for act in acts {
            perform(&mut single, &mut known, act);
        }
        single.link.stop_hosting(single.now);
        single.link.cancel_join();
        single.link.forget_registration();
        single.link.set_server(single.now, None);
        for id in single.joined() {
            single.link.release(single.now, id);
        }
        single.tick();
        single.wait(Duration::from_secs(120));
        prop_assert!(!single.link.is_used());
        prop_assert_eq!(single.link.next_deadline(single.now), None);
    }
}
