//! Relays for players behind routers that change ports, over real sockets.
//!
//! Each router is an IP address of the loopback network, which only Linux has at hand.
//! A socket that is connected lets in what its destination sends and nothing else, as
//! a symmetric router does.

use std::{
    collections::HashMap,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, UdpSocket},
    thread::sleep,
    time::{Duration, Instant},
};

use noray_server::{Config, defaults::ADDRESS_HOLD};
use noray_testkit::{
    defaults::{ANSWER, SILENCE},
    library_server::LibraryServer,
    player::{AcceptsPlayers, Player, eventually},
    ports::free_ports,
};
use socket2::{Domain, Protocol, Socket, Type};

/// A player with a port of its own for each destination, or one for all.
struct Natted {
    player: Player,
    ip: Ipv4Addr,
    is_symmetric: bool,
    by_port: HashMap<u16, UdpSocket>,
}

impl Natted {
    fn new(server: &LibraryServer, router: u8, is_symmetric: bool) -> Self {
        let ip = Ipv4Addr::new(127, 0, 0, router);
        let mut player = server.player();
        player.udp = UdpSocket::bind((ip, 0)).unwrap();
        player.register().unwrap();
        player.register_remote().unwrap();
        Self {
            player,
            ip,
            is_symmetric,
            by_port: HashMap::new(),
        }
    }

    /// Returns the address that it proved.
    fn registered(&self) -> SocketAddrV4 {
        match self.player.address() {
            SocketAddr::V4(address) => address,
            SocketAddr::V6(_) => panic!("no IPv4 address"),
        }
    }

    /// The router's port for a relay port of the server's.
    fn flow(&mut self, port: u16) -> &UdpSocket {
        self.by_port.entry(port).or_insert_with(|| {
            let socket = match self.is_symmetric {
                true => UdpSocket::bind((self.ip, 0)).unwrap(),
                false => self.player.udp.try_clone().unwrap(),
            };
            if self.is_symmetric {
                socket.connect((Ipv4Addr::LOCALHOST, port)).unwrap();
            }
            socket
        })
    }

    /// Restarts the router: all its ports are new.
    fn restart_router(&mut self) {
        self.is_symmetric = true;
        self.by_port.clear();
    }

    fn send(&mut self, payload: &[u8], port: u16) {
        let sent = match self.is_symmetric {
            true => self.flow(port).send(payload),
            false => self
                .flow(port)
                .send_to(payload, (Ipv4Addr::LOCALHOST, port)),
        };
        assert_eq!(sent.unwrap(), payload.len());
    }

    /// Returns the next datagram from a relay port.
    fn receive_any(&mut self, port: u16, time: Duration) -> Option<Vec<u8>> {
        let socket = self.flow(port);
        socket.set_read_timeout(Some(time)).unwrap();
        let mut buffer = [0; 2048];
        loop {
            let (length, from) = socket.recv_from(&mut buffer).ok()?;
            if from.port() == port {
                return Some(buffer[..length].to_vec());
            }
        }
    }

    /// Returns the next datagram from a relay port that belongs to no handshake.
    fn receive(&mut self, port: u16, time: Duration) -> Option<Vec<u8>> {
        std::iter::from_fn(|| self.receive_any(port, time)).find(|packet| !packet.starts_with(b"$"))
    }

    /// Asks for a relay to `host`; the port that stands for the host, and the one that
    /// stands for this player.
    fn ask(&mut self, host: &mut Self) -> (u16, u16) {
        let line = format!("connect-relay {}", host.player.oid);
        (self.player.relay_port(&line), host.player.relay_port(""))
    }

    /// The same, again while the server has no free port: a closed relay gives its port back a
    /// moment later.
    fn ask_until_given(&mut self, host: &mut Self) -> (u16, u16) {
        let line = format!("connect-relay {}", host.player.oid);
        let mut answer = String::new();
        eventually("a port is free", || {
            answer = self.player.ask(&line);
            !answer.contains(" relays-full ")
        });
        let port = answer.strip_prefix("connect-relay ").expect(&answer);
        (port.parse().expect("a port"), host.player.relay_port(""))
    }
}

/// Lets both sides handshake as today's clients do. Returns how long that took.
fn handshake(a: &mut Natted, a_sees: u16, b: &mut Natted, b_sees: u16) -> Duration {
    let start = Instant::now();
    // Whether it has heard something, and that the other side was heard.
    let mut states = [(false, false); 2];
    while states != [(true, true); 2] {
        assert!(start.elapsed() < ANSWER, "{states:?}");
        for (side, state) in [(&mut *a, a_sees), (&mut *b, b_sees)]
            .into_iter()
            .zip(&mut states)
        {
            let (player, port) = side;
            let flag = |is_set: bool, flag| if is_set { flag } else { b'-' };
            let packet = [b'$', flag(state.0, b'r'), b'w', flag(state.1, b'x')];
            player.send(&packet, port);
            while let Some(packet) = player.receive_any(port, Duration::from_millis(5)) {
                state.0 = true;
                state.1 |= packet.contains(&b'r');
            }
        }
    }
    start.elapsed()
}

