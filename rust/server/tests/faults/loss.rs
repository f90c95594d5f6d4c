//! A fifth of all datagrams is lost in each direction.

use std::{
    collections::{HashMap, hash_map::Entry},
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
    time::Duration,
};

use fastrand::Rng;
use noray_client::{ConnectOptions, Connection, ConnectionEvent, RegisterOptions};
use noray_protocol::wire::command::ServerCommand;
use noray_server::Stats;
use noray_testkit::{
    defaults::ANSWER,
    library_server::LibraryServer,
    player::{AcceptsPlayers, Player},
    ports::free_ports,
};
use tokio::{net::UdpSocket, task::JoinSet, time::timeout};

/// Decides which datagrams are lost.
struct Dice(Rng);

impl Dice {
    fn new(seed: u64) -> Self {
        Self(Rng::with_seed(seed))
    }

    fn is_lost(&mut self) -> bool {
        self.0.u8(..5) == 0
    }
}

/// How many datagrams were on their way, and how many of these were lost.
#[derive(Clone, Copy, Default, Debug)]
struct Count {
    all: usize,
    lost: usize,
}

impl Count {
    /// Returns whether the datagram gets through.
    fn pass(&mut self, dice: &mut Dice) -> bool {
        let lost = dice.is_lost();
        self.all += 1;
        self.lost += usize::from(lost);
        !lost
    }
}

/// A bad line to one address, with a router at its end that gives each player a port of its own.
struct Line {
    inside: Arc<UdpSocket>,
    counts: Arc<Mutex<[Count; 2]>>,
}

impl Line {
    async fn to(server: SocketAddr) -> Self {
        let inside = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
        let counts: Arc<Mutex<[Count; 2]>> = Arc::default();
        let line = Self {
            inside: inside.clone(),
            counts: counts.clone(),
        };
        tokio::spawn(async move {
            let mut outside: HashMap<SocketAddr, Arc<UdpSocket>> = HashMap::new();
            let mut dice = Dice::new(0x9e37_79b9);
            let mut buffer = [0; 2048];
            loop {
                let (length, player) = inside.recv_from(&mut buffer).await.unwrap();
                if let Entry::Vacant(new) = outside.entry(player) {
                    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
                    socket.connect(server).await.unwrap();
                    let socket = new.insert(Arc::new(socket)).clone();
                    let (inside, counts) = (inside.clone(), counts.clone());
                    tokio::spawn(answers(socket, inside, player, counts));
                }
                if counts.lock().unwrap()[0].pass(&mut dice) {
                    outside[&player].send(&buffer[..length]).await.unwrap();
                }
            }
        });
        line
    }

    fn port(&self) -> u16 {
        self.inside.local_addr().unwrap().port()
    }
}

async fn answers(
    outside: Arc<UdpSocket>,
    inside: Arc<UdpSocket>,
    player: SocketAddr,
    counts: Arc<Mutex<[Count; 2]>>,
) {
    let mut dice = Dice::new(u64::from(player.port()) * 0x2545_f491);
    let mut buffer = [0; 2048];
    loop {
        let length = outside.recv(&mut buffer).await.unwrap();
        if counts.lock().unwrap()[1].pass(&mut dice) {
            // This answers a repeat, and nobody waits for it any more.
            let _ = inside.send_to(&buffer[..length], player).await;
        }
    }
}

