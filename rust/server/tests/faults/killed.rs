//! The process is killed in mid-game and started again: it says no goodbye and remembers nothing.

use std::{
    net::{Ipv4Addr, SocketAddr},
    thread::sleep,
    time::{Duration, Instant},
};

use noray_client::{
    ConnectOptions, Connection, ConnectionEvent, HostOptions, JoinOptions, Link, PeerEvent,
};
use noray_protocol::wire::{check::PathKind, command::ServerCommand, id::OpenId};
use noray_testkit::{
    defaults::ANSWER, library_server::LibraryServer, player::AcceptsPlayers, server::ServerProcess,
};
use tokio::{net::UdpSocket, runtime::Handle, time::timeout};

use crate::program::{binary, start, start_on};

/// One of our players, with a plain socket in ENet's place.
struct Player {
    connection: Connection,
    link: Link,
    enet: UdpSocket,
}

impl Player {
    async fn open(commands: SocketAddr) -> Self {
        let mut options = ConnectOptions::new("127.0.0.1");
        options.port = commands.port();
        Self {
            connection: Connection::open(&Handle::current(), options),
            link: Link::open(&Handle::current()),
            enet: UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap(),
        }
    }

    fn play(&self, registrar: SocketAddr) {
        let link = self.link.handle();
        self.connection.use_link(link, registrar.port()).unwrap();
    }

    fn enet_port(&self) -> u16 {
        self.enet.local_addr().unwrap().port()
    }

    /// Waits until it is registered, for the first time or again, and returns its OpenID.
    async fn ready(&mut self) -> OpenId {
        let mut oid = None;
        loop {
            match timeout(ANSWER, self.connection.wait_event()).await {
                Ok(Some(ConnectionEvent::Line(line))) => {
                    if let ServerCommand::SetOpenId(id) = line.command {
                        oid = OpenId::new(&id).ok();
                    }
                }
                Ok(Some(ConnectionEvent::Ready(result))) => {
                    result.unwrap();
                    return oid.expect("an OpenID");
                }
                Ok(Some(
                    ConnectionEvent::Connected(_)
                    | ConnectionEvent::Registered(Ok(_))
                    | ConnectionEvent::Lost(_),
                )) => {}
                other => panic!("{other:?}"),
            }
        }
    }

    /// Waits until it has reached the host that it joins. Returns the port that stands for the host,
    /// and the kind of the path.
    async fn joined(&mut self) -> (u16, PathKind) {
        loop {
            match timeout(ANSWER, self.link.wait_event()).await {
                Ok(Some(PeerEvent::HostReached {
                    peer, port, kind, ..
                })) => {
                    self.link.connect_enet(peer, self.enet_port());
                    return (port, kind);
                }
                Ok(Some(PeerEvent::Progress(_))) => {}
                other => panic!("{other:?}"),
            }
        }
    }
}

/// A host and a joined player.
struct Game {
    host: Player,
    joined: Player,
    oid: OpenId,
    /// Where the joined player's ENet reaches the host.
    port: u16,
    /// Where the host's ENet hears the joined player.
    source: Option<SocketAddr>,
    sent: u32,
}

impl Game {
    async fn begin(server: &ServerProcess, force_relay: bool) -> Self {
        let mut host = Player::open(server.commands()).await;
        host.link.host(HostOptions {
            enet_port: host.enet_port(),
            max_clients: 4,
            force_relay: false,
            lan: false,
        });
        host.play(server.registrar());
        let oid = host.ready().await;
        let (joined, port, kind) = join(server, &oid, force_relay).await;
        assert_eq!(kind == PathKind::Relay, force_relay);
        let mut game = Self {
            host,
            joined,
            oid,
            port,
            source: None,
            sent: 0,
        };
        game.goes_on().await;
        game
    }

    /// Waits until each side's ENet hears the other's.
    async fn goes_on(&mut self) {
        let began = Instant::now();
        while !self.exchange().await {
            assert!(began.elapsed() < ANSWER, "the game does not go on");
        }
    }

    /// Returns whether a packet arrives and an answer comes back soon.
    async fn exchange(&mut self) -> bool {
        self.sent += 1;
        let packet = self.sent.to_be_bytes();
        let to_host = SocketAddr::from((Ipv4Addr::LOCALHOST, self.port));
        self.joined.enet.send_to(&packet, to_host).await.unwrap();
        let Some(from) = hear(&self.host.enet, packet).await else {
            return false;
        };
        // For the game nothing changes.
        assert_eq!(*self.source.get_or_insert(from), from);
        self.host.enet.send_to(&packet, from).await.unwrap();
        hear(&self.joined.enet, packet).await == Some(to_host)
    }
}

async fn join(server: &ServerProcess, oid: &OpenId, force_relay: bool) -> (Player, u16, PathKind) {
    let mut joined = Player::open(server.commands()).await;
    joined.link.join(JoinOptions {
        oid: oid.clone(),
        timeout: ANSWER,
        force_relay,
        lan: false,
    });
    joined.play(server.registrar());
    joined.ready().await;
    let (port, kind) = joined.joined().await;
    (joined, port, kind)
}

/// Returns where this packet comes from. Other packets are old, or repeats.
async fn hear(enet: &UdpSocket, packet: [u8; 4]) -> Option<SocketAddr> {
    let mut buffer = [0; 64];
    timeout(Duration::from_millis(200), async {
        loop {
            let (length, from) = enet.recv_from(&mut buffer).await.unwrap();
            if buffer[..length] == packet {
                return from;
            }
        }
    })
    .await
    .ok()
}

#[test]
fn games_go_on_and_codes_stay_good() {
    let server = start(&mut binary());
    let server_ports = server.ports.clone();
    let (commands, registrar) = (server.commands(), server.registrar());
    let runtime = LibraryServer::runtime();
    let mut direct = runtime.block_on(Game::begin(&server, false));
    let mut relayed = runtime.block_on(Game::begin(&server, true));

    // SIGKILL, where there are signals.
    server.child.kill();
    let killed = Instant::now();
    runtime.block_on(direct.goes_on());
    assert!(!runtime.block_on(relayed.exchange()));
    sleep(Duration::from_millis(300));

    // Its ports are free at once, though connections were open.
    let server = start_on(&mut binary(), server_ports);
    assert_eq!(
        (server.commands(), server.registrar()),
        (commands, registrar)
    );
    let restarted = Instant::now();
    runtime.block_on(relayed.goes_on());
    println!(
        "relayed again {:.1?} after the end, {:.1?} after the start",
        killed.elapsed(),
        restarted.elapsed()
    );
    runtime.block_on(async {
        direct.goes_on().await;
        for game in [&mut direct, &mut relayed] {
            // Each host has its OpenID again, and friends find it.
            assert_eq!(game.host.ready().await, game.oid);
            let (_late, ..) = join(&server, &game.oid, false).await;
        }
    });
}
