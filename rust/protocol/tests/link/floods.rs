//! Floods by somebody who knows the OpenID.

use std::time::Duration;

use noray_protocol::wire::check::{Note, PathKind};

use crate::{
    dice::Dice,
    single_link::{MAX_CLIENTS, SingleLink, at, check, come_in, joining, read},
};

/// Returns a rough measure of memory: the length of the link's `Debug`.
fn size(single: &SingleLink) -> usize {
    format!("{:?}", single.link).len()
}

/// Used to fail: 10,000 new sessions a second drove a real player's out before its answer came.
#[test]
fn a_flood_of_sessions_keeps_nobody_out_and_costs_no_memory() {
    let mut single = SingleLink::hosting();
    let mut dice = Dice(1);
    let before = size(&single);
    let mut flood = |single: &mut SingleLink, count: u32| {
        for _ in 0..count {
            let from = at(u32::try_from(dice.roll() % 0xff_ffff).unwrap_or(0), 7);
            single.give(from, &joining(&check(dice.roll(), 1, 0)));
            single.now += Duration::from_micros(100);
        }
    };
    flood(&mut single, 20_000);
    let player = at(1, 1);
    let (answers, _) = single.give(player, &joining(&check(5, 1, 0)));
    let question = read(&answers[0].bytes).expect("the host's").question;
    // Its answer needs 100 ms.
    flood(&mut single, 1000);
    single.give(player, &joining(&check(5, 2, question)));
    let id = single.give(player, b"\x8f\xffgame").1;
    let kind = id.and_then(|id| single.link.active_path(single.now, id));
    assert!(kind.is_some(), "kept out");
    assert!(size(&single) < before + 4000, "{} bytes", size(&single));
}

/// Fails when real addresses, which answer, make more peers than there are places, or when peers
/// that fall silent stay.
#[test]
fn a_flood_of_real_addresses_is_bounded() {
    let mut single = SingleLink::hosting();
    let full = (0..20).filter(|number| {
        let from = at(*number, 7);
        let (answers, _) = single.give(from, &joining(&check(u64::from(*number), 1, 0)));
        let answer = read(&answers[0].bytes).expect("the host's");
        single.give(
            from,
            &joining(&check(u64::from(*number), 2, answer.question)),
        );
        answer.note == Note::Full
    });
    assert_eq!(full.count(), 20 - MAX_CLIENTS);
    let mut most = 0;
    for number in 100..3000_u32 {
        come_in(&mut single, at(number, 7), u64::from(number));
        single.wait(Duration::from_millis(500));
        if number % 50 == 0 {
            most = most.max(size(&single));
        }
    }
    single.own.clear();
    assert!(most < 4_000_000, "{most} bytes");
    assert!(
        single.players() <= MAX_CLIENTS + 256,
        "{} players",
        single.players()
    );
    single.wait(Duration::from_secs(100));
    assert_eq!(single.players(), 0);
    assert_eq!(single.link.next_deadline(single.now), None);
}

/// Fails when a player that comes from ever new ports is remembered at all of them.
#[test]
fn a_player_with_many_ports_is_remembered_at_few() {
    let mut single = SingleLink::hosting();
    let mut most = 0;
    for port in 1..5000 {
        come_in(&mut single, at(1, port), 5);
        single.wait(Duration::from_millis(200));
        if port % 50 == 0 {
            most = most.max(size(&single));
        }
    }
    assert!(most < 100_000, "{most} bytes");
}

/// Fails when candidates, or the other ports of their IP addresses, are remembered without limit,
/// or when those ports displace the announced ones.
#[test]
fn candidates_are_bounded() {
    let mut single = SingleLink::hosting();
    for number in 0..5000 {
        single
            .link
            .announced(single.now, PathKind::Direct, at(number, 7));
    }
    single.tick();
    let last = single.own.iter().filter(|sent| sent.to == at(4999, 7));
    assert_eq!(last.count(), 1, "the newest is expected");
    assert_eq!(single.own.len(), 1024);
    single.wait(Duration::from_secs(10));

    single
        .link
        .announced(single.now, PathKind::Direct, at(1, 1));
    for port in 2..5000 {
        single.give(at(1, port), b"$-w-");
    }
    assert!(size(&single) < 700_000, "{} bytes", size(&single));
    single.own.clear();
    single.wait(Duration::from_millis(250));
    assert!(
        single.own.iter().any(|sent| sent.to == at(1, 1)),
        "driven out"
    );
    single
        .link
        .announced(single.now, PathKind::Direct, at(2, 2));
    single.own.clear();
    single.wait(Duration::from_millis(250));
    assert!(
        single.own.iter().any(|sent| sent.to == at(2, 2)),
        "kept out"
    );
}