/// Our client repeats its registration until it is answered.
async fn register(commands: u16, registrar: u16) {
    let mut options = ConnectOptions::new("127.0.0.1");
    options.port = commands;
    let runtime = tokio::runtime::Handle::current();
    let mut connection = Connection::open(&runtime, options);
    loop {
        let event = timeout(ANSWER, connection.wait_event()).await.unwrap();
        match event.expect("a connection") {
            ConnectionEvent::Connected(_) => connection.register_host().unwrap(),
            ConnectionEvent::Line(line) => {
                if let ServerCommand::SetPrivateId(pid) = line.command {
                    let options = RegisterOptions {
                        registrar_port: registrar,
                        ..RegisterOptions::default()
                    };
                    connection.register_remote(pid, options).unwrap();
                }
            }
            ConnectionEvent::Registered(result) => {
                result.expect("registered");
                return;
            }
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn players_register_by_repeating() {
    const PLAYERS: usize = 60;
    let server = LibraryServer::start();
    let commands = server.server.command_address().port();
    let registrar = server.server.registrar_address();
    let [there, back] = server.runtime.block_on(async {
        let line = Line::to(registrar).await;
        let mut players = JoinSet::new();
        for _ in 0..PLAYERS {
            players.spawn(register(commands, line.port()));
        }
        while let Some(player) = players.join_next().await {
            player.unwrap();
        }
        *line.counts.lock().unwrap()
    });
    assert!(there.lost > 0 && back.lost > 0, "{there:?} {back:?}");
    // Everything that reached the registrar was answered, and each player counts once.
    let metrics = server.server.metrics();
    assert_eq!(metrics.registrations, PLAYERS as u64);
    let answered = metrics.registrations + metrics.registrations_repeated;
    assert_eq!(answered, (there.all - there.lost) as u64);
    assert_eq!(answered, back.all as u64);
}

/// One end of a relay, behind a bad line.
struct End<'a> {
    player: &'a Player,
    /// The port that stands for the other.
    port: u16,
    dice: Dice,
    lost_here: usize,
    /// The numbers that reached the server, and those that left it.
    reached: Vec<u32>,
    delivered: Vec<u32>,
}

impl<'a> End<'a> {
    fn new(player: &'a Player, port: u16, seed: u64) -> Self {
        Self {
            player,
            port,
            dice: Dice::new(seed),
            lost_here: 0,
            reached: Vec::new(),
            delivered: Vec::new(),
        }
    }

    fn send(&mut self, number: u32) {
        if self.dice.is_lost() {
            return;
        }
        let mut payload = number.to_be_bytes().to_vec();
        payload.resize(100, 0);
        self.player.send_datagram(&payload, self.port);
        self.reached.push(number);
    }

    /// Receives what came. The line loses a part of it behind the server, whose fault that is not.
    fn take(&mut self, count: usize) {
        while self.delivered.len() < count {
            let Some((payload, from)) = self.player.datagram_within(ANSWER) else {
                panic!("{} of {count} came", self.delivered.len());
            };
            assert_eq!((payload.len(), from), (100, self.port));
            let number = payload[..4].try_into().unwrap();
            self.delivered.push(u32::from_be_bytes(number));
            self.lost_here += usize::from(self.dice.is_lost());
        }
    }
}

#[test]
fn what_reaches_a_relay_is_delivered_and_nothing_is_forgotten() {
    const PAIRS: usize = 4;
    const PACKETS: u32 = 300;
    let server = LibraryServer::with(noray_server::Config {
        relay_ports: free_ports(2 * PAIRS).into(),
        // Shorter than a pause between two packets that arrive is ever likely to be.
        relay_timeout: Duration::from_secs(2).into(),
        relay_cleanup_interval: Duration::from_millis(50).into(),
        ..LibraryServer::config()
    });
    let mut pairs: Vec<_> = (0..PAIRS).map(|_| server.relayed_pair()).collect();
    let seeds = (1..).map(|seed: u64| seed.wrapping_mul(0x9e37_79b9_7f4a_7c15));
    let mut ends: Vec<_> = pairs
        .iter()
        .zip(seeds)
        .map(|(pair, seed)| {
            [
                End::new(&pair.host, pair.client_port, seed),
                End::new(&pair.client, pair.host_port, seed ^ 0xffff),
            ]
        })
        .collect();
    for number in 0..PACKETS {
        for [host, client] in &mut ends {
            host.send(number);
            client.send(number);
            client.take(host.reached.len());
            host.take(client.reached.len());
            // A careful game registers again and again, and loses a part of that as well.
            if number % 50 == 0 && !host.dice.is_lost() {
                host.player.register_remote().unwrap();
            }
        }
        std::thread::sleep(Duration::from_millis(8));
    }
    for [host, client] in &ends {
        assert_eq!(client.delivered, host.reached);
        assert_eq!(host.delivered, client.reached);
        for end in [host, client] {
            let lost = PACKETS as usize - end.reached.len();
            assert!(lost > 20 && end.lost_here > 20, "{lost} {}", end.lost_here);
        }
    }
    drop(ends);
    let expected = Stats {
        connections: 2 * PAIRS,
        players: 2 * PAIRS,
        relays: 2 * PAIRS,
    };
    assert_eq!(server.server.stats(), expected);
    assert_eq!(server.server.metrics().relays_expired, 0);
    for pair in &mut pairs {
        let (oid, address) = (pair.host.oid.clone(), pair.host.address());
        let answer = pair.client.ask(&format!("connect {oid}"));
        assert_eq!(answer, format!("connect {address}"));
        let port = pair.client.relay_port(&format!("connect-relay {oid}"));
        assert_eq!(port, pair.host_port);
        pair.exchange(b"and on");
    }
}
