//! `register_remote`.

use noray_client::{ConnectionEvent, RegisterError, SendError};

use crate::game::{Game, lost};

#[test]
fn a_registration_ends_the_call() {
    let mut game = Game::identified();
    game.register_remote();
    assert_eq!(game.done(), ["send register SECRET 8809"]);
    game.event(ConnectionEvent::Registered(Ok(7000)));
    assert_eq!(game.done(), ["end 2 OK"]);
    assert_eq!(game.player.local_port(), Some(7000));
}

#[test]
fn a_second_call_ends_with_the_first() {
    let mut game = Game::identified();
    game.register_remote();
    game.register_remote();
    game.event(ConnectionEvent::Registered(Ok(7000)));
    assert_eq!(
        game.done(),
        ["send register SECRET 8809", "end 2 OK", "end 3 OK"]
    );
}

#[test]
fn a_further_call_ends_at_once() {
    let mut game = Game::identified();
    game.register_remote();
    game.event(ConnectionEvent::Registered(Ok(7000)));
    game.forget();
    game.register_remote();
    assert_eq!(game.done(), ["end later 3 OK"]);
}

#[test]
fn another_identity_has_to_wait() {
    let mut game = Game::identified();
    game.register_remote();
    game.line("set-pid OTHER");
    game.forget();
    game.register_remote();
    assert_eq!(
        game.done(),
        ["end later 3 failed: another PrivateID is being registered; await that first"]
    );
}

#[test]
fn what_is_registered_is_the_identity_that_was_sent() {
    let mut game = Game::identified();
    game.register_remote();
    game.line("set-pid OTHER");
    game.event(ConnectionEvent::Registered(Ok(7000)));
    game.forget();
    game.register_remote();
    assert_eq!(game.done(), ["send register OTHER 8809"]);
}

#[test]
fn a_refused_registration_ends_all_calls() {
    let mut game = Game::identified();
    game.register_remote();
    game.register_remote();
    game.forget();
    game.event(ConnectionEvent::Registered(Err(RegisterError::Refused)));
    let failed = "failed: the registrar refused this player";
    assert_eq!(
        game.done(),
        [format!("end 2 {failed}"), format!("end 3 {failed}")]
    );
    assert_eq!(game.player.local_port(), None);
}

#[test]
fn without_a_connection_or_an_identity_it_fails() {
    let mut game = Game::new();
    game.register_remote();
    assert_eq!(
        game.done(),
        ["end later 1 failed: not connected to a noray server"]
    );
    let mut game = Game::connected();
    game.register_remote();
    assert!(game.has_done("end later 2 failed: cannot register: there is no PrivateID yet"));
}

#[test]
fn bad_numbers_are_refused() {
    for (port, timeout, interval) in [
        (0, 8.0, 0.1),
        (65536, 8.0, 0.1),
        (8809, -1.0, 0.1),
        (8809, f64::NAN, 0.1),
        (8809, 8.0, f64::INFINITY),
    ] {
        let mut game = Game::identified();
        game.register_remote_with(port, timeout, interval);
        assert!(game.has_done("end later 2 failed: cannot register with port"));
    }
}

#[test]
fn a_command_that_cannot_be_sent_ends_the_call() {
    let mut game = Game::identified();
    game.unsent = Some(SendError::Full);
    game.register_remote();
    assert_eq!(
        game.done(),
        [
            "send register SECRET 8809",
            "end later 2 failed: too many commands wait to be sent",
        ]
    );
}

#[test]
fn a_connection_that_ends_ends_the_calls() {
    let mut game = Game::identified();
    game.register_remote();
    game.register_remote();
    game.forget();
    game.disconnect();
    assert_eq!(
        game.done(),
        [
            "close connection",
            "end later 2 connection ended",
            "end later 3 connection ended",
            "emit on_disconnect_from_host",
        ]
    );
}

#[test]
fn the_port_belongs_to_the_game_that_is_on() {
    let mut game = Game::hosting();
    game.register_remote();
    assert_eq!(
        game.done(),
        [
            "end later 2 failed: cannot register: the port belongs to the game that host or join began"
        ]
    );
}

#[test]
fn the_port_is_free_once_the_game_has_closed_its_peer_in_this_very_frame() {
    let mut game = Game::hosting();
    game.close(1);
    game.register_remote();
    assert_eq!(
        game.done(),
        [
            "forget server 1",
            "link stop hosting",
            "close link",
            "send register SECRET 8809",
        ]
    );
}

#[test]
fn a_lost_connection_has_to_register_again() {
    let mut game = Game::identified();
    game.register_remote();
    game.event(ConnectionEvent::Registered(Ok(7000)));
    game.event(lost());
    game.event(ConnectionEvent::Connected(crate::game::server()));
    game.forget();
    game.register_remote();
    assert_eq!(game.done(), ["send register SECRET 8809"]);
}
