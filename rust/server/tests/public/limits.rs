//! Players who want too much.

use noray_testkit::{
    defaults::{ANSWER, SILENCE},
    player::{AcceptsPlayers, RelayedPair, eventually},
};
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use crate::{
    fact::{Fact, NOT_MEASURED, Ours},
    program::Program,
};

const TRAFFIC: &str = "Traffic over a limit";
const REQUESTS: &str = "Limits on what players ask";

pub(crate) const FACTS: &[Fact] = &[
    Fact {
        name: "traffic_within_the_limit",
        v1: "12 KiB go through in a slice of 100 ms by default",
        v2: "the same",
        public: |program| {
            let (_server, pair) = program.start_relayed(&[]);
            // Headers included, as ours counts: 40 × (280 + 28) bytes.
            for _ in 0..3 {
                for _ in 0..40 {
                    pair.client.send_datagram(&[1; 280], pair.host_port);
                }
                for _ in 0..40 {
                    assert_eq!(pair.host.datagram().0, [1; 280]);
                }
                sleep(Duration::from_millis(150));
            }
        },
        ours: Ours::Same,
    },
    Fact {
        name: "one_players_traffic_over_the_limit",
        v1: "the server exits",
        v2: "the rest of the slice is dropped",
        public: |program| expect_exit(program, INDIVIDUAL, flood),
        ours: Ours::Differs {
            difference: TRAFFIC,
            does: "the rest of the slice is dropped",
            check: |program| {
                let mut server = program.start(INDIVIDUAL);
                let pair = server.relayed_pair();
                flood(&pair);
                let arrived = arrived(&pair);
                assert!((1..100).contains(&arrived), "{arrived}");
                eventually("the next slice", || {
                    pair.client.send_datagram(b"again", pair.host_port);
                    pair.host.datagram_within(SILENCE).is_some()
                });
                server.expect_alive();
            },
        },
    },
    Fact {
        name: "all_players_traffic_over_the_limit",
        v1: "the server exits",
        v2: "the rest of the slice is dropped",
        public: |program| expect_exit(program, GLOBAL, flood),
        ours: Ours::Differs {
            difference: TRAFFIC,
            does: "the rest of the slice is dropped",
            check: |program| expect_less(program, GLOBAL, flood),
        },
    },
    Fact {
        name: "relay_over_its_lifetime",
        v1: "the server exits",
        v2: NOT_MEASURED,
        public: |program| expect_exit(program, LIFETIME, outlive),
        ours: Ours::Differs {
            difference: TRAFFIC,
            does: "the relay forwards no more",
            check: |program| expect_less(program, LIFETIME, outlive),
        },
    },
    Fact {
        name: "relay_over_its_lifetimes_traffic",
        v1: "the server exits",
        v2: NOT_MEASURED,
        public: |program| expect_exit(program, LIFETIME_TRAFFIC, flood),
        ours: Ours::Differs {
            difference: TRAFFIC,
            does: "the relay forwards no more",
            check: |program| expect_less(program, LIFETIME_TRAFFIC, flood),
        },
    },
    Fact {
        name: "what_counts_as_traffic",
        v1: "payload",
        v2: NOT_MEASURED,
        public: |program| {
            let (_server, pair) = program.start_relayed(TEN_THOUSAND_A_SLICE);
            for _ in 0..10 {
                pair.client.send_datagram(&[1; 1000], pair.host_port);
            }
            assert_eq!(arrived(&pair), 10);
        },
        ours: Ours::Differs {
            difference: "What counts as traffic",
            does: "payload and headers, 28 bytes a packet",
            check: |program| {
                let (_server, pair) = program.start_relayed(TEN_THOUSAND_A_SLICE);
                for _ in 0..10 {
                    pair.client.send_datagram(&[1; 1000], pair.host_port);
                }
                assert_eq!(arrived(&pair), 9);
            },
        },
    },
    Fact {
        name: "many_connects",
        v1: "all are answered",
        v2: NOT_MEASURED,
        public: |program| assert_eq!(connects(program), (60, 0)),
        ours: Ours::Differs {
            difference: REQUESTS,
            does: "10 a second and bursts of 30; more are refused as `too-many-requests`",
            check: |program| {
                let (answered, refused) = connects(program);
                assert!(
                    answered >= 30 && refused > 0,
                    "{answered}, {refused} refused"
                );
            },
        },
    },
    Fact {
        name: "many_lines",
        v1: "all are answered at once",
        v2: NOT_MEASURED,
        public: |program| {
            let took = echo_often(program);
            assert!(took < Duration::from_millis(1500), "{took:?}");
        },
        ours: Ours::Differs {
            difference: REQUESTS,
            does: "100 a second and bursts of 300 are answered; more wait, none is lost",
            check: |program| {
                let took = echo_often(program);
                assert!(took > Duration::from_millis(1500), "{took:?}");
            },
        },
    },
    Fact {
        name: "many_identities",
        v1: "one connection has as many as it asks for",
        v2: NOT_MEASURED,
        public: |program| assert_eq!(identities(program), 30),
        ours: Ours::Differs {
            difference: REQUESTS,
            does: "one connection has 16",
            check: |program| assert_eq!(identities(program), 16),
        },
    },
    Fact {
        name: "connection_without_register_host",
        v1: "it stays",
        v2: NOT_MEASURED,
        public: |program| {
            let server = program.start(UNREGISTERED);
            assert!(!server.player().is_closed_within(Duration::from_secs(3)));
        },
        ours: Ours::Differs {
            difference: REQUESTS,
            does: "it is closed after 10 minutes, or what `NORAY_UNREGISTERED_TIMEOUT` says",
            check: |program| {
                let server = program.start(UNREGISTERED);
                assert!(server.player().is_closed_within(ANSWER));
            },
        },
    },
];

