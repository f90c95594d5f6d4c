//! The soak beside other tests: in a process of its own, nice to them, and told at their end.

use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::NAME;
use crate::cargo::Profile;
use crate::defaults;
use crate::process::Game;
use crate::report::Report;
use crate::server::Server;

/// A soak that is going on; dropping it ends it.
pub(crate) struct Soak {
    game: Game,
    minutes: u32,
}

/// Begins it, unless the filter leaves it out or it cannot begin, which is told.
pub(crate) fn begin(report: &mut Report, minutes: u32) -> Option<Soak> {
    if !report.wants(NAME) {
        return None;
    }
    match start(minutes) {
        Ok(game) => {
            println!("{NAME} goes on for {minutes} minutes beside the other tests");
            Some(Soak { game, minutes })
        }
        Err(error) => {
            report.record(NAME, "", Err(error));
            None
        }
    }
}

fn start(minutes: u32) -> Result<Game> {
    let server = Server::build(Profile::Debug)?;
    let us = std::env::current_exe().context("where this program is")?;
    let mut command = Command::new(us);
    command
        .args(["soak", "--nice", "--minutes", &minutes.to_string()])
        .arg("--server")
        .arg(server);
    Game::start("soak", &mut command)
}

impl Soak {
    /// Waits for its end, and tells what it found.
    pub(crate) fn finish(self, report: &mut Report) {
        let usual = defaults::SOAK_MINUTES;
        let remark = match self.minutes {
            minutes if minutes < usual => format!("shortened to {minutes} of {usual} minutes"),
            minutes => format!("{minutes} minutes"),
        };
        let result = self.result();
        report.record(NAME, &remark, result);
    }

    fn result(self) -> Result<()> {
        let time = Duration::from_secs(60) * self.minutes;
        let left = (time + defaults::SOAK_OVERTIME).saturating_sub(self.game.age());
        let ended = self.game.finish(left);
        for line in &ended.lines {
            println!("    {line}");
        }
        if !ended.problems.is_empty() {
            bail!("{}", ended.problems.join("\n"));
        }
        Ok(())
    }
}
