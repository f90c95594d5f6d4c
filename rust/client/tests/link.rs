//! Players with a link each, a server between them, and plain sockets in place of ENet.

use std::{
    net::{Ipv4Addr, Ipv6Addr, SocketAddr},
    time::{Duration, Instant},
};

use noray_client::{
    ConnectOptions, Connection, ConnectionEvent, HostOptions, JoinError, JoinOptions, Link,
    PeerEvent, PeerId, PeerStats, RegisterOptions,
};
use noray_protocol::wire::{
    check::PathKind,
    command::{ConnectKind, ServerCommand},
    id::OpenId,
};
use noray_server::{Config, Server};
use tokio::{net::UdpSocket, runtime::Handle, time::timeout};

const PATIENCE: Duration = Duration::from_secs(10);

struct Player {
    connection: Connection,
    link: Link,
    registrar_port: u16,
}

impl Player {
    fn connect(server: &Server) -> Self {
        let address = server.command_address();
        let mut options = ConnectOptions::new(address.ip().to_string());
        options.port = address.port();
        Self {
            connection: Connection::open(&Handle::current(), options),
            link: Link::open(&Handle::current()),
            registrar_port: server.registrar_address().port(),
        }
    }

    /// Registers through the link, and returns the OpenID.
    async fn register(&mut self) -> OpenId {
        (self.connection)
            .use_link(self.link.handle(), self.registrar_port)
            .unwrap();
        self.ready().await
    }

