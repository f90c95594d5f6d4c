//! Sends the fuzzers' corpus (`rust/fuzz/corpus`) to a running server while others play on it.

use std::{
    fs,
    net::{Ipv4Addr, UdpSocket},
    path::Path,
    time::Duration,
};

use noray_server::Config;
use noray_testkit::{
    library_server::LibraryServer,
    player::{AcceptsPlayers, Player, eventually},
};

use crate::garbage::while_others_play;

/// Returns the inputs of a fuzz target, each as it is sent.
fn kept(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fuzz/corpus");
    let files = fs::read_dir(folder.join(target)).unwrap();
    let kept: Vec<_> = files
        .map(|file| fs::read(file.unwrap().path()).unwrap())
        .collect();
    assert!(kept.len() >= 30, "only {} inputs are kept", kept.len());
    kept
}

#[test]
fn every_kept_stream_leaves_the_server_up_and_in_step() {
    let server = LibraryServer::with(Config {
        // This test looks at what the inputs do, not at how long they wait.
        max_lines_per_second: 1_000_000,
        max_lines_per_second_per_address: 1_000_000,
        ..LibraryServer::config()
    });
    let (commands, registrar) = (
        server.server.command_address(),
        server.server.registrar_address(),
    );
    while_others_play(&server, || {
        let mut open = Vec::new();
        for stream in kept("framing") {
            let mut sender = Player::dial(commands, registrar).unwrap();
            sender.send_bytes(&stream);
            sender.send_bytes(b"\necho sensible\n");
            open.push(sender);
        }
        for mut sender in open {
            while sender.line() != "echo sensible" {}
        }
    });
    eventually("their senders are gone", || {
        server.server.stats().connections == 0
    });
    assert!(server.server.is_serving());
}

#[test]
fn every_kept_datagram_leaves_registrar_and_relays_up() {
    let server = LibraryServer::start();
    let registrar = server.server.registrar_address();
    let pair = server.relayed_pair();
    // On another IP address where the system has more; elsewhere it is not learned, because the
    // players are heard from their registered addresses.
    let ip = Ipv4Addr::new(127, 0, 0, if cfg!(target_os = "linux") { 9 } else { 1 });
    let stranger = UdpSocket::bind((ip, 0)).unwrap();
    while_others_play(&server, || {
        pair.exchange(b"heard");
        for datagram in [kept("datagrams"), kept("framing")].concat() {
            let ports = [registrar.port(), pair.host_port, pair.client_port];
            for port in ports {
                let to = (Ipv4Addr::LOCALHOST, port);
                assert_eq!(stranger.send_to(&datagram, to).unwrap(), datagram.len());
            }
        }
    });
    stranger
        .set_read_timeout(Some(Duration::from_millis(200)))
        .unwrap();
    let mut answer = [0; 2048];
    let mut answers = 0;
    while let Ok((length, from)) = stranger.recv_from(&mut answer) {
        assert_eq!(from, registrar);
        assert_eq!(&answer[..length], b"Unknown host pid!");
        answers += 1;
    }
    assert!(answers > 0, "the registrar says nothing");
    for player in [&pair.host, &pair.client] {
        let stray = player.datagram_within(Duration::from_millis(50));
        assert_eq!(stray, None, "a stranger's packet");
    }
    pair.exchange(b"undisturbed");
}
