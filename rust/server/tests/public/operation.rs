//! Settings, metrics, log, end.

use noray_testkit::{
    defaults::SILENCE,
    metrics,
    player::{AcceptsPlayers, ask_registrar, eventually},
};
use std::collections::BTreeSet;

use crate::{
    fact::{Fact, NOT_MEASURED, Ours},
    program::{PUBLIC_SETTINGS, Program, Server, normal},
};

const SETTINGS: &str = "Settings";
const METRICS: &str = "Metrics";

pub(crate) const FACTS: &[Fact] = &[
    Fact {
        name: "default_settings",
        v1: "ports 8890, 8891, 8809 and 49152-51200, ids of 21 and 128 characters, and the limits \
             of its readme",
        v2: "the same",
        public: |program| expect_settings(program, &[], DEFAULTS),
        ours: Ours::Same,
    },
    Fact {
        name: "metrics_by_default",
        v1: "everyone can read the metrics",
        v2: "the same",
        public: |program| expect_settings(program, &[], &[("NORAY_HTTP_HOST", "0.0.0.0")]),
        ours: Ours::Differs {
            difference: METRICS,
            does: "only the server's machine can, until `NORAY_HTTP_HOST` says otherwise",
            check: |program| {
                expect_settings(program, &[], &[("NORAY_HTTP_HOST", "127.0.0.1")]);
            },
        },
    },
    Fact {
        name: "bursts_by_default",
        v1: "traffic is counted in slices of 100 ms",
        v2: "the same",
        public: |program| {
            expect_settings(
                program,
                &[],
                &[("NORAY_UDP_RELAY_TRAFFIC_INTERVAL", "0.1s")],
            );
        },
        ours: Ours::Differs {
            difference: "Bursts",
            does: "a second's worth may come at once: ENet sends 64 KiB at a time",
            check: |program| {
                expect_settings(program, &[], &[("NORAY_UDP_RELAY_TRAFFIC_INTERVAL", "1s")]);
            },
        },
    },
    Fact {
        name: "forms_of_settings",
        v1: "ports in three forms, times and sizes with units",
        v2: NOT_MEASURED,
        public: |program| {
            for (setting, text, plain) in FORMS {
                expect_settings(program, &[(setting, text)], &[(setting, plain)]);
            }
        },
        ours: Ours::Same,
    },
    Fact {
        name: "sizes_in_bits",
        v1: "sizes with another unit than bytes are refused",
        v2: NOT_MEASURED,
        public: |program| {
            let bits = ("NORAY_UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC", "128kbps");
            assert_eq!(program.understood(&[bits], ""), None);
        },
        ours: Ours::Same,
    },
    Fact {
        name: "settings_that_make_no_sense",
        v1: "a port or length that is no number is the default, in silence",
        v2: NOT_MEASURED,
        public: |program| {
            let wrong = [("NORAY_SOCKET_PORT", "x"), ("NORAY_OID_LENGTH", "many")];
            expect_settings(program, &wrong, DEFAULTS);
        },
        ours: Ours::Differs {
            difference: SETTINGS,
            does: "they are refused",
            check: |program| {
                for wrong in [("NORAY_SOCKET_PORT", "x"), ("NORAY_OID_LENGTH", "many")] {
                    assert_eq!(program.understood(&[wrong], ""), None, "{wrong:?}");
                }
            },
        },
    },
    Fact {
        name: "file_beside_the_server",
        v1: "`.env` where it is started is read",
        v2: NOT_MEASURED,
        public: |program| {
            let understood = program.understood(&[], "NORAY_OID_LENGTH=5\n").unwrap();
            assert_eq!(understood["NORAY_OID_LENGTH"], "5");
        },
        ours: Ours::Differs {
            difference: SETTINGS,
            does: "no file is read but that of `--config`",
            check: |program| {
                let understood = program.understood(&[], "NORAY_OID_LENGTH=5\n").unwrap();
                assert_eq!(understood["NORAY_OID_LENGTH"], "21");
            },
        },
    },
    Fact {
        name: "no_port_for_metrics",
        v1: "`off` is no number: the default port",
        v2: NOT_MEASURED,
        public: |program| {
            let off = [("NORAY_HTTP_PORT", "off")];
            expect_settings(program, &off, DEFAULTS);
        },
        ours: Ours::Differs {
            difference: SETTINGS,
            does: "`off` serves none",
            check: |program| {
                let off = [("NORAY_HTTP_PORT", "off")];
                expect_settings(program, &off, &off);
            },
        },
    },
    Fact {
        name: "names_of_metrics",
        v1: "those of its modules, and Node's",
        v2: NOT_MEASURED,
        public: |program| {
            let there = families(&program.start(&[]));
            let ours = |name: &&String| name.starts_with("noray_");
            assert!(there.iter().filter(ours).eq(NAMES), "{there:?}");
            assert!(there.iter().any(|name| name.starts_with("nodejs_")));
        },
        ours: Ours::Differs {
            difference: METRICS,
            does: "the same of its modules, more of its own, and none of Node's",
            check: |program| {
                let there = families(&program.start(&[]));
                for name in NAMES {
                    assert!(there.contains(*name), "{name}");
                }
                assert!(there.contains("noray_refused_total"));
                assert!(!there.iter().any(|name| name.starts_with("nodejs_")));
            },
        },
    },
    Fact {
        name: "players_in_metrics",
        v1: "connections, players, relays, registrations, repeats and failures are counted",
        v2: NOT_MEASURED,
        public: |program| {
            let server = program.start(&[]);
            let pair = server.relayed_pair();
            pair.exchange(b"twice");
            pair.client.register_remote().unwrap();
            ask_registrar(&pair.client.udp, server.registrar(), b"nobody").unwrap();
            eventually("all is counted", || {
                let text = server.get("/metrics").body;
                [
                    "noray_tcp_connections 2",
                    "noray_active_hosts 2",
                    "noray_relay_count 2",
                    "noray_relay_size_count 2",
                    "noray_relay_size_sum 10",
                    "noray_remote_registrar_success 2",
                    "noray_remote_registrar_repeat 1",
                    "noray_remote_registrar_fail 1",
                ]
                .iter()
                .all(|line| text.lines().any(|there| there == *line))
            });
        },
        ours: Ours::Same,
    },
    Fact {
        name: "unknown_commands_in_metrics",
        v1: "each is counted by its name, so that a player can fill the memory",
        v2: NOT_MEASURED,
        public: |program| assert!(after_an_invented_command(program).contains("invented")),
        ours: Ours::Differs {
            difference: METRICS,
            does: "they are counted as `other`",
            check: |program| {
                let text = after_an_invented_command(program);
                assert!(!text.contains("invented"));
                let line = "noray_command_duration_count{command=\"other\"} 1";
                assert!(text.contains(line), "{text}");
            },
        },
    },
    Fact {
        name: "duration_of_dropped_packets",
        v1: "`noray_relay_duration` counts them beside those that are forwarded",
        v2: NOT_MEASURED,
        public: |program| {
            let [duration, size] = after_a_dropped_packet(program);
            // It comes from a further relay then.
            assert_eq!([duration, size], [2, 1]);
        },
        ours: Ours::Differs {
            difference: METRICS,
            does: "`noray_relay_duration` counts forwarded packets only",
            check: |program| assert_eq!(after_a_dropped_packet(program), [0, 0]),
        },
    },
    Fact {
        name: "bounds_of_histograms",
        v1: "5 ms to 10 s, for sizes too",
        v2: NOT_MEASURED,
        public: |program| {
            let text = program.start(&[]).get("/metrics").body;
            assert!(
                text.contains("noray_relay_size_bucket{le=\"0.005\"}"),
                "{text}"
            );
        },
        ours: Ours::Differs {
            difference: METRICS,
            does: "microseconds, and bytes",
            check: |program| {
                let text = program.start(&[]).get("/metrics").body;
                assert!(
                    text.contains("noray_relay_size_bucket{le=\"128\"}"),
                    "{text}"
                );
                assert!(!text.contains("noray_relay_size_bucket{le=\"0.005\"}"));
            },
        },
    },
    Fact {
        name: "failed_commands_in_metrics",
        v1: "`noray_command_exception` counts them",
        v2: NOT_MEASURED,
        public: |program| {
            let server = program.start(&[]);
            let mut player = server.registered();
            player.send("connect NOPE");
            eventually("it is counted", || {
                let text = server.get("/metrics").body;
                text.contains("\nnoray_command_exception{command=\"connect\"} 1\n")
            });
        },
        ours: Ours::Same,
    },
    Fact {
        name: "other_pages_than_metrics",
        v1: "404",
        v2: NOT_MEASURED,
        public: |program| {
            let server = program.start(&[]);
            assert_eq!(server.get("/metrics").status, "HTTP/1.1 200 OK");
            assert_eq!(server.get("/").status, "HTTP/1.1 404 Not Found");
        },
        ours: Ours::Same,
    },
    Fact {
        name: "health",
        v1: "404",
        v2: NOT_MEASURED,
        public: |program| {
            let status = program.start(&[]).get("/health").status;
            assert_eq!(status, "HTTP/1.1 404 Not Found");
        },
        ours: Ours::Differs {
            difference: METRICS,
            does: "`/health` answers 200",
            check: |program| {
                let status = program.start(&[]).get("/health").status;
                assert_eq!(status, "HTTP/1.1 200 OK");
            },
        },
    },
    Fact {
        name: "private_ids_in_the_log",
        v1: "each is logged when it is given",
        v2: NOT_MEASURED,
        public: |program| {
            let server = program.start(&[]);
            let player = server.registered();
            eventually("it is logged", || server.log().contains(&player.pid));
        },
        ours: Ours::Differs {
            difference: "Logs",
            does: "none is logged, whatever the level",
            check: |program| {
                let server = program.start(&[("NORAY_LOGLEVEL", "trace")]);
                let player = server.registered();
                eventually("the player is logged", || {
                    server.log().contains(&player.oid)
                });
                std::thread::sleep(SILENCE);
                assert!(!server.log().contains(&player.pid[..16]));
            },
        },
    },
    #[cfg(unix)]
    Fact {
        name: "asked_to_end",
        v1: "it is killed at once by SIGTERM, with whoever is relayed",
        v2: NOT_MEASURED,
        public: |program| {
            use std::os::unix::process::ExitStatusExt;
            let mut server = program.start(&[]);
            let _pair = server.relayed_pair();
            server.child.ask_to_end();
            assert_eq!(server.ended().signal(), Some(15));
        },
        ours: Ours::Differs {
            difference: "The end",
            does: "it takes no more players, goes on relaying for a while and exits with 0",
            check: |program| {
                let mut server = program.start(&[("NORAY_DRAIN_TIMEOUT", "3s")]);
                let pair = server.relayed_pair();
                pair.exchange(b"before");
                server.child.ask_to_end();
                eventually("no more players", || {
                    std::net::TcpStream::connect(server.commands()).is_err()
                });
                pair.exchange(b"while it drains");
                assert_eq!(server.ended().code(), Some(0));
            },
        },
    },
];

