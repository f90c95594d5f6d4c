//! The program: metrics, health, and floods of requests.

use noray_testkit::{
    metrics::request_raw,
    player::{AcceptsPlayers, RelayedPair, ask_registrar, eventually},
    ports::free_ports,
};
use std::{
    net::TcpStream,
    time::{Duration, Instant},
};

use crate::program::{binary, metrics, start, value};

#[test]
fn metrics_tell_what_happened_by_the_public_servers_names() {
    let ports = free_ports(4);
    let server = start(binary().arg(format!("--udp-relay-ports={}-{}", ports[0], ports[3])));
    let mut host = server.player();
    let mut client = server.player();
    for player in [&mut host, &mut client] {
        player.register().unwrap();
        player.register_remote().unwrap();
    }
    client.register_remote().unwrap();
    ask_registrar(&client.udp, server.registrar(), b"nobody").unwrap();
    client.ask("connect nobody");
    client.send("an-invented-command");
    client.ask(&format!("connect {}", host.oid));
    host.line();
    client.udp = std::net::UdpSocket::bind("127.0.0.1:0").unwrap();
    client.register_remote().unwrap();
    let port = client.relay_port(&format!("connect-relay {}", host.oid));
    for size in [10, 100] {
        client.send_datagram(&vec![1; size], port);
        host.datagram();
    }
    // Only players who are linked with the host may send to it.
    let mut stranger = server.player();
    stranger.register().unwrap();
    stranger.register_remote().unwrap();
    stranger.send_datagram(b"x", port);

    let mut text = String::new();
    eventually("everything is counted", || {
        text = metrics(&server);
        value(&text, "noray_relay_size_count") == 2.0
            && value(&text, "noray_relay_duration_count") == 2.0
            && value(&text, "noray_relay_drop_count") == 1.0
    });
    for (name, expected) in [
        ("noray_tcp_connections", 3.0),
        ("noray_active_hosts", 3.0),
        ("noray_remote_registrar_success", 3.0),
        ("noray_remote_registrar_repeat", 1.0),
        ("noray_remote_registrar_fail", 1.0),
        ("noray_remote_registrar_moved_total", 1.0),
        ("noray_command_exception{command=\"connect\"}", 1.0),
        ("noray_command_exception{command=\"connect-relay\"}", 0.0),
        (
            "noray_command_duration_count{command=\"register-host\"}",
            3.0,
        ),
        ("noray_command_duration_count{command=\"connect\"}", 2.0),
        ("noray_command_duration_count{command=\"other\"}", 1.0),
        (
            "noray_refused_total{command=\"connect\",reason=\"unknown-host\"}",
            1.0,
        ),
        ("noray_relay_count", 2.0),
        ("noray_relay_limit", 4.0),
        ("noray_relay_expired", 0.0),
        ("noray_relay_size_sum", 110.0),
        ("noray_relay_size_bucket{le=\"32\"}", 1.0),
        ("noray_relay_size_bucket{le=\"128\"}", 2.0),
        ("noray_relay_size_bucket{le=\"+Inf\"}", 2.0),
        ("noray_relay_dropped_total{reason=\"unknown-sender\"}", 1.0),
        ("noray_serving", 1.0),
    ] {
        assert_eq!(value(&text, name), expected, "{name} in\n{text}");
    }
    for (name, kind) in [
        ("noray_command_duration", "histogram"),
        ("noray_command_exception", "counter"),
        ("noray_tcp_connections", "gauge"),
        ("noray_relay_drop_count", "counter"),
    ] {
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{text}");
    }
    assert!(!text.contains("an-invented-command"));
    assert!(!text.contains(&client.pid[..16]));
    #[cfg(target_os = "linux")]
    assert!(value(&text, "process_open_fds") > 5.0);

    drop((client, host, stranger));
    eventually("the players are gone", || {
        value(&metrics(&server), "noray_active_hosts") == 0.0
    });
}

#[test]
fn only_two_things_can_be_asked_for() {
    let server = start(&mut binary());
    assert_eq!(server.get("/health").status, "HTTP/1.1 200 OK");
    for (path, expected) in [
        ("/", "HTTP/1.1 404 Not Found"),
        ("/metricsx", "HTTP/1.1 404 Not Found"),
        ("/health?x", "HTTP/1.1 200 OK"),
    ] {
        assert_eq!(server.get(path).status, expected, "{path}");
    }
    let post = "POST /metrics HTTP/1.1\r\nHost: noray\r\nContent-Length: 3\r\n\r\nabc";
    let answer = request_raw(server.http(), post).unwrap();
    assert_eq!(answer.status, "HTTP/1.1 405 Method Not Allowed");
    for garbage in ["\r\n\r\n", "GET\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n"] {
        if let Ok(answer) = request_raw(server.http(), garbage) {
            let status = answer.status;
            assert!(status.starts_with("HTTP/1.1 400"), "{garbage:?}: {status}");
        }
    }
    // The server cuts an endless head off before its time is up.
    let began = Instant::now();
    let endless = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(100_000));
    let answer = request_raw(server.http(), &endless).ok();
    assert!(answer.is_none_or(|answer| answer.status.contains("431")));
    assert!(began.elapsed() < Duration::from_secs(3));
}

#[test]
fn nothing_is_served_when_it_is_off() {
    let server = start(binary().env("NORAY_HTTP_PORT", "0").arg("--http-port=off"));
    let started = server.child.lines_from(0).concat();
    assert!(!started.contains("HTTP"), "{started}");
    server.player().expect_silence();
}

/// Silent connections, more than the server admits, and floods of requests.
#[test]
fn who_floods_it_hurts_no_player() {
    let ports = free_ports(2);
    let server = start(binary().arg(format!("--udp-relay-ports={},{}", ports[0], ports[1])));
    let RelayedPair {
        host,
        mut client,
        host_port: port,
        ..
    } = server.relayed_pair();
    let silent: Vec<_> = (0..300)
        .filter_map(|_| TcpStream::connect(server.http()).ok())
        .collect();
    assert!(silent.len() > 100);
    let flooders: Vec<_> = (0..2)
        .map(|_| {
            let (http, until) = (server.http(), Instant::now() + Duration::from_secs(1));
            std::thread::spawn(move || {
                let mut count = 0;
                while Instant::now() < until {
                    count +=
                        usize::from(request_raw(http, "GET /metrics HTTP/1.0\r\n\r\n").is_ok());
                }
                count
            })
        })
        .collect();
    for number in 0..50_u8 {
        client.send_datagram(&[number], port);
        assert_eq!(host.datagram().0, [number]);
        client.expect_silence();
        std::thread::sleep(Duration::from_millis(10));
    }
    for flooder in flooders {
        flooder.join().unwrap();
    }
    // In the end the server closes the silent ones, and serves others.
    eventually("health is told again", || {
        request_raw(server.http(), "GET /health HTTP/1.0\r\n\r\n")
            .is_ok_and(|answer| answer.status == "HTTP/1.0 200 OK")
    });
    drop(silent);
}

#[test]
fn a_taken_metrics_port_is_named() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let output = binary()
        .args(["--socket-host=127.0.0.1", "--socket-port=0"])
        .args(["--udp-registrar-port=0", "--http-host=127.0.0.1"])
        .arg(format!("--http-port={}", address.port()))
        .output()
        .unwrap();
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8(output.stderr).unwrap();
    let expected = format!("noray-server: cannot listen for metrics on {address} (TCP): ");
    assert!(error.contains(&expected), "{error}");
}
