//! `host`.

use std::time::Duration;

use noray_client::{ConnectionEvent, ReadyError, RegisterError, SendError};
use noray_player::{OptionsError, SetupError};

use crate::game::{Game, admitted, closed, lost, not_found, place, server};

const STOPPED: [&str; 4] = [
    "forget server 1",
    "close peer 1",
    "end later 1 null",
    "link stop hosting",
];

/// A game whose call of `host` waits.
fn waiting() -> Game {
    let mut game = Game::new();
    game.host();
    game.forget();
    game
}

#[test]
fn a_call_begins_all_that_a_host_needs() {
    let mut game = Game::new();
    game.host();
    assert_eq!(
        game.done(),
        [
            "open connection s:8890",
            "open link",
            "create server 32",
            "link host 32 at 4000",
            "send use link 8809",
        ]
    );
}

#[test]
fn the_game_gets_its_peer_once_others_can_reach_this_player() {
    let mut game = waiting();
    game.event(ConnectionEvent::Connected(server()));
    game.event(ConnectionEvent::Registered(Ok(7000)));
    game.event(ConnectionEvent::Ready(Ok(())));
    assert_eq!(game.done(), ["emit on_connect_to_host", "end 1 peer 1"]);
    assert_eq!(game.player.local_port(), Some(7000));
}

#[test]
fn a_connection_to_the_same_server_is_used() {
    let mut game = Game::identified();
    game.host();
    assert_eq!(
        game.done(),
        [
            "open link",
            "create server 32",
            "link host 32 at 4000",
            "send use link 8809",
        ]
    );
}

#[test]
fn a_connection_to_another_server_ends_first() {
    let mut game = Game::connected();
    game.host_at("t", 2);
    assert_eq!(
        game.done(),
        [
            "close connection",
            "emit on_disconnect_from_host",
            "open connection t:8890",
            "open link",
            "create server 2",
            "link host 2 at 4000",
            "send use link 8809",
        ]
    );
}

#[test]
fn bad_arguments_are_refused() {
    for clients in [0, -1, 4096, i64::MAX] {
        let mut game = Game::new();
        game.host_at("s", clients);
        assert_eq!(game.done(), ["end later 1 null"]);
        let sentence = format!("cannot host: {clients} is no number of players");
        assert_eq!(game.last_report(), sentence);
    }
    let mut game = Game::new();
    let error = SetupError::from(OptionsError::Unknown("color".to_owned()));
    let now = game.now;
    game.player
        .host(noray_player::CallId(1), Err(error), 32, now);
    game.perform_all();
    assert_eq!(game.done(), ["end later 1 null"]);
    assert_eq!(
        game.last_report(),
        "cannot host: there is no option 'color'"
    );
}

#[test]
fn a_second_call_is_refused_in_each_state() {
    for (mut game, sentence) in [
        (
            waiting(),
            "cannot host: a call of host runs; cancel_host ends it",
        ),
        (
            Game::hosting(),
            "cannot host: this player hosts a game; close its peer first",
        ),
    ] {
        game.host();
        assert_eq!(game.done(), ["end later 2 null"]);
        assert_eq!(game.last_report(), sentence);
    }
    let mut game = Game::joining();
    game.host();
    assert_eq!(game.done(), ["end later 2 null"]);
    assert_eq!(
        game.last_report(),
        "cannot host: a join runs; cancel_join ends it"
    );
}

#[test]
fn a_refused_call_leaves_the_connection_alone() {
    let mut game = Game::hosting();
    game.host_at("t", 32);
    assert_eq!(game.done(), ["end later 2 null"]);
    assert!(game.player.is_connected());
}

#[test]
fn hosting_again_after_the_peer_was_closed_in_the_same_frame() {
    let mut game = Game::hosting();
    game.close(1);
    game.host();
    assert_eq!(
        game.done(),
        [
            "forget server 1",
            "link stop hosting",
            "create server 32",
            "link host 32 at 4000",
            "send use link 8809",
        ]
    );
}

#[test]
fn no_socket_for_enet_ends_the_call() {
    let mut game = Game::new();
    game.no_enet = true;
    game.host();
    assert!(game.has_done("end later 1 null"));
    assert_eq!(
        game.last_report(),
        "cannot host: no ENet socket: Can't create"
    );
    assert!(!game.has_done("link host"));
}

#[test]
fn a_connection_that_takes_nothing_ends_the_call() {
    let mut game = Game::new();
    game.unsent = Some(SendError::Full);
    game.host();
    assert_eq!(game.done()[5..], STOPPED);
    assert_eq!(
        game.last_report(),
        "cannot host: too many commands wait to be sent"
    );
}

#[test]
fn a_connection_that_has_just_ended_tells_so_by_its_last_event() {
    let mut game = Game::new();
    game.unsent = Some(SendError::Disconnected);
    game.host();
    assert!(!game.has_done("end"));
    game.forget();
    game.event(not_found());
    assert_eq!(game.done()[0], "close connection");
    assert_eq!(game.last_report(), "cannot host: s: no address found");
}

#[test]
fn a_server_that_is_not_reached_ends_the_call() {
    let mut game = waiting();
    game.event(not_found());
    assert_eq!(game.done()[1..], STOPPED);
    assert_eq!(game.last_report(), "cannot host: s: no address found");
}

