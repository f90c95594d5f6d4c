//! What strangers get: nothing, or one datagram for one.

use std::time::Duration;

use noray_protocol::wire::{
    check::{CHECK_LENGTH, Key, Note, PathKind, Side},
    id::OpenId,
};
use proptest::prelude::*;

use crate::single_link::{SingleLink, at, check, come_in, joining, read};

/// Returns datagrams that a stranger without the key may send, some of them derived from real ones.
fn garbage() -> impl Strategy<Value = Vec<u8>> {
    let real = joining(&check(7, 1, 0));
    let mutated = (Just(real), 0..CHECK_LENGTH, 1..=255_u8).prop_map(|(mut bytes, at, by)| {
        bytes[at] ^= by;
        bytes
    });
    let length =
        (Just(joining(&check(7, 1, 0))), 0..CHECK_LENGTH).prop_map(|(mut bytes, length)| {
            bytes.truncate(length);
            bytes
        });
    let other_key = any::<u64>().prop_map(|session| {
        let key = Key::new(&OpenId::new("another-host").expect("an OpenID"));
        check(session, 1, 0).encode(&key, Side::Joining).to_vec()
    });
    let reflected = any::<u64>().prop_map(|session| {
        check(session, 1, 0)
            .encode(&crate::single_link::key(), Side::Hosting)
            .to_vec()
    });
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..200),
        "\\$[r-][w-][x-]".prop_map(String::into_bytes),
        "\\$[r-][w-][x-];[0-9a-f]{50}".prop_map(String::into_bytes),
        mutated,
        length,
        other_key,
        reflected,
    ]
}

proptest! {
    /// Fails when a stranger without the key is answered, remembered or heard by the game.
    #[test]
    fn without_the_key_there_is_no_answer(
        datagrams in prop::collection::vec((garbage(), 0..4_u32), 1..40),
    ) {
        let mut single = SingleLink::hosting();
        for (bytes, from) in datagrams {
            let (answers, owner) = single.give(at(from, 5000), &bytes);
            prop_assert!(answers.is_empty() && owner.is_none(), "{:?}", bytes);
        }
        single.wait(Duration::from_secs(60));
        prop_assert!(single.own.is_empty() && single.events.is_empty());
        prop_assert_eq!(single.link.next_deadline(single.now), None);
    }

    /// Fails when any datagram, from anybody, is answered by more bytes than it has.
    #[test]
    fn an_answer_is_one_for_one_and_no_larger(
        datagrams in prop::collection::vec(
            (prop_oneof![
                garbage(),
                (0..3_u64, 0..3_u32, any::<u32>(), 0..3_usize, 0..3_usize).prop_map(
                    |(session, question, answer, note, kind)| {
                        let mut datagram = check(session, question, answer);
                        datagram.note = [Note::None, Note::Full, Note::Bye][note];
                        datagram.kind = [PathKind::Lan, PathKind::Direct, PathKind::Relay][kind];
                        joining(&datagram)
                    }
                ),
            ], 0..6_u32, 0..3_u16, 0..400_u64),
            1..80,
        ),
    ) {
        let mut single = SingleLink::hosting();
        // One player in the middle of a game, and one that was announced.
        come_in(&mut single, at(1, 1), 1);
        single.link.announced(single.now, PathKind::Direct, at(2, 1));
        single.link.announced(single.now, PathKind::Relay, at(3, 1));
        for (bytes, from, port, wait) in datagrams {
            single.wait(Duration::from_millis(wait));
            let (answers, _) = single.give(at(from, port), &bytes);
            prop_assert!(answers.len() <= 1, "{:?}", answers);
            for answer in answers {
                prop_assert!(answer.bytes.len() <= bytes.len());
                prop_assert_eq!(answer.to, at(from, port));
            }
        }
    }
}

/// Used to fail: the host kept checking the address for 8 s, 90 datagrams for one.
#[test]
fn a_forged_sender_gets_one_datagram() {
    let mut single = SingleLink::hosting();
    let victim = at(9, 9);
    let (answers, _) = single.give(victim, &joining(&check(1, 1, 0)));
    assert_eq!(answers.len(), 1);
    single.wait(Duration::from_secs(60));
    assert_eq!(single.own, [], "sent to an address that proved nothing");
}