/// The public server's settings where nothing is set.
const DEFAULTS: &[(&str, &str)] = &[
    ("NORAY_OID_LENGTH", "21"),
    ("NORAY_OID_CHARSET", URL_SAFE),
    ("NORAY_PID_LENGTH", "128"),
    ("NORAY_PID_CHARSET", URL_SAFE),
    ("NORAY_SOCKET_HOST", "0.0.0.0"),
    ("NORAY_SOCKET_PORT", "8890"),
    ("NORAY_HTTP_PORT", "8891"),
    ("NORAY_UDP_RELAY_PORTS", "49152-51200"),
    ("NORAY_UDP_RELAY_TIMEOUT", "30s"),
    ("NORAY_UDP_RELAY_CLEANUP_INTERVAL", "30s"),
    ("NORAY_UDP_REGISTRAR_PORT", "8809"),
    ("NORAY_UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC", "131072b"),
    ("NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC", "1073741824b"),
    ("NORAY_UDP_RELAY_MAX_LIFETIME_DURATION", "14400s"),
    ("NORAY_UDP_RELAY_MAX_LIFETIME_TRAFFIC", "4294967296b"),
    ("NORAY_LOGLEVEL", "info"),
];

const URL_SAFE: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/// A setting, its value in one of the forms, and in plain numbers.
const FORMS: &[(&str, &str, &str)] = &[
    (
        "NORAY_UDP_RELAY_PORTS",
        "2048, 3000-3002 ,4000+2",
        "2048,3000,3001,3002,4000,4001,4002",
    ),
    ("NORAY_UDP_RELAY_TIMEOUT", "90", "90s"),
    ("NORAY_UDP_RELAY_TIMEOUT", "1.5s", "1.5s"),
    ("NORAY_UDP_RELAY_TIMEOUT", "2m", "120s"),
    ("NORAY_UDP_RELAY_TIMEOUT", "3H", "10800s"),
    ("NORAY_UDP_RELAY_TIMEOUT", "3hr", "10800s"),
    ("NORAY_UDP_RELAY_TIMEOUT", "1d", "86400s"),
    ("NORAY_UDP_RELAY_TIMEOUT", "1w", "604800s"),
    ("NORAY_UDP_RELAY_TIMEOUT", "1mo", "2592000s"),
    ("NORAY_UDP_RELAY_TIMEOUT", "1yr", "31536000s"),
    ("NORAY_UDP_RELAY_TRAFFIC_INTERVAL", "250ms", "0.25s"),
    ("NORAY_UDP_RELAY_TRAFFIC_INTERVAL", "5000us", "0.005s"),
    ("NORAY_UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC", "5000", "5000b"),
    ("NORAY_UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC", "5000b", "5000b"),
    ("NORAY_UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC", "1.5kb", "1536b"),
    ("NORAY_UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC", "2Mb", "2097152b"),
    ("NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC", "3GB", "3221225472b"),
    (
        "NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC",
        "1tb",
        "1099511627776b",
    ),
    ("NORAY_LOGLEVEL", "warn", "warn"),
    ("NORAY_OID_CHARSET", "abc", "abc"),
    ("NORAY_SOCKET_HOST", "127.0.0.1", "127.0.0.1"),
];

