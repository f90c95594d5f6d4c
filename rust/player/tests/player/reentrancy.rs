//! Handlers that call back in: their effects come before the rest of what was going on, and what
//! they ended is not told.

use noray_client::{ConnectionEvent, PeerEvent};

use crate::game::{Game, closed, server};

#[test]
fn a_handler_that_disconnects_ends_its_own_call() {
    let mut game = Game::new();
    game.connect("s");
    game.forget();
    game.on("emit on_connect_to_host", Game::disconnect);
    game.event(ConnectionEvent::Connected(server()));
    assert_eq!(
        game.done(),
        [
            "emit on_connect_to_host",
            "close connection",
            "end later 1 connection ended",
            "emit on_disconnect_from_host",
        ]
    );
}

#[test]
fn a_handler_that_connects_anew_gets_the_new_connection() {
    let mut game = Game::new();
    game.connect("s");
    game.forget();
    game.on("emit on_connect_to_host", |game| game.connect("t"));
    game.event(ConnectionEvent::Connected(server()));
    assert_eq!(
        game.done(),
        [
            "emit on_connect_to_host",
            "close connection",
            "end later 1 connection ended",
            "emit on_disconnect_from_host",
            "open connection t:8890",
        ]
    );
    game.event(ConnectionEvent::Connected(server()));
    assert_eq!(game.done(), ["emit on_connect_to_host", "end 2 OK"]);
}

#[test]
fn the_rest_of_a_line_is_not_told_when_its_connection_has_ended() {
    let mut game = Game::connected();
    game.on("emit on_oid", Game::disconnect);
    game.line("set-oid ME");
    assert!(!game.has_done("emit on_command"));
    let mut game = Game::connected();
    game.on("emit on_connect_nat", |game| game.connect("t"));
    game.line("connect 198.51.100.7:1");
    assert!(!game.has_done("emit on_command"));
    assert!(game.player.announced_targets().is_empty());
}

#[test]
fn a_call_in_a_handler_comes_before_the_rest() {
    let mut game = Game::connected();
    game.on("emit on_oid", Game::register_remote);
    game.line("set-oid ME");
    let done = game.done();
    assert_eq!(done[0], "emit on_oid \"ME\"");
    assert!(done[1].starts_with("end later 2 failed"));
    assert_eq!(done[2], "emit on_command set-oid");
}

#[test]
fn reconnecting_when_the_connection_ends() {
    let mut game = Game::connected();
    game.on("emit on_disconnect_from_host", |game| game.connect("t"));
    game.event(closed());
    assert_eq!(
        game.done(),
        [
            "close connection",
            "emit on_disconnect_from_host",
            "open connection t:8890",
        ]
    );
}

#[test]
fn reconnecting_in_a_handler_while_another_server_is_called() {
    let mut game = Game::connected();
    game.on("emit on_disconnect_from_host", |game| game.connect("t"));
    game.connect("u");
    assert_eq!(
        game.done(),
        [
            "close connection",
            "emit on_disconnect_from_host",
            "open connection t:8890",
            "end later 3 connection ended",
            "open connection u:8890",
        ]
    );
    game.event(ConnectionEvent::Connected(server()));
    assert_eq!(game.done(), ["emit on_connect_to_host", "end 2 OK"]);
}

#[test]
fn a_handler_that_hosts_while_another_call_hosts_comes_first() {
    let mut game = Game::connected();
    game.on("emit on_disconnect_from_host", Game::host);
    game.host_at("t", 2);
    let done = game.done();
    assert_eq!(
        done[..6],
        [
            "close connection",
            "emit on_disconnect_from_host",
            "open connection s:8890",
            "open link",
            "create server 32",
            "link host 32 at 4000",
        ]
    );
    assert_eq!(done[6..], ["send use link 8809", "end later 2 null"]);
    assert_eq!(
        game.last_report(),
        "cannot host: a call of host runs; cancel_host ends it"
    );
}

#[test]
fn a_handler_that_joins_while_another_call_joins_comes_first() {
    let mut game = Game::connected();
    game.on("emit on_disconnect_from_host", |game| game.join("OTHER"));
    game.join_at("HOST", "t");
    assert!(game.has_done("link join OTHER") && !game.has_done("link join HOST"));
    assert!(game.has_done("end later 2 null"));
}

#[test]
fn a_handler_of_the_first_stage_can_cancel() {
    let mut game = Game::new();
    game.on("emit join_progressed Connecting", Game::cancel_join);
    game.join("HOST");
    let done = game.done();
    assert_eq!(done[5..], ["end later 1 null", "link cancel join"]);
}

#[test]
fn a_handler_of_the_last_stage_cannot_cancel() {
    let mut game = Game::entering();
    game.client = noray_player::ClientStatus::Connected;
    game.on("emit join_progressed Joined", Game::cancel_join);
    game.frame();
    assert_eq!(
        game.done(),
        [
            "emit join_progressed Joined joined directly",
            "end 1 peer 1"
        ]
    );
}

#[test]
fn a_handler_of_the_last_stage_that_leaves_gets_no_peer_and_no_success() {
    let mut game = Game::entering();
    game.client = noray_player::ClientStatus::Connected;
    game.on("emit join_progressed Joined", Game::leave_games);
    game.frame();
    assert!(game.has_done("close peer 1"));
    assert!(game.has_done("end 1 null"));
    assert!(!game.has_done("end 1 peer 1"));
    assert_eq!(game.player.last_sentence(), "Joining was cancelled.");
}

#[test]
fn a_handler_that_disconnects_while_the_join_connects_ends_it() {
    let mut game = Game::joining();
    game.on("emit join_progressed Registering", Game::disconnect);
    game.event(ConnectionEvent::Connected(server()));
    assert_eq!(
        game.done(),
        [
            "emit join_progressed Registering registering at s:8890",
            "close connection",
            "end later 1 null",
            "link cancel join",
            "emit on_disconnect_from_host",
            "emit on_connect_to_host",
        ]
    );
}

#[test]
fn a_woken_script_can_call_again_at_once() {
    let mut game = Game::identified();
    game.register_remote();
    game.forget();
    game.on("end 2 OK", Game::register_remote);
    game.event(ConnectionEvent::Registered(Ok(7000)));
    assert_eq!(game.done(), ["end 2 OK", "end later 3 OK"]);
}

#[test]
fn a_host_that_joins_in_its_handler_is_refused() {
    let mut game = Game::new();
    game.host();
    game.forget();
    game.on("end 1 peer", |game| game.join("HOST"));
    game.event(ConnectionEvent::Ready(Ok(())));
    assert_eq!(game.done(), ["end 1 peer 1", "end later 2 null"]);
}

#[test]
fn a_handler_that_cancels_while_entering_leaves_nothing_open() {
    let mut game = Game::joining();
    game.on("emit join_progressed Entering", Game::cancel_join);
    game.reach(1);
    assert_eq!(
        game.done()[3..],
        ["end later 1 null", "close peer 1", "link release 1"]
    );
    game.frame();
    game.link_event(PeerEvent::UdpLost);
    assert!(game.done().is_empty());
}

#[test]
fn a_turn_ends_even_when_nothing_is_to_be_done() {
    let mut game = Game::connected();
    game.player.cancel_join();
    assert!(game.player.next_effect().is_none());
    game.player.disconnect_from_host();
    assert!(game.player.next_effect().is_some());
    game.player.cancel_join();
    assert!(game.player.next_effect().is_none(), "the inner turn");
    assert!(game.player.next_effect().is_some(), "the outer turn");
}
