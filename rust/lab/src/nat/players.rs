//! Godot processes as players, on machines of the lab, that follow commands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use noray_testkit::child::{ChildProcess, NoLine};
use noray_testkit::defaults::GAME_EXIT;
use noray_testkit::files;
use noray_testkit::godot::{self, Godot};

use crate::defaults;
use crate::nat::kinds::Flow;
use crate::nat::namespaces::Namespaces;
use crate::nat::network::Machine;

/// What players are started with.
pub(crate) struct Players<'a> {
    /// The Godot that they run in.
    pub(crate) godot: &'a Godot,
    /// What they are moved to their machines with.
    pub(crate) namespaces: &'a Namespaces,
    /// The folder for their commands.
    pub(crate) folder: PathBuf,
    /// The folder for their logs.
    pub(crate) logs: PathBuf,
}

/// A running player.
pub(crate) struct Player {
    process: ChildProcess,
    /// The lines that answer or report something, without their mark.
    reported: Vec<String>,
    control: PathBuf,
    commands: usize,
    quitting: bool,
}

/// A command's answer.
pub(crate) struct Answer {
    /// Whether it went well.
    pub(crate) ok: bool,
    values: BTreeMap<String, String>,
    line: String,
}

/// A command that was given and is not answered yet.
pub(crate) struct Asked(usize);

impl Players<'_> {
    /// Starts a player and does not wait for it. `project` has been imported.
    pub(crate) fn start(
        &self,
        name: &str,
        machine: &Machine,
        project: &Path,
        flow: Flow,
        frames: u32,
    ) -> Result<Player> {
        let control = self.folder.join(name);
        files::remove_folder(&control)?;
        files::create_folder(&control)?;
        let mut command = self.godot.headless(project)?;
        command
            .arg("--")
            .arg("--control")
            .arg(&control)
            .args(["--fps", &frames.to_string()])
            .args([
                "--flow",
                match flow {
                    Flow::Calls => "call",
                    Flow::Plain => "plain",
                },
            ]);
        let mut command = self.namespaces.moved(&machine.namespace, &command);
        let log = self.logs.join(format!("{name}.log"));
        Ok(Player {
            process: ChildProcess::start_logged(name, &mut command, &log)?,
            reported: Vec::new(),
            control,
            commands: 0,
            quitting: false,
        })
    }
}

impl Player {
    /// Returns the name given at the start.
    pub(crate) fn name(&self) -> &str {
        self.process.name()
    }

    /// Returns the id of its process.
    pub(crate) fn process(&self) -> u32 {
        self.process.id()
    }

    /// Waits until it takes commands.
    pub(crate) fn ready(&mut self) -> Result<()> {
        let until = Instant::now() + defaults::PLAYER_START;
        self.wait(until, |lines| {
            lines.iter().any(|line| line == "ready").then_some(())
        })
        .with_context(|| format!("{} does not start", self.name()))
    }

    /// Gives a command and waits for its answer, which may be that it failed.
    pub(crate) fn ask(&mut self, command: &str, limit: Duration) -> Result<Answer> {
        let asked = self.tell(command)?;
        self.answer(&asked, limit)
    }

    /// Gives a command and fails when it does.
    pub(crate) fn must(&mut self, command: &str, limit: Duration) -> Result<Answer> {
        let answer = self.ask(command, limit)?;
        if answer.ok {
            Ok(answer)
        } else {
            bail!("{}: {command}: {}", self.name(), answer.line)
        }
    }

    /// Gives a command.
    pub(crate) fn tell(&mut self, command: &str) -> Result<Asked> {
        self.commands += 1;
        let file = self.control.join(self.commands.to_string());
        files::write(&file, command.as_bytes())?;
        Ok(Asked(self.commands))
    }

    /// Waits for the answer to a command.
    pub(crate) fn answer(&mut self, asked: &Asked, limit: Duration) -> Result<Answer> {
        let mark = format!("{} ", asked.0);
        self.wait(Instant::now() + limit, |lines| {
            lines
                .iter()
                .rev()
                .find_map(|line| line.strip_prefix(&mark))
                .map(Answer::read)
        })
        .with_context(|| format!("{} does not answer", self.name()))
    }

    /// Waits for an event that begins with `start` among those reported since `from`. Returns the
    /// rest of the line.
    pub(crate) fn event(&mut self, start: &str, from: usize, limit: Duration) -> Result<String> {
        self.event_that(from, limit, |line| line.starts_with(start))
            .map(|line| line.trim_start_matches(start).trim().to_owned())
            .with_context(|| format!("{} does not tell: {start}", self.name()))
    }

