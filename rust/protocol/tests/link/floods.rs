//! Floods by somebody who knows the OpenID.

use std::time::Duration;

use noray_protocol::wire::check::{Note, PathKind};

use crate::{
    dice::Dice,
    table::{MAX_CLIENTS, Table, at, check, come_in, joining, read},
};

/// A rough measure of memory: what the link tells of itself.
fn size(table: &Table) -> usize {
    format!("{:?}", table.link).len()
}

/// Used to fail: 10,000 new sessions a second drove a real player's out before its answer came.
#[test]
fn a_flood_of_sessions_keeps_nobody_out_and_costs_no_memory() {
    let mut table = Table::hosting();
    let mut dice = Dice(1);
    let before = size(&table);
    let mut flood = |table: &mut Table, count: u32| {
        for _ in 0..count {
            let from = at(u32::try_from(dice.roll() % 0xff_ffff).unwrap_or(0), 7);
            table.give(from, &joining(&check(dice.roll(), 1, 0)));
            table.now += Duration::from_micros(100);
        }
    };
    flood(&mut table, 20_000);
    let player = at(1, 1);
    let (answers, _) = table.give(player, &joining(&check(5, 1, 0)));
    let question = read(&answers[0].bytes).expect("the host's").question;
    // Its answer needs 100 ms.
    flood(&mut table, 1000);
    table.give(player, &joining(&check(5, 2, question)));
    let id = table.give(player, b"\x8f\xffgame").1;
    let kind = id.and_then(|id| table.link.active_path(id));
    assert!(kind.is_some(), "kept out");
    assert!(size(&table) < before + 4000, "{} bytes", size(&table));
}

/// Fails when real addresses, which answer, make more entries than there are places, or when those
/// that fall silent stay.
#[test]
fn a_flood_of_real_addresses_is_bounded() {
    let mut table = Table::hosting();
    let full = (0..20).filter(|number| {
        let from = at(*number, 7);
        let (answers, _) = table.give(from, &joining(&check(u64::from(*number), 1, 0)));
        let answer = read(&answers[0].bytes).expect("the host's");
        table.give(
            from,
            &joining(&check(u64::from(*number), 2, answer.question)),
        );
        answer.note == Note::Full
    });
    assert_eq!(full.count(), 20 - MAX_CLIENTS);
    let mut most = 0;
    for number in 100..3000_u32 {
        come_in(&mut table, at(number, 7), u64::from(number));
        table.wait(Duration::from_millis(500));
        if number % 50 == 0 {
            most = most.max(size(&table));
        }
    }
    table.own.clear();
    assert!(most < 4_000_000, "{most} bytes");
    assert!(
        table.players() <= MAX_CLIENTS + 256,
        "{} players",
        table.players()
    );
    table.wait(Duration::from_secs(100));
    assert_eq!(table.players(), 0);
    assert_eq!(table.link.next_deadline(table.now), None);
}

/// Fails when whoever comes from ever new ports of its own is remembered at all of them.
#[test]
fn a_player_with_many_ports_is_remembered_at_few() {
    let mut table = Table::hosting();
    let mut most = 0;
    for port in 1..5000 {
        come_in(&mut table, at(1, port), 5);
        table.wait(Duration::from_millis(200));
        if port % 50 == 0 {
            most = most.max(size(&table));
        }
    }
    assert!(most < 100_000, "{most} bytes");
}

/// Fails when announced players, or the other ports of their IP addresses, are remembered without
/// end, or those ports drive the announced ones out.
#[test]
fn guests_are_bounded() {
    let mut table = Table::hosting();
    for number in 0..5000 {
        table
            .link
            .announced(table.now, PathKind::Direct, at(number, 7));
    }
    table.tick();
    let last = table.own.iter().filter(|sent| sent.to == at(4999, 7));
    assert_eq!(last.count(), 1, "the newest is expected");
    assert_eq!(table.own.len(), 1024);
    table.wait(Duration::from_secs(10));

    table.link.announced(table.now, PathKind::Direct, at(1, 1));
    for port in 2..5000 {
        table.give(at(1, port), b"$-w-");
    }
    assert!(size(&table) < 700_000, "{} bytes", size(&table));
    table.own.clear();
    table.wait(Duration::from_millis(250));
    assert!(
        table.own.iter().any(|sent| sent.to == at(1, 1)),
        "driven out"
    );
    table.link.announced(table.now, PathKind::Direct, at(2, 2));
    table.own.clear();
    table.wait(Duration::from_millis(250));
    assert!(table.own.iter().any(|sent| sent.to == at(2, 2)), "kept out");
}