/// Sends both ways until something arrives on each side, and then once more.
fn exchange(a: &mut Natted, a_sees: u16, b: &mut Natted, b_sees: u16) {
    for payload in [b"one", b"two"] {
        a.send(payload, a_sees);
        assert_eq!(b.receive(b_sees, ANSWER).as_deref(), Some(&payload[..]));
        b.send(payload, b_sees);
        assert_eq!(a.receive(a_sees, ANSWER).as_deref(), Some(&payload[..]));
    }
}

#[test]
fn every_pair_of_routers_connects_by_relay() {
    let server = LibraryServer::start();
    for (host, client) in [(true, true), (true, false), (false, true), (false, false)] {
        let mut host = Natted::new(&server, 2, host);
        let mut client = Natted::new(&server, 3, client);
        let (to_host, to_client) = client.ask(&mut host);
        let took = handshake(&mut host, to_client, &mut client, to_host);
        assert!(took < Duration::from_millis(1500), "{took:?}");
        exchange(&mut host, to_client, &mut client, to_host);
    }
}

#[test]
fn two_players_behind_one_router() {
    let server = LibraryServer::with(Config {
        relay_ports: free_ports(12).into(),
        ..LibraryServer::config()
    });
    for symmetric in [[true, true], [true, false], [false, true], [false, false]] {
        let mut host = Natted::new(&server, 2, true);
        let mut first = Natted::new(&server, 3, symmetric[0]);
        let mut second = Natted::new(&server, 3, symmetric[1]);
        let (to_host, to_first) = first.ask(&mut host);
        let (_, to_second) = second.ask(&mut host);
        // The second one sends first: if it is taken for the first, that must not last.
        second.send(b"$-w-", to_host);
        host.send(b"$-w-", to_first);
        host.send(b"$-w-", to_second);
        first.send(b"$-w-", to_host);
        sleep(Duration::from_millis(50));
        second.send(b"from second", to_host);
        first.send(b"from first", to_host);
        let mut heard = HashMap::new();
        for port in [to_first, to_second] {
            while let Some(packet) = host.receive(port, SILENCE) {
                heard.insert(packet, port);
            }
        }
        let ports = [&b"from first"[..], b"from second"].map(|packet| heard[packet]);
        assert_ne!(ports[0], ports[1], "the host cannot tell them apart");
        if symmetric != [true, true] {
            assert_eq!(ports, [to_first, to_second]);
        }
        // The server answers each where it heard it.
        for (player, port, answer) in [
            (&mut first, ports[0], &b"to first"[..]),
            (&mut second, ports[1], b"to second"),
        ] {
            host.send(answer, port);
            let packet = player.receive(to_host, ANSWER);
            assert_eq!(packet.as_deref(), Some(answer));
        }
    }
}

#[test]
fn strangers_elsewhere_and_players_who_did_not_ask_reach_nobody() {
    let server = LibraryServer::start();
    let mut host = Natted::new(&server, 2, true);
    let mut client = Natted::new(&server, 3, true);
    let (to_host, to_client) = client.ask(&mut host);
    // Before anyone was heard, when all is to be learned.
    let stranger = UdpSocket::bind("127.0.0.4:0").unwrap();
    let beside = Natted::new(&server, 3, false);
    let mut relayed = Natted::new(&server, 3, false);
    let mut other = Natted::new(&server, 5, false);
    relayed.ask(&mut other);
    for socket in [&stranger, &beside.player.udp, &relayed.player.udp] {
        for port in [to_host, to_client] {
            socket
                .send_to(b"stray", (Ipv4Addr::LOCALHOST, port))
                .unwrap();
        }
    }
    handshake(&mut host, to_client, &mut client, to_host);
    exchange(&mut host, to_client, &mut client, to_host);
    assert_eq!(host.receive(to_client, SILENCE), None);
    assert_eq!(client.receive(to_host, SILENCE), None);
}