    /// Waits for an event of the `wanted` kind among those reported since `from`.
    pub(crate) fn event_that(
        &mut self,
        from: usize,
        limit: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<String> {
        self.wait(Instant::now() + limit, |lines| {
            lines
                .get(from..)?
                .iter()
                .filter_map(|line| line.strip_prefix("event "))
                .find(|line| wanted(line))
                .map(str::to_owned)
        })
    }

    /// Returns how many lines it has reported so far: a place for [`Self::event`] to begin at.
    pub(crate) fn reported(&mut self) -> usize {
        // Takes in what is there.
        let _ = self.wait(Instant::now(), |_| None::<()>);
        self.reported.len()
    }

    /// Returns how many lines its log has.
    pub(crate) fn log_position(&self) -> usize {
        self.process.line_count()
    }

    /// Returns its log from the `from`-th line on.
    pub(crate) fn log_from(&self, from: usize) -> Vec<String> {
        self.process.lines_from(from)
    }

    /// Tells it to end, so that several can do so at once; [`Self::quit`] then waits.
    pub(crate) fn begin_to_quit(&mut self) {
        // `quit` notices one that takes no command: it does not end.
        self.quitting = self.quitting || self.tell("quit").is_ok();
    }

    /// Lets it end, and fails with all that was wrong with its run.
    pub(crate) fn quit(self) -> Result<()> {
        self.quit_despite(None)
    }

    /// As [`Self::quit`], but lines of its log with `warning` in them are right, expected or not.
    pub(crate) fn quit_despite(mut self, warning: Option<&str>) -> Result<()> {
        self.begin_to_quit();
        let name = self.name().to_owned();
        let mut ended = self.process.finish(GAME_EXIT);
        if let Some(warning) = warning {
            ended
                .lines
                .retain(|line| !line.contains(warning) && !line.starts_with("[expect] "));
        }
        godot::judge(ended).with_context(|| name)
    }

    fn wait<T>(
        &mut self,
        until: Instant,
        mut wanted: impl FnMut(&[String]) -> Option<T>,
    ) -> Result<T> {
        if let Some(found) = wanted(&self.reported) {
            return Ok(found);
        }
        let reported = &mut self.reported;
        let found = self.process.wait_for_line(until, |line| {
            reported.push(line.strip_prefix("[lab] ")?.to_owned());
            wanted(reported)
        });
        found.map_err(|error| match error {
            NoLine::Ended => anyhow!(
                "its process has ended; {}",
                godot::tail(&self.process.lines_from(0))
            ),
            NoLine::TimedOut => anyhow!("{error}"),
        })
    }
}

impl Answer {
    fn read(line: &str) -> Self {
        let (state, mut rest) = line.split_once(' ').unwrap_or((line, ""));
        let mut values = BTreeMap::new();
        while let Some((key, after)) = rest.trim_start().split_once('=') {
            // The text may hold anything.
            let (value, left) = match key {
                "text" => (after, ""),
                _ => after.split_once(' ').unwrap_or((after, "")),
            };
            values.insert(key.to_owned(), value.to_owned());
            rest = left;
        }
        Self {
            ok: state == "ok",
            values,
            line: line.to_owned(),
        }
    }

    /// Returns a value.
    pub(crate) fn word(&self, key: &str) -> Result<&str> {
        self.values
            .get(key)
            .map(String::as_str)
            .with_context(|| format!("there is no {key} in: {}", self.line))
    }

    /// Returns a value that is a number.
    pub(crate) fn number(&self, key: &str) -> Result<f64> {
        let word = self.word(key)?;
        word.parse()
            .with_context(|| format!("{key}={word} is no number"))
    }

    /// Returns how long what was asked for took.
    pub(crate) fn time(&self) -> Result<Duration> {
        Ok(Duration::from_secs_f64(self.number("usec")?.max(0.0) / 1e6))
    }

    /// Returns what is said about it, if anything.
    pub(crate) fn text(&self) -> &str {
        self.values.get("text").map_or("", String::as_str)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let answer = Answer::read("ok usec=1500 path=direct address=203.0.113.1:9");
        assert!(answer.ok);
        assert_eq!(answer.time().unwrap(), Duration::from_micros(1500));
        assert_eq!(answer.word("path").unwrap(), "direct");
        assert!(answer.word("text").is_err());

        let answer = Answer::read("failed usec=3 code=24 text=Timeout: a=b c");
        assert!(!answer.ok);
        assert_eq!(answer.text(), "Timeout: a=b c");
        assert!(Answer::read("ok").ok);
    }
}
