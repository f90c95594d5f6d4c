//! Who is relayed to whom.

use noray_testkit::{
    defaults::SILENCE,
    player::{AcceptsPlayers, Player, RelayedPair, eventually},
    ports::free_ports,
};
use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, UdpSocket},
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    fact::{Fact, NOT_MEASURED, Ours},
    program::{Program, Server},
};

const WHO: &str = "Who is relayed";
const SYMMETRIC: &str = "Symmetric routers";

pub(crate) const FACTS: &[Fact] = &[
    Fact {
        name: "packets_both_ways",
        v1: "what a player sends to the other's port leaves from its own port, unchanged",
        v2: "the same",
        public: |program| {
            let (_server, pair) = program.start_relayed(&[]);
            for length in [1, 5, 1400, 9000] {
                pair.exchange(&(0..length).map(|byte| byte as u8).collect::<Vec<_>>());
            }
        },
        ours: Ours::Same,
    },
    Fact {
        name: "one_port_for_each_player",
        v1: "a host has one port for all its players, and tells them apart by theirs",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let mut first = server.relayed_pair();
            let mut second = server.registered();
            let host_port = second.relay_port(&format!("connect-relay {}", first.host.oid));
            let second_port = first.host.relay_port("");
            assert_eq!(host_port, first.host_port);
            assert_ne!(second_port, first.client_port);
            first.exchange(b"first");
            second.send_datagram(b"second", host_port);
            assert_eq!(first.host.datagram(), (b"second".to_vec(), second_port));
            first.host.send_datagram(b"answer", second_port);
            assert_eq!(second.datagram(), (b"answer".to_vec(), host_port));
        },
        ours: Ours::Same,
    },
    Fact {
        name: "asking_again",
        v1: "the same ports",
        v2: "the same ports",
        public: |program| {
            let (_server, mut pair) = program.start_relayed(&[]);
            let again = format!("connect-relay {}", pair.host.oid);
            assert_eq!(pair.client.relay_port(&again), pair.host_port);
            assert_eq!(pair.host.relay_port(""), pair.client_port);
        },
        ours: Ours::Same,
    },
    Fact {
        name: "sender_with_another_port",
        v1: "a further relay is opened on a random port, which the other player does not know",
        v2: "a further relay is opened on the next free port",
        public: |program| {
            let server = program.start(&[]);
            let pair = server.relayed_pair();
            let flow = flow("127.0.0.1", pair.host_port);
            flow.send(b"mapped").unwrap();
            let (packet, port) = pair.host.datagram();
            assert_eq!(packet, b"mapped");
            assert!(!server.ports.relays.contains(&port), "{port}");
            // Such a router does not let the host's answer in, though it comes from the right port.
            pair.host.send_datagram(b"answer", pair.client_port);
            assert_eq!(received(&flow), None);
        },
        ours: Ours::Differs {
            difference: SYMMETRIC,
            does: "the packet leaves from the sender's relay, and is answered where it came from",
            check: |program| {
                let (_server, pair) = program.start_relayed(&[]);
                let flow = flow("127.0.0.1", pair.host_port);
                flow.send(b"mapped").unwrap();
                assert_eq!(pair.host.datagram(), (b"mapped".to_vec(), pair.client_port));
                pair.host.send_datagram(b"answer", pair.client_port);
                assert_eq!(received(&flow).as_deref(), Some(&b"answer"[..]));
            },
        },
    },
    Fact {
        name: "two_senders_with_other_ports",
        v1: "each has a further relay, and is answered there alone",
        v2: "the same",
        public: |program| {
            let (_server, pair) = program.start_relayed(&[]);
            let flows = [(); 2].map(|()| flow("127.0.0.1", pair.host_port));
            let ports = [0, 1].map(|index| {
                flows[index].send(b"mapped").unwrap();
                pair.host.datagram().1
            });
            assert_ne!(ports[0], ports[1]);
            pair.host.send_datagram(b"answer", ports[0]);
            assert_eq!(received(&flows[0]).as_deref(), Some(&b"answer"[..]));
            assert_eq!(received(&flows[1]), None);
        },
        ours: Ours::Differs {
            difference: "Copies",
            does: "both may be the player, so each gets the answer",
            check: |program| {
                let (_server, pair) = program.start_relayed(&[]);
                let flows = [(); 2].map(|()| flow("127.0.0.1", pair.host_port));
                for flow in &flows {
                    flow.send(b"mapped").unwrap();
                    assert_eq!(pair.host.datagram().1, pair.client_port);
                }
                pair.host.send_datagram(b"answer", pair.client_port);
                for flow in &flows {
                    assert_eq!(received(flow).as_deref(), Some(&b"answer"[..]));
                }
            },
        },
    },
    #[cfg(target_os = "linux")]
    Fact {
        name: "stranger_at_another_address",
        v1: "it gets a further relay, and its packets reach the player",
        v2: "the same",
        public: |program| {
            let (_server, pair) = program.start_relayed(&[]);
            flow("127.0.0.2", pair.host_port).send(b"stranger").unwrap();
            assert_eq!(pair.host.datagram().0, b"stranger");
        },
        ours: Ours::Differs {
            difference: WHO,
            does: "its packets are dropped",
            check: |program| {
                let (_server, pair) = program.start_relayed(&[]);
                flow("127.0.0.2", pair.host_port).send(b"stranger").unwrap();
                assert_eq!(pair.host.datagram_within(2 * SILENCE), None);
                pair.exchange(b"players");
            },
        },
    },
    Fact {
        name: "players_who_did_not_ask_for_each_other",
        v1: "every relayed player reaches every other one",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let (one, other) = (server.relayed_pair(), server.relayed_pair());
            one.client.send_datagram(b"unasked", other.host_port);
            let expected = (b"unasked".to_vec(), one.client_port);
            assert_eq!(other.host.datagram(), expected);
        },
        ours: Ours::Differs {
            difference: WHO,
            does: "a player reaches those of whom one asked for the other",
            check: |program| {
                let server = program.start(&[]);
                let (one, other) = (server.relayed_pair(), server.relayed_pair());
                one.client.send_datagram(b"unasked", other.host_port);
                assert_eq!(other.host.datagram_within(2 * SILENCE), None);
                one.exchange(b"asked");
                other.exchange(b"asked");
            },
        },
    },
    Fact {
        name: "idle_relays",
        v1: "a relay is freed when nothing went through it for the time-out; a new request gives \
             new ones",
        v2: "the same",
        public: |program| {
            let (_server, mut pair) = program.start_relayed(SHORT);
            pair.exchange(b"before");
            sleep(IDLE);
            pair.client.send_datagram(b"freed", pair.host_port);
            assert_eq!(pair.host.datagram_within(2 * SILENCE), None);
            let again = format!("connect-relay {}", pair.host.oid);
            pair.host_port = pair.client.relay_port(&again);
            pair.client_port = pair.host.relay_port("");
            pair.exchange(b"anew");
        },
        ours: Ours::Same,
    },
    Fact {
        name: "relays_used_one_way",
        v1: "both stay: receiving keeps a relay as sending does",
        v2: "the same",
        public: |program| {
            let (_server, pair) = program.start_relayed(SHORT);
            let began = Instant::now();
            while began.elapsed() < 2 * IDLE {
                pair.client.send_datagram(b"alive", pair.host_port);
                pair.host.datagram();
                sleep(Duration::from_millis(50));
            }
            pair.exchange(b"still there");
        },
        ours: Ours::Same,
    },
    Fact {
        name: "freed_ports",
        v1: "they go to other players",
        v2: "the same",
        public: |program| {
            let (_server, old, new) = successors(program);
            let ports = |pair: &RelayedPair| BTreeSet::from([pair.host_port, pair.client_port]);
            assert_eq!(ports(&old), ports(&new));
            new.exchange(b"new");
        },
        ours: Ours::Same,
    },
    Fact {
        name: "old_game_on_freed_ports",
        v1: "its packets reach the ports' new players",
        v2: "the same",
        public: |program| {
            let (_server, old, new) = successors(program);
            old.client.send_datagram(b"old", old.host_port);
            eventually("a packet of the old game", || hear(&new, b"old"));
        },
        ours: Ours::Differs {
            difference: WHO,
            does: "its packets reach nobody",
            check: |program| {
                let (_server, old, new) = successors(program);
                old.client.send_datagram(b"old", old.host_port);
                assert!(!hear(&new, b"old"));
                new.exchange(b"new");
            },
        },
    },
    Fact {
        name: "ports_without_relays",
        v1: "all are bound at the start",
        v2: NOT_MEASURED,
        public: |program| {
            let server = program.start(&[]);
            assert!(server.ports.relays.iter().all(|port| !is_free(*port)));
        },
        ours: Ours::Differs {
            difference: "Relay ports",
            does: "a port is bound when a player needs it",
            check: |program| {
                let server = program.start(&[]);
                assert!(server.ports.relays.iter().all(|port| is_free(*port)));
                let pair = server.relayed_pair();
                assert!(!is_free(pair.host_port) && !is_free(pair.client_port));
            },
        },
    },
    Fact {
        name: "port_of_another_program",
        v1: "it is left out",
        v2: NOT_MEASURED,
        public: |program| {
            let ports = free_ports(3);
            let _other = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, ports[1])).unwrap();
            let server = program.start_with_ports(&ports, &[]);
            let pair = server.relayed_pair();
            let given = BTreeSet::from([pair.host_port, pair.client_port]);
            assert_eq!(given, BTreeSet::from([ports[0], ports[2]]));
            pair.exchange(b"left out");
        },
        ours: Ours::Same,
    },
];

