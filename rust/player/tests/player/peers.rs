//! The peers of a game: who comes in, who leaves, and by which path.

use noray_client::{PeerEvent, PeerId};
use noray_player::EnetPeer;
use noray_protocol::wire::check::PathKind;

use crate::game::{Game, admitted, gone};

fn path(peer: u32, kind: PathKind) -> PeerEvent {
    PeerEvent::PathChanged {
        peer: PeerId::new(peer),
        kind,
    }
}

fn knows(game: &Game, peer_id: i32) -> bool {
    game.player
        .connection_to(peer_id, |enet| game.is_open(enet))
        .is_some()
}

#[test]
fn a_host_knows_its_peers_by_the_ports_they_enter_from() {
    let mut game = Game::hosting();
    game.link_event(admitted(1, 6000));
    game.link_event(admitted(2, 6001));
    game.enter(70, 6001);
    assert!(knows(&game, 70) && !knows(&game, 71) && !knows(&game, 1));
    game.link_event(path(2, PathKind::Relay));
    game.link_event(path(1, PathKind::Relay));
    assert_eq!(game.done(), ["emit path_changed 70 Relay"]);
}

#[test]
fn enet_can_be_faster_than_the_links_event() {
    let mut game = Game::hosting();
    game.player.admit_early(admitted(1, 6000));
    game.player.admit_early(gone(9));
    game.enter(70, 6000);
    assert!(knows(&game, 70));
    assert!(matches!(
        game.player.next_early_event(),
        Some(PeerEvent::PeerGone { .. })
    ));
    assert!(game.player.next_early_event().is_none());
}

#[test]
fn a_peer_from_an_unknown_port_is_unknown() {
    let mut game = Game::hosting();
    game.enter(70, 6000);
    assert!(!knows(&game, 70));
}

#[test]
fn a_peer_of_another_server_is_unknown() {
    let mut game = Game::hosting();
    game.link_event(admitted(1, 6000));
    game.player.handle_entered(EnetPeer(9), 70, 6000);
    assert!(!knows(&game, 70));
    game.player.handle_left(EnetPeer(9), 70);
    game.perform_all();
    assert!(game.done().is_empty());
}

#[test]
fn a_server_that_refuses_new_connections_does_not_let_players_wait() {
    let mut game = Game::hosting();
    game.link_event(admitted(1, 6000));
    game.enter(70, 6000);
    game.link_event(admitted(2, 6001));
    game.refuses = true;
    game.frame();
    let done = game.done();
    assert_eq!(done, ["link set closed true", "link release 2"]);
    // It came before the link knew.
    game.link_event(admitted(3, 6002));
    game.frame();
    assert_eq!(game.done(), ["link release 3"]);
    game.refuses = false;
    game.frame();
    assert_eq!(game.done(), ["link set closed false"]);
    game.frame();
    assert!(game.done().is_empty());
}

#[test]
fn the_link_lets_go_of_a_peer_that_enet_has_lost() {
    let mut game = Game::hosting();
    game.link_event(admitted(1, 6000));
    game.enter(70, 6000);
    game.leave(70);
    assert_eq!(game.done(), ["link release 1"]);
    game.leave(70);
    game.link_event(gone(1));
    assert!(game.done().is_empty() && !knows(&game, 70));
}

#[test]
fn enet_gives_up_a_peer_that_the_link_has_lost() {
    let mut game = Game::hosting();
    game.link_event(admitted(1, 6000));
    game.enter(70, 6000);
    game.link_event(gone(1));
    assert_eq!(game.done(), ["give up 70 of 1"]);
    // ENet tells the game a little later.
    assert!(knows(&game, 70));
}

#[test]
fn a_peer_that_goes_before_it_has_entered_is_forgotten() {
    let mut game = Game::hosting();
    game.link_event(admitted(1, 6000));
    game.link_event(gone(1));
    game.enter(70, 6000);
    assert!(game.done().is_empty() && !knows(&game, 70));
}

#[test]
fn a_joined_player_knows_the_host_as_1() {
    let mut game = Game::joined();
    assert!(knows(&game, 1) && !knows(&game, 2));
    game.link_event(path(1, PathKind::Lan));
    game.link_event(path(2, PathKind::Lan));
    assert_eq!(game.done(), ["emit path_changed 1 Lan"]);
    game.close(1);
    assert!(!knows(&game, 1));
}

#[test]
fn enet_gives_up_a_host_that_the_link_has_lost() {
    let mut game = Game::joined();
    game.link_event(gone(1));
    assert_eq!(game.done(), ["give up 1 of 1"]);
}

#[test]
fn without_a_link_its_events_mean_nothing() {
    let mut game = Game::connected();
    game.link_event(admitted(1, 6000));
    game.link_event(gone(1));
    game.link_event(path(1, PathKind::Lan));
    game.reach(1);
    assert!(game.done().is_empty());
}
