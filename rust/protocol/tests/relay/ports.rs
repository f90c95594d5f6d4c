//! Which relay is where, and when it ends.

use std::{sync::Arc, time::Duration};

use noray_protocol::server::{
    host_table::PlayerId,
    relay_table::{Dropped, OpenError, Reservation},
};

use crate::table::{ASIDE, HOLD, IDLE, SLICE, World, at, home, limits};

#[test]
fn a_packet_leaves_from_its_senders_own_port() {
    let world = World::pair(limits());
    assert_eq!(world.send(home(1), 2), Ok((1, vec![home(2)])));
    assert_eq!(world.send(home(2), 1), Ok((2, vec![home(1)])));
}

#[test]
fn one_player_keeps_one_relay() {
    let mut world = World::pair(limits());
    assert_eq!(world.open(1), Ok(1));
    assert_eq!(world.meet(2, 1), Ok([2, 1]));
    assert_eq!(world.table.len(), 2);
}

#[test]
fn a_player_may_ask_for_itself() {
    let mut world = World::new(limits());
    assert_eq!(world.meet(1, 1), Ok([1, 1]));
    assert_eq!(world.send(home(1), 1), Ok((1, vec![home(1)])));
    assert!(world.close(1));
}

#[test]
fn a_relay_needs_a_registered_address() {
    let mut world = World::new(limits());
    let error = world.table.reserve(PlayerId(1), world.now).unwrap_err();
    assert_eq!(error, OpenError::Unregistered);
    world.register(1, home(1));
    world.table.disown(PlayerId(1));
    let error = world.table.reserve(PlayerId(1), world.now).unwrap_err();
    assert_eq!(error, OpenError::Unregistered);
    assert!((world.table.insert(1, PlayerId(1), (), world.now)).is_none());
}

#[test]
fn a_relay_idles_out_when_neither_side_uses_it() {
    let mut world = World::pair(limits());
    assert_eq!(world.open(3), Ok(3));
    world.wait(IDLE / 2);
    // In one direction only: this keeps both players' relays open.
    assert!(world.send(home(1), 2).is_ok());
    world.wait(IDLE / 2 - SLICE);
    assert_eq!(world.expire(), []);
    world.wait(SLICE);
    assert_eq!(world.expire(), [3]);
    world.wait(IDLE / 2 - SLICE);
    assert_eq!(world.expire(), []);
    world.wait(SLICE);
    assert_eq!(world.expire(), [1, 2]);
    assert!(world.table.is_empty());
}

#[test]
fn asking_again_keeps_a_relay() {
    let mut world = World::pair(limits());
    world.wait(IDLE / 2);
    assert_eq!(world.open(1), Ok(1));
    world.wait(IDLE / 2);
    assert_eq!(world.expire(), [2]);
}

#[test]
fn dropped_packets_keep_no_relay() {
    let mut world = World::pair(limits());
    world.wait(IDLE - SLICE);
    assert_eq!(world.send(home(9), 2), Err(Dropped::UnknownSender));
    world.wait(SLICE);
    assert_eq!(world.expire(), [1, 2]);
}

#[test]
fn a_closed_relay_forwards_nothing_and_is_let_go_of() {
    let mut world = World::pair(limits());
    let closed = world.relays[&2].clone();
    assert!(world.close(2));
    let from = closed.receive(home(1), 1, world.now);
    assert_eq!(from.unwrap_err(), Dropped::UnknownSender);
    assert_eq!(world.send(home(2), 1), Err(Dropped::UnknownSender));
    assert!(Arc::try_unwrap(closed).is_ok(), "the other relay holds it");
}

#[test]
fn a_table_lets_go_of_its_relays() {
    let mut world = World::pair(limits());
    let one = Arc::downgrade(&world.relays[&1]);
    world.relays.clear();
    assert!(one.upgrade().is_some());
    drop(world.table);
    assert!(one.upgrade().is_none());
}

#[test]
fn ports_are_reused_longest_free_first() {
    let mut world = World::pair(limits());
    for port in [2, 1] {
        assert!(world.close(port));
        world.table.give_back(port);
    }
    let order: Vec<_> = (5..9).map(|number| world.open(number).unwrap()).collect();
    assert_eq!(order, [3, 4, 2, 1]);
    assert_eq!(world.open(9), Err(OpenError::Full));
}

