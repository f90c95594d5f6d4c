//! `keep_alive`.

use std::time::Duration;

use noray_client::ConnectionEvent;

use crate::game::{Game, closed};

fn registered() -> Game {
    let mut game = Game::identified();
    game.register_remote();
    game.event(ConnectionEvent::Registered(Ok(7000)));
    game.forget();
    game
}

fn keep_alive(game: &mut Game, connection: i64) -> bool {
    let now = game.now;
    game.player.keep_alive(Some(connection), now).is_ok()
}

#[test]
fn a_datagram_goes_out_at_once_and_then_each_15_s() {
    let mut game = registered();
    assert!(keep_alive(&mut game, 7));
    game.frame();
    assert_eq!(game.done(), ["keepalive 7 192.0.2.1:8809 SECRET"]);
    game.wait(Duration::from_millis(14_999));
    assert!(game.done().is_empty());
    game.wait(Duration::from_millis(1));
    assert_eq!(game.done(), ["keepalive 7 192.0.2.1:8809 SECRET"]);
}

#[test]
fn a_connection_that_is_destroyed_is_forgotten() {
    let mut game = registered();
    keep_alive(&mut game, 7);
    game.destroyed.push(7);
    game.frame();
    game.forget();
    assert!(game.player.is_idle());
    game.wait(Duration::from_secs(15));
    assert!(game.done().is_empty());
}

#[test]
fn the_same_connection_is_kept_once() {
    let mut game = registered();
    keep_alive(&mut game, 7);
    keep_alive(&mut game, 7);
    game.frame();
    assert_eq!(game.done().len(), 1);
}

#[test]
fn it_ends_with_another_identity() {
    let mut game = registered();
    keep_alive(&mut game, 7);
    game.line("set-pid OTHER");
    game.forget();
    game.frame();
    assert!(game.done().is_empty());
    game.frame();
    assert!(game.player.is_idle());
}

#[test]
fn it_ends_with_the_connection_to_the_server() {
    let mut game = registered();
    keep_alive(&mut game, 7);
    game.event(closed());
    game.forget();
    game.frame();
    assert!(game.done().is_empty() && game.player.is_idle());
}

#[test]
fn it_needs_a_registered_address() {
    let mut game = Game::identified();
    assert!(!keep_alive(&mut game, 7));
    assert_eq!(
        game.last_report(),
        "nothing to keep alive: no address is registered; await register_remote first"
    );
}

#[test]
fn it_needs_a_living_connection() {
    let mut game = registered();
    let now = game.now;
    assert!(game.player.keep_alive(None, now).is_err());
    assert_eq!(
        game.last_report(),
        "nothing to keep alive: no ENetConnection, or one that is destroyed"
    );
}
