//! A program in a process group of its own (a process tree on Windows), with its output captured.

use std::fs::File;
use std::io::{BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::interrupt::{self, lock};
use crate::{defaults, output, system};

/// When the first log file was opened: the times in log files count from it.
static FIRST_LOG: OnceLock<Instant> = OnceLock::new();

/// Which of the two outputs a line came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Stream {
    Out,
    Err,
}

/// Everything that a process printed.
#[derive(Default)]
struct Log {
    state: Mutex<LogState>,
    changed: Condvar,
}

#[derive(Default)]
struct LogState {
    lines: Vec<(Stream, String)>,
    closed: usize,
    overflow: bool,
    file: Option<File>,
}

/// A running program. It and all that it started are killed when this is dropped.
pub struct ChildProcess {
    name: String,
    child: Child,
    log: Arc<Log>,
    /// The lines that [`Self::wait_for_line`] has looked at.
    read: usize,
    started: Instant,
}

/// How a process ended.
pub struct Ended {
    /// What was wrong with the end, a sentence each; the log is not judged.
    pub problems: Vec<String>,
    /// All that it printed; standard output first.
    pub lines: Vec<String>,
}

/// Why a line did not come.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum NoLine {
    /// The process ended first.
    #[error("the process ended first")]
    Ended,
    /// The time was up.
    #[error("the time was up")]
    TimedOut,
}

impl ChildProcess {
    /// Starts `command` as `name`, with captured output and nothing to read.
    pub fn start(name: &str, command: &mut Command) -> Result<Self> {
        Self::start_with(name, command, Log::default())
    }

    /// As [`Self::start`]; each line also goes to `file`, behind the seconds since the first such
    /// file was opened.
    pub fn start_logged(name: &str, command: &mut Command, file: &Path) -> Result<Self> {
        let file = File::create(file).with_context(|| format!("{}", file.display()))?;
        let log = Log::default();
        lock(&log.state).file = Some(file);
        Self::start_with(name, command, log)
    }

    fn start_with(name: &str, command: &mut Command, log: Log) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        system::lead_a_group(command);
        let mut child = interrupt::spawn_listed(command, true)?;
        let log = Arc::new(log);
        if let Some(pipe) = child.stdout.take() {
            keep_lines(pipe, Stream::Out, log.clone());
        }
        if let Some(pipe) = child.stderr.take() {
            keep_lines(pipe, Stream::Err, log.clone());
        }
        Ok(Self {
            name: name.to_owned(),
            child,
            log,
            read: 0,
            started: Instant::now(),
        })
    }

    /// Returns the name given at the start.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Returns the process's id.
    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// Returns the time since the start.
    pub fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// Returns how many lines it has printed so far.
    pub fn line_count(&self) -> usize {
        lock(&self.log.state).lines.len()
    }

    /// Returns what it printed from the `from`-th line on, both outputs as they came.
    pub fn lines_from(&self, from: usize) -> Vec<String> {
        let state = lock(&self.log.state);
        let lines = state.lines.iter().skip(from);
        lines.map(|(_, line)| line.clone()).collect()
    }

    /// Waits for a line on standard output, behind those read so far, that `wanted` makes
    /// something of, and returns that.
    ///
    /// # Errors
    /// The process ended or the time was up before such a line came.
    pub fn wait_for_line<T>(
        &mut self,
        until: Instant,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, NoLine> {
        let log = self.log.clone();
        let mut state = lock(&log.state);
        let mut ended: Option<Instant> = None;
        loop {
            while let Some((stream, line)) = state.lines.get(self.read) {
                self.read += 1;
                if *stream == Stream::Out
                    && let Some(found) = wanted(line)
                {
                    return Ok(found);
                }
            }
            if state.closed == 2 {
                return Err(NoLine::Ended);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(NoLine::TimedOut);
            }
            (state, _) = log
                .changed
                .wait_timeout(state, left.min(defaults::POLL))
                .unwrap_or_else(PoisonError::into_inner);
            // A child of an ended process may hold the pipes open, but not for ever.
            if self.has_ended()
                && ended.get_or_insert_with(Instant::now).elapsed() > defaults::LEFTOVERS
            {
                return Err(NoLine::Ended);
            }
        }
    }

    /// Returns whether the process is gone.
    pub fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits for the end.
    ///
    /// # Errors
    /// The process still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Result<ExitStatus> {
        if !holds_within(limit, || self.has_ended()) {
            bail!("it did not end in time, {:.0?} after its start", self.age());
        }
        self.child.wait().context("cannot wait for it")
    }

    /// Sends a signal to the process, by its name without `SIG`.
    #[cfg(unix)]
    pub fn signal(&self, name: &str) -> Result<()> {
        let id = self.id().to_string();
        crate::tool::run(Command::new("kill").args(["-s", name, &id]))
    }

    /// Asks the process to end, without waiting for it.
    pub fn ask_to_end(&self) {
        system::ask_to_end(self.id());
    }

    /// Ends it at once, as a crash would, and returns what it printed; standard output first.
    pub fn kill(mut self) -> Vec<String> {
        self.sweep();
        self.printed()
    }

    /// Ends a server: asks first, then kills it. Returns what it printed; standard output first.
    ///
    /// Its exit code does not count, since a server may not handle the request to end.
    pub fn stop(mut self) -> Vec<String> {
        self.ask_to_end();
        let _ = self.wait(defaults::POLITE_END);
        self.sweep();
        self.printed()
    }

    /// Waits for the end, for `limit` at the most, and looks whether it left anything behind.
    pub fn finish(mut self, limit: Duration) -> Ended {
        let mut problems = Vec::new();
        match self.wait(limit) {
            Ok(status) if status.success() => {}
            Ok(status) => problems.push(format!("it ended with {status}")),
            Err(error) => problems.push(format!("{error:#}")),
        }
        let id = self.id();
        let is_group_gone = || !system::group_lives(id);
        if self.has_ended() && !holds_within(defaults::LEFTOVERS, is_group_gone) {
            problems.push("it left a process behind".to_owned());
        }
        self.sweep();
        if lock(&self.log.state).overflow {
            problems.push("it printed too much to keep".to_owned());
        }
        Ended {
            problems,
            lines: self.printed(),
        }
    }

    /// Kills whatever is left and waits until the output is read.
    fn sweep(&mut self) {
        system::kill_group(self.id());
        let _ = self.child.kill();
        let _ = self.child.wait();
        interrupt::forget(self.id());
        let Log { state, changed } = &*self.log;
        let is_open = |state: &mut LogState| state.closed < 2;
        let _ = changed.wait_timeout_while(lock(state), defaults::LEFTOVERS, is_open);
    }

    fn printed(&self) -> Vec<String> {
        let state = lock(&self.log.state);
        [Stream::Out, Stream::Err]
            .iter()
            .flat_map(|wanted| state.lines.iter().filter(move |(from, _)| from == wanted))
            .map(|(_, line)| line.clone())
            .collect()
    }
}

