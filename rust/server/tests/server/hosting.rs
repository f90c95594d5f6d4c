//! Players who say whether they host.

use noray_testkit::{
    library_server::LibraryServer,
    player::{AcceptsPlayers, Player},
};

/// Returns how the server answers two requests for a player: with its word, and the reason if it
/// refuses.
fn asked(asking: &mut Player, host: &mut Player) -> [String; 2] {
    ["connect", "connect-relay"].map(|command| {
        let answer = asking.ask(&format!("{command} {}", host.oid));
        if answer.starts_with("refused ") {
            return answer.split(' ').nth(3).unwrap().to_owned();
        }
        assert!(host.line().starts_with(command));
        answer.split(' ').next().unwrap().to_owned()
    })
}

const JOINABLE: [&str; 2] = ["connect", "connect-relay"];
const GONE: [&str; 2] = ["unknown-host"; 2];

#[test]
fn the_code_of_a_game_that_has_ended_leads_nowhere() {
    let server = LibraryServer::start();
    let (mut host, mut asking) = (server.registered(), server.registered());
    host.send("can this hosting that");
    host.send("shut");
    host.expect_silence();
    assert_eq!(asked(&mut asking, &mut host), GONE);
    // It can join others all the same.
    assert_eq!(asked(&mut host, &mut asking), JOINABLE);
    host.send("open");
    host.expect_silence();
    assert_eq!(asked(&mut asking, &mut host), JOINABLE);
}

#[test]
fn a_host_who_cannot_say_that_it_hosts_is_not_shut_out() {
    let server = LibraryServer::start();
    let mut asking = server.registered();
    for lines in [
        &[][..],
        &["shut"],
        &["can", "shut"],
        &["can other", "shut"],
        &["can hosting"],
    ] {
        let mut host = server.registered();
        for line in lines {
            host.send(line);
        }
        host.expect_silence();
        assert_eq!(asked(&mut asking, &mut host), JOINABLE, "{lines:?}");
    }
}

#[test]
fn what_a_broken_connection_said_is_not_held_against_its_player() {
    let server = LibraryServer::start();
    let (mut host, mut asking) = (server.registered(), server.registered());
    host.send("can hosting");
    host.send("shut");
    host.expect_silence();
    let mut again = server.player();
    again.send(&format!("resume-host {} {}", host.oid, host.pid));
    again.oid = host.oid.clone();
    again.line();
    again.line();
    assert_eq!(asked(&mut asking, &mut again), JOINABLE);
}
