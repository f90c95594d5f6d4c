//! Starts other programs, reads what they print, and leaves none of them behind.
//!
//! A *game* (or server) runs in a process group of its own (a process tree on Windows), with its
//! output captured; a *tool* (cargo, apt-get) shares our terminal. Both are ended when this
//! process is: by an error, by Ctrl-C, or by SIGTERM.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, BufRead, BufReader, Read, Write as _};
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, OnceLock, PoisonError};
use std::time::{Duration, Instant};
use std::{fmt, thread};

use anyhow::{Context, Result, anyhow, bail};

use crate::defaults;

/// How often a process's end is looked for: nothing tells it together with a time limit.
const LOOK: Duration = Duration::from_millis(20);

/// What runs now, by process id, and whether it leads a group.
static LIVE: Mutex<BTreeMap<u32, bool>> = Mutex::new(BTreeMap::new());

/// What else is to be done when this process is interrupted.
static WHEN_INTERRUPTED: Mutex<Vec<fn()>> = Mutex::new(Vec::new());

/// What the times in logs count from.
static FIRST_LOG: OnceLock<Instant> = OnceLock::new();

/// Also calls `hook` when this process is interrupted, after all others were ended.
pub(crate) fn when_interrupted(hook: fn()) {
    lock(&WHEN_INTERRUPTED).push(hook);
}

/// Ends every process that was started here when this one is interrupted.
pub(crate) fn end_all_when_interrupted() -> Result<()> {
    ctrlc::set_handler(|| {
        for (&id, &group) in lock(&LIVE).iter() {
            if group {
                system::kill_group(id);
            } else {
                system::ask_to_end(id);
            }
        }
        for hook in lock(&WHEN_INTERRUPTED).iter() {
            hook();
        }
        eprintln!("interrupted");
        std::process::exit(130);
    })
    .context("cannot watch for Ctrl-C")
}

/// Which of the two outputs a line came from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stream {
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

/// A running game or server.
pub(crate) struct Game {
    name: String,
    child: Child,
    log: Arc<Log>,
    started: Instant,
}

/// How a game ended.
pub(crate) struct Ended {
    /// What was wrong with the end, a sentence each; the log is not looked at.
    pub problems: Vec<String>,
    /// All that it printed; standard output first.
    pub lines: Vec<String>,
}

/// Why a line did not come.
#[derive(Debug)]
pub(crate) enum Missed {
    /// The process ended before.
    Ended,
    /// The time was up.
    TimeOut,
}

impl fmt::Display for Missed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ended => "it ended before",
            Self::TimeOut => "the time was up",
        })
    }
}

impl Game {
    /// Starts `command` as `name`, with captured output and nothing to read.
    pub(crate) fn start(name: &str, command: &mut Command) -> Result<Self> {
        Self::start_with(name, command, Log::default())
    }

    /// As [`Self::start`]; what it prints also goes to a file, with the seconds since our first
    /// such file.
    pub(crate) fn start_logged(name: &str, command: &mut Command, file: &Path) -> Result<Self> {
        let file = File::create(file).with_context(|| format!("{}", file.display()))?;
        let mut log = Log::default();
        log.state
            .get_mut()
            .unwrap_or_else(PoisonError::into_inner)
            .file = Some(file);
        Self::start_with(name, command, log)
    }

