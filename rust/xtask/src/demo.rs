//! The demo: a host and joining players who meet by themselves, in windows or without.

use std::io::IsTerminal;
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
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
    play(Table::new(godot, players, relay, true), &[])
}

/// Lets bots play the exported demo, which `game` starts, and judges their logs; lines with one of
/// `allowed` in them are no problem.
pub(crate) fn play_exported(
    godot: &Godot,
    game: &dyn Fn() -> Result<Command>,
    allowed: &[&str],
) -> Result<()> {
    let mut table = Table::new(godot, 2, false, true);
    table.exported = Some(game);
    play(table, allowed)
}

fn play(mut table: Table<'_>, allowed: &[&str]) -> Result<()> {
    let until = Instant::now() + defaults::DEMO;
    let played = table
        .open(until)
        .and_then(|()| table.follow(Some(until)))
        .and_then(|()| table.check_all_met())
        .and_then(|()| table.check_paths());
    let limit = match played {
        Ok(()) => GAME_EXIT,
        Err(_) => Duration::ZERO,
    };
    let ends = table.players.into_iter().map(|player| {
        let name = player.process.name().to_owned();
        let mut ended = player.process.finish(limit);
        let is_allowed = |line: &String| allowed.iter().any(|words| line.contains(words));
        ended.lines.retain(|line| !is_allowed(line));
        godot::judge(ended).context(name)
    });
    fail_with([played].into_iter().chain(ends))
}

fn play_in_windows(godot: &Godot, players: u8) -> Result<()> {
    let mut table = Table::new(godot, players, false, false);
    table.open(Instant::now() + defaults::DEMO)?;
    if std::io::stdout().is_terminal() {
        println!("--- move with the arrow keys; close the windows or press Ctrl-C to end");
    }
    table.follow(None)?;
    fail_with(table.players.into_iter().map(|player| {
        let name = player.process.name().to_owned();
        let problems = player.process.finish(GAME_EXIT).problems;
        ensure!(problems.is_empty(), "{name}: {}", problems.join("; "));
        Ok(())
    }))
}

/// Fails with all that failed.
fn fail_with(results: impl Iterator<Item = Result<()>>) -> Result<()> {
    let failures: Vec<String> = results
        .filter_map(|result| Some(format!("{:#}", result.err()?)))
        .collect();
    ensure!(failures.is_empty(), "{}", failures.join("\n"));
    Ok(())
}

/// The players of one game.
struct Table<'a> {
    godot: &'a Godot,
    /// How many are to play.
    size: u8,
    relay: bool,
    headless: bool,
    /// Starts the exported demo, which then plays instead of the project.
    exported: Option<&'a dyn Fn() -> Result<Command>>,
    players: Vec<Player>,
}

struct Player {
    process: ChildProcess,
    /// The steps that it has reported.
    steps: Vec<String>,
}

impl Player {
    /// Waits for the next step, prints it, and returns it.
    fn next_step(&mut self, until: Instant) -> Result<String, NoLine> {
        let step = self.process.wait_for_line(until, |line| {
            line.strip_prefix(MARK).map(|step| step.trim().to_owned())
        })?;
        let words = step.strip_prefix("log ").unwrap_or(&step);
        println!("{}: {words}", self.process.name());
        self.steps.push(step.clone());
        Ok(step)
    }

    /// Reads on to a step that begins with `word`, and returns what follows it.
    fn step(&mut self, word: &str, until: Instant) -> Result<String> {
        loop {
            let step = self.next_step(until).with_context(|| {
                let name = self.process.name();
                format!("{name} did not tell its {}", word.trim())
            })?;
            if let Some(rest) = step.strip_prefix(word) {
                return Ok(rest.trim().to_owned());
            }
        }
    }

    fn has_reported(&self, step: &str) -> bool {
        self.steps.iter().any(|reported| reported == step)
    }

    /// Returns the kind of a joining player's path to the host, as it last reported.
    fn path(&self) -> Option<&str> {
        self.steps.iter().rev().find_map(|step| {
            step.strip_prefix("connected ")
                .or_else(|| step.strip_prefix("path "))
        })
    }
}

impl<'a> Table<'a> {
    fn new(godot: &'a Godot, size: u8, relay: bool, headless: bool) -> Self {
        Self {
            godot,
            size,
            relay,
            headless,
            exported: None,
            players: Vec::new(),
        }
    }

    /// Starts the host, which runs the server, and those who join it.
    fn open(&mut self, until: Instant) -> Result<()> {
        self.start_player(&["--host", "--run-server", "--noray-port", "0"])?;
        let host = &mut self.players[0];
        let ports = host.step("server ", until)?;
        let (port, registrar_port) = ports
            .split_once(' ')
            .with_context(|| format!("the host does not tell two ports: {ports}"))?;
        let noray = format!("127.0.0.1:{port}");
        let oid = host.step("oid ", until)?;

        let mut arguments = vec!["--join", &oid, "--noray", &noray];
        arguments.extend(["--registrar-port", registrar_port.trim()]);
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
            let mut command = match self.exported {
                Some(game) => game()?,
                None => godot.headless(&project)?,
            };
            // Names what leaks.
            command.arg("--verbose");
            command
        } else {
            let mut command = godot.window(&project);
            // Side by side on a usual screen, or one over the other: a smaller one cannot be read.
            // And a game without sound needs no sound card.
            let (width, height) = (864, 486);
            let (columns, right, down) = match players {
                ..=2 => (2, width + 24, height + 96),
                _ => (3, 480, 270),
            };
            let (column, row) = (index % columns, index / columns);
            let (x, y) = (40 + right * column, 60 + down * row);
            command
                .args(["--resolution", &format!("{width}x{height}")])
                .args(["--position", &format!("{x},{y}")])
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
            steps: Vec::new(),
        });
        Ok(())
    }

    /// Prints every player's steps until all have ended.
    fn follow(&mut self, until: Option<Instant>) -> Result<()> {
        let mut playing: Vec<&mut Player> = self.players.iter_mut().collect();
        while !playing.is_empty() {
            playing.retain_mut(|player| {
                // A short look at each in turn keeps the lines nearly in the order of time.
                let look = Instant::now() + Duration::from_millis(20);
                loop {
                    match player.next_step(look) {
                        Ok(_) => {}
                        Err(error) => break error == NoLine::TimedOut,
                    }
                }
            });
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
            let path = player.path().unwrap_or("not known");
            let is_right = match self.relay {
                true => path == "relay",
                false => ["direct", "lan"].contains(&path),
            };
            ensure!(is_right, "{name} is connected by the wrong path: {path}");
        }
        Ok(())
    }

    /// Fails unless each player has seen all others move and says that they have met.
    fn check_all_met(&self) -> Result<()> {
        for player in &self.players {
            let name = player.process.name();
            for other in self.players.iter().map(|other| other.process.name()) {
                let has_seen = player.has_reported(&format!("sees {other} moved"));
                ensure!(
                    other == name || has_seen,
                    "{name} has not seen {other} move"
                );
            }
            let has_met = player.has_reported("met");
            ensure!(has_met, "{name} does not tell that it has met the others");
        }
        Ok(())
    }
}
