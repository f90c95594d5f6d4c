//! One address opens 10,000 connections.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use noray_server::defaults::MAX_CONNECTIONS_PER_ADDRESS;
use noray_testkit::{
    defaults::ANSWER,
    player::{AcceptsPlayers, Player, eventually},
    process_info::{ProcessInfo, allow_many_files},
    server::ServerProcess,
};
use rustix::process::{Resource, getrlimit};
use socket2::{Domain, SockRef, Socket, Type};

use crate::program::{binary, metrics, start, value};

const CROWD: usize = 10_000;

/// Longer than the crowd keeps a player waiting, on a busy machine too.
const PROMPT: Duration = Duration::from_secs(2);

/// Raises the limit of descriptors: this process needs one for each of the crowd.
fn raise_descriptor_limit() {
    allow_many_files().unwrap();
    let allowed = getrlimit(Resource::Nofile).current;
    let enough = allowed.is_none_or(|allowed| allowed > CROWD as u64 + 1000);
    assert!(enough, "this test needs a higher `ulimit -Hn`");
}

/// Returns a connection that frees its port at once when it is dropped.
fn dial(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&server, ANSWER).unwrap();
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    stream
}

/// Returns a player at another address.
fn elsewhere(server: &ServerProcess, address: [u8; 4]) -> Player {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let address = SocketAddr::from((Ipv4Addr::from(address), 0));
    socket.bind(&address.into()).unwrap();
    socket
        .connect_timeout(&server.commands().into(), ANSWER)
        .unwrap();
    let mut player = Player::on(socket.into(), server.registrar()).unwrap();
    player.read_greeting().unwrap();
    player
}

#[test]
fn others_are_served_and_everything_is_given_back() {
    raise_descriptor_limit();
    let server = start(&mut binary());
    elsewhere(&server, [127, 0, 0, 3]).register().unwrap();
    eventually("the first player is gone", || {
        value(&metrics(&server), "noray_tcp_connections") == 0.0
    });
    let process = ProcessInfo::of(server.child.id()).unwrap();
    let memory_of = || process.memory().unwrap() / 1024;
    let (descriptors, memory) = (process.descriptors().unwrap(), memory_of());

    let mut crowd = Vec::new();
    let mut others = Vec::new();
    while crowd.len() < CROWD {
        crowd.extend((0..500).map(|_| dial(server.commands())));
        let began = Instant::now();
        let mut other = elsewhere(&server, [127, 0, 0, 2]);
        other.register().unwrap();
        other.register_remote().unwrap();
        assert!(began.elapsed() < PROMPT, "{:?}", began.elapsed());
        others.push(other);
    }
    let refused = (CROWD - MAX_CONNECTIONS_PER_ADDRESS) as f64;
    eventually("the crowd is let in or refused", || {
        value(&metrics(&server), "noray_tcp_connections_refused_total") == refused
    });
    let held = MAX_CONNECTIONS_PER_ADDRESS + others.len();
    let text = metrics(&server);
    assert_eq!(value(&text, "noray_tcp_connections"), held as f64);
    // Refused connections cost the server nothing, open or not.
    let more = process.descriptors().unwrap() - descriptors;
    assert!(more.abs_diff(held) < 10, "{more} descriptors");
    let each = (memory_of() - memory) / held as u64;
    assert!(each < 16, "{each} KiB for each");

    for other in &mut others {
        other.expect_silence();
    }
    drop((crowd, others));
    eventually("everything is given back", || {
        process.descriptors().unwrap() <= descriptors
    });
    server.registered().expect_silence();
}
