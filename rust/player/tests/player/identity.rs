//! `register_host`, and the lines in which a server gives an identity.

use noray_client::{ConnectionEvent, SendError};
use noray_player::RegisterArguments;
use noray_protocol::wire::{command::ServerLine, framing::Framing};

use crate::game::{Game, closed};

#[test]
fn each_line_is_told_by_its_signal_and_then_by_on_command() {
    let mut game = Game::connected();
    game.line("set-oid ME");
    assert_eq!(game.player.oid(), "ME");
    game.line("set-pid SECRET");
    assert_eq!(game.player.pid(), "SECRET");
    game.line("anything else");
    assert_eq!(
        game.done(),
        [
            "emit on_oid \"ME\"",
            "emit on_command set-oid",
            "emit on_pid \"SECRET\"",
            "emit on_command set-pid",
            "emit on_command anything",
        ]
    );
}

#[test]
fn the_properties_are_set_before_the_signals() {
    let mut game = Game::connected();
    game.on("emit on_oid", |game| assert_eq!(game.player.oid(), "ME"));
    game.line("set-oid ME");
    assert!(game.has_done("emit on_command"));
}

#[test]
fn a_greeting_tells_the_version() {
    let mut game = Game::connected();
    game.line("hi \"noray v2.0.0\"");
    assert_eq!(game.player.server_version(), "noray v2.0.0");
    game.connect("t");
    assert_eq!(game.player.server_version(), "");
}

#[test]
fn without_a_connection_nothing_is_requested() {
    let mut game = Game::new();
    assert!(!game.register_host());
    assert_eq!(game.last_report(), "not connected to a noray server");
}

#[test]
fn a_command_that_cannot_be_sent_is_a_failure() {
    let mut game = Game::connected();
    game.unsent = Some(SendError::Full);
    assert!(!game.register_host());
    assert_eq!(game.last_report(), "too many commands wait to be sent");
    // Nothing was requested, so nothing is told when the connection ends.
    game.disconnect();
    assert!(!game.has_done("emit on_pid"));
}

#[test]
fn an_answer_that_stays_away_wakes_whoever_awaits_it() {
    let mut game = Game::connected();
    assert!(game.register_host());
    game.event(ConnectionEvent::NoIdentity);
    assert_eq!(game.done(), ["emit on_oid \"\"", "emit on_pid \"\""]);
    assert_eq!(
        game.last_report(),
        "the server does not answer: is it a noray server?"
    );
}

#[test]
fn a_connection_that_ends_before_the_answer_wakes_whoever_awaits_it() {
    let mut game = Game::connected();
    assert!(game.register_host() && game.register_host());
    game.line("set-pid SECRET");
    game.forget();
    game.event(closed());
    assert_eq!(
        game.done(),
        [
            "close connection",
            "emit on_disconnect_from_host",
            "emit on_oid \"\"",
            "emit on_pid \"\"",
        ]
    );
}

#[test]
fn a_connection_that_ends_after_the_answer_tells_no_more() {
    let mut game = Game::connected();
    game.register_host();
    game.line("set-oid ME");
    game.line("set-pid SECRET");
    game.forget();
    game.disconnect();
    assert_eq!(
        game.done(),
        ["close connection", "emit on_disconnect_from_host"]
    );
}

#[test]
fn no_effect_shows_the_private_id_when_it_is_printed() {
    let mut game = Game::connected();
    let line = ServerLine::parse("set-pid SECRET", Framing::Plain);
    let Some(line) = line else {
        panic!("no line");
    };
    game.player
        .handle_connection_event(ConnectionEvent::Line(line));
    while let Some(effect) = game.player.next_effect() {
        assert!(!format!("{effect:?} {:?}", game.player).contains("SECRET"));
    }
    game.player
        .register_remote(noray_player::CallId(9), arguments());
    while let Some(effect) = game.player.next_effect() {
        assert!(!format!("{effect:?} {:?}", game.player).contains("SECRET"));
    }
}

fn arguments() -> RegisterArguments {
    RegisterArguments {
        registrar_port: 8809,
        timeout: 8.0,
        interval: 0.1,
    }
}
