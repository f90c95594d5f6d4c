//! Godot processes as players, on machines of the lab, that follow commands.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use noray_testkit::child::{ChildProcess, NoLine};
use noray_testkit::defaults::GAME_EXIT;
use noray_testkit::files;
use noray_testkit::godot;

use crate::defaults;

/// A running player.
pub(crate) struct Player {
    /// Its process and log.
    pub(crate) process: ChildProcess,
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

impl Player {
    /// Starts a player whose commands come in the folder `control`, and does not wait for it.
    pub(crate) fn start(
        name: &str,
        command: &mut Command,
        control: PathBuf,
        log: &Path,
    ) -> Result<Self> {
        Ok(Self {
            process: ChildProcess::start_logged(name, command, log)?,
            reported: Vec::new(),
            control,
            commands: 0,
            quitting: false,
        })
    }

    /// Waits until it takes commands.
    pub(crate) fn ready(&mut self) -> Result<()> {
        let until = Instant::now() + defaults::PLAYER_START;
        let is_ready = |lines: &[String]| lines.iter().any(|line| line == "ready").then_some(());
        self.wait(until, is_ready)
            .with_context(|| format!("{} does not start", self.process.name()))
    }

    /// Gives a command and waits for its answer, which may be that it failed.
    pub(crate) fn ask(&mut self, command: &str, limit: Duration) -> Result<Answer> {
        let asked = self.tell(command)?;
        self.answer(&asked, limit)
    }

    /// Gives a command and fails when it does.
    pub(crate) fn must(&mut self, command: &str, limit: Duration) -> Result<Answer> {
        let answer = self.ask(command, limit)?;
        ensure!(
            answer.ok,
            "{}: {command}: {}",
            self.process.name(),
            answer.line
        );
        Ok(answer)
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
        let answer = |lines: &[String]| {
            let mut lines = lines.iter().rev();
            lines.find_map(|line| line.strip_prefix(&mark).map(Answer::read))
        };
        self.wait(Instant::now() + limit, answer)
            .with_context(|| format!("{} does not answer", self.process.name()))
    }

    /// Waits for an event of the `wanted` kind among those reported since `from`.
    pub(crate) fn event(
        &mut self,
        from: usize,
        limit: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<()> {
        self.wait(Instant::now() + limit, |lines| {
            let mut events = lines.get(from..)?.iter();
            let is_it = |line: &String| line.strip_prefix("event ").is_some_and(&wanted);
            events.any(is_it).then_some(())
        })
        .with_context(|| format!("{} does not tell it", self.process.name()))
    }

    /// Returns how many lines it has reported so far: a place for [`Self::event`] to begin at.
    pub(crate) fn reported(&mut self) -> usize {
        // Takes in what is there.
        let _ = self.wait(Instant::now(), |_| None::<()>);
        self.reported.len()
    }

    /// Tells it to end, so that several can do so at once; [`Self::quit`] then waits.
    fn begin_to_quit(&mut self) {
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
        let name = self.process.name().to_owned();
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
            NoLine::TimedOut => error.into(),
            NoLine::Ended => {
                let log = godot::tail(&self.process.lines_from(0));
                anyhow!("its process has ended; {log}")
            }
        })
    }
}

/// Lets players end, all at once, and fails with all that was wrong with their runs.
pub(crate) fn quit_all(mut players: Vec<Player>) -> Result<()> {
    for player in &mut players {
        player.begin_to_quit();
    }
    let problems: Vec<String> = players
        .into_iter()
        .filter_map(|player| Some(format!("{:#}", player.quit().err()?)))
        .collect();
    ensure!(problems.is_empty(), "{}", problems.join("\n"));
    Ok(())
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
