//! The process has as many descriptors as it may have.

use noray_testkit::player::{AcceptsPlayers, RelayedPair, eventually};
use noray_testkit::process_info::ProcessInfo;
use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use crate::program::{binary_with_descriptors, ended, relay_ports, start};

/// The processor time that a server which can only wait may use in [`WATCHED`].
const IDLE: Duration = Duration::from_millis(300);
const WATCHED: Duration = Duration::from_secs(2);

#[test]
fn who_is_in_goes_on_and_others_come_in_when_some_are_free_again() {
    let server = start(binary_with_descriptors(40).env("NORAY_UDP_RELAY_PORTS", relay_ports(8)));
    let RelayedPair {
        mut host,
        client,
        host_port: port,
        ..
    } = server.relayed_pair();
    let mut pair = [server.registered(), server.registered()];

    let mut crowd: Vec<_> = (0..60).map(|_| server.dial()).collect();
    let served = crowd
        .iter_mut()
        .map(|player| player.line_within(Duration::from_millis(100)))
        .filter(Option::is_some)
        .count();
    assert!((5..40).contains(&served), "{served}");
    // It has none for requests for metrics either.
    let watcher = std::net::TcpStream::connect(server.http()).unwrap();

    // The server still serves connected players, and games on relays go on.
    let process = ProcessInfo::of(server.child.id()).unwrap();
    let (began, processor) = (Instant::now(), process.cpu_time().unwrap());
    for number in 0_u8.. {
        client.send_datagram(&[number], port);
        let (payload, answer_to) = host.datagram();
        assert_eq!(payload, [number]);
        host.send_datagram(&payload, answer_to);
        assert_eq!(client.datagram(), (payload, port));
        host.expect_silence();
        client.register_remote().unwrap();
        if began.elapsed() > WATCHED {
            break;
        }
        sleep(Duration::from_millis(50));
    }
    // Players who wait in vain do not keep it busy.
    let processor = process.cpu_time().unwrap() - processor;
    assert!(processor < IDLE, "{processor:?}");
    let [first, second] = &mut pair;
    let ask = format!("connect-relay {}", second.oid);
    let answer = first.ask(&ask);
    assert!(answer.contains(" relays-full "), "{answer}");
    let answer = first.ask(&format!("connect {}", second.oid));
    assert!(answer.starts_with("connect 127.0.0.1:"), "{answer}");
    second.line();

    // The player who waited longest comes first.
    let mut waiting = crowd.split_off(served);
    waiting.truncate(3);
    drop((crowd, watcher));
    for mut player in waiting {
        player.read_greeting().unwrap();
        player.register().unwrap();
    }
    server.player().expect_silence();
    eventually("a relay is opened", || {
        first.ask(&ask).starts_with("connect-relay ")
    });
    assert_eq!(server.get("/health").status, "HTTP/1.1 200 OK");
    client.send_datagram(b"and on", port);
    assert_eq!(host.datagram().0, b"and on");

    server.child.signal("TERM").unwrap();
    let (code, log) = ended(server);
    assert_eq!(code, Some(0), "{log}");
    let complaints = log.matches("cannot accept connections").count();
    assert!((1..10).contains(&complaints), "{log}");
}
