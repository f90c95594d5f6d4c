//! Whose packet it is: symmetric routers, moves, and strangers.
//!
//! Player 1 is relayed by port 1, and so on. Its registered address is `home(1)`; a
//! symmetric router makes what it sends elsewhere come from another port.

use std::time::Duration;

use noray_protocol::server::relay_table::Dropped;

use crate::table::{HOLD, IDLE, SLICE, World, at, home, limits};

const DROPPED: crate::table::Sent = Err(Dropped::UnknownSender);
const SECOND: Duration = Duration::from_secs(1);

#[test]
fn symmetric_and_symmetric() {
    let world = World::pair(limits());
    // Nothing has come from player 2: only its registered address is known.
    assert_eq!(world.send(at(1, 6001), 2), Ok((1, vec![home(2)])));
    assert_eq!(world.send(at(2, 7001), 1), Ok((2, vec![at(1, 6001)])));
    assert_eq!(world.send(at(1, 6001), 2), Ok((1, vec![at(2, 7001)])));
}

#[test]
fn symmetric_and_not() {
    let world = World::pair(limits());
    assert_eq!(world.send(home(2), 1), Ok((2, vec![home(1)])));
    assert_eq!(world.send(at(1, 6001), 2), Ok((1, vec![home(2)])));
    assert_eq!(world.send(home(2), 1), Ok((2, vec![at(1, 6001)])));
}

#[test]
fn a_symmetric_host_has_an_address_for_each_player() {
    let mut world = World::pair(limits());
    assert_eq!(world.meet(1, 3), Ok([1, 3]));
    assert_eq!(world.send(at(1, 6002), 2), Ok((1, vec![home(2)])));
    assert_eq!(world.send(at(1, 6003), 3), Ok((1, vec![home(3)])));
    assert_eq!(world.send(home(2), 1), Ok((2, vec![at(1, 6002)])));
    assert_eq!(world.send(home(3), 1), Ok((3, vec![at(1, 6003)])));
}

#[test]
fn two_symmetric_players_behind_one_router() {
    let mut world = World::new(limits());
    world.register(2, at(9, 1002));
    world.register(3, at(9, 1003));
    assert_eq!(world.meet(1, 2), Ok([1, 2]));
    assert_eq!(world.meet(1, 3), Ok([1, 3]));
    // The host's packets tell nothing about the players'.
    for port in [2, 3] {
        assert!(world.send(home(1), port).is_ok());
    }
    let first = world.send(at(9, 7001), 1).unwrap().0;
    let second = world.send(at(9, 7002), 1).unwrap().0;
    assert_eq!([first, second], [2, 3], "in the order of requests");
    // It stays so, whoever sends and how often, and both are answered.
    for _ in 0..3 {
        assert_eq!(world.send(at(9, 7002), 1), Ok((3, vec![home(1)])));
        assert_eq!(world.send(at(9, 7001), 1), Ok((2, vec![home(1)])));
        assert_eq!(world.send(home(1), 2), Ok((1, vec![at(9, 7001)])));
        assert_eq!(world.send(home(1), 3), Ok((1, vec![at(9, 7002)])));
    }
    // Both players have their address: a third one is nobody's.
    assert_eq!(world.send(at(9, 7003), 1), DROPPED);
}

#[test]
fn two_players_behind_one_address_one_symmetric_and_one_not() {
    for not_symmetric_first in [true, false] {
        let mut world = World::new(limits());
        // Player 2 keeps its port, player 3 does not.
        world.register(2, at(9, 1002));
        world.register(3, at(9, 1003));
        assert_eq!(world.meet(1, 2), Ok([1, 2]));
        assert_eq!(world.meet(1, 3), Ok([1, 3]));
        if !not_symmetric_first {
            // A wrong guess: it was player 2's turn.
            assert_eq!(world.send(at(9, 7003), 1), Ok((2, vec![home(1)])));
        }
        assert_eq!(world.send(at(9, 1002), 1), Ok((2, vec![home(1)])));
        assert_eq!(world.send(at(9, 7003), 1), Ok((3, vec![home(1)])));
        assert_eq!(world.send(home(1), 2), Ok((1, vec![at(9, 1002)])));
        assert_eq!(world.send(home(1), 3), Ok((1, vec![at(9, 7003)])));
    }
}

#[test]
fn two_players_behind_one_address_are_relayed_to_each_other() {
    let mut world = World::new(limits());
    world.register(1, at(9, 1001));
    world.register(2, at(9, 1002));
    assert_eq!(world.meet(1, 2), Ok([1, 2]));
    assert_eq!(world.send(at(9, 6001), 2), Ok((1, vec![at(9, 1002)])));
    assert_eq!(world.send(at(9, 6002), 1), Ok((2, vec![at(9, 6001)])));
    assert_eq!(world.send(at(9, 6001), 2), Ok((1, vec![at(9, 6002)])));
}