impl Drop for ChildProcess {
    fn drop(&mut self) {
        if interrupt::forget(self.id()) {
            self.sweep();
        }
    }
}

/// Returns whether the condition comes to hold in time.
fn holds_within(limit: Duration, mut condition: impl FnMut() -> bool) -> bool {
    let until = Instant::now() + limit;
    while !condition() {
        if Instant::now() >= until {
            return false;
        }
        thread::sleep(defaults::POLL);
    }
    true
}

fn keep_lines(pipe: impl Read + Send + 'static, stream: Stream, log: Arc<Log>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        while let Some((line, cut)) = output::next_line(&mut reader) {
            let mut state = lock(&log.state);
            if let Some(file) = &mut state.file {
                let seconds = FIRST_LOG.get_or_init(Instant::now).elapsed().as_secs_f64();
                // A full disk must not end the process.
                let _ = writeln!(file, "{seconds:9.3} {line}");
            }
            state.overflow |= cut;
            if state.lines.len() < defaults::LOG_LINES {
                state.lines.push((stream, line));
            } else {
                state.overflow = true;
            }
            drop(state);
            log.changed.notify_all();
        }
        lock(&log.state).closed += 1;
        log.changed.notify_all();
    });
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> ChildProcess {
        ChildProcess::start("test", Command::new("sh").args(["-c", script])).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn lines_come_in_order_and_the_end_is_clean() {
        let mut child = shell("echo one; echo two >&2; echo three");
        let three = child.wait_for_line(soon(), |line| (line == "three").then_some(3));
        assert_eq!(three.unwrap(), 3);
        let ended = child.finish(Duration::from_secs(5));
        assert_eq!(ended.problems, Vec::<String>::new());
        assert_eq!(ended.lines, ["one", "three", "two"]);
    }

    #[test]
    fn an_exit_code_is_a_problem() {
        let ended = shell("exit 3").finish(Duration::from_secs(5));
        assert_eq!(ended.problems, ["it ended with exit status: 3"]);
    }

    #[test]
    fn a_line_that_never_comes_is_missed() {
        let mut child = shell("echo other; exec sleep 100");
        let until = Instant::now() + Duration::from_millis(300);
        let missed = child.wait_for_line(until, |line| (line == "line").then_some(()));
        assert!(matches!(missed, Err(NoLine::TimedOut)));
        for script in ["echo other", "sleep 100 & echo other"] {
            let mut child = shell(script);
            let missed = child.wait_for_line(soon(), |line| (line == "line").then_some(()));
            assert!(matches!(missed, Err(NoLine::Ended)));
        }
    }

    #[test]
    fn a_process_that_hangs_is_killed_and_reported() {
        let ended = shell("exec sleep 100").finish(Duration::from_millis(100));
        assert_eq!(ended.problems.len(), 1);
        assert!(ended.problems[0].contains("did not end in time"));
    }

    #[test]
    fn a_process_left_behind_is_killed_and_reported() {
        let mut child = shell("sleep 100 & echo $!");
        let left: u32 = child
            .wait_for_line(soon(), |line| line.parse().ok())
            .unwrap();
        let ended = child.finish(Duration::from_secs(5));
        assert_eq!(ended.problems, ["it left a process behind"]);
        // Whoever inherits it may take a moment to collect it.
        let stat = || std::fs::read_to_string(format!("/proc/{left}/stat"));
        let is_gone = || !stat().is_ok_and(|stat| !stat.contains(") Z "));
        assert!(
            holds_within(Duration::from_secs(10), is_gone),
            "it lives on"
        );
    }

    #[test]
    fn a_dropped_process_is_killed() {
        let child = shell("exec sleep 100");
        let id = child.id();
        drop(child);
        assert!(!system::group_lives(id));
    }

    #[test]
    fn a_long_line_is_cut_and_reported() {
        let script = format!(
            "head -c {} /dev/zero | tr '\\0' x",
            defaults::LINE_BYTES + 1
        );
        let ended = shell(&script).finish(Duration::from_secs(5));
        assert_eq!(ended.lines[0].len(), defaults::LINE_BYTES);
        assert_eq!(ended.problems, ["it printed too much to keep"]);
    }
}