const INDIVIDUAL: &[(&str, &str)] = &[
    ("NORAY_UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC", "10kb"),
    ("NORAY_UDP_RELAY_TRAFFIC_INTERVAL", "1s"),
];
const GLOBAL: &[(&str, &str)] = &[
    ("NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC", "10kb"),
    ("NORAY_UDP_RELAY_TRAFFIC_INTERVAL", "1s"),
];
const LIFETIME: &[(&str, &str)] = &[("NORAY_UDP_RELAY_MAX_LIFETIME_DURATION", "1s")];
const LIFETIME_TRAFFIC: &[(&str, &str)] = &[("NORAY_UDP_RELAY_MAX_LIFETIME_TRAFFIC", "10kb")];
/// One slice for a whole test.
const TEN_THOUSAND_A_SLICE: &[(&str, &str)] = &[
    ("NORAY_UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC", "100b"),
    ("NORAY_UDP_RELAY_TRAFFIC_INTERVAL", "100s"),
];
const UNREGISTERED: &[(&str, &str)] = &[("NORAY_UNREGISTERED_TIMEOUT", "1s")];

/// Sends 100 packets of 1,000 bytes.
fn flood(pair: &RelayedPair) {
    for _ in 0..100 {
        pair.client.send_datagram(&[1; 1000], pair.host_port);
    }
}

/// Sends a packet after a second.
fn outlive(pair: &RelayedPair) {
    sleep(Duration::from_millis(1200));
    pair.client.send_datagram(b"late", pair.host_port);
}

/// Returns how many packets the host gets.
fn arrived(pair: &RelayedPair) -> usize {
    std::iter::from_fn(|| pair.host.datagram_within(2 * SILENCE)).count()
}

fn expect_exit(program: &Program, settings: &[(&str, &str)], excess: fn(&RelayedPair)) {
    let mut server = program.start(settings);
    excess(&server.relayed_pair());
    let status = server.ended();
    assert_eq!(status.code(), Some(1), "{}", server.log());
}

/// Checks that not everything arrives, and that the server stays.
fn expect_less(program: &Program, settings: &[(&str, &str)], excess: fn(&RelayedPair)) {
    let mut server = program.start(settings);
    let pair = server.relayed_pair();
    excess(&pair);
    let arrived = arrived(&pair);
    assert!(arrived < 100, "{arrived}");
    if settings == LIFETIME {
        assert_eq!(arrived, 0);
    }
    server.expect_alive();
}

/// Returns how many of 60 requests in a burst the server answers, and how many it refuses.
fn connects(program: &Program) -> (usize, usize) {
    let server = program.start(&[]);
    let host = server.registered();
    let mut client = server.registered();
    client.send_bytes(format!("connect {}\n", host.oid).repeat(60).as_bytes());
    let answers: Vec<_> = (0..60).map(|_| client.line()).collect();
    let count = |part: &str| {
        answers
            .iter()
            .filter(|answer| answer.contains(part))
            .count()
    };
    (
        count(&host.address().to_string()),
        count(" too-many-requests "),
    )
}

/// Returns how long the server takes to answer 500 lines in order.
fn echo_often(program: &Program) -> Duration {
    let server = program.start(&[]);
    let mut player = server.player();
    let began = Instant::now();
    let lines: String = (0..500).map(|number| format!("echo {number}\n")).collect();
    player.send_bytes(lines.as_bytes());
    for number in 0..500 {
        assert_eq!(player.line(), format!("echo {number}"));
    }
    began.elapsed()
}

/// Returns how many identities a connection gets that asks 30 times.
fn identities(program: &Program) -> usize {
    let server = program.start(&[]);
    let mut player = server.player();
    player.send_bytes("register-host\n".repeat(30).as_bytes());
    player.count_lines("set-pid ")
}
