//! The demo: a host and joining players who meet by themselves, in windows or without.

use std::collections::BTreeSet;
use std::io::IsTerminal;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};

use crate::cargo::Profile;
use crate::godot::{self, Godot};
use crate::process::{Game, Missed};
use crate::{addon, defaults, engine, paths};

const NAMES: &[&str] = &["Ada", "Bob", "Cleo", "Dan", "Eve", "Finn", "Gus", "Hana"];

/// How many the arena holds.
pub(crate) const MOST_PLAYERS: u8 = 8;

/// What begins a line that tells of a step.
const MARK: &str = "[demo] ";

/// Builds and stages all that the demo needs, and plays it.
pub(crate) fn run(headless: bool, players: u8) -> Result<()> {
    let headless = headless || !has_display();
    let godot = godot::find()?;
    eprintln!("Godot {} ({})", godot.version, godot.executable.display());
    addon::run(Profile::Debug, &[])?;
    import(&godot)?;
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

/// Whether windows can be opened; says so where not.
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

/// Lets Godot learn the project's scripts and pictures, as the editor does when it is opened.
pub(crate) fn import(godot: &Godot) -> Result<()> {
    eprintln!("importing the demo project ...");
    engine::import(godot, &paths::demo_project()).context("Godot cannot import the demo project")
}

/// Lets bots play until each has seen all others move, and judges their logs.
pub(crate) fn play_headless(godot: &Godot, players: u8, relay: bool) -> Result<()> {
    let until = Instant::now() + defaults::DEMO;
    let mut table = Table::new(Party {
        godot,
        players,
        relay,
        headless: true,
    });
    let result = table.open(until).and_then(|()| table.follow(Some(until)));
    let result = result.and_then(|()| table.check_all_met());
    let result = result.and_then(|()| table.check_paths());
    let mut failures: Vec<String> = result.err().iter().map(|e| format!("{e:#}")).collect();
    let failed = !failures.is_empty();
    for player in table.players {
        let name = player.game.name().to_owned();
        let limit = if failed {
            std::time::Duration::ZERO
        } else {
            defaults::GAME_EXIT
        };
        if let Err(error) = engine::finish(player.game, limit) {
            failures.push(format!("{name}: {error:#}"));
        }
    }
    if failures.is_empty() {
        Ok(())
    } else {
        bail!("{}", failures.join("\n"))
    }
}

fn play_in_windows(godot: &Godot, players: u8) -> Result<()> {
    let mut table = Table::new(Party {
        godot,
        players,
        relay: false,
        headless: false,
    });
    table.open(Instant::now() + defaults::DEMO)?;
    if std::io::stdout().is_terminal() {
        println!("--- move with the arrow keys; close the windows or press Ctrl-C to end");
    }
    table.follow(None)?;
    let mut failures = Vec::new();
    for player in table.players {
        let name = player.game.name().to_owned();
        let ended = player.game.finish(defaults::GAME_EXIT);
        failures.extend(ended.problems.iter().map(|it| format!("{name}: {it}")));
    }
    if failures.is_empty() {
        Ok(())
    } else {
        bail!("{}", failures.join("\n"))
    }
}

/// What is to be played.
struct Party<'a> {
    godot: &'a Godot,
    players: u8,
    relay: bool,
    headless: bool,
}

/// The players of one game.
struct Table<'a> {
    party: Party<'a>,
    players: Vec<Player>,
}

struct Player {
    game: Game,
    /// How many lines of its log were looked at.
    read: usize,
    met: bool,
    /// Of a joining player: how it is connected to the host, as it told last.
    path: Option<String>,
    /// The names of those that it has seen move.
    seen: BTreeSet<String>,
}

impl Player {
    /// Waits for the next step, prints it, and returns it; `None` when the game has ended.
    fn next_step(&mut self, until: Instant) -> Result<Option<String>, Missed> {
        let step = self.game.wait_for(&mut self.read, until, |line| {
            line.strip_prefix(MARK).map(|step| step.trim().to_owned())
        });
        match step {
            Ok(step) => {
                let words = step.strip_prefix("log ").unwrap_or(&step);
                println!("{}: {words}", self.game.name());
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
            Err(Missed::Ended) => Ok(None),
            Err(Missed::TimeOut) => Err(Missed::TimeOut),
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
                    self.game.name(),
                    word.trim()
                ),
                Err(_) => bail!(
                    "{} did not tell its {} in time",
                    self.game.name(),
                    word.trim()
                ),
            }
        }
    }
}

impl<'a> Table<'a> {
    fn new(party: Party<'a>) -> Self {
        Self {
            party,
            players: Vec::new(),
        }
    }

    /// Starts the host, which runs the server, and those who join it.
    fn open(&mut self, until: Instant) -> Result<()> {
        self.sit_down(&["--host", "--run-server", "--noray-port", "0"])?;
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
        if self.party.relay {
            arguments.push("--relay");
        }
        for _ in 1..self.party.players {
            self.sit_down(&arguments)?;
        }
        Ok(())
    }

    fn sit_down(&mut self, arguments: &[&str]) -> Result<()> {
        let Party {
            godot,
            players,
            headless,
            ..
        } = self.party;
        let index = self.players.len();
        let name = NAMES[index % NAMES.len()];
        let project = paths::demo_project();
        let mut command = if headless {
            let mut command = engine::headless(godot, &project)?;
            // Names what leaks.
            command.arg("--verbose");
            command
        } else {
            let mut command = engine::window(godot, &project);
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
            game: Game::start(name, &mut command)?,
            read: 0,
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
                let look = Instant::now() + std::time::Duration::from_millis(20);
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

    /// Fails unless each joining player is connected as it was told to be.
    fn check_paths(&self) -> Result<()> {
        for player in self.players.iter().skip(1) {
            let name = player.game.name();
            let path = player.path.as_deref().unwrap_or("not known");
            let is_right = match path {
                "relay" => self.party.relay,
                "direct" | "lan" => !self.party.relay,
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
            let name = player.game.name();
            for other in self.players.iter().map(|other| other.game.name()) {
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
