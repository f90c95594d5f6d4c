//! What is a line, and what is not.

use noray_testkit::{defaults::SILENCE, player::AcceptsPlayers};
use std::{thread::sleep, time::Duration};

use crate::{
    commands::expect_silence,
    fact::{Fact, Ours},
};

pub(crate) const FACTS: &[Fact] = &[
    Fact {
        name: "lines_in_pieces",
        v1: "a line may come in any pieces, cut inside a character too",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let mut player = server.player();
            for byte in "echo äöü 🎲\nregister-host\n".bytes() {
                player.send_bytes(&[byte]);
                // Without a pause the system would join them again.
                sleep(Duration::from_millis(3));
            }
            assert_eq!(player.line(), "echo äöü 🎲");
            assert!(player.line().starts_with("set-oid "));
            assert!(player.line().starts_with("set-pid "));
        },
        ours: Ours::Same,
    },
    Fact {
        name: "lines_in_one_piece",
        v1: "several lines may come at once, and are answered in order",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let mut player = server.player();
            player.send_bytes(b"echo 1\necho 2\n\ninvented\necho 3\nec");
            player.send_bytes(b"ho 4\n");
            for number in 1..=4 {
                assert_eq!(player.line(), format!("echo {number}"));
            }
        },
        ours: Ours::Same,
    },
    Fact {
        name: "carriage_return_and_line_feed",
        v1: "both together end a line",
        v2: "the carriage return becomes part of the data",
        public: |program| {
            let server = program.start(&[]);
            let mut host = server.registered();
            let mut client = server.registered();
            client.send_bytes(format!("connect {}\r\n", host.oid).as_bytes());
            assert_eq!(client.line(), format!("connect {}", host.address()));
            assert_eq!(host.line(), format!("connect {}", client.address()));
        },
        ours: Ours::Same,
    },
    Fact {
        name: "other_line_ends",
        v1: "a carriage return alone ends a line",
        v2: "only a line feed outside quotes does",
        public: |program| {
            let server = program.start(&[]);
            let mut player = server.player();
            player.send("echo a\recho b");
            for text in ["a", "b"] {
                assert_eq!(player.line(), format!("echo {text}"));
            }
        },
        ours: Ours::Differs {
            difference: "Lines",
            does: "only a line feed does, or a carriage return and a line feed",
            check: |program| {
                let server = program.start(&[]);
                let mut player = server.player();
                assert_eq!(player.ask("echo a\recho b"), "echo a\recho b");
            },
        },
    },
    Fact {
        name: "long_lines",
        v1: "a line of any length is read",
        v2: "about 16 KiB of a line are read",
        public: |program| {
            let server = program.start(&[]);
            let line = format!("echo {}", "x".repeat(20_000));
            assert_eq!(server.player().ask(&line), line);
        },
        ours: Ours::Differs {
            difference: "Lines",
            does: "a line of more than 4 KiB is skipped, and the next one is read",
            check: |program| {
                let server = program.start(&[]);
                let mut player = server.player();
                player.send(&format!("echo {}", "x".repeat(20_000)));
                assert_eq!(player.ask("echo next"), "echo next");
            },
        },
    },
    Fact {
        name: "unbalanced_quote",
        v1: "quotes are characters like others",
        v2: "it swallows what follows, and stalls other players",
        public: |program| {
            let server = program.start(&[]);
            let (mut player, mut other) = (server.player(), server.player());
            player.send("echo \"unbalanced");
            other.send("invented \"unbalanced");
            assert_eq!(player.line(), "echo \"unbalanced");
            assert_eq!(player.ask("echo \"quoted\""), "echo \"quoted\"");
            expect_silence(&mut other);
        },
        ours: Ours::Same,
    },
    Fact {
        name: "names_with_request_ids",
        v1: "they are unknown commands",
        v2: "a line such as `.r1 x` ends the server",
        public: |program| {
            let mut server = program.start(&[]);
            let mut player = server.player();
            for line in [
                ".r1 x",
                "connect?1 x",
                "register-host?1",
                "!e x",
                "|s data",
                "\r5\n",
            ] {
                player.send(line);
                expect_silence(&mut player);
            }
            server.expect_alive();
        },
        ours: Ours::Same,
    },
    Fact {
        name: "line_without_end",
        v1: "a line waits for its end",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let mut player = server.player();
            player.send_bytes(b"echo half");
            assert_eq!(player.line_within(SILENCE), None);
            assert_eq!(player.ask(" whole"), "echo half whole");
        },
        ours: Ours::Same,
    },
];
