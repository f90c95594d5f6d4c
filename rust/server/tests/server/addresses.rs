//! A server with several addresses, which are 127.0.0.1 to 127.0.0.3 here: only Linux has them at
//! hand.
//!
//! A router, or a socket that is connected, lets in only what comes from the very address that the
//! player has sent to.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};

use noray_server::Config;
use noray_testkit::{
    defaults::{ANSWER, SILENCE},
    library_server::LibraryServer,
    player::{AcceptsPlayers, Player},
};

const FIRST: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 1);
const SECOND: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 2);
const THIRD: Ipv4Addr = Ipv4Addr::new(127, 0, 0, 3);

fn server() -> LibraryServer {
    LibraryServer::with(Config {
        udp_host: Ipv4Addr::UNSPECIFIED,
        ..LibraryServer::config()
    })
}

/// Returns a player that knows the server by `address`, and has registered there.
fn player(server: &LibraryServer, address: Ipv4Addr) -> Player {
    let mut player = server.player();
    player.registrar = (address, server.registrar().port()).into();
    player.register().unwrap();
    player.register_remote().unwrap();
    player
}

/// Returns where the next datagram with this payload came from.
fn sender_of(udp: &UdpSocket, payload: &[u8]) -> SocketAddr {
    udp.set_read_timeout(Some(ANSWER)).unwrap();
    let mut buffer = [0; 2048];
    let (length, from) = udp.recv_from(&mut buffer).expect("a datagram");
    assert_eq!(&buffer[..length], payload);
    from
}

#[test]
fn the_registrar_does_not_answer_from_another_address() {
    let server = server();
    for address in [FIRST, SECOND, THIRD] {
        // It fails when the answer comes from elsewhere.
        let player = player(&server, address);
        let nonsense = noray_testkit::player::ask_registrar(&player.udp, player.registrar, b"x");
        assert_eq!(nonsense.unwrap(), "Unknown host pid!");
    }
}

#[test]
fn a_relay_does_not_speak_from_another_address() {
    let server = server();
    let (mut host, mut client) = (player(&server, THIRD), player(&server, SECOND));
    let [to_host, to_client] = client.relay_with(&mut host).unwrap();
    let to_client = SocketAddr::from((THIRD, to_client.port()));
    // Before the host has sent anything, the server knows from the registrar where it is expected.
    client.udp.send_to(b"one", to_host).unwrap();
    assert_eq!(sender_of(&host.udp, b"one"), to_client);
    host.udp.send_to(b"two", to_client).unwrap();
    assert_eq!(sender_of(&client.udp, b"two"), to_host);
    // Many at once leave in one call.
    for _ in 0..20 {
        client.udp.send_to(b"many", to_host).unwrap();
    }
    for _ in 0..20 {
        assert_eq!(sender_of(&host.udp, b"many"), to_client);
    }
    // From now on the host uses another of the server's addresses.
    let moved = SocketAddr::from((FIRST, to_client.port()));
    host.udp.send_to(b"three", moved).unwrap();
    assert_eq!(sender_of(&client.udp, b"three"), to_host);
    client.udp.send_to(b"", to_host).unwrap();
    assert_eq!(sender_of(&host.udp, b""), moved);
}

#[test]
fn a_player_behind_a_symmetric_router_is_answered_from_where_it_sent() {
    let server = server();
    let (mut host, mut client) = (player(&server, FIRST), player(&server, SECOND));
    let [to_host, to_client] = client.relay_with(&mut host).unwrap();
    let to_client = SocketAddr::from((FIRST, to_client.port()));
    let router = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    router.connect(to_host).unwrap();
    router.send(b"one").unwrap();
    assert_eq!(sender_of(&host.udp, b"one"), to_client);
    host.udp.send_to(b"two", to_client).unwrap();
    router.set_read_timeout(Some(ANSWER)).unwrap();
    let mut buffer = [0; 10];
    assert_eq!(router.recv(&mut buffer).unwrap(), 3);
}

#[test]
fn a_server_bound_to_one_address_is_heard_there_alone() {
    let server = LibraryServer::with(Config {
        udp_host: SECOND,
        ..LibraryServer::config()
    });
    let player = player(&server, SECOND);
    let elsewhere = (FIRST, server.registrar().port());
    player.udp.send_to(b"x", elsewhere).unwrap();
    player.udp.set_read_timeout(Some(SILENCE)).unwrap();
    player.udp.recv_from(&mut [0; 10]).unwrap_err();
}