#[test]
fn another_ip_address_is_a_stranger() {
    let world = World::pair(limits());
    assert_eq!(world.send(at(8, 5000), 2), DROPPED);
    assert_eq!(
        world.send(home(2), 2),
        DROPPED,
        "the player itself is no sender"
    );
    assert_eq!(world.send(home(2), 1), Ok((2, vec![home(1)])));
}

#[test]
fn who_did_not_ask_is_a_stranger_relayed_or_not() {
    let mut world = World::pair(limits());
    // Both have player 1's IP address, which would be enough for a guess.
    world.register(3, at(1, 6003));
    assert_eq!(world.open(3), Ok(3));
    world.register(4, at(1, 6004));
    for port in [6003, 6004] {
        assert_eq!(world.send(at(1, port), 2), DROPPED);
    }
    assert_eq!(world.send(home(1), 3), DROPPED);
    // Once it has left, its address is unknown again.
    world
        .table
        .disown(noray_protocol::server::host_table::PlayerId(4));
    assert!(world.send(at(1, 6004), 2).is_ok());
}

#[test]
fn a_player_heard_from_its_registered_address_cannot_be_imitated() {
    let mut world = World::pair(limits());
    assert!(world.send(home(1), 2).is_ok());
    for _ in 0..10 {
        world.wait(HOLD - SLICE);
        assert_eq!(world.send(at(1, 6001), 2), DROPPED);
        assert_eq!(world.send(home(2), 1), Ok((2, vec![home(1)])));
        assert!(world.send(home(1), 2).is_ok());
    }
    // After a silence, its router may have given it another port, or not.
    world.wait(HOLD);
    assert!(world.send(at(1, 6001), 2).is_ok());
    assert_eq!(world.send(home(2), 1), Ok((2, vec![home(1), at(1, 6001)])));
    assert!(world.send(home(1), 2).is_ok());
    assert_eq!(world.send(home(2), 1), Ok((2, vec![home(1)])));
    assert_eq!(world.send(at(1, 6001), 2), DROPPED);
}

#[test]
fn a_stranger_who_came_first_does_not_cut_a_player_off() {
    let mut world = World::pair(limits());
    let (stranger, player) = (at(1, 6666), at(1, 6001));
    assert!(world.send(stranger, 2).is_ok());
    for round in 0..100 {
        assert_eq!(world.send(player, 2), Ok((1, vec![home(2)])), "{round}");
        assert_eq!(world.send(home(2), 1), Ok((2, vec![stranger, player])));
        world.wait(SLICE);
        assert!(world.send(stranger, 2).is_ok());
    }
    // The registered address settles it.
    assert!(world.send(home(1), 2).is_ok());
    assert_eq!(world.send(home(2), 1), Ok((2, vec![home(1)])));
}

#[test]
fn strangers_who_come_later_do_not_cut_a_player_off() {
    let mut world = World::pair(limits());
    let player = at(1, 6001);
    for port in 7008..9000 {
        if port % 16 == 0 {
            assert_eq!(world.send(player, 2), Ok((1, vec![home(2)])));
        }
        let _ = world.send(at(1, port), 2);
        let (_, to) = world.send(home(2), 1).unwrap();
        assert!(to.contains(&player), "{port}");
        assert!(to.len() <= 2);
        world.wait(SLICE);
    }
}

#[test]
fn a_symmetric_router_that_was_restarted() {
    let mut world = World::pair(limits());
    assert!(world.send(at(2, 7001), 1).is_ok());
    assert!(world.send(at(1, 6001), 2).is_ok());
    // Its packets pass at once, and it is answered at once.
    assert_eq!(world.send(at(1, 6002), 2), Ok((1, vec![at(2, 7001)])));
    let (_, to) = world.send(at(2, 7001), 1).unwrap();
    assert!(to.contains(&at(1, 6002)));
    // The old port is forgotten in time.
    for _ in 0..30 {
        world.wait(SECOND);
        assert!(world.send(at(1, 6002), 2).is_ok());
    }
    assert_eq!(world.send(at(2, 7001), 1), Ok((2, vec![at(1, 6002)])));
}

#[test]
fn a_router_that_kept_ports_was_restarted() {
    let mut world = World::pair(limits());
    assert!(world.send(home(1), 2).is_ok());
    world.wait(HOLD);
    assert_eq!(world.send(at(1, 6002), 2), Ok((1, vec![home(2)])));
    let (_, to) = world.send(home(2), 1).unwrap();
    assert!(to.contains(&at(1, 6002)));
}

#[test]
fn a_restarted_router_with_two_players() {
    let mut world = World::new(limits());
    world.register(2, at(9, 1002));
    world.register(3, at(9, 1003));
    assert_eq!(world.meet(1, 2), Ok([1, 2]));
    assert_eq!(world.meet(1, 3), Ok([1, 3]));
    let both = |world: &World, ports: [u16; 2]| {
        ports.map(|port| world.send(at(9, port), 1).ok().map(|sent| sent.0))
    };
    assert_eq!(both(&world, [7002, 7003]), [Some(2), Some(3)]);
    // Player 2 has a new port; player 3 is still heard.
    world.wait(HOLD);
    assert_eq!(world.send(at(9, 7003), 1).unwrap().0, 3);
    assert_eq!(both(&world, [8002, 7003]), [Some(2), Some(3)]);
}

