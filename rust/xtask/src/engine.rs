//! Runs a project in Godot and judges the run: exit code, log, what it leaves behind.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use crate::godot::Godot;
use crate::process::{Ended, Game};
use crate::{defaults, files, paths, scan};

/// How many lines of a failed run's log are shown.
const SHOWN_LINES: usize = 40;

/// A Godot that draws nothing, on `project`.
///
/// Its settings and user data are the tests' own, so that those of the person at this machine
/// neither change nor count.
pub fn headless(godot: &Godot, project: &Path) -> Result<Command> {
    let mut command = window(godot, project);
    command.arg("--headless");
    let home = paths::target()?.join("godot").join("home");
    files::create_folder(&home)?;
    for variable in [
        "XDG_DATA_HOME",
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
        "APPDATA",
        "LOCALAPPDATA",
    ] {
        command.env(variable, &home);
    }
    Ok(command)
}

/// A Godot with a window, on `project`.
pub fn window(godot: &Godot, project: &Path) -> Command {
    let mut command = Command::new(&godot.executable);
    command
        .arg("--path")
        .arg(project)
        // A test that starts a Godot of its own must not start a loader instead, which is what
        // Debian's copy takes for its own executable.
        .env("GODOT4_BIN", &godot.executable)
        .env("RUST_BACKTRACE", "1")
        .env_remove("RUST_LOG");
    command
}

/// Lets the editor import a project, as it does when a developer opens it.
pub fn import(godot: &Godot, project: &Path) -> Result<()> {
    let mut command = headless(godot, project)?;
    let game = Game::start("import", command.arg("--import"))?;
    judge(game.finish(defaults::IMPORT))
}

/// Waits for a game's end and fails with all that was wrong with its run.
pub fn finish(game: Game, limit: Duration) -> Result<()> {
    judge(game.finish(limit))
}

/// Fails with all that was wrong with a run, and the end of its log.
pub fn judge(ended: Ended) -> Result<()> {
    let mut problems = ended.problems;
    problems.extend(scan::scan(ended.lines.iter().map(String::as_str)));
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{}\n{}", problems.join("\n"), tail(&ended.lines));
}

/// The last lines of a log, to be shown below a failure.
pub fn tail(lines: &[String]) -> String {
    let from = lines.len().saturating_sub(SHOWN_LINES);
    let mut text = String::from("its log ends:");
    for line in &lines[from..] {
        text.push_str("\n  | ");
        text.push_str(line);
    }
    text
}
