//! Runs a project in Godot and judges the run: exit code, log, what it leaves behind.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use crate::child::{ChildProcess, Ended};
use crate::{defaults, files, log_scan, paths};

/// The oldest Godot that the extension is built for (`api-4-3` in Cargo.toml).
pub const OLDEST: (u32, u32) = (4, 3);

/// `godot --version` answers in well under a second, the first start from a cold disk in a few.
const VERSION_ANSWER: Duration = Duration::from_secs(30);

/// How many lines of a failed run's log are shown.
const SHOWN_LINES: usize = 40;

/// How many different problems of a failed run are shown.
const SHOWN_PROBLEMS: usize = 20;

/// A Godot that was seen to run.
#[derive(Clone, Debug)]
pub struct Godot {
    /// The executable.
    pub executable: PathBuf,
    /// What `--version` prints.
    pub version: String,
}

impl Godot {
    /// Runs `--version` and judges the answer.
    ///
    /// # Errors
    /// It does not run, is no Godot, or an older one than [`OLDEST`].
    pub fn at(executable: &Path) -> Result<Self> {
        let shown = executable.display();
        let mut command = Command::new(executable);
        let mut process = ChildProcess::start("godot --version", command.arg("--version"))?;
        let until = Instant::now() + VERSION_ANSWER;
        let found = process.wait_for_line(until, |line| {
            parse_version(line).map(|number| (number, line.trim().to_owned()))
        });
        let (number, version) = match found {
            Ok(found) => found,
            Err(error) => {
                let said = process.finish(Duration::ZERO).lines.join(" ");
                bail!("{shown} tells no Godot version ({error}) {said}");
            }
        };
        if number < OLDEST {
            let (major, minor) = OLDEST;
            bail!("{shown} is Godot {version}, but {major}.{minor} or newer is needed");
        }
        Ok(Self {
            executable: executable.to_path_buf(),
            version,
        })
    }

    /// Returns a command for a Godot that draws nothing, on `project`.
    ///
    /// Its settings and user data are the tests' own, so that those of the person at this machine
    /// neither change nor count.
    pub fn headless(&self, project: &Path) -> Result<Command> {
        let mut command = self.window(project);
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

    /// Returns a command for a Godot with a window, on `project`.
    pub fn window(&self, project: &Path) -> Command {
        let mut command = Command::new(&self.executable);
        command
            .arg("--path")
            .arg(project)
            // A test that starts a Godot of its own must not start a loader instead, which is what
            // Debian's copy takes for its own executable.
            .env("GODOT4_BIN", &self.executable)
            .env("RUST_BACKTRACE", "1")
            .env_remove("RUST_LOG");
        command
    }

    /// Lets the editor import a project, as it does when a developer opens it.
    pub fn import(&self, project: &Path) -> Result<()> {
        let mut command = self.headless(project)?;
        let process = ChildProcess::start("import", command.arg("--import"))?;
        finish(process, defaults::IMPORT)
    }
}

/// Returns the first two numbers of a version such as `4.6.3.stable.official.0a1b2c3d4`.
fn parse_version(line: &str) -> Option<(u32, u32)> {
    let mut parts = line.trim().split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.split('-').next()?.parse().ok()?;
    Some((major, minor))
}

/// Waits for a game's end.
pub fn finish(process: ChildProcess, limit: Duration) -> Result<()> {
    judge(process.finish(limit))
}

/// Judges a run by its end and its log.
///
/// # Errors
/// All that was wrong with it, and the end of its log.
pub fn judge(ended: Ended) -> Result<()> {
    let mut problems = ended.problems;
    problems.extend(log_scan::scan(ended.lines.iter().map(String::as_str)));
    if problems.is_empty() {
        return Ok(());
    }
    bail!("{}\n{}", summary(&problems), tail(&ended.lines));
}

/// Returns the problems without those that come again each frame.
fn summary(problems: &[String]) -> String {
    let mut counted: Vec<(&str, usize)> = Vec::new();
    for problem in problems {
        match counted.iter_mut().find(|(text, _)| text == problem) {
            Some((_, count)) => *count += 1,
            None => counted.push((problem, 1)),
        }
    }
    let hidden = counted.len().saturating_sub(SHOWN_PROBLEMS);
    let shown = counted.into_iter().take(SHOWN_PROBLEMS);
    let mut lines: Vec<String> = shown
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

/// Returns the last lines of a log, to be shown below a failure.
pub fn tail(lines: &[String]) -> String {
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
    fn versions_are_read() {
        assert_eq!(parse_version("4.6.3.stable.debian4.6.3+ds-3"), Some((4, 6)));
        assert_eq!(
            parse_version("4.3.stable.official.77dcf97d8\n"),
            Some((4, 3))
        );
        assert_eq!(parse_version("3.5.2.stable.custom_build"), Some((3, 5)));
        assert_eq!(parse_version("4.10.rc1"), Some((4, 10)));
        assert_eq!(parse_version("Godot Engine"), None);
        assert_eq!(parse_version(""), None);
        assert!((4, 10) > OLDEST && (3, 5) < OLDEST);
    }

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
