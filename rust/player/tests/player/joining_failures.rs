//! Each way in which a `join` can come to nothing.

use std::time::Duration;

use noray_client::{
    ConnectionEvent, JoinError, JoinProgress, PeerEvent, ReadyError, RegisterError, SendError,
};
use noray_player::{CallId, ClientStatus, ServerAddressError, SetupError};

use crate::game::{Game, closed, gone, not_found, server};

/// Checks that the join, which was call 1, has ended in this way, with this failure.
#[track_caller]
fn check(game: &mut Game, done: &[&str], sentence: &str) {
    assert_eq!(game.done(), done);
    assert_eq!(game.last_report(), format!("cannot join: {sentence}"));
}

#[test]
fn bad_arguments_are_refused() {
    let mut game = Game::new();
    game.join("");
    check(&mut game, &["end later 1 null"], "the OpenID is empty");
    let mut game = Game::new();
    let error = SetupError::from(ServerAddressError::Malformed("a:b".to_owned()));
    let now = game.now;
    game.player.join(CallId(1), "HOST", Err(error), now);
    game.perform_all();
    assert_eq!(game.done(), ["end later 1 null"]);
    assert!(game.last_report().contains("'a:b' is no address"));
}

#[test]
fn the_players_own_openid_is_refused() {
    let mut game = Game::identified();
    game.join("ME");
    let sentence = "this is the player's own OpenID";
    check(&mut game, &["end later 2 null"], sentence);
}

#[test]
fn a_second_call_is_refused_in_each_state() {
    for mut game in [Game::joining(), Game::entering()] {
        game.join("OTHER");
        let sentence = "a join runs; cancel_join ends it";
        check(&mut game, &["end later 2 null"], sentence);
    }
    let mut game = Game::hosting();
    game.join("OTHER");
    let sentence = "this player hosts a game; close its peer first";
    check(&mut game, &["end later 2 null"], sentence);
}

#[test]
fn the_link_tells_why_the_host_was_not_reached() {
    let reason = || "why".to_owned();
    for (error, sentence) in [
        (JoinError::NoSuchHost(reason()), "no such host: why"),
        (
            JoinError::HostUnreachable(reason()),
            "the host cannot be reached: why",
        ),
        (JoinError::HostFull, "the host's game is full"),
        (JoinError::Cancelled, "joining was cancelled"),
        (
            JoinError::ServerSilent(reason()),
            "the server cannot be reached: why",
        ),
    ] {
        let mut game = Game::joining();
        game.link_event(PeerEvent::JoinFailed(error));
        check(&mut game, &["end later 1 null"], sentence);
        game.join("HOST");
        assert!(game.has_done("link join HOST"), "the next one");
    }
    let error = JoinError::TimedOut(Duration::from_secs(15));
    let sentence = format!("cannot join: {error}");
    let mut game = Game::joining();
    game.link_event(PeerEvent::Progress(JoinProgress::Asking));
    game.forget();
    game.link_event(PeerEvent::JoinFailed(error));
    assert_eq!(game.done(), ["end later 1 null"]);
    assert_eq!(game.last_report(), sentence);
}

#[test]
fn a_server_that_hangs_before_it_was_asked_is_not_taken_for_a_missing_path() {
    let timeout = Duration::from_secs(15);
    for is_connected in [false, true] {
        let mut game = Game::joining();
        if is_connected {
            game.event(ConnectionEvent::Connected(server()));
            game.forget();
        }
        game.link_event(PeerEvent::JoinFailed(JoinError::TimedOut(timeout)));
        let sentence = "the server cannot be reached: no answer within 15 s";
        check(&mut game, &["end later 1 null"], sentence);
    }
}

#[test]
fn a_server_that_is_not_reached_ends_the_call() {
    let mut game = Game::joining();
    game.event(not_found());
    let done = ["close connection", "end later 1 null", "link cancel join"];
    check(&mut game, &done, "s: no address found");
}

#[test]
fn a_server_that_is_not_reached_ends_both_calls_that_wait_for_it() {
    let mut game = Game::new();
    game.connect("s");
    game.join("HOST");
    game.forget();
    game.event(not_found());
    let done = [
        "close connection",
        "end later 2 null",
        "link cancel join",
        "end 1 failed: s: no address found",
    ];
    check(&mut game, &done, "s: no address found");
}

#[test]
fn a_server_that_gives_no_identity_ends_the_call() {
    let mut game = Game::joining();
    game.event(ConnectionEvent::Connected(server()));
    game.event(ConnectionEvent::NoIdentity);
    game.forget();
    game.event(ConnectionEvent::Ready(Err(ReadyError::NoIdentity)));
    let done = ["end later 1 null", "link cancel join"];
    let sentence = "the server does not answer: is it a noray server?";
    check(&mut game, &done, sentence);
}