#[test]
fn a_player_who_proves_another_address_moves_at_once() {
    let mut world = World::pair(limits());
    assert!(world.send(home(1), 2).is_ok());
    world.register(1, at(7, 1));
    assert_eq!(world.send(home(2), 1), Ok((2, vec![at(7, 1)])));
    assert_eq!(world.send(at(7, 1), 2), Ok((1, vec![home(2)])));
    assert_eq!(world.send(home(1), 2), DROPPED, "the old network");
    world.wait(HOLD);
    assert_eq!(
        world.send(at(7, 2), 2),
        Ok((1, vec![home(2)])),
        "a guess there"
    );
    world.register(1, home(1));
    assert_eq!(world.send(at(7, 2), 2), DROPPED);
    assert_eq!(world.send(home(2), 1), Ok((2, vec![home(1)])));
}

#[test]
fn a_player_who_proves_another_port_may_go_on_from_the_old_one() {
    let mut world = World::pair(limits());
    assert!(world.send(home(1), 2).is_ok());
    world.register(1, at(1, 5001));
    assert_eq!(world.send(home(2), 1), Ok((2, vec![home(1)])));
    assert_eq!(world.send(home(1), 2), Ok((1, vec![home(2)])));
    assert_eq!(world.send(at(1, 5001), 2), Ok((1, vec![home(2)])));
    assert_eq!(world.send(home(2), 1), Ok((2, vec![at(1, 5001)])));
}

#[test]
fn an_address_learned_before_it_was_proven_is_the_players() {
    let mut world = World::pair(limits());
    assert!(world.send(at(1, 6001), 2).is_ok());
    world.register(1, at(1, 6001));
    assert_eq!(world.send(home(2), 1), Ok((2, vec![at(1, 6001)])));
    assert_eq!(world.send(at(1, 6666), 2), DROPPED);
}

#[test]
fn a_proven_address_is_taken_from_who_was_guessed() {
    let mut world = World::new(limits());
    world.register(2, at(9, 1002));
    assert_eq!(world.meet(1, 2), Ok([1, 2]));
    assert_eq!(world.send(at(9, 1003), 1).unwrap().0, 2);
    // It was player 3's all along.
    world.register(3, at(9, 1003));
    assert_eq!(world.meet(1, 3), Ok([1, 3]));
    assert_eq!(world.send(at(9, 1003), 1).unwrap().0, 3);
    assert_eq!(world.send(home(1), 2), Ok((1, vec![at(9, 1002)])));
}

#[test]
fn a_port_that_is_used_again_knows_nothing_of_the_one_before() {
    let mut world = World::with_ports(&[1, 2], limits());
    assert_eq!(world.meet(1, 2), Ok([1, 2]));
    assert!(world.send(at(1, 6001), 2).is_ok());
    assert!(world.send(home(2), 1).is_ok());
    world.wait(IDLE);
    assert_eq!(world.expire(), [1, 2]);
    for port in [1, 2] {
        world.table.give_back(port);
    }
    assert_eq!(world.meet(3, 4), Ok([1, 2]));
    for (from, port) in [(at(1, 6001), 2), (home(1), 2), (home(2), 1)] {
        assert_eq!(world.send(from, port), DROPPED);
    }
    assert_eq!(world.send(home(3), 2), Ok((1, vec![home(4)])));
    assert_eq!(world.send(home(4), 1), Ok((2, vec![home(3)])));
}

#[test]
fn a_request_long_ago_does_not_get_what_moved() {
    let mut world = World::new(limits());
    world.register(2, at(9, 1002));
    world.register(3, at(9, 1003));
    assert_eq!(
        world.meet(1, 2),
        Ok([1, 2]),
        "it went another way after all"
    );
    assert_eq!(world.meet(1, 3), Ok([1, 3]));
    world.wait(SLICE);
    assert_eq!(world.send(at(9, 1003), 1).unwrap().0, 3);
    for _ in 0..30 {
        world.wait(SECOND);
        assert!(world.send(at(9, 1003), 1).is_ok());
        assert!(world.send(home(1), 2).is_ok());
    }
    world.wait(HOLD);
    assert_eq!(world.send(at(9, 8003), 1).unwrap().0, 3);
}

#[test]
fn who_was_just_asked_for_comes_before_who_stopped() {
    let mut world = World::new(limits());
    world.register(2, at(9, 1002));
    world.register(3, at(9, 1003));
    assert_eq!(world.meet(1, 2), Ok([1, 2]));
    assert_eq!(world.send(at(9, 7002), 1).unwrap().0, 2);
    world.wait(HOLD);
    assert_eq!(world.meet(1, 3), Ok([1, 3]));
    assert_eq!(world.send(at(9, 7003), 1).unwrap().0, 3);
    assert_eq!(world.send(at(9, 7002), 1).unwrap().0, 2);
}
