//! What strangers get: nothing, or one for one.

use std::time::Duration;

use noray_protocol::wire::{
    check::{CHECK_LENGTH, Key, Note, PathKind, Side},
    id::OpenId,
};
use proptest::prelude::*;

use crate::table::{Table, at, check, come_in, joining, read};

/// Datagrams that a stranger without the key may send, some of them made from real ones.
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
            .encode(&crate::table::key(), Side::Hosting)
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
        let mut table = Table::hosting();
        for (bytes, from) in datagrams {
            let (answers, owner) = table.give(at(from, 5000), &bytes);
            prop_assert!(answers.is_empty() && owner.is_none(), "{:?}", bytes);
        }
        table.wait(Duration::from_secs(60));
        prop_assert!(table.own.is_empty() && table.events.is_empty());
        prop_assert_eq!(table.link.next_deadline(table.now), None);
    }

    /// Fails when anything, from anybody, is answered by more than came.
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
        let mut table = Table::hosting();
        // One in the middle of a game, and one who was announced.
        come_in(&mut table, at(1, 1), 1);
        table.link.announced(table.now, PathKind::Direct, at(2, 1));
        table.link.announced(table.now, PathKind::Relay, at(3, 1));
        for (bytes, from, port, wait) in datagrams {
            table.wait(Duration::from_millis(wait));
            let (answers, _) = table.give(at(from, port), &bytes);
            prop_assert!(answers.len() <= 1, "{:?}", answers);
            for answer in answers {
                prop_assert!(answer.bytes.len() <= bytes.len());
                prop_assert_eq!(answer.to, at(from, port));
            }
        }
    }
}

/// Used to fail: the host went on to check the address for 8 s, 90 datagrams for one.
#[test]
fn a_forged_sender_gets_one_datagram() {
    let mut table = Table::hosting();
    let victim = at(9, 9);
    let (answers, _) = table.give(victim, &joining(&check(1, 1, 0)));
    assert_eq!(answers.len(), 1);
    table.wait(Duration::from_secs(60));
    assert_eq!(table.own, [], "sent to an address that proved nothing");
}

/// Used to fail: any other port of an announced IP address was sent handshakes for 8 s, and kept
/// the IP address announced for as long as somebody went on.
#[test]
fn another_port_than_the_announced_one_is_only_answered() {
    let mut table = Table::hosting();
    let announced = at(1, 1);
    table.link.announced(table.now, PathKind::Direct, announced);
    for second in 0..9 {
        let (answers, _) = table.give(at(1, 2 + second), b"$-w-");
        assert_eq!(answers.len(), usize::from(second < 8), "in second {second}");
        table.wait(Duration::from_secs(1));
    }
    let strays = table.own.iter().filter(|sent| sent.to != announced);
    assert_eq!(strays.count(), 0);
}

/// Used to fail: the first datagram with a proof was taken for the address's own, so that who
/// repeated another player's from elsewhere was taken for it.
#[test]
fn a_repeated_check_from_elsewhere_opens_nothing() {
    let mut table = Table::hosting();
    let player = at(1, 1);
    let first = joining(&check(5, 1, 0));
    let (answers, _) = table.give(player, &first);
    let question = read(&answers[0].bytes).expect("the host's").question;
    let second = joining(&check(5, 2, question));
    table.give(player, &second);
    let elsewhere = at(66, 6);
    for bytes in [&first, &second] {
        let (answers, _) = table.give(elsewhere, bytes);
        assert!(answers.len() <= 1);
    }
    let (_, owner) = table.give(elsewhere, b"\x8f\xffgame");
    assert_eq!(owner, None, "its game is let in");
    let own = table.own.len();
    table.wait(Duration::from_secs(2));
    let strays = table.own[own..].iter().filter(|sent| sent.to == elsewhere);
    assert_eq!(strays.count(), 0, "it is sent checks");
}

/// Used to fail: a check with a forged sender took a player's address away from it.
#[test]
fn a_forged_sender_takes_no_address_over() {
    let mut table = Table::hosting();
    let player = at(1, 1);
    let id = come_in(&mut table, player, 5);
    assert!(id.is_some());
    table.give(player, &joining(&check(6, 1, 0)));
    let (_, owner) = table.give(player, b"\x8f\xffgame");
    assert_eq!(owner, id);
}

/// Fails when a game's datagram gets in before its address has answered.
#[test]
fn a_game_from_an_unproven_address_is_not_passed_on() {
    let mut table = Table::hosting();
    for session in 0..10 {
        let from = at(2, 2);
        table.give(from, &joining(&check(session, 1, 0)));
        assert_eq!(table.give(from, b"\x8f\xffgame").1, None);
        // A guessed answer.
        table.give(from, &joining(&check(session, 2, 12345)));
        assert_eq!(table.give(from, b"\x8f\xffgame").1, None);
    }
    // Announced, but not heard.
    table.link.announced(table.now, PathKind::Direct, at(3, 3));
    assert_eq!(table.give(at(3, 3), b"\x8f\xffgame").1, None);
    assert_eq!(table.players(), 0);
}

/// Used to fail: two sides that had both finished the plain handshake answered each other's last
/// packets for ever, as fast as the way between them allowed.
#[test]
fn a_finished_handshake_ends() {
    let mut table = Table::hosting();
    let player = at(1, 1);
    table.link.announced(table.now, PathKind::Direct, player);
    let answers = (0..1000).filter(|_| {
        table.now += Duration::from_millis(1);
        !table.give(player, b"$rwx").0.is_empty()
    });
    let count = answers.count();
    assert!((10..=20).contains(&count), "{count} answers");
}

/// Fails when what a link sent is taken when it comes back to it.
#[test]
fn a_reflected_datagram_is_nobodys() {
    let mut table = Table::hosting();
    come_in(&mut table, at(1, 1), 5);
    table.wait(Duration::from_secs(2));
    let sent: Vec<_> = table.own.iter().map(|sent| sent.bytes.clone()).collect();
    assert!(!sent.is_empty());
    for bytes in sent {
        assert_eq!(table.give(at(1, 1), &bytes).0, []);
        assert_eq!(table.give(at(4, 4), &bytes).0, []);
    }
}

/// Fails when a host that only takes relays in answers a direct check.
#[test]
fn a_host_that_forces_relays_answers_no_other_way() {
    let mut table = Table::hosting();
    table.link.host(noray_protocol::player::link::HostConfig {
        key: crate::table::key(),
        max_clients: 4,
        force_relay: true,
    });
    table.link.announced(table.now, PathKind::Direct, at(1, 1));
    assert_eq!(table.give(at(1, 1), &joining(&check(1, 1, 0))).0, []);
    assert_eq!(table.give(at(1, 1), b"$-w-").0, []);
    table.wait(Duration::from_secs(10));
    assert_eq!(table.own, []);
}