#[test]
fn a_stranger_behind_the_same_router_does_not_cut_a_player_off() {
    let server = LibraryServer::start();
    for is_symmetric in [true, false] {
        let mut host = Natted::new(&server, 2, true);
        let mut client = Natted::new(&server, 3, is_symmetric);
        let (to_host, to_client) = client.ask(&mut host);
        host.send(b"$-w-", to_client);
        let stranger = UdpSocket::bind("127.0.0.3:0").unwrap();
        let to = (Ipv4Addr::LOCALHOST, to_host);
        for _ in 0..50 {
            stranger.send_to(b"stray", to).unwrap();
        }
        for round in 0..20u8 {
            stranger.send_to(b"stray", to).unwrap();
            client.send(&[round], to_host);
            while let Some(packet) = host.receive(to_client, ANSWER) {
                if packet == [round] {
                    break;
                }
            }
            host.send(&[round], to_client);
            while let Some(packet) = client.receive(to_host, ANSWER) {
                if packet == [round] {
                    break;
                }
            }
        }
    }
}

#[test]
fn a_router_that_is_restarted_goes_on_with_new_ports() {
    let server = LibraryServer::start();
    for is_symmetric in [true, false] {
        let mut host = Natted::new(&server, 2, true);
        let mut client = Natted::new(&server, 3, is_symmetric);
        let (to_host, to_client) = client.ask(&mut host);
        handshake(&mut host, to_client, &mut client, to_host);
        client.restart_router();
        if !is_symmetric {
            // A proven address counts as in use for a while.
            sleep(ADDRESS_HOLD);
        }
        exchange(&mut client, to_host, &mut host, to_client);
    }
}

#[test]
fn a_player_who_registers_elsewhere_takes_its_relay_along() {
    let server = LibraryServer::start();
    let mut host = Natted::new(&server, 2, false);
    let mut client = Natted::new(&server, 3, true);
    let (to_host, to_client) = client.ask(&mut host);
    handshake(&mut host, to_client, &mut client, to_host);
    // From Wi-Fi to a mobile network.
    client.ip = Ipv4Addr::new(127, 0, 0, 4);
    client.by_port.clear();
    client.send(b"not proven", to_host);
    assert_eq!(host.receive(to_client, SILENCE), None);
    client.player.udp = UdpSocket::bind((client.ip, 0)).unwrap();
    client.player.register_remote().unwrap();
    exchange(&mut client, to_host, &mut host, to_client);
}

#[test]
fn an_old_game_does_not_reach_the_next_players_on_its_ports() {
    let server = LibraryServer::with(Config {
        relay_ports: free_ports(2).into(),
        relay_timeout: Duration::from_millis(200).into(),
        relay_cleanup_interval: Duration::from_millis(20).into(),
        ..LibraryServer::config()
    });
    let mut host = Natted::new(&server, 2, true);
    let mut client = Natted::new(&server, 3, true);
    let (to_host, to_client) = client.ask(&mut host);
    handshake(&mut host, to_client, &mut client, to_host);
    eventually("the relays are closed", || {
        server.server.stats().relays == 0
    });
    let mut new_host = Natted::new(&server, 4, true);
    let mut new_client = Natted::new(&server, 5, true);
    let (to_new_host, to_new_client) = new_client.ask_until_given(&mut new_host);
    let mut ports = [to_new_host, to_new_client];
    ports.sort_unstable();
    assert!(ports.contains(&to_host) && ports.contains(&to_client));
    client.send(b"old", to_host);
    host.send(b"old", to_client);
    handshake(&mut new_host, to_new_client, &mut new_client, to_new_host);
    exchange(&mut new_host, to_new_client, &mut new_client, to_new_host);
}

#[test]
fn a_game_goes_on_when_the_connection_to_the_server_is_lost() {
    let server = LibraryServer::start();
    let mut host = Natted::new(&server, 2, true);
    let mut client = Natted::new(&server, 3, true);
    let (to_host, to_client) = client.ask(&mut host);
    handshake(&mut host, to_client, &mut client, to_host);
    // The same socket registers again on a new connection.
    let udp = host.player.udp.try_clone().unwrap();
    host.player = server.player();
    eventually("the host is gone", || server.server.stats().players == 1);
    exchange(&mut client, to_host, &mut host, to_client);
    host.player.udp = udp;
    host.player.register().unwrap();
    host.player.register_remote().unwrap();
    exchange(&mut client, to_host, &mut host, to_client);
    assert_eq!(client.ask(&mut host), (to_host, to_client));
}

/// Sends datagrams with a forged sender.
struct Forger {
    raw: Socket,
}

impl Forger {
    fn new() -> Self {
        /// Whole IPv4 packets, their headers too: IPPROTO_RAW.
        const RAW: i32 = 255;
        let raw = Socket::new(Domain::IPV4, Type::RAW, Some(Protocol::from(RAW)));
        Self {
            raw: raw.expect("only root can forge senders"),
        }
    }

