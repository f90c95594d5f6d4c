//! Start, stop, two at once.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream, UdpSocket},
    time::{Duration, Instant},
};

use noray_server::{ByteSize, Config, Server, StartError, Stats};
use noray_testkit::{
    defaults::ANSWER,
    library_server::LibraryServer,
    player::{AcceptsPlayers, Player},
};

fn tcp_is_free(address: SocketAddr) -> bool {
    TcpListener::bind(address).is_ok()
}

fn udp_is_free(port: u16) -> bool {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, port)).is_ok()
}

fn wait_until_stopped(test: &LibraryServer) {
    test.runtime.block_on(async {
        tokio::time::timeout(ANSWER, test.server.stopped())
            .await
            .expect("the server never stopped");
    });
}

#[test]
fn stop_closes_everything() {
    let test = LibraryServer::start();
    let mut pair = test.relayed_pair();
    let mut idle = test.player();
    assert_eq!(
        test.server.stats(),
        Stats {
            connections: 3,
            players: 2,
            relays: 2
        }
    );

    let start = Instant::now();
    test.server.stop();
    test.server.stop();
    assert!(start.elapsed() < Duration::from_millis(100), "stop waits");
    wait_until_stopped(&test);

    assert_eq!(test.server.stats(), Stats::default());
    for player in [&mut pair.host, &mut pair.client, &mut idle] {
        assert!(player.is_closed_within(ANSWER));
    }
    assert!(TcpStream::connect(test.server.command_address()).is_err());
    assert!(tcp_is_free(test.server.command_address()));
    assert!(udp_is_free(test.server.registrar_address().port()));
    assert!(udp_is_free(pair.host_port) && udp_is_free(pair.client_port));
    // Once more, now that it has stopped.
    test.server.stop();
    wait_until_stopped(&test);
}

#[test]
fn stop_does_not_wait_for_a_player_who_does_not_read() {
    let test = LibraryServer::start();
    let mut slow = test.player();
    slow.tcp
        .set_write_timeout(Some(Duration::from_millis(100)))
        .unwrap();
    let line = format!("echo {}\n", "x".repeat(4000));
    let until = Instant::now() + Duration::from_millis(500);
    while Instant::now() < until {
        let _ = std::io::Write::write(&mut slow.tcp, line.as_bytes());
    }
    let start = Instant::now();
    test.server.stop();
    wait_until_stopped(&test);
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn dropping_a_server_stops_it() {
    let LibraryServer { server, runtime } = LibraryServer::start();
    let address = server.command_address();
    drop(server);
    let deadline = Instant::now() + ANSWER;
    while !tcp_is_free(address) {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
    drop(runtime);
}

#[test]
fn a_server_outlives_its_runtime_unharmed() {
    let LibraryServer { server, runtime } = LibraryServer::start();
    let address = server.command_address();
    runtime.shutdown_background();
    let deadline = Instant::now() + ANSWER;
    while !tcp_is_free(address) {
        assert!(Instant::now() < deadline);
        std::thread::sleep(Duration::from_millis(5));
    }
    server.stop();
    assert_eq!(server.stats(), Stats::default());
}

#[test]
fn a_server_runs_on_a_runtime_with_one_thread() {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(1)
        .enable_all()
        .build()
        .unwrap();
    let server = Server::start(LibraryServer::config(), runtime.handle()).unwrap();
    LibraryServer { server, runtime }
        .relayed_pair()
        .exchange(b"one");
}

#[test]
fn two_servers_run_side_by_side() {
    let runtime = LibraryServer::runtime();
    let second = Server::start(LibraryServer::config(), runtime.handle()).unwrap();
    let first = LibraryServer {
        server: Server::start(LibraryServer::config(), runtime.handle()).unwrap(),
        runtime: LibraryServer::runtime(),
    };
    let second = LibraryServer {
        server: second,
        runtime,
    };
    let pair = first.relayed_pair();
    let mut other_pair = second.relayed_pair();
    pair.exchange(b"first");
    other_pair.exchange(b"second");
    let answer = other_pair.client.ask(&format!("connect {}", pair.host.oid));
    assert!(answer.contains(" unknown-host "), "{answer}");
    first.server.stop();
    wait_until_stopped(&first);
    other_pair.exchange(b"still there");
}

#[test]
fn a_taken_port_is_told_and_nothing_is_left_open() {
    let test = LibraryServer::start();
    let taken = test.server.command_address();
    let error = Server::start(
        Config {
            socket_port: taken.port(),
            ..LibraryServer::config()
        },
        test.runtime.handle(),
    )
    .expect_err("two servers on one port");
    assert!(matches!(error, StartError::Commands { address, .. } if address == taken));
    let expected = format!("cannot listen for commands on {taken} (TCP): ");
    assert!(error.to_string().starts_with(&expected), "{error}");

    let taken = test.server.registrar_address();
    let commands = TcpListener::bind("127.0.0.1:0").unwrap();
    let free = commands.local_addr().unwrap();
    drop(commands);
    let error = Server::start(
        Config {
            socket_port: free.port(),
            registrar_port: taken.port(),
            ..LibraryServer::config()
        },
        test.runtime.handle(),
    )
    .expect_err("two registrars on one port");
    let expected = format!("cannot listen for registrations on {taken} (UDP): ");
    assert!(error.to_string().starts_with(&expected), "{error}");
    assert!(tcp_is_free(free));
    test.player().expect_silence();
}

#[test]
fn a_server_starts_again_on_its_port_at_once() {
    let runtime = LibraryServer::runtime();
    let mut config = LibraryServer::config();
    for _ in 0..10 {
        let server = Server::start(config.clone(), runtime.handle()).unwrap();
        config.socket_port = server.command_address().port();
        config.registrar_port = server.registrar_address().port();
        // A connection that was open leaves the port in TIME_WAIT.
        let mut player =
            Player::dial(server.command_address(), server.registrar_address()).unwrap();
        player.read_greeting().unwrap();
        player.register().unwrap();
        server.stop();
        runtime.block_on(server.stopped());
    }
}

#[test]
fn nonsense_in_the_configuration_is_told() {
    let runtime = LibraryServer::runtime();
    let error = Server::start(
        Config {
            relay_timeout: Duration::ZERO.into(),
            ..LibraryServer::config()
        },
        runtime.handle(),
    )
    .expect_err("no time at all");
    assert_eq!(
        error.to_string(),
        "NORAY_UDP_RELAY_TIMEOUT (--udp-relay-timeout): must be 1ms or longer"
    );
}

#[test]
fn extreme_settings_do_no_harm() {
    let test = LibraryServer::with(Config {
        relay_timeout: Duration::MAX.into(),
        relay_cleanup_interval: Duration::MAX.into(),
        traffic_interval: Duration::MAX.into(),
        max_lifetime_duration: Duration::MAX.into(),
        unregistered_timeout: Duration::MAX.into(),
        write_timeout: Duration::MAX.into(),
        max_individual_traffic: ByteSize(u64::MAX),
        max_global_traffic: ByteSize(u64::MAX),
        max_lifetime_traffic: ByteSize(u64::MAX),
        max_connections: usize::MAX,
        max_connections_per_address: usize::MAX,
        max_hosts_per_connection: usize::MAX,
        max_lines_per_second: u32::MAX,
        max_connects_per_second: u32::MAX,
        max_outbound_queue: ByteSize(u64::MAX),
        relay_ports: (1..=u16::MAX).collect(),
        ..LibraryServer::config()
    });
    test.relayed_pair().exchange(b"fine");
}
