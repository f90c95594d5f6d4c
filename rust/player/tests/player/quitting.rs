//! The game quits.

use crate::game::{Game, admitted};

#[test]
fn nothing_is_told_but_to_who_awaits_it() {
    let mut game = Game::identified();
    game.register_remote();
    game.register_host();
    game.forget();
    game.quit();
    assert_eq!(
        game.done(),
        [
            "close connection",
            "end later 2 connection ended",
            "emit on_oid \"\"",
            "emit on_pid \"\"",
        ]
    );
}

#[test]
fn a_call_that_connects_ends() {
    let mut game = Game::new();
    game.connect("s");
    game.forget();
    game.quit();
    assert_eq!(
        game.done(),
        ["close connection", "end later 1 connection ended"]
    );
}

#[test]
fn a_host_says_goodbye_before_the_link_goes() {
    let mut game = Game::hosting();
    game.link_event(admitted(1, 6000));
    game.enter(70, 6000);
    game.forget();
    game.quit();
    assert_eq!(
        game.done(),
        [
            "forget server 1",
            "goodbye [1] to 1",
            "close link",
            "close connection",
        ]
    );
}

#[test]
fn a_joined_player_says_goodbye() {
    let mut game = Game::joined();
    game.quit();
    assert_eq!(
        game.done(),
        ["goodbye [1] to 1", "close link", "close connection"]
    );
}

#[test]
fn a_host_that_waits_ends() {
    let mut game = Game::new();
    game.host();
    game.forget();
    game.quit();
    assert_eq!(
        game.done(),
        [
            "forget server 1",
            "close peer 1",
            "end later 1 null",
            "goodbye [1] to 0",
            "close link",
            "close connection",
        ]
    );
    assert_eq!(game.last_report(), "the connection to the server ended");
}

#[test]
fn a_join_ends_in_each_state() {
    let mut game = Game::joining();
    game.quit();
    assert!(game.has_done("end later 1 null") && !game.has_done("link"));
    let mut game = Game::entering();
    game.quit();
    assert!(game.has_done("end later 1 null") && game.has_done("close peer 1"));
}

#[test]
fn who_is_woken_and_calls_again_ends_again() {
    let mut game = Game::new();
    game.connect("s");
    game.quit();
    game.join("HOST");
    game.forget();
    game.quit();
    assert!(game.has_done("end later 2 null"));
    game.forget();
    game.quit();
    assert!(game.done().is_empty() && game.player.is_idle());
}
