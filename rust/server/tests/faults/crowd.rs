//! One address opens 10,000 connections.

use std::{
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use noray_server::defaults::MAX_CONNECTIONS_PER_ADDRESS;
use rustix::process::{Resource, getrlimit, setrlimit};
use socket2::{Domain, SockRef, Socket, Type};

use crate::{
    harness::{PATIENCE, Player, eventually},
    running::{Running, binary, metrics, value},
};

const CROWD: usize = 10_000;

/// Longer than a player is kept waiting by the crowd, on a busy machine too.
const PROMPT: Duration = Duration::from_secs(2);

/// Room for the crowd's descriptors, which are this process's as well.
fn raise_descriptor_limit() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
    let enough = (limit.current).is_none_or(|current| current > CROWD as u64 + 1000);
    assert!(enough, "this test needs a higher `ulimit -Hn`");
}

/// A connection that leaves nothing behind when it is dropped, so that its port can be used again.
fn dial(server: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&server, PATIENCE).unwrap();
    SockRef::from(&stream)
        .set_linger(Some(Duration::ZERO))
        .unwrap();
    stream
}

/// A player at another address.
fn elsewhere(server: &Running, address: [u8; 4]) -> Player {
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
    let address = SocketAddr::from((Ipv4Addr::from(address), 0));
    socket.bind(&address.into()).unwrap();
    socket
        .connect_timeout(&server.commands.into(), PATIENCE)
        .unwrap();
    Player::on(socket.into(), server.registrar).greeted()
}

#[test]
fn others_are_served_and_everything_is_given_back() {
    raise_descriptor_limit();
    let server = Running::start(&mut binary());
    elsewhere(&server, [127, 0, 0, 3]).register();
    eventually("the first player is gone", || {
        value(&metrics(&server), "noray_tcp_connections") == 0.0
    });
    let (descriptors, memory) = (server.descriptors(), server.memory());

    let mut crowd = Vec::new();
    let mut others = Vec::new();
    while crowd.len() < CROWD {
        crowd.extend((0..500).map(|_| dial(server.commands)));
        let began = Instant::now();
        let mut other = elsewhere(&server, [127, 0, 0, 2]);
        other.register();
        other.register_remote();
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
    // The ones that were refused hold nothing here, open or not.
    let more = server.descriptors() - descriptors;
    assert!(more.abs_diff(held) < 10, "{more} descriptors");
    let each = (server.memory() - memory) / held;
    assert!(each < 16, "{each} KiB for each");

    for other in &mut others {
        other.expect_silence();
    }
    drop((crowd, others));
    eventually("everything is given back", || {
        server.descriptors() <= descriptors
    });
    server.registered().expect_silence();
}