#[test]
fn a_refused_registration_ends_the_call() {
    let mut game = Game::joining();
    let error = ReadyError::Register(RegisterError::Refused);
    game.event(ConnectionEvent::Ready(Err(error)));
    let done = ["end later 1 null", "link cancel join"];
    check(&mut game, &done, "the registrar refused this player");
}

#[test]
fn a_connection_that_takes_nothing_ends_the_call_and_tells_no_stage() {
    let mut game = Game::new();
    game.unsent = Some(SendError::Full);
    game.join("HOST");
    let done = [
        "open connection s:8890",
        "open link",
        "link join HOST",
        "send use link 8809",
        "end later 1 null",
        "link cancel join",
    ];
    check(&mut game, &done, "too many commands wait to be sent");
}

#[test]
fn a_connection_that_ends_ends_the_call() {
    let mut game = Game::joining();
    game.event(ConnectionEvent::Connected(server()));
    game.forget();
    game.event(closed());
    let done = [
        "close connection",
        "end later 1 null",
        "link cancel join",
        "emit on_disconnect_from_host",
    ];
    check(&mut game, &done, "the server closed the connection");
}

#[test]
fn a_connection_that_ends_while_entering_ends_nothing() {
    let mut game = Game::entering();
    game.event(closed());
    assert_eq!(
        game.done(),
        ["close connection", "emit on_disconnect_from_host"]
    );
    game.client = ClientStatus::Connected;
    game.frame();
    assert!(game.has_done("end 1 peer 1"));
}

#[test]
fn no_socket_for_enet_ends_the_call() {
    let mut game = Game::joining();
    game.no_enet = true;
    game.reach(1);
    let done = ["create client 5000", "end later 1 null", "link release 1"];
    check(&mut game, &done, "no ENet socket: Can't create");
}

const GAME_SILENT: &str = "the host is reached, but its game does not answer: it may be full";
const LEFT: [&str; 3] = ["end later 1 null", "close peer 1", "link release 1"];

#[test]
fn a_game_that_refuses_ends_the_call() {
    let mut game = Game::entering();
    game.client = ClientStatus::Closed;
    game.frame();
    check(&mut game, &LEFT, GAME_SILENT);
}

#[test]
fn a_silent_game_ends_the_call_after_five_seconds() {
    let mut game = Game::entering();
    game.wait(Duration::from_millis(4_999));
    assert!(game.done().is_empty());
    game.wait(Duration::from_millis(1));
    check(&mut game, &LEFT, GAME_SILENT);
}

#[test]
fn a_host_that_loads_does_not_end_the_join_before_its_time() {
    let mut game = Game::joining();
    game.reach_answering(1);
    game.forget();
    game.wait(Duration::from_millis(1_499));
    assert!(game.done().is_empty());
    game.wait(Duration::from_millis(1));
    let loading = "emit join_progressed Entering the host is loading: waiting for its game";
    assert_eq!(game.done(), [loading]);
    game.wait(Duration::from_secs(6));
    assert!(game.done().is_empty(), "it is told once");
    game.client = ClientStatus::Connected;
    game.frame();
    assert!(game.has_done("end 1 peer 1"));
}

#[test]
fn a_host_that_loads_for_longer_than_the_join_may_take_is_named() {
    let mut game = Game::joining();
    game.reach_answering(1);
    game.wait(Duration::from_secs(2));
    game.forget();
    game.wait(Duration::from_secs(13));
    let sentence = "the host is loading: its game did not answer within 15 s, or has other options \
                    of ENet";
    check(&mut game, &LEFT, sentence);
}

#[test]
fn the_games_own_time_can_be_over_before_that() {
    let mut game = Game::joining();
    game.now += Duration::from_secs(14);
    game.reach(1);
    game.forget();
    game.wait(Duration::from_secs(1));
    let sentence = JoinError::TimedOut(Duration::from_secs(15)).to_string();
    check(&mut game, &LEFT, &sentence);
}

#[test]
fn a_game_that_answers_in_the_last_moment_counts() {
    let mut game = Game::entering();
    game.client = ClientStatus::Connected;
    game.wait(Duration::from_secs(60));
    assert!(game.has_done("end 1 peer 1"));
}

#[test]
fn a_host_that_goes_while_it_is_entered_ends_the_call() {
    let mut game = Game::entering();
    game.link_event(gone(1));
    check(&mut game, &LEFT, GAME_SILENT);
}

#[test]
fn another_peer_that_goes_ends_nothing() {
    let mut game = Game::entering();
    game.link_event(gone(2));
    assert!(game.done().is_empty());
}
