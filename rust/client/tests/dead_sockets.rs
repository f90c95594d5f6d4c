//! Sockets that the system takes away, as iOS does with an application that sleeps.

#![cfg(target_os = "linux")]

use std::{
    ffi::c_int,
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::fd::AsRawFd,
    time::Duration,
};

use noray_client::{
    ConnectOptions, Connection, ConnectionEvent, HostOptions, JoinOptions, Link, PeerEvent,
};
use noray_protocol::wire::{command::ServerCommand, id::OpenId};
use noray_server::{Config, Server};
use rustix::time::{ClockId, clock_gettime};
use tokio::{
    net::UdpSocket,
    runtime::Handle,
    time::{sleep, timeout},
};

/// Longer than anything here takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(20);

#[expect(
    unsafe_code,
    reason = "only so a descriptor of another owner is replaced"
)]
unsafe extern "C" {
    safe fn dup(descriptor: c_int) -> c_int;
    safe fn dup2(from: c_int, to: c_int) -> c_int;
}

/// Puts a file in the place of the socket that has this UDP port. Returns a copy of the socket, by
/// which the runtime still hears that something waits.
fn take_away(port: u16) -> c_int {
    let descriptor = descriptor_of(port).expect("the port is this process's");
    let copy = dup(descriptor);
    let file = fs::File::open("/dev/null").unwrap();
    assert_eq!(dup2(file.as_raw_fd(), descriptor), descriptor);
    copy
}

fn close(descriptor: c_int) {
    let file = fs::File::open("/dev/null").unwrap();
    assert_eq!(dup2(file.as_raw_fd(), descriptor), descriptor);
}

fn descriptor_of(port: u16) -> Option<c_int> {
    let table = fs::read_to_string("/proc/self/net/udp").unwrap();
    let wanted = format!(":{port:04X}");
    let inode = table.lines().find_map(|line| {
        let mut words = line.split_whitespace();
        (words.nth(1)?.ends_with(&wanted)).then(|| words.nth(7).unwrap_or_default().to_owned())
    })?;
    let target = format!("socket:[{inode}]");
    fs::read_dir("/proc/self/fd").unwrap().find_map(|entry| {
        let entry = entry.ok()?;
        let link = fs::read_link(entry.path()).ok()?;
        (link.to_str()? == target).then(|| entry.file_name().to_str()?.parse().ok())?
    })
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

struct Player {
    connection: Connection,
    link: Link,
    oid: Option<OpenId>,
    port: u16,
}

impl Player {
    fn connect(server: &Server) -> Self {
        let mut options = ConnectOptions::new("127.0.0.1");
        options.port = server.command_address().port();
        Self {
            connection: Connection::open(&Handle::current(), options),
            link: Link::open(&Handle::current()),
            oid: None,
            port: 0,
        }
    }

    async fn register(&mut self, server: &Server) {
        let port = server.registrar_address().port();
        self.connection.use_link(self.link.handle(), port).unwrap();
        self.ready().await;
    }

    /// Waits until the player is registered.
    async fn ready(&mut self) {
        loop {
            let event = timeout(PATIENCE, self.connection.wait_event()).await;
            match event.expect("an event in time").expect("one more event") {
                ConnectionEvent::Line(line) => {
                    if let ServerCommand::SetOpenId(oid) = line.command {
                        self.oid = OpenId::new(&oid).ok();
                    }
                }
                ConnectionEvent::Registered(port) => self.port = port.unwrap(),
                ConnectionEvent::Ready(result) => return result.unwrap(),
                _ => {}
            }
        }
    }
}

/// A game between two players, with plain sockets in place of their ENets.
struct Game {
    server: Server,
    host: Player,
    _joining: Player,
    host_enet: UdpSocket,
    joining_enet: UdpSocket,
    host_port: u16,
}

impl Game {
    async fn begin() -> Self {
        let server = server();
        let enet = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0));
        let (host_enet, joining_enet) = (enet().await.unwrap(), enet().await.unwrap());
        let mut host = Player::connect(&server);
        host.link.host(HostOptions {
            enet_port: host_enet.local_addr().unwrap().port(),
            max_clients: 4,
            force_relay: false,
            lan: false,
        });
        host.register(&server).await;
        let mut joining = Player::connect(&server);
        joining.link.join(JoinOptions {
            oid: host.oid.clone().unwrap(),
            timeout: PATIENCE,
            force_relay: false,
            lan: false,
        });
        joining.register(&server).await;
        let (peer, host_port) = loop {
            match timeout(PATIENCE, joining.link.wait_event()).await.unwrap() {
                Some(PeerEvent::HostReached { peer, port, .. }) => break (peer, port),
                Some(PeerEvent::Progress(_)) => {}
                other => panic!("{other:?}"),
            }
        };
        let enet_port = joining_enet.local_addr().unwrap().port();
        joining.link.connect_enet(peer, enet_port);
        let game = Self {
            server,
            host,
            _joining: joining,
            host_enet,
            joining_enet,
            host_port,
        };
        game.talk(1).await;
        game
    }

    /// Sends until the host's ENet has heard `number` and the joining player's its answer.
    async fn talk(&self, number: u8) {
        let to_host = SocketAddr::from((Ipv4Addr::LOCALHOST, self.host_port));
        let exchange = async {
            let mut buffer = [0; 64];
            loop {
                self.joining_enet.send_to(&[number], to_host).await.unwrap();
                let wait = Duration::from_millis(50);
                let asked = timeout(wait, self.host_enet.recv_from(&mut buffer)).await;
                if let Ok(Ok((_, from))) = asked {
                    self.host_enet.send_to(&[number], from).await.unwrap();
                }
                let answered = timeout(wait, self.joining_enet.recv(&mut buffer)).await;
                if matches!(answered, Ok(Ok(1))) && buffer[0] == number {
                    return;
                }
            }
        };
        timeout(PATIENCE, exchange).await.expect("the game goes on");
    }
}

