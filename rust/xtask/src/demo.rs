//! The demo: a host and joining players who meet by themselves, in windows or without.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use noray_testkit::child::{ChildProcess, NoLine};
use noray_testkit::defaults::GAME_EXIT;
use noray_testkit::godot::{self, Godot};
use noray_testkit::paths;

use crate::cargo::Profile;
use crate::{addon, defaults};

const NAMES: &[&str] = &["Ada", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana"];

/// How many the arena holds.
pub(crate) const MOST_PLAYERS: u8 = 8;

/// The beginning of a line that reports a step.
const MARK: &str = "[demo] ";

/// Builds and stages all that the demo needs, and plays it.
pub(crate) fn run(headless: bool, players: u8) -> Result<()> {
    let headless = headless || !has_display();
    let godot = noray_download::godot::find()?;
    eprintln!("Godot {} ({})", godot.version, godot.executable.display());
    addon::run(Profile::Debug, &[])?;
    eprintln!("importing the demo project ...");
    let imported = godot.import(&paths::demo_project());
    imported.context("Godot cannot import the demo project")?;
    if headless {
        for relay in [false, true] {
            println!("--- {}", if relay { "by relay" } else { "directly" });
            play_headless(&godot, players, relay)?;
        }
        println!("--- everyone has met, directly and by relay");
        Ok(())
    } else {
        play_in_windows(&godot, players)
    }
}

/// Returns whether windows can be opened; says so where not.
fn has_display() -> bool {
    let found = !cfg!(target_os = "linux")
        || ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .any(|name| std::env::var_os(name).is_some_and(|value| !value.is_empty()));
    if !found {
        eprintln!("there is no display to open windows on: bots play without any");
    }
    found
}

/// Lets bots play until each has seen all others move, and judges their logs.
pub(crate) fn play_headless(godot: &Godot, players: u8, relay: bool) -> Result<()> {
    let until = Instant::now() + defaults::DEMO;
    let mut table = Table {
        godot,
        size: players,
        relay,
        headless: true,
        players: Vec::new(),
    };
    let played = table
        .open(until)
        .and_then(|()| table.follow(Some(until)))
        .and_then(|()| table.check_all_met())
        .and_then(|()| table.check_paths());
    let limit = if played.is_ok() {
        GAME_EXIT
    } else {
        Duration::ZERO
    };
    let mut failures: Vec<String> = played.err().iter().map(|e| format!("{e:#}")).collect();
    for player in table.players {
        let name = player.process.name().to_owned();
        if let Err(error) = godot::finish(player.process, limit) {
            failures.push(format!("{name}: {error:#}"));
        }
    }
    fail_with(&failures)
}

fn play_in_windows(godot: &Godot, players: u8) -> Result<()> {
    let mut table = Table {
        godot,
        size: players,
        relay: false,
        headless: false,
        players: Vec::new(),
    };
    table.open(Instant::now() + defaults::DEMO)?;
    if std::io::stdout().is_terminal() {
        println!("--- move with the arrow keys; close the windows or press Ctrl-C to end");
    }
    table.follow(None)?;
    let mut failures = Vec::new();
    for player in table.players {
        let name = player.process.name().to_owned();
        let ended = player.process.finish(GAME_EXIT);
        failures.extend(ended.problems.iter().map(|it| format!("{name}: {it}")));
    }
    fail_with(&failures)
}

fn fail_with(failures: &[String]) -> Result<()> {
    if !failures.is_empty() {
        bail!("{}", failures.join("\n"));
    }
    Ok(())
}

/// The players of one game.
struct Table<'a> {
    godot: &'a Godot,
    /// How many are to play.
    size: u8,
    relay: bool,
    headless: bool,
    players: Vec<Player>,
}

struct Player {
    process: ChildProcess,
    met: bool,
    /// Of a joining player: the kind of its path to the host, as it last reported.
    path: Option<String>,
    /// The names of those that it has seen move.
    seen: BTreeSet<String>,
}

impl Player {
    /// Waits for the next step, prints it, and returns it; `None` when the game has ended.
    fn next_step(&mut self, until: Instant) -> Result<Option<String>, NoLine> {
        let step = self.process.wait_for_line(until, |line| {
            line.strip_prefix(MARK).map(|step| step.trim().to_owned())
        });
        match step {
            Ok(step) => {
                let words = step.strip_prefix("log ").unwrap_or(&step);
                println!("{}: {words}", self.process.name());
                self.met |= step == "met";
                if let Some(path) = step
                    .strip_prefix("connected ")
                    .or_else(|| step.strip_prefix("path "))
                {
                    self.path = Some(path.to_owned());
                }
                if let Some(name) = step
                    .strip_prefix("sees ")
                    .and_then(|rest| rest.strip_suffix(" moved"))
                {
                    self.seen.insert(name.to_owned());
                }
                Ok(Some(step))
            }
            Err(NoLine::Ended) => Ok(None),
            Err(NoLine::TimedOut) => Err(NoLine::TimedOut),
        }
    }

