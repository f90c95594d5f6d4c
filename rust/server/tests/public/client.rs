//! What today's client relies on, as far as a server sees it.

use noray_testkit::{
    defaults::SILENCE,
    player::{AcceptsPlayers, RelayedPair},
};
use std::{net::UdpSocket, thread::sleep, time::Duration};

use crate::fact::{Fact, Ours};

pub(crate) const FACTS: &[Fact] = &[
    Fact {
        name: "private_id_ten_times_a_second",
        v1: "every one is answered `OK`, also those that come after the answer was read",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let mut player = server.player();
            player.register().unwrap();
            for _ in 0..5 {
                player
                    .udp
                    .send_to(player.pid.as_bytes(), server.registrar())
                    .unwrap();
                sleep(Duration::from_millis(100));
            }
            for _ in 0..5 {
                assert_eq!(player.datagram().0, b"OK");
            }
        },
        ours: Ours::Same,
    },
    Fact {
        name: "game_on_the_registered_port",
        v1: "the registering socket is closed, and the game's on the same port is the player's",
        v2: "the same",
        public: |program| {
            let (_server, mut pair) = program.start_relayed(&[]);
            for player in [&mut pair.host, &mut pair.client] {
                let address = player.address();
                let other = UdpSocket::bind("127.0.0.1:0").unwrap();
                drop(std::mem::replace(&mut player.udp, other));
                player.udp = UdpSocket::bind(address).unwrap();
            }
            pair.exchange(b"game");
        },
        ours: Ours::Same,
    },
    Fact {
        name: "relay_at_the_servers_address",
        v1: "packets of a relay come from the IP address that takes the commands",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let pair = server.relayed_pair();
            pair.client.send_datagram(b"x", pair.host_port);
            let (_, from) = pair.host.udp.recv_from(&mut [0; 8]).unwrap();
            assert_eq!(from.ip(), server.commands().ip());
        },
        ours: Ours::Same,
    },
    Fact {
        name: "handshakes_by_relay",
        v1: "they pass unchanged, each as often as it was sent",
        v2: "the same",
        public: |program| {
            let (_server, pair) = program.start_relayed(&[]);
            for packet in [&b"$---"[..], b"$-w-", b"$rw-", b"$rwx"] {
                pair.exchange(packet);
            }
            let RelayedPair { host, client, .. } = &pair;
            assert_eq!(host.datagram_within(SILENCE), None);
            assert_eq!(client.datagram_within(SILENCE), None);
        },
        ours: Ours::Same,
    },
    Fact {
        name: "connect_and_then_connect_relay",
        v1: "a player who was told the other's address is relayed too",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let (mut host, mut client) = (server.registered(), server.registered());
            client.ask(&format!("connect {}", host.oid));
            host.line();
            let host_port = client.relay_port(&format!("connect-relay {}", host.oid));
            let client_port = host.relay_port("");
            let pair = RelayedPair {
                host,
                client,
                host_port,
                client_port,
            };
            pair.exchange(b"by relay");
        },
        ours: Ours::Same,
    },
];