/// Settings by which relays expire after a second.
const SHORT: &[(&str, &str)] = &[
    ("NORAY_UDP_RELAY_TIMEOUT", "1s"),
    ("NORAY_UDP_RELAY_CLEANUP_INTERVAL", "100ms"),
];

/// After this time they have expired, on a busy machine too.
const IDLE: Duration = Duration::from_millis(1500);

/// Returns a symmetric router's socket for one port of the server: it lets in only what that port
/// sends.
fn flow(address: &str, port: u16) -> UdpSocket {
    let socket = UdpSocket::bind((address, 0)).unwrap();
    socket.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    socket
}

/// Returns what comes to a router's socket.
fn received(flow: &UdpSocket) -> Option<Vec<u8>> {
    flow.set_read_timeout(Some(4 * SILENCE)).unwrap();
    let mut buffer = [0; 2048];
    let length = flow.recv(&mut buffer).ok()?;
    Some(buffer[..length].to_vec())
}

/// Returns two players whose relays have expired, and two others who have their ports now.
fn successors(program: &Program) -> (Server, RelayedPair, RelayedPair) {
    let server = program.start_with_ports(&free_ports(2), SHORT);
    let old = server.relayed_pair();
    old.exchange(b"before");
    sleep(IDLE);
    let new = server.relayed_pair();
    (server, old, new)
}

/// Returns whether one of two players receives this.
fn hear(pair: &RelayedPair, expected: &[u8]) -> bool {
    let hears = |player: &Player| {
        let packet = player.datagram_within(SILENCE);
        packet.is_some_and(|(packet, _)| packet == expected)
    };
    hears(&pair.host) || hears(&pair.client)
}

fn is_free(port: u16) -> bool {
    UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).is_ok()
}
