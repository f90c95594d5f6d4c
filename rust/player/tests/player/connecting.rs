//! `connect_to_host` and `disconnect_from_host`, and how a connection ends.

use std::time::Duration;

use noray_client::{ConnectionEvent, DialError};

use crate::game::{Game, closed, lost, not_found, server};

#[test]
fn a_call_opens_a_connection_and_ends_once_it_is_accepted() {
    let mut game = Game::new();
    game.connect(" s ");
    assert_eq!(game.done(), ["open connection s:8890"]);
    assert!(!game.player.is_connected());
    game.event(ConnectionEvent::Connected(server()));
    assert_eq!(game.done(), ["emit on_connect_to_host", "end 1 OK"]);
    assert!(game.player.is_connected());
}

#[test]
fn a_bad_address_is_refused_after_the_call_has_returned() {
    for (address, port) in [("", 8890), ("  ", 8890), ("s", 0), ("s", -1), ("s", 65536)] {
        let mut game = Game::new();
        game.connect_to(address, port);
        let sentence = game.last_report().to_owned();
        assert_eq!(game.done(), [format!("end later 1 failed: {sentence}")]);
        assert!(sentence.ends_with("not an address"), "{sentence}");
    }
}

#[test]
fn a_bad_address_ends_the_connection_too() {
    let mut game = Game::connected();
    game.connect_to("s", 0);
    assert_eq!(
        game.done(),
        [
            "close connection",
            "emit on_disconnect_from_host",
            "end later 2 failed: cannot connect to 's', port 0: not an address",
        ]
    );
}

#[test]
fn a_server_that_is_not_reached_ends_the_call() {
    let mut game = Game::new();
    game.connect("s");
    game.forget();
    game.event(not_found());
    assert_eq!(
        game.done(),
        ["close connection", "end 1 failed: s: no address found"]
    );
    assert_eq!(game.last_report(), "s: no address found");
}

#[test]
fn no_thread_ends_the_call() {
    let mut game = Game::new();
    game.no_thread = true;
    game.connect("s");
    assert_eq!(
        game.done(),
        [
            "open connection s:8890",
            "end later 1 failed: no background thread: none left",
        ]
    );
    assert!(!game.player.is_connected());
}

#[test]
fn a_second_call_cuts_the_first_short() {
    let mut game = Game::new();
    game.connect("s");
    game.connect("t");
    assert_eq!(
        game.done(),
        [
            "open connection s:8890",
            "close connection",
            "end later 1 connection ended",
            "open connection t:8890",
        ]
    );
    game.event(ConnectionEvent::Connected(server()));
    assert_eq!(game.done(), ["emit on_connect_to_host", "end 2 OK"]);
}

#[test]
fn a_call_replaces_a_connection() {
    let mut game = Game::identified();
    game.connect("s");
    assert_eq!(
        game.done(),
        [
            "close connection",
            "emit on_disconnect_from_host",
            "open connection s:8890",
        ]
    );
    assert_eq!((game.player.oid(), game.player.pid()), ("", ""));
}

#[test]
fn disconnecting_tells_once() {
    let mut game = Game::connected();
    game.disconnect();
    assert_eq!(
        game.done(),
        ["close connection", "emit on_disconnect_from_host"]
    );
    game.disconnect();
    assert!(game.done().is_empty());
}

#[test]
fn disconnecting_while_connecting_ends_the_call_and_emits_nothing() {
    let mut game = Game::new();
    game.connect("s");
    game.forget();
    game.disconnect();
    assert_eq!(
        game.done(),
        ["close connection", "end later 1 connection ended"]
    );
}

#[test]
fn a_connection_that_the_server_closes_tells_once() {
    let mut game = Game::connected();
    game.event(closed());
    assert_eq!(
        game.done(),
        ["close connection", "emit on_disconnect_from_host"]
    );
    assert_eq!(game.last_report(), "the server closed the connection");
}

#[test]
fn a_lost_connection_tells_and_comes_back() {
    let mut game = Game::hosting();
    game.register_host();
    game.event(lost());
    assert_eq!(
        game.done(),
        [
            "emit on_disconnect_from_host",
            "emit on_oid \"\"",
            "emit on_pid \"\"",
        ]
    );
    assert!(!game.player.is_connected());
    game.event(ConnectionEvent::Connected(server()));
    assert_eq!(game.done(), ["emit on_connect_to_host"]);
}

#[test]
fn a_time_out_is_a_failure_of_its_own() {
    let mut game = Game::new();
    game.connect("s");
    game.forget();
    game.event(ConnectionEvent::NotConnected(DialError::TimedOut {
        host: "s".to_owned(),
        port: 8890,
        after: Duration::from_secs(8),
    }));
    assert_eq!(
        game.done()[1],
        "end 1 failed: s, port 8890: no answer within 8 s"
    );
}
