//! Commands and their answers.

use noray_testkit::{
    defaults::{ANSWER, SILENCE},
    player::{AcceptsPlayers, Player, ask_registrar, eventually},
    ports::free_ports,
};
use std::{net::UdpSocket, thread::sleep};

use crate::{
    fact::{Fact, NOT_MEASURED, Ours},
    program::{Program, Server},
};

/// Where ours refuses and version 1.4 says nothing.
const REFUSALS: &str = "Refusals";

pub(crate) const FACTS: &[Fact] = &[
    Fact {
        name: "greeting",
        v1: "it says nothing before it is asked",
        v2: "`hi \"noray v<version>\"` comes before anything else",
        public: |program| {
            let server = program.start(&[]);
            assert_eq!(server.dial().ask("echo first"), "echo first");
        },
        ours: Ours::Differs {
            difference: "The greeting",
            does: "`hi \"noray-server v<version>\"` comes before anything else",
            check: |program| {
                let server = program.start(&[]);
                let version = env!("CARGO_PKG_VERSION");
                let greeting = format!("hi \"noray-server v{version}\"");
                assert_eq!(server.dial().ask("echo first"), greeting);
            },
        },
    },
    Fact {
        name: "offers",
        v1: "a player who has an OpenID can be asked for, whatever it says",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            assert!(tell_hosting(&server).starts_with("connect 127.0.0.1:"));
        },
        ours: Ours::Differs {
            difference: "Hosting",
            does: "not if it has said `can hosting` and `shut`",
            check: |program| {
                let server = program.start(&[]);
                assert!(tell_hosting(&server).contains(" unknown-host "));
            },
        },
    },
    Fact {
        name: "register_host",
        v1: "`set-oid` and then `set-pid`: 21 and 128 characters that an URL may hold",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let mut player = server.player();
            player.register().unwrap();
            let is_safe = |c: char| c.is_ascii_alphanumeric() || "-_".contains(c);
            assert_eq!(player.oid.len(), 21);
            assert_eq!(player.pid.len(), 128);
            assert!(player.oid.chars().all(is_safe) && player.pid.chars().all(is_safe));
        },
        ours: Ours::Same,
    },
    Fact {
        name: "ids_as_configured",
        v1: "ids have the length and the characters of the settings",
        v2: "the same",
        public: |program| {
            let server = program.start(&[
                ("NORAY_OID_LENGTH", "4"),
                ("NORAY_OID_CHARSET", "abc"),
                ("NORAY_PID_LENGTH", "40"),
                ("NORAY_PID_CHARSET", "01"),
            ]);
            let player = server.registered();
            assert_eq!(player.oid.len(), 4);
            assert!(player.oid.chars().all(|c| "abc".contains(c)));
            assert_eq!(player.pid.len(), 40);
            assert!(player.pid.chars().all(|c| "01".contains(c)));
        },
        ours: Ours::Same,
    },
    Fact {
        name: "words_as_open_id",
        v1: "it has no such setting: characters",
        v2: "three words when `NORAY_ENABLE_WORDS_OID` is true; they can be non-ASCII",
        public: |program| {
            let server = program.start(WORDS);
            let mut player = server.player();
            player.register().unwrap();
            assert_eq!(player.oid.len(), 21);
        },
        ours: Ours::Differs {
            difference: "Words of OpenIDs",
            does: "three words in ASCII letters, each with a capital",
            check: |program| {
                let server = program.start(WORDS);
                let mut player = server.player();
                player.register().unwrap();
                let capitals = player.oid.matches(|c: char| c.is_ascii_uppercase());
                assert_eq!(capitals.count(), 3, "{}", player.oid);
                assert!(player.oid.chars().all(|c| c.is_ascii_alphabetic()));
            },
        },
    },
    Fact {
        name: "connect",
        v1: "each player is told the other's registered address, once",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let (mut host, mut client) = (server.registered(), server.registered());
            let answer = client.ask(&format!("connect {}", host.oid));
            assert_eq!(answer, format!("connect {}", host.address()));
            assert_eq!(host.line(), format!("connect {}", client.address()));
            expect_silence(&mut client);
            expect_silence(&mut host);
        },
        ours: Ours::Same,
    },
    Fact {
        name: "connect_relay",
        v1: "each player is told the relay port that stands for the other, once",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let mut pair = server.relayed_pair();
            assert!(server.ports.relays.contains(&pair.host_port));
            assert!(server.ports.relays.contains(&pair.client_port));
            assert_ne!(pair.host_port, pair.client_port);
            expect_silence(&mut pair.client);
            expect_silence(&mut pair.host);
        },
        ours: Ours::Same,
    },
    Fact {
        name: "echo",
        v1: "it comes back as it was",
        v2: "no answer",
        public: |program| {
            let server = program.start(&[]);
            let mut player = server.player();
            for text in ["hello", "two  spaces ", "", "\"", "äöü 🎲"] {
                assert_eq!(player.ask(&format!("echo {text}")), format!("echo {text}"));
            }
        },
        ours: Ours::Same,
    },
    Fact {
        name: "unknown_commands_and_empty_lines",
        v1: "no answer",
        v2: "no answer",
        public: |program| {
            let server = program.start(&[]);
            let mut player = server.player();
            for line in [
                "",
                " ",
                "invented",
                "invented data",
                "CONNECT x",
                "hi",
                "set-oid x",
            ] {
                player.send(line);
                expect_silence(&mut player);
            }
        },
        ours: Ours::Same,
    },
    Fact {
        name: "unknown_open_id",
        v1: "no answer",
        v2: "`connect \"Error: Unknown host oid: NOPE\"`",
        public: |program| {
            let server = program.start(&[]);
            expect_no_answers(&mut server.registered(), "NOPE");
        },
        ours: Ours::Differs {
            difference: REFUSALS,
            does: "`refused connect NOPE unknown-host …`",
            check: |program| {
                let server = program.start(&[]);
                expect_refusals(&mut server.registered(), "NOPE", "unknown-host");
            },
        },
    },
    Fact {
        name: "host_without_address",
        v1: "no answer",
        v2: "an error text for `connect`; for `connect-relay` ports that lead nowhere",
        public: |program| {
            let (_server, host, mut client) = host_without_address(program);
            expect_no_answers(&mut client, &host.oid);
        },
        ours: Ours::Differs {
            difference: REFUSALS,
            does: "`refused connect … host-unregistered …`",
            check: |program| {
                let (_server, mut host, mut client) = host_without_address(program);
                expect_refusals(&mut client, &host.oid, "host-unregistered");
                expect_silence(&mut host);
            },
        },
    },
    Fact {
        name: "player_without_address",
        v1: "no answer",
        v2: "an error text for `connect`; for `connect-relay` ports that lead nowhere",
        public: |program| {
            let (_server, host, mut client) = player_without_address(program);
            expect_no_answers(&mut client, &host.oid);
        },
        ours: Ours::Differs {
            difference: REFUSALS,
            does: "`refused connect … player-unregistered …`",
            check: |program| {
                let (_server, mut host, mut client) = player_without_address(program);
                expect_refusals(&mut client, &host.oid, "player-unregistered");
                expect_silence(&mut host);
            },
        },
    },
    Fact {
        name: "player_without_identity",
        v1: "no answer",
        v2: NOT_MEASURED,
        public: |program| {
            let server = program.start(&[]);
            let host = server.registered();
            expect_no_answers(&mut server.player(), &host.oid);
        },
        ours: Ours::Differs {
            difference: REFUSALS,
            does: "`refused connect … no-identity …`",
            check: |program| {
                let server = program.start(&[]);
                let host = server.registered();
                expect_refusals(&mut server.player(), &host.oid, "no-identity");
            },
        },
    },
    Fact {
        name: "no_open_id",
        v1: "no answer",
        v2: NOT_MEASURED,
        public: |program| {
            let server = program.start(&[]);
            expect_no_answers(&mut server.registered(), "");
        },
        ours: Ours::Differs {
            difference: REFUSALS,
            does: "`refused connect - invalid-openid …`",
            check: |program| {
                let server = program.start(&[]);
                let mut player = server.registered();
                let answer = player.ask("connect ");
                assert!(
                    answer.starts_with("refused connect - invalid-openid "),
                    "{answer}"
                );
            },
        },
    },
    Fact {
        name: "relay_pool_used_up",
        v1: "no answer",
        v2: "`connect-relay \"AssertionError …: No more free ports!\"`",
        public: |program| {
            let (_server, mut host, mut client) = used_up(program);
            client.send(&format!("connect-relay {}", host.oid));
            expect_silence(&mut client);
            expect_silence(&mut host);
        },
        ours: Ours::Differs {
            difference: REFUSALS,
            does: "`refused connect-relay … relays-full …`",
            check: |program| {
                let (_server, mut host, mut client) = used_up(program);
                let answer = client.ask(&format!("connect-relay {}", host.oid));
                let expected = format!("refused connect-relay {} relays-full ", host.oid);
                assert!(answer.starts_with(&expected), "{answer}");
                expect_silence(&mut host);
            },
        },
    },
    Fact {
        name: "second_register_host",
        v1: "a second pair; both OpenIDs live; `connect` from this connection uses the first",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let mut player = server.registered();
            let (first, first_address) = (player.oid.clone(), player.address());
            player.register().unwrap();
            player.udp = UdpSocket::bind("127.0.0.1:0").unwrap();
            player.register_remote().unwrap();
            assert_ne!(player.oid, first);
            let mut other = server.registered();
            for (oid, address) in [(&first, first_address), (&player.oid, player.address())] {
                let answer = other.ask(&format!("connect {oid}"));
                assert_eq!(answer, format!("connect {address}"));
            }
            player.send(&format!("connect {}", other.oid));
            assert_eq!(other.line(), format!("connect {first_address}"));
        },
        ours: Ours::Same,
    },
    Fact {
        name: "own_open_id",
        v1: "the line comes twice",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let mut player = server.registered();
            let expected = format!("connect {}", player.address());
            assert_eq!(player.ask(&format!("connect {}", player.oid)), expected);
            assert_eq!(player.line(), expected);
            let port = player.relay_port(&format!("connect-relay {}", player.oid));
            assert_eq!(player.relay_port(""), port);
            expect_silence(&mut player);
        },
        ours: Ours::Same,
    },
    Fact {
        name: "end_of_a_connection",
        v1: "its OpenID and its PrivateID are gone with it",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let host = server.registered();
            let (oid, pid) = (host.oid.clone(), host.pid.clone());
            drop(host);
            let mut other = server.registered();
            eventually("the PrivateID is gone", || {
                ask_registrar(&other.udp, server.registrar(), pid.as_bytes()).unwrap() != "OK"
            });
            other.send(&format!("connect {oid}"));
            let answer = other.line_within(SILENCE).unwrap_or_default();
            assert!(!answer.starts_with("connect "), "{answer}");
        },
        ours: Ours::Same,
    },
    Fact {
        name: "resume_host",
        v1: "an unknown command, so that the `register-host` behind it gives a new identity",
        v2: "the same",
        public: |program| {
            let (_server, before, mut player) = come_back(program);
            player.register().unwrap();
            assert_ne!([&player.oid, &player.pid], [&before[0], &before[1]]);
            expect_silence(&mut player);
        },
        ours: Ours::Differs {
            difference: "`resume-host <OpenID> <PrivateID>`",
            does: "the identity that the player had before; the `register-host` has no effect",
            check: |program| {
                let (_server, before, mut player) = come_back(program);
                player.register().unwrap();
                assert_eq!([&player.oid, &player.pid], [&before[0], &before[1]]);
                expect_silence(&mut player);
            },
        },
    },
    Fact {
        name: "player_on_the_servers_machine",
        v1: "others are told the address that is registered, 127.0.0.1 too",
        v2: NOT_MEASURED,
        public: |program| {
            if let Some((host, _, told)) = neighbours(program) {
                assert_eq!(told, format!("connect 127.0.0.1:{}", host.address().port()));
            }
        },
        ours: Ours::Differs {
            difference: "A player on the server's own machine",
            does: "others are told the address by which they found the server",
            check: |program| {
                if let Some((host, network, told)) = neighbours(program) {
                    assert_eq!(told, format!("connect {network}:{}", host.address().port()));
                }
            },
        },
    },
];

