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

/// How many different problems of a failed run are shown.
const SHOWN_PROBLEMS: usize = 20;

/// A Godot that draws nothing, on `project`.
///
/// Its settings and user data are the tests' own, so that those of the person at this machine
/// neither change nor count.
pub(crate) fn headless(godot: &Godot, project: &Path) -> Result<Command> {
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
pub(crate) fn window(godot: &Godot, project: &Path) -> Command {
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
pub(crate) fn import(godot: &Godot, project: &Path) -> Result<()> {
    let mut command = headless(godot, project)?;
    let game = Game::start("import", command.arg("--import"))?;
    judge(game.finish(defaults::IMPORT))
}

/// Waits for a game's end and fails with all that was wrong with its run.
pub(crate) fn finish(game: Game, limit: Duration) -> Result<()> {
    judge(game.finish(limit))
}

/// Fails with all that was wrong with a run, and the end of its log.
pub(crate) fn judge(ended: Ended) -> Result<()> {
    let mut problems = ended.problems;
    problems.extend(scan::scan(ended.lines.iter().map(String::as_str)));
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{}\n{}", summary(&problems), tail(&ended.lines));
}

/// The problems without those that come again each frame.
fn summary(problems: &[String]) -> String {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for problem in problems {
        match counted.iter_mut().find(|(text, _)| text == problem) {
            Some((_, count)) => *count += 1,
            None => counted.push((problem, 1)),
        }
    }
    let hidden = counted.len().saturating_sub(SHOWN_PROBLEMS);
    let mut lines: Vec<String> = counted
        .into_iter()
        .take(SHOWN_PROBLEMS)
        .map(|(text, count)| match count {
            1 => text.to_owned(),
            _ => format!("{text} ({count} times)"),
        })
        .collect();
    if hidden > 0 {
        lines.push(format!("and {hidden} more"));
    }
    lines.join("\n")
}

/// The last lines of a log, to be shown below a failure.
pub(crate) fn tail(lines: &[String]) -> String {
    let from = lines.len().saturating_sub(SHOWN_LINES);
    let mut text = String::from("its log ends:");
    for line in &lines[from..] {
        text.push_str("\n  | ");
        text.push_str(line);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_of_every_frame_is_shown_once() {
        let mut problems = vec!["ERROR: a".to_owned(); 3];
        problems.push("ERROR: b".to_owned());
        assert_eq!(summary(&problems), "ERROR: a (3 times)\nERROR: b");
    }

    #[test]
    fn the_list_of_problems_is_short() {
        let problems: Vec<String> = (0..SHOWN_PROBLEMS + 5).map(|n| n.to_string()).collect();
        let text = summary(&problems);
        assert_eq!(text.lines().count(), SHOWN_PROBLEMS + 1);
        assert!(text.ends_with("and 5 more"));
    }

    #[test]
    fn a_run_with_a_warning_fails() {
        let run = |line: &str| Ended {
            problems: Vec::new(),
            lines: vec![line.to_owned()],
        };
        assert!(judge(run("all is well")).is_ok());
        assert!(judge(run("WARNING: x")).is_err());
    }
}