    fn start_with(name: &str, command: &mut Command, log: Log) -> Result<Self> {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped());
        system::lead_a_group(command);
        // Held until the process is listed: an interruption in between must not miss it.
        let mut live = lock(&LIVE);
        let mut child = spawn(command)
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        live.insert(child.id(), true);
        drop(live);

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
            started: Instant::now(),
        })
    }

    /// The name given at the start.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// The id of its process.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// How many lines it has printed so far.
    pub(crate) fn line_count(&self) -> usize {
        lock(&self.log.state).lines.len()
    }

    /// What it printed from the `from`-th line on, as it came.
    pub(crate) fn lines_from(&self, from: usize) -> Vec<String> {
        lock(&self.log.state)
            .lines
            .iter()
            .skip(from)
            .map(|(_, line)| line.clone())
            .collect()
    }

    /// Waits until standard output has a line, from the `from`-th on, that `wanted` makes
    /// something of, and moves `from` behind it.
    pub(crate) fn wait_for<T>(
        &mut self,
        from: &mut usize,
        until: Instant,
        mut wanted: impl FnMut(&str) -> Option<T>,
    ) -> Result<T, Missed> {
        let log = self.log.clone();
        let mut state = lock(&log.state);
        let mut ended: Option<Instant> = None;
        loop {
            while let Some((stream, line)) = state.lines.get(*from) {
                *from += 1;
                if *stream == Stream::Out
                    && let Some(found) = wanted(line)
                {
                    return Ok(found);
                }
            }
            if state.closed == 2 {
                return Err(Missed::Ended);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Err(Missed::TimeOut);
            }
            (state, _) = log
                .changed
                .wait_timeout(state, left.min(LOOK))
                .unwrap_or_else(PoisonError::into_inner);
            // A child of an ended game may hold the pipes open, but not for ever.
            if self.has_ended()
                && ended.get_or_insert_with(Instant::now).elapsed() > defaults::LEFTOVERS
            {
                return Err(Missed::Ended);
            }
        }
    }

    /// Whether the process is gone.
    pub(crate) fn has_ended(&mut self) -> bool {
        !matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it at once, as a crash would, and returns what it printed.
    pub(crate) fn kill(mut self) -> Vec<String> {
        self.sweep();
        self.printed()
    }

    /// Asks the process to end, without waiting for it.
    pub(crate) fn ask_to_end(&self) {
        system::ask_to_end(self.child.id());
    }

    /// Ends a server: asks first, then kills it. Its exit code does not count, since a server
    /// may not handle the request to end; what it printed is returned.
    pub(crate) fn stop(mut self) -> Vec<String> {
        self.ask_to_end();
        let _ = self.wait_until(Instant::now() + defaults::POLITE_END);
        self.sweep();
        self.printed()
    }

    /// Waits for the end, for `limit` at the most, and looks whether it left anything behind.
    pub(crate) fn finish(mut self, limit: Duration) -> Ended {
        let mut problems = Vec::new();
        match self.wait_until(Instant::now() + limit) {
            Ok(status) if status.success() => {}
            Ok(status) => problems.push(format!("it ended with {status}")),
            Err(error) => problems.push(format!("{error:#}")),
        }
        if self.has_ended() && !self.leaves_nothing() {
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

    /// How long ago it was started.
    pub(crate) fn age(&self) -> Duration {
        self.started.elapsed()
    }

    /// The names of its threads now; nothing where the system does not tell.
    pub(crate) fn thread_names(&self) -> Vec<String> {
        system::thread_names(self.child.id())
    }

    fn wait_until(&mut self, until: Instant) -> Result<ExitStatus> {
        loop {
            if let Some(status) = self.child.try_wait().context("cannot wait for it")? {
                return Ok(status);
            }
            if Instant::now() >= until {
                bail!("it did not end in time, {:.0?} after its start", self.age());
            }
            thread::sleep(LOOK);
        }
    }

    fn leaves_nothing(&self) -> bool {
        let until = Instant::now() + defaults::LEFTOVERS;
        loop {
            if !system::group_lives(self.child.id()) {
                return true;
            }
            if Instant::now() >= until {
                return false;
            }
            thread::sleep(LOOK);
        }
    }

    /// Kills whatever is left and waits until the output is read.
    fn sweep(&mut self) {
        system::kill_group(self.child.id());
        let _ = self.child.kill();
        let _ = self.child.wait();
        lock(&LIVE).remove(&self.child.id());
        let until = Instant::now() + defaults::LEFTOVERS;
        let mut state = lock(&self.log.state);
        while state.closed < 2 && Instant::now() < until {
            (state, _) = self
                .log
                .changed
                .wait_timeout(state, LOOK)
                .unwrap_or_else(PoisonError::into_inner);
        }
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

impl Drop for Game {
    fn drop(&mut self) {
        if lock(&LIVE).contains_key(&self.child.id()) {
            self.sweep();
        }
    }
}

/// Starts a program, also one that was written a moment ago: until a child that another thread
/// starts at this moment has become its program, it holds all our files open.
fn spawn(command: &mut Command) -> io::Result<Child> {
    let until = Instant::now() + Duration::from_secs(1);
    loop {
        match command.spawn() {
            Err(error)
                if error.kind() == io::ErrorKind::ExecutableFileBusy && Instant::now() < until =>
            {
                thread::sleep(LOOK);
            }
            other => return other,
        }
    }
}

fn keep_lines(pipe: impl Read + Send + 'static, stream: Stream, log: Arc<Log>) {
    thread::spawn(move || {
        let mut reader = BufReader::new(pipe);
        while let Some((line, cut)) = next_line(&mut reader) {
            let mut state = lock(&log.state);
            if let Some(file) = &mut state.file {
                let seconds = FIRST_LOG.get_or_init(Instant::now).elapsed().as_secs_f64();
                // A full disk must not end the game.
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

/// The next line without its end, and whether it was too long to be kept whole.
fn next_line(reader: &mut impl BufRead) -> Option<(String, bool)> {
    let mut line = Vec::new();
    let mut cut = false;
    loop {
        let available = match reader.fill_buf() {
            Ok([]) | Err(_) if line.is_empty() => return None,
            Ok([]) | Err(_) => break,
            Ok(available) => available,
        };
        let end = available.iter().position(|&byte| byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        let room = defaults::LINE_BYTES - line.len();
        cut |= part.len() > room;
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = end.map_or(available.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            break;
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Some((String::from_utf8_lossy(&line).into_owned(), cut))
}

/// Runs a tool on our terminal and fails when it does.
pub(crate) fn run_tool(command: &mut Command) -> Result<()> {
    run_tool_reading(command.stdout(to_stderr()), |_| {})
}

/// Runs a tool whose standard output, if it was set to be piped, goes to `each` line by line.
pub(crate) fn run_tool_reading(command: &mut Command, mut each: impl FnMut(&str)) -> Result<()> {
    let name = command.get_program().display().to_string();
    let mut live = lock(&LIVE);
    let mut child = command
        .stdin(Stdio::null())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let id = child.id();
    live.insert(id, false);
    drop(live);
    if let Some(pipe) = child.stdout.take() {
        let mut reader = BufReader::new(pipe);
        while let Some((line, _)) = next_line(&mut reader) {
            each(&line);
        }
    }
    let status = child.wait();
    lock(&LIVE).remove(&id);
    let status = status.with_context(|| format!("cannot wait for {name}"))?;
    if status.success() {
        Ok(())
    } else {
        Err(anyhow!("{name} ended with {status}"))
    }
}

/// Standard output is for results; what tools say goes to standard error.
fn to_stderr() -> Stdio {
    use std::io::stderr;
    #[cfg(unix)]
    let duplicate = std::os::fd::AsFd::as_fd(&stderr()).try_clone_to_owned();
    #[cfg(windows)]
    let duplicate = std::os::windows::io::AsHandle::as_handle(&stderr()).try_clone_to_owned();
    duplicate.map_or_else(|_| Stdio::inherit(), Stdio::from)
}

/// Kills a process that was not started here but is ours, such as one of a dead run.
pub(crate) fn kill(id: u32) {
    system::kill(id);
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(unix)]
mod system {
    use std::fs;
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use rustix::process::{Pid, Signal};

    pub(super) fn lead_a_group(command: &mut Command) {
        command.process_group(0);
    }

    pub(super) fn ask_to_end(id: u32) {
        if let Some(id) = pid(id) {
            let _ = rustix::process::kill_process(id, Signal::TERM);
        }
    }

    pub(super) fn kill(id: u32) {
        if let Some(id) = pid(id) {
            let _ = rustix::process::kill_process(id, Signal::KILL);
        }
    }

    pub(super) fn kill_group(id: u32) {
        if let Some(id) = pid(id) {
            let _ = rustix::process::kill_process_group(id, Signal::KILL);
        }
    }

    pub(super) fn group_lives(id: u32) -> bool {
        pid(id).is_some_and(|id| rustix::process::test_kill_process_group(id).is_ok())
    }

    pub(super) fn thread_names(id: u32) -> Vec<String> {
        let Ok(threads) = fs::read_dir(format!("/proc/{id}/task")) else {
            return Vec::new();
        };
        threads
            .flatten()
            .filter_map(|thread| fs::read_to_string(thread.path().join("comm")).ok())
            .map(|name| name.trim().to_owned())
            .collect()
    }

    fn pid(id: u32) -> Option<Pid> {
        i32::try_from(id).ok().and_then(Pid::from_raw)
    }
}

#[cfg(windows)]
mod system {
    use std::process::{Command, Stdio};

    /// Windows keeps the parent's id with each process, which serves as well as a group here.
    pub fn lead_a_group(_command: &mut Command) {}

    /// A process without a window cannot be asked.
    pub fn ask_to_end(id: u32) {
        quiet(Command::new("taskkill").args(["/T", "/F", "/PID", &id.to_string()]));
    }

    pub fn kill(id: u32) {
        ask_to_end(id);
    }

    pub fn kill_group(id: u32) {
        ask_to_end(id);
    }

    pub fn group_lives(id: u32) -> bool {
        let filter = format!(
            "if (Get-CimInstance Win32_Process -Filter 'ParentProcessId={id}') {{ exit 0 }} exit 1"
        );
        quiet(Command::new("powershell").args(["-NoProfile", "-Command", &filter]))
    }

    pub fn thread_names(_id: u32) -> Vec<String> {
        Vec::new()
    }

    fn quiet(command: &mut Command) -> bool {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    fn shell(script: &str) -> Game {
        Game::start("test", Command::new("sh").args(["-c", script])).unwrap()
    }

    fn soon() -> Instant {
        Instant::now() + Duration::from_secs(10)
    }

    #[test]
    fn lines_come_in_order_and_the_end_is_clean() {
        let mut game = shell("echo one; echo two >&2; echo three");
        let mut from = 0;
        let three = game.wait_for(&mut from, soon(), |line| (line == "three").then_some(3));
        assert_eq!(three.unwrap(), 3);
        let ended = game.finish(Duration::from_secs(5));
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
        let mut game = shell("echo other; exec sleep 100");
        let until = Instant::now() + Duration::from_millis(300);
        let missed = game.wait_for(&mut 0, until, |line| (line == "line").then_some(()));
        assert!(matches!(missed, Err(Missed::TimeOut)));
        for script in ["echo other", "sleep 100 & echo other"] {
            let mut game = shell(script);
            let missed = game.wait_for(&mut 0, soon(), |line| (line == "line").then_some(()));
            assert!(matches!(missed, Err(Missed::Ended)));
        }
    }

    #[test]
    fn a_process_that_hangs_is_killed_and_told() {
        let ended = shell("exec sleep 100").finish(Duration::from_millis(100));
        assert_eq!(ended.problems.len(), 1);
        assert!(ended.problems[0].contains("did not end in time"));
    }

    #[test]
    fn a_process_left_behind_is_killed_and_told() {
        let mut game = shell("sleep 100 & echo $!");
        let left: u32 = game
            .wait_for(&mut 0, soon(), |line| line.parse().ok())
            .unwrap();
        let ended = game.finish(Duration::from_secs(5));
        assert_eq!(ended.problems, ["it left a process behind"]);
        let until = soon();
        // Whoever inherits it may take a moment to collect it.
        while std::fs::read_to_string(format!("/proc/{left}/stat"))
            .is_ok_and(|stat| !stat.contains(") Z "))
        {
            assert!(Instant::now() < until, "it lives on");
            thread::sleep(LOOK);
        }
    }

    #[test]
    fn a_dropped_game_is_killed() {
        let game = shell("exec sleep 100");
        let id = game.child.id();
        drop(game);
        assert!(!system::group_lives(id));
    }

    #[test]
    fn a_long_line_is_cut_and_told() {
        let script = format!(
            "head -c {} /dev/zero | tr '\\0' x",
            defaults::LINE_BYTES + 1
        );
        let ended = shell(&script).finish(Duration::from_secs(5));
        assert_eq!(ended.lines[0].len(), defaults::LINE_BYTES);
        assert_eq!(ended.problems, ["it printed too much to keep"]);
    }

    #[test]
    fn a_tools_failure_is_told() {
        assert!(run_tool(&mut Command::new("true")).is_ok());
        assert!(run_tool(&mut Command::new("false")).is_err());
        assert!(run_tool(&mut Command::new("no-such-tool-here")).is_err());
    }
}