/// Returns how long this thread has kept a processor busy.
fn busy() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(
        time.tv_sec.unsigned_abs(),
        time.tv_nsec.unsigned_abs() as u32,
    )
}

/// The task spun on such a socket, on the only worker thread.
#[tokio::test]
async fn a_socket_that_fails_for_ever_does_not_occupy_the_thread_or_end_the_game() {
    let mut game = Game::begin().await;
    let former = game.host.port;
    // The copy keeps the port, so another one has to do.
    let copy = take_away(former);
    let other = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    for _ in 0..50 {
        other
            .send_to(b"wake", (Ipv4Addr::LOCALHOST, former))
            .await
            .unwrap();
    }
    let began = busy();
    sleep(Duration::from_secs(1)).await;
    let took = busy() - began;
    assert!(
        took < Duration::from_millis(300),
        "busy for {took:?} of 1 s"
    );
    timeout(PATIENCE, game.host.ready())
        .await
        .expect("registered anew");
    assert_ne!(game.host.port, former);
    game.talk(2).await;
    close(copy);

    // Who comes now finds the host as well.
    let mut late = Player::connect(&game.server);
    late.link.join(JoinOptions {
        oid: game.host.oid.clone().unwrap(),
        timeout: PATIENCE,
        force_relay: false,
        lan: false,
    });
    late.register(&game.server).await;
    loop {
        match timeout(PATIENCE, late.link.wait_event()).await.unwrap() {
            Some(PeerEvent::HostReached { .. }) => break,
            Some(PeerEvent::Progress(_)) => {}
            other => panic!("{other:?}"),
        }
    }
}

/// Such a socket says nothing more: only what is sent by it fails.
#[tokio::test]
async fn a_socket_that_is_taken_away_in_silence_is_bound_to_the_same_port() {
    let game = Game::begin().await;
    let port = game.host.port;
    close(take_away(port));
    assert_eq!(descriptor_of(port), None);
    game.talk(2).await;
    assert!(descriptor_of(port).is_some(), "another port");
}