/// Used to fail: any other port of an announced IP address was sent handshakes for 8 s, and kept
/// the IP address announced for as long as somebody sent from it.
#[test]
fn another_port_than_the_announced_one_is_only_answered() {
    let mut single = SingleLink::hosting();
    let announced = at(1, 1);
    single
        .link
        .announced(single.now, PathKind::Direct, announced);
    for second in 0..9 {
        let (answers, _) = single.give(at(1, 2 + second), b"$-w-");
        assert_eq!(answers.len(), usize::from(second < 8), "in second {second}");
        single.wait(Duration::from_secs(1));
    }
    let strays = single.own.iter().filter(|sent| sent.to != announced);
    assert_eq!(strays.count(), 0);
}

/// Used to fail: the first datagram with a proof was taken as the address's own, so that whoever
/// repeated a player's datagram from elsewhere was taken for that player.
#[test]
fn a_repeated_check_from_elsewhere_opens_nothing() {
    let mut single = SingleLink::hosting();
    let player = at(1, 1);
    let first = joining(&check(5, 1, 0));
    let (answers, _) = single.give(player, &first);
    let question = read(&answers[0].bytes).expect("the host's").question;
    let second = joining(&check(5, 2, question));
    single.give(player, &second);
    let elsewhere = at(66, 6);
    for bytes in [&first, &second] {
        let (answers, _) = single.give(elsewhere, bytes);
        assert!(answers.len() <= 1);
    }
    let (_, owner) = single.give(elsewhere, b"\x8f\xffgame");
    assert_eq!(owner, None, "its game is let in");
    let own = single.own.len();
    single.wait(Duration::from_secs(2));
    let strays = single.own[own..].iter().filter(|sent| sent.to == elsewhere);
    assert_eq!(strays.count(), 0, "it is sent checks");
}

/// Used to fail: a check with a forged sender took a player's address away from it.
#[test]
fn a_forged_sender_takes_no_address_over() {
    let mut single = SingleLink::hosting();
    let player = at(1, 1);
    let id = come_in(&mut single, player, 5);
    assert!(id.is_some());
    single.give(player, &joining(&check(6, 1, 0)));
    let (_, owner) = single.give(player, b"\x8f\xffgame");
    assert_eq!(owner, id);
}

/// Fails when a game's datagram is let in before its address has answered.
#[test]
fn a_game_from_an_unproven_address_is_not_passed_on() {
    let mut single = SingleLink::hosting();
    for session in 0..10 {
        let from = at(2, 2);
        single.give(from, &joining(&check(session, 1, 0)));
        assert_eq!(single.give(from, b"\x8f\xffgame").1, None);
        // A guessed answer.
        single.give(from, &joining(&check(session, 2, 12345)));
        assert_eq!(single.give(from, b"\x8f\xffgame").1, None);
    }
    // Announced, but not heard.
    single
        .link
        .announced(single.now, PathKind::Direct, at(3, 3));
    assert_eq!(single.give(at(3, 3), b"\x8f\xffgame").1, None);
    assert_eq!(single.players(), 0);
}

/// Used to fail: two sides that had both finished the plain handshake answered each other's last
/// datagrams for ever, as fast as the network allowed.
#[test]
fn a_finished_handshake_ends() {
    let mut single = SingleLink::hosting();
    let player = at(1, 1);
    single.link.announced(single.now, PathKind::Direct, player);
    let answers = (0..1000).filter(|_| {
        single.now += Duration::from_millis(1);
        !single.give(player, b"$rwx").0.is_empty()
    });
    let count = answers.count();
    assert!((10..=20).contains(&count), "{count} answers");
}

/// Fails when a link accepts its own datagrams that come back.
#[test]
fn a_reflected_datagram_is_nobodys() {
    let mut single = SingleLink::hosting();
    come_in(&mut single, at(1, 1), 5);
    single.wait(Duration::from_secs(2));
    let sent: Vec<_> = single.own.iter().map(|sent| sent.bytes.clone()).collect();
    assert!(!sent.is_empty());
    for bytes in sent {
        assert_eq!(single.give(at(1, 1), &bytes).0, []);
        assert_eq!(single.give(at(4, 4), &bytes).0, []);
    }
}

/// Fails when a host that admits players only by relay answers a direct check.
#[test]
fn a_host_that_forces_relays_answers_on_no_other_path() {
    let mut single = SingleLink::hosting();
    single.link.host(noray_protocol::player::link::HostConfig {
        key: crate::single_link::key(),
        max_clients: 4,
        force_relay: true,
    });
    single
        .link
        .announced(single.now, PathKind::Direct, at(1, 1));
    assert_eq!(single.give(at(1, 1), &joining(&check(1, 1, 0))).0, []);
    assert_eq!(single.give(at(1, 1), b"$-w-").0, []);
    single.wait(Duration::from_secs(10));
    assert_eq!(single.own, []);
}