#[test]
fn a_server_that_gives_no_identity_ends_the_call() {
    let mut game = waiting();
    game.event(ConnectionEvent::Connected(server()));
    game.forget();
    game.event(ConnectionEvent::NoIdentity);
    game.event(ConnectionEvent::Ready(Err(ReadyError::NoIdentity)));
    assert_eq!(game.done()[2..], STOPPED);
    assert_eq!(
        game.last_report(),
        "cannot host: the server does not answer: is it a noray server?"
    );
}

#[test]
fn a_refused_registration_ends_the_call() {
    let mut game = waiting();
    let error = ReadyError::Register(RegisterError::Refused);
    game.event(ConnectionEvent::Ready(Err(error)));
    assert_eq!(game.done(), STOPPED);
}

#[test]
fn a_connection_that_ends_ends_the_call() {
    let mut game = waiting();
    game.event(ConnectionEvent::Connected(server()));
    game.forget();
    game.event(closed());
    assert_eq!(game.done()[1..5], STOPPED);
    assert_eq!(
        game.last_report(),
        "cannot host: the server closed the connection"
    );
}

#[test]
fn disconnecting_ends_the_call() {
    let mut game = waiting();
    game.disconnect();
    assert_eq!(game.done()[1..], STOPPED);
}

#[test]
fn the_call_ends_when_its_time_is_over() {
    let mut game = waiting();
    game.wait(Duration::from_millis(14_750));
    assert!(game.done().is_empty());
    game.wait(Duration::from_millis(250));
    assert_eq!(game.done(), STOPPED);
    assert_eq!(game.last_report(), "cannot host: not ready within 15 s");
}

#[test]
fn a_game_that_is_on_outlives_its_time_and_its_server() {
    let mut game = Game::hosting();
    game.wait(Duration::from_secs(60));
    game.event(closed());
    game.wait(Duration::from_secs(1));
    assert_eq!(
        game.done(),
        ["close connection", "emit on_disconnect_from_host"]
    );
}

#[test]
fn a_registration_that_fails_later_ends_no_game() {
    let mut game = Game::hosting();
    game.event(lost());
    game.event(ConnectionEvent::Connected(server()));
    game.forget();
    let error = ReadyError::Register(RegisterError::Refused);
    game.event(ConnectionEvent::Ready(Err(error)));
    assert!(game.done().is_empty());
}

#[test]
fn another_openid_is_told_while_the_game_is_on() {
    let mut game = Game::hosting();
    game.event(lost());
    game.event(ConnectionEvent::Connected(server()));
    game.line("set-oid NEW");
    game.forget();
    game.event(ConnectionEvent::Ready(Ok(())));
    assert_eq!(game.done(), ["emit oid_changed NEW"]);
    game.event(ConnectionEvent::Ready(Ok(())));
    assert!(game.done().is_empty());
}

#[test]
fn the_same_openid_is_not_told() {
    let mut game = Game::hosting();
    game.event(lost());
    game.event(ConnectionEvent::Connected(server()));
    game.line("set-oid ME");
    game.forget();
    game.event(ConnectionEvent::Ready(Ok(())));
    assert!(game.done().is_empty());
}

#[test]
fn hosting_ends_when_the_game_closes_its_peer() {
    let mut game = Game::hosting();
    game.link_event(admitted(1, 6000));
    game.link_event(admitted(2, 6001));
    game.frame();
    game.close(1);
    game.wait(Duration::from_millis(249));
    assert!(game.done().is_empty());
    game.wait(Duration::from_millis(1));
    assert_eq!(
        game.done(),
        [
            "forget server 1",
            "link release 1",
            "link release 2",
            "link stop hosting",
        ]
    );
}

#[test]
fn the_link_is_closed_once_nothing_needs_it() {
    let mut game = Game::hosting();
    game.close(1);
    game.wait(Duration::from_secs(1));
    game.disconnect();
    game.link_is_used = true;
    game.forget();
    game.frame();
    assert!(game.done().is_empty());
    game.link_is_used = false;
    game.frame();
    assert_eq!(game.done(), ["close link"]);
    assert!(game.player.is_idle());
}

#[test]
fn the_link_stays_while_a_server_is_connected() {
    let mut game = Game::hosting();
    game.close(1);
    game.wait(Duration::from_secs(1));
    game.forget();
    game.frame();
    assert!(game.done().is_empty());
}

#[test]
fn a_saved_identity_does_not_end_with_its_process() {
    let saved = noray_player::saved_identity("SAVED", "SECRET").unwrap();
    let host = |game: &mut Game| {
        let (target, mut options) = place("s").unwrap();
        options.identity = Some(saved.clone());
        let now = game.now;
        let call = noray_player::CallId(9);
        game.player.host(call, Ok((target, options)), 2, now);
        game.perform_all();
    };
    let mut game = Game::new();
    host(&mut game);
    assert_eq!(game.done()[0], "open connection s:8890 as SAVED");
    // A connection under another identity makes room.
    let mut game = Game::identified();
    host(&mut game);
    assert_eq!(game.done()[0], "close connection");
    assert!(!format!("{saved:?}").contains("SECRET"));
}

#[test]
fn the_options_reach_enet_and_the_link() {
    let mut game = Game::new();
    let Ok((target, mut options)) = place("s") else {
        panic!("no address");
    };
    options.registrar_port = 9;
    options.timeout = Duration::from_secs(1);
    let now = game.now;
    game.player
        .host(noray_player::CallId(1), Ok((target, options)), 2, now);
    game.perform_all();
    assert!(game.has_done("send use link 9"));
    game.wait(Duration::from_secs(1));
    assert!(game.has_done("end later 1 null"));
}
