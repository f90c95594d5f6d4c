//! Two players with a link each, a server between them, and plain sockets in ENet's place.

use std::{
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use noray_client::{
    ConnectOptions, Connection, Event, HostOptions, JoinError, JoinOptions, Link, LinkEvent,
    RemoteId, RemoteStats,
};
use noray_protocol::{command::ServerCommand, id::OpenId, link::Way};
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
        let mut options = ConnectOptions::new("127.0.0.1");
        options.port = server.command_address().port();
        Self {
            connection: Connection::open(&Handle::current(), options),
            link: Link::open(&Handle::current()),
            registrar_port: server.registrar_address().port(),
        }
    }

    /// Registers through the link; gives the OpenID.
    async fn play(&mut self) -> OpenId {
        (self.connection)
            .play(self.link.handle(), self.registrar_port)
            .unwrap();
        self.ready().await
    }

    async fn ready(&mut self) -> OpenId {
        let mut oid = None;
        loop {
            match timeout(PATIENCE, self.connection.wait_event())
                .await
                .unwrap()
            {
                Some(Event::Line(line)) => {
                    if let ServerCommand::SetOpenId(id) = line.command {
                        oid = Some(OpenId::new(&id).unwrap());
                    }
                }
                Some(Event::Ready(result)) => {
                    result.unwrap();
                    return oid.unwrap();
                }
                Some(Event::Connected(_) | Event::Registered(Ok(_)) | Event::Lost(_)) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn host(&mut self, enet: &UdpSocket, max_clients: usize) -> OpenId {
        self.link.host(HostOptions {
            enet_port: enet.local_addr().unwrap().port(),
            max_clients,
            force_relay: false,
            lan: false,
        });
        self.play().await
    }

    fn join(&self, oid: OpenId, force_relay: bool) {
        self.link.join(JoinOptions {
            oid,
            timeout: PATIENCE,
            force_relay,
            lan: false,
        });
    }

    async fn link_event(&mut self) -> LinkEvent {
        timeout(PATIENCE, self.link.wait_event())
            .await
            .unwrap()
            .unwrap()
    }

    async fn joined(&mut self) -> (RemoteId, u16, Way, RemoteStats) {
        loop {
            match self.link_event().await {
                LinkEvent::JoinUp {
                    remote,
                    port,
                    way,
                    stats,
                } => return (remote, port, way, stats),
                LinkEvent::Progress(_) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    async fn failed(&mut self) -> JoinError {
        loop {
            match self.link_event().await {
                LinkEvent::JoinFailed(error) => return error,
                LinkEvent::Progress(_) => {}
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

fn server() -> Server {
    let config = Config {
        socket_host: Ipv4Addr::LOCALHOST.into(),
        socket_port: 0,
        udp_host: Ipv4Addr::LOCALHOST,
        registrar_port: 0,
        ..Config::default()
    };
    Server::start(config, &Handle::current()).unwrap()
}

async fn meet(force_relay: bool) -> Way {
    let server = server();
    let (host_enet, guest_enet) = (enet().await, enet().await);
    let mut host = Player::connect(&server);
    let oid = host.host(&host_enet, 4).await;
    let mut guest = Player::connect(&server);
    guest.play().await;
    guest.join(oid, force_relay);
    let (remote, port, way, stats) = guest.joined().await;
    guest
        .link
        .enter(remote, guest_enet.local_addr().unwrap().port());
    let to_host = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    guest_enet.send_to(b"hello", to_host).await.unwrap();
    let (bytes, from) = receive(&host_enet).await;
    assert_eq!(bytes, b"hello");
    host_enet.send_to(b"welcome", from).await.unwrap();
    assert_eq!(receive(&guest_enet).await, (b"welcome".to_vec(), to_host));
    let LinkEvent::GuestUp { port, .. } = host.link_event().await else {
        panic!("no guest came")
    };
    assert_eq!(port, from.port());
    let snapshot = stats.snapshot();
    assert_eq!((snapshot.packets_sent, snapshot.bytes_sent), (1, 5));
    assert_eq!((snapshot.packets_received, snapshot.bytes_received), (1, 7));
    assert!(snapshot.round_trip.is_some() && snapshot.alive);
    way
}

#[tokio::test]
async fn two_players_meet_directly() {
    assert_eq!(meet(false).await, Way::Direct);
}

#[tokio::test]
async fn two_players_meet_by_relay() {
    assert_eq!(meet(true).await, Way::Relay);
}

#[tokio::test]
async fn an_unknown_host_is_told() {
    let server = server();
    let mut guest = Player::connect(&server);
    guest.play().await;
    guest.join(OpenId::new("nobody").unwrap(), false);
    let error = guest.failed().await;
    assert!(matches!(error, JoinError::NoSuchHost(_)), "{error:?}");
}

#[tokio::test]
async fn a_full_host_says_so() {
    let server = server();
    let enet = enet().await;
    let mut host = Player::connect(&server);
    let oid = host.host(&enet, 1).await;
    let mut first = Player::connect(&server);
    first.play().await;
    first.join(oid.clone(), false);
    first.joined().await;
    let mut second = Player::connect(&server);
    second.play().await;
    second.join(oid, false);
    assert_eq!(second.failed().await, JoinError::HostFull);
}