    /// Reads on to a step that begins with `word`, and returns what follows it.
    fn step(&mut self, word: &str, until: Instant) -> Result<String> {
        loop {
            match self.next_step(until) {
                Ok(Some(step)) => {
                    if let Some(rest) = step.strip_prefix(word) {
                        return Ok(rest.trim().to_owned());
                    }
                }
                Ok(None) => bail!(
                    "{} ended before it told its {}",
                    self.process.name(),
                    word.trim()
                ),
                Err(_) => bail!(
                    "{} did not tell its {} in time",
                    self.process.name(),
                    word.trim()
                ),
            }
        }
    }
}

impl Table<'_> {
    /// Starts the host, which runs the server, and those who join it.
    fn open(&mut self, until: Instant) -> Result<()> {
        self.start_player(&["--host", "--run-server", "--noray-port", "0"])?;
        let host = &mut self.players[0];
        let ports = host.step("server ", until)?;
        let (port, registrar_port) = ports
            .split_once(' ')
            .ok_or_else(|| anyhow!("the host does not tell two ports: {ports}"))?;
        let noray = format!("127.0.0.1:{port}");
        let registrar_port = registrar_port.trim().to_owned();
        let oid = host.step("oid ", until)?;

        let mut arguments = vec!["--join", &oid, "--noray", &noray];
        arguments.extend(["--registrar-port", &registrar_port]);
        if self.relay {
            arguments.push("--relay");
        }
        for _ in 1..self.size {
            self.start_player(&arguments)?;
        }
        Ok(())
    }

    fn start_player(&mut self, arguments: &[&str]) -> Result<()> {
        let (godot, players, headless) = (self.godot, self.size, self.headless);
        let index = self.players.len();
        let name = NAMES[index % NAMES.len()];
        let project = paths::demo_project();
        let mut command = if headless {
            let mut command = godot.headless(&project)?;
            // Names what leaks.
            command.arg("--verbose");
            command
        } else {
            let mut command = godot.window(&project);
            // Side by side on a usual screen; and a game without sound needs no sound card.
            let (width, height, columns) = if players > 2 {
                (576, 324, 3)
            } else {
                (864, 486, 2)
            };
            let (column, row) = (index % columns, index / columns);
            let position = format!(
                "{},{}",
                40 + (width + 24) * column,
                60 + (height + 96) * row
            );
            command
                .args(["--resolution", &format!("{width}x{height}")])
                .args(["--position", &position])
                .args(["--audio-driver", "Dummy"]);
            command
        };
        command.arg("--").args(arguments).args(["--name", name]);
        if headless {
            let others = (players - 1).to_string();
            command.args(["--bot", "--quit-when-met", "--others", &others]);
        }
        self.players.push(Player {
            process: ChildProcess::start(name, &mut command)?,
            met: false,
            path: None,
            seen: BTreeSet::new(),
        });
        Ok(())
    }

    /// Prints every player's steps until all have ended.
    fn follow(&mut self, until: Option<Instant>) -> Result<()> {
        let mut playing: Vec<bool> = vec![true; self.players.len()];
        while playing.contains(&true) {
            for (player, playing) in self.players.iter_mut().zip(&mut playing) {
                // A short look at each in turn keeps the lines nearly in the order of time.
                let look = Instant::now() + Duration::from_millis(20);
                while *playing {
                    match player.next_step(look) {
                        Ok(Some(_)) => {}
                        Ok(None) => *playing = false,
                        Err(_) => break,
                    }
                }
            }
            if until.is_some_and(|until| Instant::now() > until) {
                bail!("the players did not all meet within {:.0?}", defaults::DEMO);
            }
        }
        Ok(())
    }

    /// Fails unless each joining player is connected by the kind of path that was asked for.
    fn check_paths(&self) -> Result<()> {
        for player in self.players.iter().skip(1) {
            let name = player.process.name();
            let path = player.path.as_deref().unwrap_or("not known");
            let is_right = match path {
                "relay" => self.relay,
                "direct" | "lan" => !self.relay,
                _ => false,
            };
            if !is_right {
                bail!("{name} is connected by the wrong path: {path}");
            }
        }
        Ok(())
    }

    /// Fails unless each player has seen all others move and says that they have met.
    fn check_all_met(&self) -> Result<()> {
        for player in &self.players {
            let name = player.process.name();
            for other in self.players.iter().map(|other| other.process.name()) {
                if other != name && !player.seen.contains(other) {
                    bail!("{name} has not seen {other} move");
                }
            }
            if !player.met {
                bail!("{name} does not tell that it has met the others");
            }
        }
        Ok(())
    }
}
