//! Every refusal, in a command that old clients ignore.

use noray_server::{Config, RelayPorts};
use noray_testkit::{library_server::LibraryServer, player::AcceptsPlayers, ports::free_ports};

const KINDS: [&str; 2] = ["connect", "connect-relay"];

#[test]
fn an_unknown_open_id() {
    let server = LibraryServer::start();
    let mut player = server.registered();
    for kind in KINDS {
        assert_eq!(
            player.ask(&format!("{kind} NOPE")),
            format!(
                "refused {kind} NOPE unknown-host \
                 no player with this OpenID is connected to the server"
            )
        );
    }
}

#[test]
fn a_host_without_address() {
    let server = LibraryServer::start();
    let mut host = server.player();
    host.register().unwrap();
    let mut client = server.registered();
    for kind in KINDS {
        assert_eq!(
            client.ask(&format!("{kind} {}", host.oid)),
            format!(
                "refused {kind} {} host-unregistered \
                 the host has not registered its remote address",
                host.oid
            )
        );
    }
    host.expect_silence();
}

#[test]
fn a_player_without_address() {
    let server = LibraryServer::start();
    let mut host = server.registered();
    let mut client = server.player();
    client.register().unwrap();
    for kind in KINDS {
        assert_eq!(
            client.ask(&format!("{kind} {}", host.oid)),
            format!(
                "refused {kind} {} player-unregistered \
                 this player has not registered its remote address",
                host.oid
            )
        );
    }
    host.expect_silence();
    assert_eq!(server.server.stats().relays, 0);
}

#[test]
fn a_player_without_identity() {
    let server = LibraryServer::start();
    let mut host = server.registered();
    let mut client = server.player();
    for kind in KINDS {
        assert_eq!(
            client.ask(&format!("{kind} {}", host.oid)),
            format!(
                "refused {kind} {} no-identity this player has not asked for an OpenID",
                host.oid
            )
        );
    }
    host.expect_silence();
}

#[test]
fn a_text_that_is_no_open_id() {
    let server = LibraryServer::start();
    let mut player = server.registered();
    let long = "x".repeat(1025);
    for kind in KINDS {
        for text in ["", " ", " a b", " a\"b", " a\u{7}b", &format!(" {long}")] {
            assert_eq!(
                player.ask(&format!("{kind}{text}")),
                format!("refused {kind} - invalid-openid the OpenID is not valid")
            );
        }
    }
}

#[test]
fn no_free_relay() {
    let ports = free_ports(3);
    let server = LibraryServer::with(Config {
        relay_ports: ports.into(),
        ..LibraryServer::config()
    });
    let pair = server.relayed_pair();
    let mut third = server.registered();
    let mut fourth = server.registered();
    // Two ports are needed and one is free: it must stay free.
    for _ in 0..3 {
        assert_eq!(
            fourth.ask(&format!("connect-relay {}", third.oid)),
            format!(
                "refused connect-relay {} relays-full the server has no free relay",
                third.oid
            )
        );
    }
    third.expect_silence();
    assert_eq!(server.server.stats().relays, 2);
    third.relay_port(&format!("connect-relay {}", pair.host.oid));
    assert_eq!(server.server.stats().relays, 3);
    pair.exchange(b"as before");
}

#[test]
fn a_server_without_relays() {
    let server = LibraryServer::with(Config {
        relay_ports: RelayPorts::default(),
        ..LibraryServer::config()
    });
    let mut player = server.registered();
    let answer = player.ask(&format!("connect-relay {}", player.oid));
    assert!(answer.contains(" relays-full "), "{answer}");
}

#[test]
fn too_many_requests() {
    let server = LibraryServer::with(Config {
        max_connects_per_second: 2,
        ..LibraryServer::config()
    });
    let mut host = server.registered();
    let mut client = server.registered();
    let mut answered = 0;
    let mut refusal = String::new();
    while refusal.is_empty() && answered < 20 {
        let answer = client.ask(&format!("connect {}", host.oid));
        match answer.starts_with("refused") {
            true => refusal = answer,
            false => answered += 1,
        }
    }
    assert!((6..20).contains(&answered), "{answered}");
    assert_eq!(
        refusal,
        format!(
            "refused connect {} too-many-requests this player asks too often",
            host.oid
        )
    );
    for _ in 0..answered {
        assert_eq!(host.line(), format!("connect {}", client.address()));
    }
    host.expect_silence();
    // The server refuses only the player who asks too often.
    let answer = host.ask(&format!("connect {}", client.oid));
    assert_eq!(answer, format!("connect {}", client.address()));
}