#[test]
fn a_closed_port_is_used_again_only_when_it_was_given_back() {
    let mut world = World::with_ports(&[1, 1], limits());
    assert_eq!(world.open(1), Ok(1));
    assert!(world.close(1));
    assert!(!world.close(1));
    assert_eq!(world.open(2), Err(OpenError::Full));
    world.table.give_back(1);
    world.table.give_back(1);
    assert_eq!(world.open(2), Ok(1));
    world.table.give_back(1);
    assert_eq!(
        world.open(3),
        Err(OpenError::Full),
        "an open port is not free"
    );
}

#[test]
fn another_programs_port_is_left_alone_for_a_while() {
    let mut world = World::with_ports(&[1, 2], limits());
    world.register(1, home(1));
    let reserved = world.table.reserve(PlayerId(1), world.now);
    assert!(matches!(reserved, Ok(Reservation::Bind(1))));
    world.table.set_aside(1, world.now);
    assert!((world.table.insert(1, PlayerId(1), (), world.now)).is_none());
    assert_eq!(world.open(1), Ok(2));
    assert_eq!(world.open(2), Err(OpenError::Full));
    world.wait(ASIDE - SLICE);
    assert_eq!(world.open(2), Err(OpenError::Full));
    world.wait(SLICE);
    assert_eq!(world.open(2), Ok(1));
}

#[test]
fn a_relay_outlives_its_players_connection_and_waits_for_it() {
    let mut world = World::pair(limits());
    world.table.disown(PlayerId(1));
    assert_eq!(world.send(home(1), 2), Ok((1, vec![home(2)])));
    assert_eq!(world.send(home(2), 1), Ok((2, vec![home(1)])));
    // The same socket under a new id.
    world.register(7, home(1));
    assert_eq!(world.meet(7, 2), Ok([1, 2]));
    // The relay belongs to a player again, and moves with it.
    world.register(7, home(8));
    assert_eq!(world.send(home(2), 1), Ok((2, vec![home(8)])));
    world.wait(IDLE);
    assert_eq!(world.expire(), [1, 2]);
    world.register(9, home(1));
    assert_eq!(world.open(9), Ok(3), "nothing is left of it");
}

#[test]
fn a_relay_in_use_by_a_live_player_is_not_given_to_another() {
    let mut world = World::pair(limits());
    world.register(3, home(1));
    assert_eq!(world.open(3), Ok(3));
}

#[test]
fn one_address_proven_twice_is_the_newer_ones_unless_it_is_in_use() {
    let mut world = World::pair(limits());
    assert_eq!(world.send(home(1), 2), Ok((1, vec![home(2)])));
    world.register(3, home(1));
    assert_eq!(world.meet(3, 2), Ok([3, 2]));
    world.wait(HOLD - SLICE);
    assert_eq!(world.send(home(1), 2), Ok((1, vec![home(2)])));
    world.wait(HOLD);
    assert_eq!(world.meet(3, 2), Ok([3, 2]));
    assert_eq!(world.send(home(1), 2), Ok((3, vec![home(2)])));
    // When the newer player leaves the address, it is the other one's again.
    world.register(3, at(3, 1));
    assert_eq!(world.send(home(1), 2), Ok((1, vec![home(2)])));
}

#[test]
fn links_are_bounded_and_idle_ones_make_room() {
    let ports: Vec<_> = (1..20).collect();
    let mut world = World::with_ports(&ports, limits());
    for number in 2..=9 {
        assert_eq!(world.meet(1, number), Ok([1, number.into()]));
        world.wait(Duration::from_secs(1));
    }
    assert_eq!(world.meet(1, 10), Err(OpenError::Full));
    assert_eq!(world.meet(1, 9), Ok([1, 9]), "it has its place");
    world.wait(IDLE - Duration::from_secs(8));
    assert!(world.send(home(2), 1).is_ok());
    assert_eq!(world.meet(1, 10), Err(OpenError::Full), "none is idle");
    world.wait(Duration::from_secs(1));
    assert_eq!(world.meet(1, 10), Ok([1, 10]));
    assert!(world.send(home(2), 1).is_ok());
    assert_eq!(world.send(home(3), 1), Err(Dropped::UnknownSender));
    assert_eq!(world.send(home(1), 3), Err(Dropped::UnknownSender));
    assert!(world.send(home(10), 1).is_ok());
}
