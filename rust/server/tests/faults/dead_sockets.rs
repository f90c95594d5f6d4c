//! The system takes a socket away, as iOS does with an application that sleeps.

use std::{
    ffi::c_int,
    fs,
    net::{SocketAddr, UdpSocket},
    os::fd::AsRawFd,
    thread::sleep,
    time::Duration,
};

use noray_testkit::{
    library_server::LibraryServer,
    player::{AcceptsPlayers, Player, ask_registrar, eventually},
};

#[expect(
    unsafe_code,
    reason = "only so a descriptor of another owner is replaced"
)]
unsafe extern "C" {
    safe fn dup(descriptor: c_int) -> c_int;
    safe fn dup2(from: c_int, to: c_int) -> c_int;
}

/// A copy of a socket that was taken away: by it, the runtime still hears that something waits.
struct Copy(c_int);

impl Drop for Copy {
    fn drop(&mut self) {
        replace(self.0);
    }
}

/// Puts a file in the place of the socket that is bound to this address.
fn take_away(protocol: &str, address: SocketAddr) -> Copy {
    let descriptor = descriptor_of(protocol, address.port()).expect("this process's socket");
    let copy = Copy(dup(descriptor));
    replace(descriptor);
    copy
}

fn replace(descriptor: c_int) {
    let file = fs::File::open("/dev/null").unwrap();
    assert_eq!(dup2(file.as_raw_fd(), descriptor), descriptor);
}

fn descriptor_of(protocol: &str, port: u16) -> Option<c_int> {
    let table = fs::read_to_string(format!("/proc/self/net/{protocol}")).unwrap();
    let (wanted, nobody) = (format!(":{port:04X}"), ":0000");
    let inode = table.lines().find_map(|line| {
        let words: Vec<_> = line.split_whitespace().collect();
        let is_it = words.get(1)?.ends_with(&wanted) && words.get(2)?.ends_with(nobody);
        is_it.then(|| words.get(9).copied())?
    })?;
    let target = format!("socket:[{inode}]");
    fs::read_dir("/proc/self/fd").unwrap().find_map(|entry| {
        let entry = entry.ok()?;
        let link = fs::read_link(entry.path()).ok()?;
        (link.to_str()? == target).then(|| entry.file_name().to_str()?.parse().ok())?
    })
}

#[test]
fn a_dead_registrar_is_not_silent_for_good() {
    let server = LibraryServer::start();
    let copy = take_away("udp", server.registrar());
    let player = UdpSocket::bind("127.0.0.1:0").unwrap();
    // It hears of this, and then of nothing but errors; until the copy is gone the port is taken.
    player.send_to(b"wake", server.registrar()).unwrap();
    sleep(Duration::from_millis(600));
    drop(copy);
    eventually("the registrar answers again", || {
        ask_registrar(&player, server.registrar(), b"nobody").is_ok()
    });
    server.registered();
}

#[test]
fn a_dead_listener_does_not_keep_players_out() {
    let server = LibraryServer::start();
    let inside = server.player();
    let copy = take_away("tcp", server.commands());
    drop(server.dial_from([127, 0, 0, 1].into()));
    sleep(Duration::from_millis(300));
    drop(copy);
    eventually("players come in again", || {
        Player::dial(server.commands(), server.registrar())
            .and_then(|mut player| player.read_greeting())
            .is_ok()
    });
    drop(inside);
}

#[test]
fn a_dead_relay_is_replaced_by_another() {
    let server = LibraryServer::start();
    let (mut host, mut client) = (server.registered(), server.registered());
    let [relay, _] = client.relay_with(&mut host).unwrap();
    let copy = take_away("udp", relay);
    host.udp.send_to(b"wake", relay).unwrap();
    eventually("the dead relay closes", || {
        server.server.stats().relays == 1
    });
    drop(copy);
    let [again, _] = client.relay_with(&mut host).unwrap();
    assert!(descriptor_of("udp", again.port()).is_some());
}