const WORDS: &[(&str, &str)] = &[("NORAY_ENABLE_WORDS_OID", "true")];

/// Checks that the server said nothing. By the second round, a slow answer would have come.
pub(crate) fn expect_silence(player: &mut Player) {
    player.expect_silence();
    player.expect_silence();
}

/// Returns what a player is told who asks for one that says that it hosts no game.
fn tell_hosting(server: &Server) -> String {
    let (mut host, mut asking) = (server.registered(), server.registered());
    host.send("can hosting");
    host.send("shut");
    // Not `echo`, which version 2 does not answer.
    host.send("register-host");
    host.line();
    asking.ask(&format!("connect {}", host.oid))
}

fn expect_no_answers(player: &mut Player, oid: &str) {
    for command in ["connect", "connect-relay"] {
        player.send(&format!("{command} {oid}"));
        expect_silence(player);
    }
}

fn expect_refusals(player: &mut Player, oid: &str, reason: &str) {
    for command in ["connect", "connect-relay"] {
        let answer = player.ask(&format!("{command} {oid}"));
        let expected = format!("refused {command} {oid} {reason} ");
        assert!(answer.starts_with(&expected), "{answer}");
    }
}

fn host_without_address(program: &Program) -> (Server, Player, Player) {
    let server = program.start(&[]);
    let mut host = server.player();
    host.register().unwrap();
    let client = server.registered();
    (server, host, client)
}

