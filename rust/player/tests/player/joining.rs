//! `join`, as long as all goes well.

use std::time::Duration;

use noray_client::{ConnectionEvent, JoinProgress, PeerEvent, ReadyError};
use noray_player::ClientStatus;

use crate::game::{Game, lost, server};

#[test]
fn a_call_begins_all_that_a_joining_player_needs() {
    let mut game = Game::new();
    game.join("HOST");
    assert_eq!(
        game.done(),
        [
            "open connection s:8890",
            "open link",
            "link join HOST",
            "send use link 8809",
            "emit join_progressed Connecting connecting to s:8890",
        ]
    );
}

#[test]
fn a_connected_player_begins_with_the_registration() {
    let mut game = Game::connected();
    game.join("HOST");
    assert_eq!(
        game.done(),
        [
            "open link",
            "link join HOST",
            "send use link 8809",
            "emit join_progressed Registering registering at s:8890",
        ]
    );
}

#[test]
fn each_step_is_told() {
    let mut game = Game::joining();
    game.event(ConnectionEvent::Connected(server()));
    for progress in [
        JoinProgress::Asking,
        JoinProgress::TryingLan,
        JoinProgress::TryingDirect,
        JoinProgress::TryingRelay,
    ] {
        game.link_event(PeerEvent::Progress(progress));
    }
    let mut done = game.done();
    for line in &mut done {
        *line = line.split(' ').take(3).collect::<Vec<_>>().join(" ");
    }
    assert_eq!(
        done,
        [
            "emit join_progressed Registering",
            "emit on_connect_to_host",
            "emit join_progressed Asking",
            "emit join_progressed TryingLan",
            "emit join_progressed TryingDirect",
            "emit join_progressed TryingRelay",
        ]
    );
}

#[test]
fn a_host_that_is_reached_is_entered_by_enet() {
    let mut game = Game::joining();
    game.reach(1);
    assert_eq!(
        game.done(),
        [
            "create client 5000",
            "link enet 1 4000",
            "emit join_progressed Entering the host is reached; entering its game",
        ]
    );
    game.frame();
    assert!(game.done().is_empty());
    game.client = ClientStatus::Connected;
    game.frame();
    assert_eq!(
        game.done(),
        [
            "emit join_progressed Joined joined directly",
            "end 1 peer 1"
        ]
    );
    assert_eq!(game.last_report(), "");
}

#[test]
fn multiplayer_hears_of_the_host_once_it_listens() {
    let mut game = Game::joined();
    game.frame();
    assert!(game.done().is_empty());
    game.listens = true;
    game.frame();
    assert_eq!(game.done(), ["announce host 1"]);
    game.frame();
    assert!(game.done().is_empty());
}

#[test]
fn multiplayer_hears_of_the_host_in_the_frame_in_which_it_gets_the_peer() {
    let mut game = Game::entering();
    game.client = ClientStatus::Connected;
    game.on("end 1 peer", |game| game.listens = true);
    game.frame();
    assert_eq!(
        game.done(),
        [
            "emit join_progressed Joined joined directly",
            "end 1 peer 1",
            "announce host 1",
        ]
    );
}

#[test]
fn a_game_ends_when_its_peer_is_closed() {
    let mut game = Game::joined();
    game.close(1);
    game.wait(Duration::from_millis(250));
    assert_eq!(game.done(), ["link release 1"]);
    game.wait(Duration::from_secs(1));
    assert!(game.done().is_empty());
}

#[test]
fn joining_the_same_host_again_ends_the_game_that_is_on() {
    let mut game = Game::joined();
    game.join("HOST");
    assert_eq!(
        game.done(),
        [
            "close peer 1",
            "link release 1",
            "link join HOST",
            "send use link 8809",
            "emit join_progressed Registering registering at s:8890",
        ]
    );
}

#[test]
fn joining_another_host_leaves_the_game_that_is_on() {
    let mut game = Game::joined();
    game.join("OTHER");
    assert!(!game.has_done("close peer") && game.has_done("link join OTHER"));
    game.reach(2);
    game.frame();
    assert!(game.has_done("end 2 peer 2"));
    let connection = game.player.connection_to(1, |enet| game.is_open(enet));
    assert_eq!(connection.map(|connection| connection.enet.0), Some(2));
}

#[test]
fn a_game_outlives_its_server() {
    let mut game = Game::joined();
    game.disconnect();
    game.wait(Duration::from_secs(60));
    assert_eq!(
        game.done(),
        ["close connection", "emit on_disconnect_from_host"]
    );
}

#[test]
fn a_join_that_has_come_further_does_without_the_registration() {
    let mut game = Game::joining();
    game.event(ConnectionEvent::Connected(server()));
    game.link_event(PeerEvent::Progress(JoinProgress::Asking));
    game.event(lost());
    game.forget();
    game.event(ConnectionEvent::Ready(Err(ReadyError::NoIdentity)));
    assert!(game.done().is_empty());
    game.reach(1);
    assert!(game.has_done("create client"));
}

#[test]
fn a_joined_player_hears_of_another_openid() {
    let mut game = Game::joining();
    game.event(ConnectionEvent::Connected(server()));
    game.line("set-oid ME");
    game.event(ConnectionEvent::Ready(Ok(())));
    game.reach(1);
    game.client = ClientStatus::Connected;
    game.frame();
    game.event(lost());
    game.event(ConnectionEvent::Connected(server()));
    game.line("set-oid NEW");
    game.forget();
    game.event(ConnectionEvent::Ready(Ok(())));
    assert_eq!(game.done(), ["emit oid_changed NEW"]);
}
