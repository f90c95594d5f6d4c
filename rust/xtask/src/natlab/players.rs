//! Godot processes as players, on machines of the lab, who do what they are told.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use super::tools::Tools;
use super::topology::Machine;
use crate::godot::Godot;
use crate::process::{Game, Missed};
use crate::{defaults, engine, files};

/// How a player meets others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum PathKind {
    /// `Noray.host()` and `Noray.join()`.
    Call,
    /// The guide's plain flow.
    Plain,
}

/// What players are started with.
pub(super) struct Players<'a> {
    /// The Godot that they run in.
    pub godot: &'a Godot,
    /// The programs that work on namespaces.
    pub tools: &'a Tools,
    /// The folder for their commands.
    pub folder: PathBuf,
    /// The folder for their logs.
    pub logs: PathBuf,
}

/// A running player.
pub(super) struct Player {
    game: Game,
    read: usize,
    /// The lines that answer or tell something, without their mark.
    told: Vec<String>,
    control: PathBuf,
    commands: usize,
    quitting: bool,
}

/// A command's answer.
pub(super) struct Answer {
    /// Whether it went well.
    pub ok: bool,
    values: BTreeMap<String, String>,
    line: String,
}

/// A command that was given and is not answered yet.
pub(super) struct Asked(usize);

impl Players<'_> {
    /// Starts a player and does not wait for it. `project` has been imported.
    pub(super) fn start(
        &self,
        name: &str,
        machine: &Machine,
        project: &Path,
        way: PathKind,
        frames: u32,
    ) -> Result<Player> {
        let control = self.folder.join(name);
        files::remove_folder(&control)?;
        files::create_folder(&control)?;
        let mut command = engine::headless(self.godot, project)?;
        command
            .arg("--")
            .arg("--control")
            .arg(&control)
            .args(["--fps", &frames.to_string()])
            .args([
                "--way",
                match way {
                    PathKind::Call => "call",
                    PathKind::Plain => "plain",
                },
            ]);
        let mut command = self.tools.moved(&machine.namespace, &command);
        Ok(Player {
            game: Game::start_logged(name, &mut command, &self.logs.join(format!("{name}.log")))?,
            read: 0,
            told: Vec::new(),
            control,
            commands: 0,
            quitting: false,
        })
    }
}

impl Player {
    /// The name given at the start.
    pub(super) fn name(&self) -> &str {
        self.game.name()
    }

    /// The id of its process.
    pub(super) fn process(&self) -> u32 {
        self.game.id()
    }

    /// Waits until it can be told something.
    pub(super) fn ready(&mut self) -> Result<()> {
        let until = Instant::now() + defaults::PLAYER_START;
        self.wait(until, |lines| {
            lines.iter().any(|line| line == "ready").then_some(())
        })
        .with_context(|| format!("{} does not start", self.name()))
    }

    /// Gives a command and waits for its answer, which may be that it failed.
    pub(super) fn ask(&mut self, command: &str, limit: Duration) -> Result<Answer> {
        let asked = self.tell(command)?;
        self.answer(&asked, limit)
    }

    /// Gives a command and fails when it does.
    pub(super) fn must(&mut self, command: &str, limit: Duration) -> Result<Answer> {
        let answer = self.ask(command, limit)?;
        if answer.ok {
            Ok(answer)
        } else {
            bail!("{}: {command}: {}", self.name(), answer.line)
        }
    }

    /// Gives a command.
    pub(super) fn tell(&mut self, command: &str) -> Result<Asked> {
        self.commands += 1;
        let file = self.control.join(self.commands.to_string());
        files::write(&file, command.as_bytes())?;
        Ok(Asked(self.commands))
    }

    /// Waits for the answer to a command.
    pub(super) fn answer(&mut self, asked: &Asked, limit: Duration) -> Result<Answer> {
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

    /// Waits for an event that begins with `start` among those told since `from`. Returns the
    /// rest of the line.
    pub(super) fn event(&mut self, start: &str, from: usize, limit: Duration) -> Result<String> {
        self.event_that(from, limit, |line| line.starts_with(start))
            .map(|line| line.trim_start_matches(start).trim().to_owned())
            .with_context(|| format!("{} does not tell: {start}", self.name()))
    }

    /// Waits for an event of the `wanted` kind among those told since `from`.
    pub(super) fn event_that(
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

    /// How many lines it has told so far; a place for [`Self::event`] to begin at.
    pub(super) fn told(&mut self) -> usize {
        // Takes in what is there.
        let _ = self.wait(Instant::now(), |_| None::<()>);
        self.told.len()
    }

    /// A place in its log.
    pub(super) fn log_position(&self) -> usize {
        self.game.line_count()
    }

    /// Its log from a place on.
    pub(super) fn log_from(&self, from: usize) -> Vec<String> {
        self.game.lines_from(from)
    }

    /// Tells it to end, so that several can do so at once; [`Self::quit`] then waits.
    pub(super) fn begin_to_quit(&mut self) {
        // One that cannot be told is seen by `quit`, since it does not end.
        self.quitting = self.quitting || self.tell("quit").is_ok();
    }

    /// Lets it end, and fails with all that was wrong with its run.
    pub(super) fn quit(self) -> Result<()> {
        self.quit_despite(None)
    }

    /// As [`Self::quit`], but lines of its log with `warning` in them are right, expected or not.
    pub(super) fn quit_despite(mut self, warning: Option<&str>) -> Result<()> {
        self.begin_to_quit();
        let name = self.name().to_owned();
        let mut ended = self.game.finish(defaults::GAME_EXIT);
        if let Some(warning) = warning {
            ended
                .lines
                .retain(|line| !line.contains(warning) && !line.starts_with("[expect] "));
        }
        engine::judge(ended).with_context(|| name)
    }

    fn wait<T>(
        &mut self,
        until: Instant,
        mut wanted: impl FnMut(&[String]) -> Option<T>,
    ) -> Result<T> {
        if let Some(found) = wanted(&self.told) {
            return Ok(found);
        }
        let told = &mut self.told;
        let found = self.game.wait_for(&mut self.read, until, |line| {
            told.push(line.strip_prefix("[lab] ")?.to_owned());
            wanted(told)
        });
        found.map_err(|missed| match missed {
            Missed::Ended => anyhow!(
                "its process has ended; {}",
                engine::tail(&self.game.lines_from(0))
            ),
            Missed::TimeOut => anyhow!("{missed}"),
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

    /// A value.
    pub(super) fn word(&self, key: &str) -> Result<&str> {
        self.values
            .get(key)
            .map(String::as_str)
            .with_context(|| format!("there is no {key} in: {}", self.line))
    }

    /// A value that is a number.
    pub(super) fn number(&self, key: &str) -> Result<f64> {
        let word = self.word(key)?;
        word.parse()
            .with_context(|| format!("{key}={word} is no number"))
    }

    /// How long what was asked for took.
    pub(super) fn time(&self) -> Result<Duration> {
        Ok(Duration::from_secs_f64(self.number("usec")?.max(0.0) / 1e6))
    }

    /// What is said about it, if anything.
    pub(super) fn text(&self) -> &str {
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
