//! A player whose connection broke gets its OpenID back.

use noray_server::Config;
use noray_testkit::{
    library_server::LibraryServer,
    player::{AcceptsPlayers, Player, eventually},
};

/// What a client sends after a broken connection, in one write.
fn resume(player: &mut Player, oid: &str, pid: &str) {
    player.send(&format!("resume-host {oid} {pid}\nregister-host"));
}

/// Reads an identity, and checks that nothing follows.
fn identity(player: &mut Player) -> (String, String) {
    let oid = player.line().strip_prefix("set-oid ").unwrap().to_owned();
    let pid = player.line().strip_prefix("set-pid ").unwrap().to_owned();
    player.send("echo end");
    assert_eq!(player.line(), "echo end");
    (oid, pid)
}

#[test]
fn after_a_broken_connection() {
    let test = LibraryServer::start();
    let before = test.registered();
    let (oid, pid) = (before.oid.clone(), before.pid.clone());
    drop(before);
    eventually("the player is gone", || test.server.stats().players == 0);

    let mut back = test.player();
    resume(&mut back, &oid, &pid);
    assert_eq!(identity(&mut back), (oid.clone(), pid.clone()));
    assert_eq!(test.server.stats().players, 1);
    back.pid = pid;
    back.register_remote().unwrap();
    let mut friend = test.registered();
    friend.send(&format!("connect {oid}"));
    assert!(friend.line().starts_with("connect 127.0.0.1:"));
    assert!(back.line().starts_with("connect 127.0.0.1:"));
}

#[cfg(feature = "cli")]
#[test]
fn with_an_open_id_of_words() {
    let words = || Config {
        open_id_words: true,
        open_id_word_count: 4,
        ..LibraryServer::config()
    };
    let (oid, pid) = {
        let test = LibraryServer::with(words());
        let player = test.registered();
        (player.oid.clone(), player.pid.clone())
    };
    let capitals = oid.chars().filter(char::is_ascii_uppercase).count();
    assert_eq!(capitals, 4, "{oid}");
    let test = LibraryServer::with(words());
    let mut back = test.player();
    resume(&mut back, &oid, &pid);
    assert_eq!(identity(&mut back), (oid.clone(), pid.clone()));
    back.pid = pid;
    back.register_remote().unwrap();
    let mut friend = test.registered();
    assert!(
        friend
            .ask(&format!("connect {oid}"))
            .starts_with("connect 127.0.0.1:")
    );
}

/// The server often notices a broken connection only long after the player has.
#[test]
fn while_the_broken_connection_still_looks_alive() {
    let test = LibraryServer::start();
    let before = test.registered();
    let mut back = test.player();
    resume(&mut back, &before.oid, &before.pid);
    assert_eq!(
        identity(&mut back),
        (before.oid.clone(), before.pid.clone())
    );
    let oid = before.oid.clone();
    drop(before);
    eventually("the broken one is gone", || {
        test.server.stats().connections == 1
    });
    assert_eq!(
        test.server.stats().players,
        1,
        "its end does not take the identity along"
    );

    // The registered address is still known: a friend learns it at once.
    let mut friend = test.registered();
    friend.send(&format!("connect {oid}"));
    assert!(friend.line().starts_with("connect 127.0.0.1:"));
    assert!(back.line().starts_with("connect 127.0.0.1:"));
}

/// A restarted server has forgotten everything.
#[test]
fn from_a_server_that_never_saw_it() {
    let (oid, pid) = {
        let test = LibraryServer::start();
        let player = test.registered();
        (player.oid.clone(), player.pid.clone())
    };
    let test = LibraryServer::start();
    let mut back = test.player();
    resume(&mut back, &oid, &pid);
    assert_eq!(identity(&mut back), (oid, pid));
}

#[test]
fn nobody_has_anothers() {
    let test = LibraryServer::start();
    let victim = test.registered();
    let thief = test.registered();
    let wrong = [
        // Another's OpenID with one's own PrivateID.
        (victim.oid.clone(), thief.pid.clone()),
        // A PrivateID that is too short, too long, or of other characters.
        (victim.oid.clone(), "x".to_owned()),
        (victim.oid.clone(), "x".repeat(500)),
        (victim.oid.clone(), "ü".repeat(victim.pid.len())),
        ("nobody".to_owned(), thief.pid.clone()),
    ];
    for (oid, pid) in wrong {
        let mut player = test.player();
        resume(&mut player, &oid, &pid);
        let fresh = identity(&mut player);
        assert_ne!(fresh.0, victim.oid, "{oid} {pid}");
        assert_ne!(fresh.1, pid, "a fresh identity instead");
    }
    // The victim is still there.
    let mut friend = test.registered();
    friend.send(&format!("connect {}", victim.oid));
    assert!(friend.line().starts_with("connect 127.0.0.1:"));
}

#[test]
fn broken_requests_are_passed_over() {
    let test = LibraryServer::start();
    let mut player = test.player();
    player.send("resume-host\nresume-host a\nresume-host  b\nresume-host a b c");
    player.register().unwrap();
    assert!(!player.oid.is_empty());
}

/// A resumed identity counts as one more identity of the connection.
#[test]
fn the_limit_of_identities_holds() {
    let test = LibraryServer::with(Config {
        max_hosts_per_connection: 1,
        ..LibraryServer::config()
    });
    let other = test.registered();
    let mut player = test.registered();
    player.send(&format!(
        "resume-host {} {}\necho end\n",
        other.oid, other.pid
    ));
    assert_eq!(player.line(), "echo end");
    assert_eq!(test.server.stats().players, 2);
}