fn player_without_address(program: &Program) -> (Server, Player, Player) {
    let server = program.start(&[]);
    let host = server.registered();
    let mut client = server.player();
    client.register().unwrap();
    (server, host, client)
}

/// Returns a server whose two relays are taken, and two more players.
fn used_up(program: &Program) -> (Server, Player, Player) {
    let server = program.start_with_ports(&free_ports(2), &[]);
    let pair = server.relayed_pair();
    pair.exchange(b"taken");
    let (host, client) = (server.registered(), server.registered());
    (server, host, client)
}

/// Returns a player whose connection is gone, its ids, and its next connection, on which it has
/// asked for them.
fn come_back(program: &Program) -> (Server, [String; 2], Player) {
    let server = program.start(&[]);
    let player = server.registered();
    let before = [player.oid.clone(), player.pid.clone()];
    drop(player);
    sleep(SILENCE);
    let mut player = server.player();
    player.send(&format!("resume-host {} {}", before[0], before[1]));
    (server, before, player)
}

/// Returns a host that has registered 127.0.0.1, the machine's address in its network, and what a
/// player who connects to that address learns of the host. `None` on a machine without a network.
fn neighbours(program: &Program) -> Option<(Player, std::net::IpAddr, String)> {
    // Sends nothing: the system only chooses the address that it would use.
    let probe = UdpSocket::bind("0.0.0.0:0").ok()?;
    probe.connect("192.0.2.1:9").ok()?;
    let network = probe.local_addr().ok()?.ip();
    let server = program.start(&[
        ("NORAY_SOCKET_HOST", "0.0.0.0"),
        ("NORAY_UDP_HOST", "0.0.0.0"),
    ]);
    let host = server.registered();
    let mut client = server.player_at(network);
    client.udp = UdpSocket::bind((network, 0)).ok()?;
    client.register().unwrap();
    client.register_remote().unwrap();
    client.send(&format!("connect {}", host.oid));
    let told = client.line_within(ANSWER).expect("an answer");
    Some((host, network, told))
}