    /// Waits until the player is registered, and returns the OpenID that the server gave meanwhile.
    async fn ready(&mut self) -> OpenId {
        let mut oid = None;
        loop {
            match timeout(PATIENCE, self.connection.wait_event())
                .await
                .unwrap()
            {
                Some(ConnectionEvent::Line(line)) => {
                    if let ServerCommand::SetOpenId(id) = line.command {
                        oid = Some(OpenId::new(&id).unwrap());
                    }
                }
                Some(ConnectionEvent::Ready(result)) => {
                    result.unwrap();
                    return oid.unwrap();
                }
                Some(
                    ConnectionEvent::Connected(_)
                    | ConnectionEvent::Registered(Ok(_))
                    | ConnectionEvent::Lost(_),
                ) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Registers as the guide's own flow does, and returns the OpenID and the port.
    async fn register_plainly(&mut self) -> (OpenId, u16) {
        self.connection.register_host().unwrap();
        let mut oid = None;
        loop {
            match self.connection.wait_event().await.unwrap() {
                ConnectionEvent::Line(line) => match line.command {
                    ServerCommand::SetOpenId(id) => oid = OpenId::new(&id).ok(),
                    ServerCommand::SetPrivateId(pid) => {
                        let options = RegisterOptions {
                            registrar_port: self.registrar_port,
                            ..RegisterOptions::default()
                        };
                        self.connection.register_remote(pid, options).unwrap();
                    }
                    _ => {}
                },
                ConnectionEvent::Registered(port) => return (oid.unwrap(), port.unwrap()),
                _ => {}
            }
        }
    }

    async fn host(&mut self, enet: &UdpSocket, max_clients: usize) -> OpenId {
        self.link.host(host_options(enet, max_clients));
        self.register().await
    }

    fn join(&self, oid: OpenId, force_relay: bool) {
        self.link.join(JoinOptions {
            oid,
            timeout: PATIENCE,
            force_relay,
            lan: false,
        });
    }

    async fn link_event(&mut self) -> PeerEvent {
        timeout(PATIENCE, self.link.wait_event())
            .await
            .unwrap()
            .unwrap()
    }

    async fn joined(&mut self) -> (PeerId, u16, PathKind, PeerStats) {
        loop {
            match self.link_event().await {
                PeerEvent::HostReached {
                    peer,
                    port,
                    kind,
                    stats,
                } => return (peer, port, kind, stats),
                PeerEvent::Progress(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn failed(&mut self) -> JoinError {
        loop {
            match self.link_event().await {
                PeerEvent::JoinFailed(error) => return error,
                PeerEvent::Progress(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

async fn enet() -> UdpSocket {
    UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap()
}

async fn receive(socket: &UdpSocket) -> (Vec<u8>, SocketAddr) {
    let mut buffer = [0; 2048];
    let (length, from) = timeout(PATIENCE, socket.recv_from(&mut buffer))
        .await
        .expect("a datagram in time")
        .unwrap();
    (buffer[..length].to_vec(), from)
}

fn host_options(enet: &UdpSocket, max_clients: usize) -> HostOptions {
    HostOptions {
        enet_port: enet.local_addr().unwrap().port(),
        max_clients,
        force_relay: false,
        lan: false,
    }
}

fn config() -> Config {
    Config {
        socket_host: Ipv4Addr::LOCALHOST.into(),
        socket_port: 0,
        udp_host: Ipv4Addr::LOCALHOST,
        registrar_port: 0,
        ..Config::default()
    }
}

fn server() -> Server {
    Server::start(config(), &Handle::current()).unwrap()
}

/// Joins a host and exchanges a datagram each way; returns the kind of path.
async fn join_and_talk(server: Server, force_relay: bool) -> PathKind {
    let (host_enet, joining_enet) = (enet().await, enet().await);
    let mut host = Player::connect(&server);
    let oid = host.host(&host_enet, 4).await;
    let mut joining = Player::connect(&server);
    joining.join(oid, force_relay);
    joining.register().await;
    let (peer, port, kind, stats) = joining.joined().await;
    joining
        .link
        .connect_enet(peer, joining_enet.local_addr().unwrap().port());
    let to_host = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    joining_enet.send_to(b"hello", to_host).await.unwrap();
    let (bytes, from) = receive(&host_enet).await;
    assert_eq!(bytes, b"hello");
    host_enet.send_to(b"welcome", from).await.unwrap();
    assert_eq!(receive(&joining_enet).await, (b"welcome".to_vec(), to_host));
    let PeerEvent::PeerAdmitted { port, .. } = host.link_event().await else {
        panic!("no player came")
    };
    assert_eq!(port, from.port());
    let snapshot = stats.snapshot();
    assert_eq!((snapshot.packets_sent, snapshot.bytes_sent), (1, 5));
    // The first datagrams of a game go out several times.
    assert!((1..=3).contains(&snapshot.packets_received), "{snapshot:?}");
    assert_eq!(snapshot.bytes_received, 7 * snapshot.packets_received);
    assert!(snapshot.round_trip.is_some() && snapshot.alive);
    kind
}

#[tokio::test]
async fn two_players_meet_directly() {
    assert_eq!(join_and_talk(server(), false).await, PathKind::Direct);
}

#[tokio::test]
async fn two_players_meet_by_relay() {
    assert_eq!(join_and_talk(server(), true).await, PathKind::Relay);
}

/// Its registrar and its relays have IPv4 alone.
#[tokio::test]
async fn a_server_that_is_reached_by_ipv6_does_not_keep_players_apart() {
    for force_relay in [false, true] {
        let config = Config {
            socket_host: Ipv6Addr::LOCALHOST.into(),
            ..config()
        };
        let Ok(server) = Server::start(config, &Handle::current()) else {
            return; // this machine has no IPv6
        };
        let kind = join_and_talk(server, force_relay).await;
        assert_eq!(kind == PathKind::Relay, force_relay);
    }
}

#[tokio::test]
async fn an_unknown_host_is_told() {
    let server = server();
    let mut joining = Player::connect(&server);
    joining.join(OpenId::new("nobody").unwrap(), false);
    joining.register().await;
    let error = joining.failed().await;
    assert!(matches!(error, JoinError::NoSuchHost(_)), "{error:?}");
}

#[tokio::test]
async fn a_full_host_says_so() {
    let server = server();
    let enet = enet().await;
    let mut host = Player::connect(&server);
    let oid = host.host(&enet, 1).await;
    let mut first = Player::connect(&server);
    first.join(oid.clone(), false);
    first.register().await;
    first.joined().await;
    let mut second = Player::connect(&server);
    second.join(oid, false);
    second.register().await;
    assert_eq!(second.failed().await, JoinError::HostFull);
}

/// A host and a joining player in a game, with the sockets in place of their ENets.
struct Game {
    host: Player,
    joining: Player,
    oid: OpenId,
    host_enet: UdpSocket,
    joining_enet: UdpSocket,
    /// The host, on the joining player's link.
    peer: PeerId,
    /// The loopback port that stands for the host.
    host_port: u16,
}

impl Game {
    async fn begin(server: &Server, force_relay: bool) -> Self {
        let (host_enet, joining_enet) = (enet().await, enet().await);
        let mut host = Player::connect(server);
        let oid = host.host(&host_enet, 4).await;
        let mut joining = Player::connect(server);
        joining.join(oid.clone(), force_relay);
        joining.register().await;
        let (peer, host_port, ..) = joining.joined().await;
        (joining.link).connect_enet(peer, joining_enet.local_addr().unwrap().port());
        Self {
            host,
            joining,
            oid,
            host_enet,
            joining_enet,
            peer,
            host_port,
        }
    }

    /// Sends a datagram from the joining player's ENet to the host's, and returns its source there.
    async fn talk(&self) -> SocketAddr {
        talk(&self.joining_enet, self.host_port, &self.host_enet).await
    }
}

/// Sends a datagram from one side's ENet to the other's, and returns its source there.
async fn talk(from: &UdpSocket, port: u16, to: &UdpSocket) -> SocketAddr {
    from.send_to(b"hello", (Ipv4Addr::LOCALHOST, port))
        .await
        .unwrap();
    let (bytes, source) = receive(to).await;
    assert_eq!(bytes, b"hello");
    source
}

#[tokio::test]
async fn a_plainly_registered_port_becomes_the_links() {
    let server = server();
    let enet = enet().await;
    let mut host = Player::connect(&server);
    let (oid, port) = host.register_plainly().await;
    host.link.host(host_options(&enet, 4));
    (host.connection)
        .use_link(host.link.handle(), host.registrar_port)
        .unwrap();
    let Some(ConnectionEvent::Registered(Ok(taken))) = host.connection.wait_event().await else {
        panic!("not registered")
    };
    assert_eq!(taken, port);
    assert_eq!(server.stats().players, 1, "the identity is the same");

    let mut joining = Player::connect(&server);
    joining.join(oid, false);
    joining.register().await;
    joining.joined().await;
}

/// The game's own socket keeps the port. The link needs another one, and so another identity.
#[tokio::test]
async fn a_registered_port_that_the_game_uses_is_left_to_it() {
    let server = server();
    let enet = enet().await;
    let mut host = Player::connect(&server);
    let (_, port) = host.register_plainly().await;
    let _game = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port))
        .await
        .unwrap();
    let oid = host.host(&enet, 4).await;
    let mut joining = Player::connect(&server);
    joining.join(oid, false);
    joining.register().await;
    joining.joined().await;
}

/// Starts a server at the ports of one that was stopped.
async fn restarted(port: u16, registrar: u16) -> Server {
    loop {
        let config = Config {
            socket_port: port,
            registrar_port: registrar,
            ..config()
        };
        match Server::start(config, &Handle::current()) {
            Ok(server) => return server,
            Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
        }
    }
}

#[tokio::test]
async fn a_game_goes_on_while_the_server_is_gone_and_is_found_again_afterwards() {
    let first = server();
    let (port, registrar) = (
        first.command_address().port(),
        first.registrar_address().port(),
    );
    let mut game = Game::begin(&first, false).await;
    let source = game.talk().await;

    first.stop();
    drop(first);
    loop {
        match timeout(PATIENCE, game.host.connection.wait_event())
            .await
            .unwrap()
        {
            Some(ConnectionEvent::Lost(_)) => break,
            Some(ConnectionEvent::Line(_)) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(game.talk().await, source);

    let again = restarted(port, registrar).await;
    assert_eq!(
        game.host.ready().await,
        game.oid,
        "the OpenID that friends have stays good"
    );
    assert_eq!(game.talk().await, source);
    let mut late = Player::connect(&again);
    late.join(game.oid, false);
    late.register().await;
    late.joined().await;
}

/// The relays are gone with the server. Both sides have until ENet gives up, at least 5 s.
#[tokio::test]
async fn a_relayed_game_goes_on_after_a_restart_of_the_server() {
    let first = server();
    let (port, registrar) = (
        first.command_address().port(),
        first.registrar_address().port(),
    );
    let game = Game::begin(&first, true).await;
    let source = game.talk().await;

    first.stop();
    drop(first);
    let _again = restarted(port, registrar).await;
    let began = tokio::time::Instant::now();
    let mut number = 0u32;
    let mut buffer = [0; 64];
    loop {
        number += 1;
        let to_host = (Ipv4Addr::LOCALHOST, game.host_port);
        let bytes = number.to_le_bytes();
        game.joining_enet.send_to(&bytes, to_host).await.unwrap();
        let answer = timeout(
            Duration::from_millis(50),
            game.host_enet.recv_from(&mut buffer),
        );
        if let Ok(Ok((length, from))) = answer.await
            && buffer[..length] == number.to_le_bytes()
        {
            break assert_eq!(from, source);
        }
        assert!(began.elapsed() < PATIENCE);
    }
}

/// The session that the player had left used to take the address back with each check of its last
/// second, and the new game's datagrams went astray.
#[tokio::test]
async fn a_host_that_is_joined_again_at_once_hears_the_new_game_alone() {
    let server = server();
    let (host_enet, joining_enet) = (enet().await, enet().await);
    let mut host = Player::connect(&server);
    let oid = host.host(&host_enet, 4).await;
    let mut joining = Player::connect(&server);
    let mut left = None;
    for round in 0..3 {
        if let Some(peer) = left {
            joining.link.release(peer);
        }
        joining.join(oid.clone(), false);
        (joining.connection)
            .use_link(joining.link.handle(), joining.registrar_port)
            .unwrap();
        let (peer, port) = loop {
            match joining.link_event().await {
                PeerEvent::HostReached { peer, port, .. } => break (peer, port),
                PeerEvent::Progress(_) | PeerEvent::PeerGone { .. } => {}
                other => panic!("{other:?}"),
            }
        };
        (joining.link).connect_enet(peer, joining_enet.local_addr().unwrap().port());
        let mut source = None;
        for _ in 0..30 {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let to_host = (Ipv4Addr::LOCALHOST, port);
            joining_enet.send_to(&[round], to_host).await.unwrap();
            // The first datagrams of a game go out several times, so an earlier game's may wait.
            let from = loop {
                let (bytes, from) = receive(&host_enet).await;
                if bytes == [round] {
                    break from;
                }
            };
            assert_eq!(from, *source.get_or_insert(from));
        }
        left = Some(peer);
    }
}

/// The join used to send its requests to the former connection, and reached only the relay.
#[tokio::test]
async fn a_second_join_asks_the_connection_of_its_own_time() {
    let server = server();
    let Game {
        host: _host,
        mut joining,
        oid,
        peer,
        ..
    } = Game::begin(&server, false).await;
    joining.link.release(peer);

    joining.connection = Player::connect(&server).connection;
    joining.join(oid, false);
    joining.register().await;
    loop {
        match joining.link_event().await {
            PeerEvent::HostReached { kind, .. } => break assert_eq!(kind, PathKind::Direct),
            PeerEvent::Progress(_) | PeerEvent::PeerGone { .. } => {}
            other => panic!("{other:?}"),
        }
    }
}

#[tokio::test]
async fn a_lost_connection_without_a_game_is_the_end() {
    let server = server();
    let mut player = Player::connect(&server);
    player.register().await;
    server.stop();
    let last = timeout(PATIENCE, player.connection.wait_event()).await;
    assert!(
        matches!(last, Ok(Some(ConnectionEvent::Disconnected(_)))),
        "{last:?}"
    );
}

#[tokio::test]
async fn a_join_is_cancelled_at_any_time() {
    let server = server();
    let mut joining = Player::connect(&server);
    joining.join(OpenId::new("anybody").unwrap(), false);
    joining.link.cancel_join();
    assert_eq!(joining.failed().await, JoinError::Cancelled);
    joining.register().await;
    joining.join(OpenId::new("anybody").unwrap(), false);
    joining.link.cancel_join();
    assert_eq!(joining.failed().await, JoinError::Cancelled);
}

#[tokio::test]
async fn a_join_that_nobody_makes_ready_times_out() {
    let server = server();
    let mut joining = Player::connect(&server);
    let limit = Duration::from_millis(200);
    joining.link.join(JoinOptions {
        oid: OpenId::new("anybody").unwrap(),
        timeout: limit,
        force_relay: false,
        lan: false,
    });
    assert_eq!(joining.failed().await, JoinError::TimedOut(limit));
}

/// Each peer has a socket. Sockets that stay would use up the process's descriptors.
#[tokio::test]
async fn players_who_come_and_go_leave_nothing_behind() {
    let server = server();
    let (host_enet, joining_enet) = (enet().await, enet().await);
    let mut host = Player::connect(&server);
    let oid = host.host(&host_enet, 2).await;
    let mut joining = Player::connect(&server);
    for _ in 0..3 {
        joining.join(oid.clone(), false);
        (joining.connection)
            .use_link(joining.link.handle(), joining.registrar_port)
            .unwrap();
        let (peer, port, _, stats) = joining.joined().await;
        (joining.link).connect_enet(peer, joining_enet.local_addr().unwrap().port());
        talk(&joining_enet, port, &host_enet).await;
        let PeerEvent::PeerAdmitted {
            peer: seen,
            stats: of_joining,
            ..
        } = host.link_event().await
        else {
            panic!("no player came")
        };
        joining.link.release(peer);
        host.link.release(seen);
        for (player, who) in [(&mut host, seen), (&mut joining, peer)] {
            let event = player.link_event().await;
            assert!(
                matches!(event, PeerEvent::PeerGone { peer } if peer == who),
                "{event:?}"
            );
        }
        assert!(!stats.snapshot().alive && !of_joining.snapshot().alive);
    }
    host.link.stop_hosting();
    timeout(PATIENCE, async {
        while host.link.is_used() || joining.link.is_used() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    })
    .await
    .expect("nobody is left");
}

/// The join went on for 8 s and said that the host could not be reached.
#[tokio::test]
async fn the_code_of_a_game_that_has_ended_is_not_tried_in_vain() {
    let server = server();
    let enet = enet().await;
    let mut host = Player::connect(&server);
    let oid = host.host(&enet, 4).await;
    let mut joining = Player::connect(&server);
    joining.join(oid.clone(), false);
    let of_joining = joining.register().await;
    joining.joined().await;

    host.link.stop_hosting();
    let began = Instant::now();
    let mut late = Player::connect(&server);
    late.join(oid.clone(), false);
    late.register().await;
    let error = late.failed().await;
    assert!(matches!(error, JoinError::NoSuchHost(_)), "{error:?}");
    // A player who has only joined is no host either.
    late.join(of_joining, false);
    (late.connection)
        .use_link(late.link.handle(), late.registrar_port)
        .unwrap();
    let error = late.failed().await;
    assert!(matches!(error, JoinError::NoSuchHost(_)), "{error:?}");
    assert!(began.elapsed() < Duration::from_secs(3));

    host.link.host(host_options(&enet, 4));
    // The server hears of it before the next request.
    tokio::time::sleep(Duration::from_millis(100)).await;
    late.join(oid, false);
    (late.connection)
        .use_link(late.link.handle(), late.registrar_port)
        .unwrap();
    late.joined().await;
}

#[tokio::test]
async fn a_game_that_registers_itself_too_is_not_shut() {
    let server = server();
    let mut host = Player::connect(&server);
    let (oid, _) = host.register_plainly().await;
    // The link is used to join, say, while the game itself hosts.
    (host.connection)
        .use_link(host.link.handle(), host.registrar_port)
        .unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    let mut asking = Player::connect(&server);
    asking.register_plainly().await;
    asking.connection.connect(ConnectKind::Nat, oid).unwrap();
    let answer = timeout(PATIENCE, async {
        loop {
            if let ConnectionEvent::Line(line) = asking.connection.wait_event().await.unwrap()
                && let ServerCommand::ConnectNat(_) | ServerCommand::Refused { .. } = line.command
            {
                return line.command;
            }
        }
    });
    let answer = answer.await.unwrap();
    assert!(matches!(answer, ServerCommand::ConnectNat(_)), "{answer:?}");
}
