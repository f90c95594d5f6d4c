//! `connect_nat`, `connect_relay`, and what the server says to them.

use std::net::SocketAddr;

use noray_client::{ConnectionEvent, SendError};
use noray_protocol::{
    player::requests::{ConnectError, ConnectFailure},
    wire::command::{ConnectKind, RefusalReason},
};

use crate::game::Game;

#[test]
fn a_request_needs_a_connection_and_an_openid() {
    let mut game = Game::new();
    assert!(!game.connect_nat("HOST"));
    assert_eq!(game.last_report(), "not connected to a noray server");
    let mut game = Game::connected();
    assert!(game.connect_nat("HOST"));
    assert!(!game.connect_nat(""));
    assert_eq!(game.last_report(), "the OpenID is empty");
    game.unsent = Some(SendError::Disconnected);
    assert!(!game.connect_nat("HOST"));
}

#[test]
fn an_announced_address_is_told() {
    let mut game = Game::connected();
    game.line("connect 198.51.100.7:1234");
    game.line("connect-relay 50000");
    assert_eq!(
        game.done(),
        [
            "emit on_connect_nat 198.51.100.7:1234",
            "emit on_command connect",
            "emit on_connect_relay 192.0.2.1:50000",
            "emit on_command connect-relay",
        ]
    );
}

#[test]
fn a_handshake_in_a_handler_is_with_the_signals_address() {
    let first = SocketAddr::from(([198, 51, 100, 7], 1));
    let second = SocketAddr::from(([198, 51, 100, 7], 2));
    let mut game = Game::connected();
    game.line("connect 198.51.100.7:1");
    game.on("emit on_connect_nat", move |game| {
        assert_eq!(game.player.announced_targets(), [second]);
    });
    game.on("emit on_command", move |game| {
        assert_eq!(game.player.announced_targets(), [first, second]);
    });
    game.line("connect 198.51.100.7:2");
    assert_eq!(game.player.announced_targets(), [first, second]);
}

#[test]
fn another_servers_addresses_are_forgotten() {
    let mut game = Game::connected();
    game.line("connect 198.51.100.7:1");
    game.connect("t");
    assert!(game.player.announced_targets().is_empty());
}

#[test]
fn a_failed_request_is_told_with_a_sentence() {
    let mut game = Game::identified();
    let fail = |kind, error| {
        ConnectionEvent::ConnectFailed(ConnectFailure {
            kind,
            oid: "HOST".to_owned(),
            error,
        })
    };
    let refused = ConnectError::Refused(RefusalReason::UnknownHost, "no SECRET\nhere".to_owned());
    game.event(fail(ConnectKind::Nat, refused));
    game.event(fail(ConnectKind::Relay, ConnectError::TooMany));
    assert_eq!(
        game.done(),
        [
            "emit connect_failed no direct connection to 'HOST': the server refused: no … here",
            "emit connect_failed no relay to 'HOST': 256 connects wait for an answer already",
        ]
    );
}