    fn send(&self, payload: &[u8], from: SocketAddrV4, port: u16) {
        let to = SocketAddrV4::new(Ipv4Addr::LOCALHOST, port);
        let length = (8 + payload.len()) as u16;
        // Version and length of the header; the system fills in lengths, identity and checksum.
        let mut packet = vec![0x45, 0, 0, 0, 0, 0, 0, 0, 64, 17, 0, 0];
        packet.extend(from.ip().octets());
        packet.extend(to.ip().octets());
        packet.extend(
            [from.port(), to.port(), length]
                .map(u16::to_be_bytes)
                .concat(),
        );
        // No checksum of the datagram's.
        packet.extend([0, 0]);
        packet.extend(payload);
        let sent = self.raw.send_to(&packet, &SocketAddr::V4(to).into());
        assert_eq!(sent.unwrap(), packet.len());
    }
}

#[test]
#[ignore = "needs root, who alone can forge senders"]
fn forged_senders_neither_take_a_relay_over_nor_cut_a_player_off() {
    let forger = Forger::new();
    let server = LibraryServer::start();
    for is_symmetric in [false, true] {
        let mut host = Natted::new(&server, 2, true);
        let mut client = Natted::new(&server, 3, is_symmetric);
        let (to_host, to_client) = client.ask(&mut host);
        handshake(&mut host, to_client, &mut client, to_host);
        for round in 0..20u8 {
            for port in [1, 2, 40_000 + u16::from(round), to_host, to_client] {
                for ip in [client.ip, host.ip, Ipv4Addr::LOCALHOST] {
                    forger.send(b"$forged", SocketAddrV4::new(ip, port), to_host);
                }
            }
            if !is_symmetric {
                forger.send(b"$forged", client.registered(), to_host);
            }
            exchange(&mut client, to_host, &mut host, to_client);
        }
    }
}

/// The address is proven and the router's port is a guess, so the attacker wins, but only while the
/// attack lasts.
#[test]
#[ignore = "needs root, who alone can forge senders"]
fn a_forged_proven_address_bars_a_symmetric_player_while_it_lasts() {
    let forger = Forger::new();
    let server = LibraryServer::start();
    let mut host = Natted::new(&server, 2, true);
    let mut client = Natted::new(&server, 3, true);
    let (to_host, to_client) = client.ask(&mut host);
    handshake(&mut host, to_client, &mut client, to_host);
    forger.send(b"$forged", client.registered(), to_host);
    client.send(b"barred", to_host);
    assert_eq!(host.receive(to_client, SILENCE), None);
    sleep(ADDRESS_HOLD);
    exchange(&mut client, to_host, &mut host, to_client);
}

#[test]
#[ignore = "needs root, who alone can forge senders"]
fn a_forged_registration_needs_the_private_id() {
    let forger = Forger::new();
    let server = LibraryServer::start();
    let mut player = Natted::new(&server, 4, false).player;
    let elsewhere = SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, 9), 9);
    let registrar = server.server.registrar_address().port();
    forger.send(player.oid.as_bytes(), elsewhere, registrar);
    forger.send(&player.pid.as_bytes()[1..], elsewhere, registrar);
    sleep(SILENCE);
    let told = player.ask(&format!("connect {}", player.oid));
    assert_eq!(told, format!("connect {}", player.address()));
    assert_eq!(player.line(), told);
    // Otherwise the test forged nothing.
    forger.send(player.pid.as_bytes(), elsewhere, registrar);
    sleep(SILENCE);
    let told = player.ask(&format!("connect {}", player.oid));
    assert_eq!(told, format!("connect {elsewhere}"));
}

#[test]
#[ignore = "needs root, who alone can forge senders"]
fn forged_senders_elsewhere_reach_nobody() {
    let forger = Forger::new();
    let server = LibraryServer::start();
    let mut host = Natted::new(&server, 2, true);
    let mut client = Natted::new(&server, 3, true);
    let (to_host, to_client) = client.ask(&mut host);
    handshake(&mut host, to_client, &mut client, to_host);
    // The server's own ports too, so that relays could send to each other for ever.
    let registrar = server.server.registrar_address().port();
    for ip in [Ipv4Addr::LOCALHOST, Ipv4Addr::new(127, 0, 0, 9)] {
        for port in [to_host, to_client, registrar, 5] {
            for to in [to_host, to_client] {
                forger.send(b"forged", SocketAddrV4::new(ip, port), to);
            }
        }
    }
    assert_eq!(host.receive(to_client, SILENCE), None);
    assert_eq!(client.receive(to_host, SILENCE), None);
    exchange(&mut client, to_host, &mut host, to_client);
}
