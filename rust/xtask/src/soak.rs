//! Starts the soak, by itself or beside other tests.

use std::ffi::OsString;
use std::time::Duration;

use anyhow::{Result, ensure};
use noray_testkit::child::ChildProcess;
use noray_testkit::report::Report;
use noray_testkit::tool;

use crate::cargo::Profile;
use crate::{defaults, program};

/// Its name among the tests.
const NAME: &str = "server::soak";

/// Runs the soak, with a server as players get it.
pub(crate) fn run(arguments: &[OsString]) -> Result<()> {
    let mut command = program::command("noray-soak")?;
    command.args(arguments);
    if !program::is_help(arguments) {
        let server = program::build("noray-server", Profile::Release)?;
        command.arg("--server").arg(server);
    }
    tool::run_on_terminal(&mut command)
}

/// A soak beside other tests; dropping it ends it.
pub(crate) struct Soak {
    process: Result<ChildProcess>,
    minutes: u32,
}

/// Starts it, unless the filter leaves it out or this system cannot run it.
pub(crate) fn begin(report: &mut Report, minutes: u32) -> Option<Soak> {
    if !cfg!(target_os = "linux") {
        report.skip(NAME, "it needs Linux's /proc");
        return None;
    }
    report.wants(NAME).then(|| {
        println!("{NAME} runs for {minutes} minutes beside the other tests");
        let process = start(minutes);
        Soak { process, minutes }
    })
}

fn start(minutes: u32) -> Result<ChildProcess> {
    let mut command = program::command("noray-soak")?;
    command.args(["--nice", "--minutes", &minutes.to_string()]);
    let server = program::build("noray-server", Profile::Debug)?;
    ChildProcess::start("soak", command.arg("--server").arg(server))
}

impl Soak {
    /// Waits for its end, and reports what it found.
    pub(crate) fn finish(self, report: &mut Report) {
        let usual = defaults::SOAK_MINUTES;
        let remark = match self.minutes {
            minutes if minutes < usual => format!("shortened to {minutes} of {usual} minutes"),
            minutes => format!("{minutes} minutes"),
        };
        report.record(NAME, &remark, self.result());
    }

    fn result(self) -> Result<()> {
        let time = Duration::from_secs(60) * self.minutes + defaults::SOAK_OVERTIME;
        let process = self.process?;
        let left = time.saturating_sub(process.age());
        let ended = process.finish(left);
        for line in &ended.lines {
            println!("    {line}");
        }
        ensure!(ended.problems.is_empty(), "{}", ended.problems.join("\n"));
        Ok(())
    }
}
