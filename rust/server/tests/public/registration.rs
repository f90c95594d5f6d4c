//! The registrar.

use noray_testkit::{
    defaults::SILENCE,
    player::{AcceptsPlayers, Player, ask_registrar},
};
use std::{
    net::UdpSocket,
    thread::{sleep, spawn},
    time::{Duration, Instant},
};

use crate::{
    fact::{Fact, NOT_MEASURED, Ours},
    program::{Program, Server},
};

pub(crate) const FACTS: &[Fact] = &[
    Fact {
        name: "live_private_id",
        v1: "`OK`, from the registrar's own address, as often as it is shown",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let mut player = server.player();
            player.register().unwrap();
            // Also checks the answer's sender.
            for _ in 0..3 {
                player.register_remote().unwrap();
            }
        },
        ours: Ours::Same,
    },
    Fact {
        name: "same_private_id_from_elsewhere",
        v1: "`OK`, and the first address is kept",
        v2: "the same",
        public: |program| {
            let server = program.start(&[]);
            let mut player = server.registered();
            let first = player.address();
            player.udp = UdpSocket::bind("127.0.0.1:0").unwrap();
            player.register_remote().unwrap();
            assert_eq!(own_address(&mut player), format!("connect {first}"));
        },
        ours: Ours::Differs {
            difference: "The newest address",
            does: "`OK`, and the newest address is kept",
            check: |program| {
                let server = program.start(&[]);
                let mut player = server.registered();
                player.udp = UdpSocket::bind("127.0.0.1:0").unwrap();
                player.register_remote().unwrap();
                let newest = player.address();
                assert_eq!(own_address(&mut player), format!("connect {newest}"));
            },
        },
    },
    Fact {
        name: "anything_else",
        v1: "`Unknown host pid!`, to an empty datagram too",
        v2: "an error text that repeats what was sent",
        public: |program| {
            let server = program.start(&[]);
            let player = server.registered();
            let longer = format!("{}x", player.pid);
            for datagram in ["", "x", &player.oid, &longer, &player.pid[1..]] {
                let answer =
                    ask_registrar(&player.udp, server.registrar(), datagram.as_bytes()).unwrap();
                assert_eq!(answer, "Unknown host pid!");
            }
            let answer = ask_registrar(&player.udp, server.registrar(), b"\xff\xfe\0").unwrap();
            assert_eq!(answer, "Unknown host pid!");
        },
        ours: Ours::Same,
    },
    Fact {
        name: "answers_of_a_registrar",
        v1: "they are refused like anything else, so that two registrars can go on for ever",
        v2: NOT_MEASURED,
        public: |program| assert_eq!(answer_to_an_answer(program).as_deref(), Some(REFUSAL)),
        ours: Ours::Differs {
            difference: "The registrar's refusals",
            does: "they are not answered",
            check: |program| assert_eq!(answer_to_an_answer(program), None),
        },
    },
    Fact {
        name: "many_refusals",
        v1: "all are told",
        v2: NOT_MEASURED,
        public: |program| {
            let (sent, told, _) = flood(&program.start(&[]));
            // A busy machine may lose some.
            assert!(told > sent * 3 / 4, "{told} of {sent}");
        },
        ours: Ours::Differs {
            difference: "The registrar's refusals",
            does: "1,000 a second are told, and bursts of three seconds' worth",
            check: |program| {
                let (_, told, took) = flood(&program.start(&[]));
                let most = 3000 + (took.as_secs_f64() * 1000.0) as usize + 500;
                assert!((1000..most).contains(&told), "{told} in {took:?}");
            },
        },
    },
];

const REFUSAL: &str = "Unknown host pid!";

/// Returns the address at which the server announces the player.
fn own_address(player: &mut Player) -> String {
    player.ask(&format!("connect {}", player.oid))
}

fn answer_to_an_answer(program: &Program) -> Option<String> {
    let server = program.start(&[]);
    let player = server.registered();
    player
        .udp
        .send_to(REFUSAL.as_bytes(), server.registrar())
        .unwrap();
    let (answer, _) = player.datagram_within(4 * SILENCE)?;
    Some(String::from_utf8(answer).unwrap())
}

/// Returns how many datagrams were sent, how many were answered, and how long sending took.
fn flood(server: &Server) -> (usize, usize, Duration) {
    const COUNT: usize = 6000;
    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    udp.set_read_timeout(Some(4 * SILENCE)).unwrap();
    let reader = udp.try_clone().unwrap();
    let began = Instant::now();
    let answers = spawn(move || {
        let mut buffer = [0; 64];
        std::iter::from_fn(|| reader.recv_from(&mut buffer).ok()).count()
    });
    for number in 0..COUNT {
        udp.send_to(b"nobody", server.registrar()).unwrap();
        // Slow enough for Node to read them all.
        if number % 5 == 0 {
            sleep(Duration::from_micros(500));
        }
    }
    let took = began.elapsed();
    (COUNT, answers.join().unwrap(), took)
}