/// The public server's metrics of its own, sorted.
const NAMES: &[&str] = &[
    "noray_active_hosts",
    "noray_command_duration",
    "noray_command_exception",
    "noray_relay_count",
    "noray_relay_drop_count",
    "noray_relay_duration",
    "noray_relay_expired",
    "noray_relay_size",
    "noray_remote_registrar_fail",
    "noray_remote_registrar_repeat",
    "noray_remote_registrar_success",
    "noray_tcp_connections",
];

/// Checks what the program makes of these settings.
fn expect_settings(program: &Program, given: &[(&str, &str)], expected: &[(&str, &str)]) {
    let understood = program.understood(given, "").expect("it takes them");
    for (name, value) in expected {
        assert!(PUBLIC_SETTINGS.contains(name));
        assert_eq!(
            understood[name],
            normal(name, value),
            "{name} with {given:?}"
        );
    }
}

/// The names of all metrics that are there.
fn families(server: &Server) -> BTreeSet<String> {
    let metrics::Answer {
        status, body: text, ..
    } = server.get("/metrics");
    assert_eq!(status, "HTTP/1.1 200 OK");
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let names = types.filter_map(|line| line.split(' ').next());
    names.map(str::to_owned).collect()
}

/// The metrics after a command that nobody knows.
fn after_an_invented_command(program: &Program) -> String {
    let server = program.start(&[]);
    let mut player = server.player();
    player.send("invented");
    player.expect_silence();
    server.get("/metrics").body
}

/// How many packets the metrics of durations and of sizes count after one was dropped.
fn after_a_dropped_packet(program: &Program) -> [usize; 2] {
    let (server, pair) = program.start_relayed(&[]);
    let other = server.registered();
    other.send_datagram(b"unasked", pair.host_port);
    let mut text = String::new();
    eventually("it is counted", || {
        text = server.get("/metrics").body;
        text.contains("\nnoray_relay_drop_count 1\n")
    });
    // A further relay has its time too.
    std::thread::sleep(SILENCE);
    text = server.get("/metrics").body;
    ["noray_relay_duration_count ", "noray_relay_size_count "].map(|name| {
        let count = text.lines().find_map(|line| line.strip_prefix(name));
        count.expect(name).parse().expect(name)
    })
}
