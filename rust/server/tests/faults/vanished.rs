//! Players whose machine disappears without a word: no FIN, no RST, no answer.

use std::{
    net::Shutdown,
    thread::sleep,
    time::{Duration, Instant},
};

use noray_server::Config;
use noray_testkit::{
    defaults::ANSWER,
    library_server::LibraryServer,
    player::{AcceptsPlayers, Player, eventually},
};
use socket2::{SockFilter, SockRef};

/// The shortest time that the setting takes.
const VANISHED: Duration = Duration::from_secs(8);

/// Makes the system drop every segment for this player before TCP sees it: it acknowledges and
/// answers nothing any more, as if the cable were cut.
fn vanish(player: &Player) {
    const RETURN: u16 = 0x06;
    let drop_all = [SockFilter::new(RETURN, 0, 0, 0)];
    SockRef::from(&player.tcp).attach_filter(&drop_all).unwrap();
}

#[test]
fn their_places_are_free_in_the_stated_time() {
    let server = LibraryServer::with(Config {
        vanished_timeout: VANISHED.into(),
        ..LibraryServer::config()
    });
    let silent = server.registered();
    let host = server.registered();
    let unregistered = server.player();
    // A line for a vanished host waits for its acknowledgement, and the system sends no keepalive
    // meanwhile. Without a limit of its own it would repeat the line for a quarter of an hour.
    let mut idle = server.registered();
    let mut friend = server.registered();
    for player in [&silent, &host, &unregistered] {
        vanish(player);
    }
    let began = Instant::now();
    let ask = format!("connect {}", host.oid);
    assert!(friend.ask(&ask).starts_with("connect 127.0.0.1:"));

    sleep(VANISHED / 2);
    assert_eq!(server.server.stats().connections, 5, "a pause is no end");
    let deadline = began + VANISHED + ANSWER;
    while server.server.stats().connections > 2 {
        assert!(Instant::now() < deadline, "{:?}", server.server.stats());
        sleep(Duration::from_millis(20));
    }
    assert_eq!(server.server.stats().players, 2);
    assert!(friend.ask(&ask).contains(" unknown-host "));
    // This player was just as silent, but its machine answers.
    idle.expect_silence();
}

#[test]
fn half_closed_connections_are_closed_at_once() {
    let server = LibraryServer::start();
    let mut player = server.registered();
    player.tcp.shutdown(Shutdown::Write).unwrap();
    assert!(player.is_closed_within(ANSWER));
    eventually("its place is free", || {
        server.server.stats().connections == 0
    });
}
