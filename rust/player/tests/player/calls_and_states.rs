//! Every pair of a call and a state of `host` and `join`: what comes of it is written down as the
//! table that the help of `Noray` shows, and compared with that.

use noray_player::{Failure, HostCallError, JoinCallError, SetupError};

use crate::game::{Game, place};

const HELP: &str = include_str!("../../../godot/noray.rs");
/// The editor's help wraps longer lines, and a table that is wrapped cannot be read.
const HELP_WIDTH: usize = 72;

type State = (&'static str, fn() -> Game);
type Call = (&'static str, fn(&mut Game));

/// The calls before are 1, so the call that is tried is 2.
const STATES: [State; 5] = [
    ("hosting", host_runs),
    ("hosted", Game::hosting),
    ("joining", Game::joining),
    ("entering", Game::entering),
    ("joined", Game::joined),
];

const CALLS: [Call; 8] = [
    ("host", Game::host),
    ("join, another host", |game| game.join("OTHER")),
    ("join, the same", |game| game.join("HOST")),
    ("cancel_host", Game::cancel_host),
    ("cancel_join", Game::cancel_join),
    ("leave", Game::leave_games),
    ("disconnect_from_host", Game::disconnect),
    ("connect_to_host", |game| game.connect("s")),
];

fn host_runs() -> Game {
    let mut game = Game::new();
    game.host();
    game.forget();
    game
}

/// Returns what came of a call: for what ran or was on, and for the call.
fn outcome(game: &mut Game) -> String {
    let done = game.done();
    let has = |line: &str| done.iter().any(|done| done.starts_with(line));
    if has("end later 2 null") {
        return match error(game).as_str() {
            "ERR_BUSY" => "BUSY".to_owned(),
            "ERR_ALREADY_IN_USE" => "IN_USE".to_owned(),
            other => format!("the new call: {other}"),
        };
    }
    if has("end later 1 null") {
        return match error(game).as_str() {
            "SKIP" => "SKIP".to_owned(),
            "CONNECTION" => "LOST".to_owned(),
            other => format!("the call that runs: {other}"),
        };
    }
    let begins = has("create server") || has("link join");
    match (has("close peer 1"), begins) {
        (true, true) => "replaces".to_owned(),
        (true, false) => "ends".to_owned(),
        (false, true) => "begins".to_owned(),
        (false, false) => "-".to_owned(),
    }
}

/// Returns the error of the last failure, as `rust/godot/error.rs` has it.
fn error(game: &Game) -> String {
    match game.player.last_failure() {
        Some(
            Failure::Host(HostCallError::Setup(SetupError::HostRuns | SetupError::Joins))
            | Failure::Join(JoinCallError::Setup(SetupError::HostRuns | SetupError::Joins)),
        ) => "ERR_BUSY".to_owned(),
        Some(
            Failure::Host(HostCallError::Setup(SetupError::Hosts))
            | Failure::Join(JoinCallError::Setup(SetupError::Hosts)),
        ) => "ERR_ALREADY_IN_USE".to_owned(),
        Some(
            Failure::Host(HostCallError::Setup(SetupError::Disconnected))
            | Failure::Join(JoinCallError::Setup(SetupError::Disconnected)),
        ) => "CONNECTION".to_owned(),
        Some(
            Failure::Host(HostCallError::Cancelled)
            | Failure::Join(JoinCallError::Link(noray_client::JoinError::Cancelled)),
        ) => "SKIP".to_owned(),
        other => format!("{other:?}"),
    }
}

fn row(name: &str, cells: impl IntoIterator<Item = String>) -> String {
    let cells: String = cells.into_iter().map(|cell| format!(" {cell:8}")).collect();
    format!("{name:20}{cells}").trim_end().to_owned()
}

fn table() -> String {
    let states = STATES.iter().map(|(name, _)| (*name).to_owned());
    let mut lines = vec![row("call", states)];
    for (name, call) in CALLS {
        let cells = STATES.iter().map(|(_, state)| {
            let mut game = state();
            call(&mut game);
            outcome(&mut game)
        });
        lines.push(row(name, cells));
    }
    lines.join("\n")
}

#[test]
fn the_help_of_noray_says_what_each_call_does_in_each_state() {
    let table = table();
    let help: String = HELP
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("/// "))
        .flat_map(|line| [line.trim_end(), "\n"])
        .collect();
    assert!(help.contains(&table), "the help must have this:\n{table}");
    let longest = table.lines().map(str::len).max();
    assert!(
        longest.is_some_and(|length| length <= HELP_WIDTH),
        "{longest:?}"
    );
}

#[test]
fn a_call_that_nobody_waits_for_does_not_keep_the_next_from_beginning() {
    for state in [host_runs, Game::joining, Game::entering] {
        for (call, begins) in [
            ((|game| game.host()) as fn(&mut Game), "create server"),
            (|game| game.join("OTHER"), "link join OTHER"),
        ] {
            let mut game = state();
            game.awaits = false;
            call(&mut game);
            assert!(game.has_done("end later 1 null"), "the old call ends");
            assert!(game.has_done(begins), "{begins}");
            assert!(!game.has_done("end later 2"), "the new call goes on");
        }
    }
}

#[test]
fn a_peer_that_no_multiplayer_uses_does_not_keep_the_next_game_from_beginning() {
    let mut game = Game::hosting();
    game.uses_servers = false;
    game.host();
    assert_eq!(
        game.done(),
        [
            "close peer 1",
            "forget server 1",
            "link stop hosting",
            "create server 32",
            "link host 32 at 4000",
            "send use link 8809",
        ]
    );
    let mut game = Game::hosting();
    game.uses_servers = false;
    game.join("OTHER");
    assert!(game.has_done("close peer 1") && game.has_done("link join OTHER"));
}

#[test]
fn a_refused_call_ends_nothing_that_is_of_no_use() {
    let mut game = Game::hosting();
    game.uses_servers = false;
    game.host_at("s", 0);
    assert_eq!(game.done(), ["end later 2 null"]);
}

#[test]
fn a_cancelled_host_leaves_nothing_open_and_the_next_begins() {
    let mut game = host_runs();
    game.cancel_host();
    assert_eq!(
        game.done(),
        [
            "forget server 1",
            "close peer 1",
            "end later 1 null",
            "link stop hosting",
        ]
    );
    assert_eq!(game.last_report(), "cannot host: hosting was cancelled");
    game.host();
    assert!(game.has_done("create server 32"));
}

#[test]
fn leaving_ends_every_game_and_keeps_the_server() {
    let mut game = Game::hosting();
    game.leave_games();
    assert!(game.has_done("close peer 1") && game.has_done("link stop hosting"));
    assert!(!game.has_done("close connection") && game.player.is_connected());
    game.forget();
    game.leave_games();
    assert!(game.done().is_empty(), "nothing is left");

    let mut game = Game::joined();
    game.leave_games();
    assert_eq!(game.done(), ["close peer 1", "link release 1"]);
}

#[test]
fn each_call_has_its_own_failure_when_its_end_is_told() {
    let mut game = Game::identified();
    game.host_at("s", 0);
    assert!(game.player.last_failure().is_some());
    // The ends of two calls are told in order, each with its own.
    let now = game.now;
    game.player
        .join(noray_player::CallId(7), "", place("s"), now);
    game.player
        .host(noray_player::CallId(8), place("s"), 0, now);
    let mut ends = Vec::new();
    while let Some(effect) = game.player.next_effect() {
        if let noray_player::Effect::EndCallLater(_, answer) = effect {
            ends.push(answer);
        }
    }
    // A turn inside another comes first.
    while let Some(effect) = game.player.next_effect() {
        if let noray_player::Effect::EndCallLater(_, answer) = effect {
            ends.push(answer);
        }
    }
    let sentences: Vec<_> = ends
        .iter()
        .map(|answer| {
            game.player.handle_call_ends(answer);
            game.last_report().to_owned()
        })
        .collect();
    assert_eq!(
        sentences,
        [
            "cannot host: 0 is no number of players",
            "cannot join: the OpenID is empty",
        ]
    );
}

#[test]
fn a_call_that_succeeds_leaves_no_failure_behind() {
    let mut game = Game::identified();
    game.join("");
    assert!(game.player.last_failure().is_some());
    assert!(game.connect_nat("HOST"));
    assert!(game.player.last_failure().is_none());
    assert_eq!(game.last_report(), "");
    game.join("");
    game.host();
    game.event(noray_client::ConnectionEvent::Ready(Ok(())));
    assert!(game.player.last_failure().is_none());
}
