//! `cancel_join`, and what the link still tells of a join that was given up.

use noray_client::{ConnectionEvent, JoinError, JoinProgress, PeerEvent};

use crate::game::{Game, admitted, closed, gone, server};

#[test]
fn without_a_join_it_does_nothing() {
    for mut game in [
        Game::new(),
        Game::connected(),
        Game::hosting(),
        Game::joined(),
    ] {
        game.cancel_join();
        assert!(game.done().is_empty());
        assert_eq!(game.last_report(), "");
    }
}

#[test]
fn a_join_on_its_way_ends_at_once() {
    let mut game = Game::joining();
    game.cancel_join();
    assert_eq!(game.done(), ["end later 1 null", "link cancel join"]);
    assert_eq!(game.last_report(), "cannot join: joining was cancelled");
    game.cancel_join();
    assert!(game.done().is_empty());
}

#[test]
fn a_join_that_enters_ends_and_lets_go_of_the_host() {
    let mut game = Game::entering();
    game.cancel_join();
    assert_eq!(
        game.done(),
        ["end later 1 null", "close peer 1", "link release 1"]
    );
    game.link_event(gone(1));
    assert!(game.done().is_empty());
}

#[test]
fn the_links_end_of_a_cancelled_join_does_not_end_the_next() {
    let mut game = Game::joining();
    game.cancel_join();
    game.join("OTHER");
    game.forget();
    game.link_event(PeerEvent::JoinFailed(JoinError::Cancelled));
    assert!(game.done().is_empty());
    game.link_event(PeerEvent::JoinFailed(JoinError::HostFull));
    assert_eq!(game.done(), ["end later 2 null"]);
    assert_eq!(game.last_report(), "cannot join: the host's game is full");
}

#[test]
fn several_cancelled_joins_are_told_apart_from_the_last() {
    let mut game = Game::joining();
    for _ in 0..3 {
        game.cancel_join();
        game.join("OTHER");
    }
    game.forget();
    for _ in 0..3 {
        game.link_event(PeerEvent::JoinFailed(JoinError::Cancelled));
    }
    assert!(game.done().is_empty());
    game.reach(1);
    assert!(game.has_done("create client"));
}

#[test]
fn a_host_that_a_cancelled_join_reached_is_let_go() {
    let mut game = Game::joining();
    game.cancel_join();
    game.join("OTHER");
    game.forget();
    game.reach(1);
    assert_eq!(game.done(), ["link release 1"]);
    game.reach(2);
    assert!(game.has_done("create client"));
}

#[test]
fn the_progress_of_a_cancelled_join_is_not_told() {
    let mut game = Game::joining();
    game.cancel_join();
    game.join("OTHER");
    game.forget();
    game.link_event(PeerEvent::Progress(JoinProgress::Asking));
    assert!(game.done().is_empty());
    game.link_event(PeerEvent::JoinFailed(JoinError::Cancelled));
    game.link_event(PeerEvent::Progress(JoinProgress::Asking));
    assert!(game.has_done("emit join_progressed Asking"));
}

#[test]
fn a_host_that_is_reached_when_nobody_joins_is_let_go() {
    let mut game = Game::joined();
    game.reach(2);
    assert_eq!(game.done(), ["link release 2"]);
}

#[test]
fn after_a_cancelled_join_the_player_can_host() {
    let mut game = Game::joining();
    game.cancel_join();
    game.forget();
    game.host();
    assert!(game.has_done("link host 32"));
    game.link_event(PeerEvent::JoinFailed(JoinError::Cancelled));
    game.event(ConnectionEvent::Connected(server()));
    game.event(ConnectionEvent::Ready(Ok(())));
    assert!(game.has_done("end 2 peer 1"));
    game.link_event(admitted(3, 6000));
    game.enter(77, 6000);
    assert!(game.player.connection_to(77, |_| true).is_some());
}

#[test]
fn a_cancelled_join_has_no_second_end_when_the_connection_ends() {
    let mut game = Game::joining();
    game.cancel_join();
    game.forget();
    game.event(closed());
    assert_eq!(game.done(), ["close connection"]);
}
