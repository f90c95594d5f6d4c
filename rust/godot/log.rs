//! `tracing` to Godot's log: lines wait until the main thread prints them.

use std::{
    collections::VecDeque,
    io,
    sync::{
        Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use godot::global::{godot_error, godot_print, godot_warn};
use tracing::{Level, Metadata};
use tracing_subscriber::fmt::{self, MakeWriter};

use crate::{defaults::LOG_LINES, settings};

static WAITING: Mutex<Lines> = Mutex::new(Lines {
    lines: VecDeque::new(),
    lost: 0,
});
static HAS_NEWS: AtomicBool = AtomicBool::new(false);

struct Lines {
    lines: VecDeque<(Level, String)>,
    /// Lines that were dropped.
    lost: usize,
}

fn waiting() -> MutexGuard<'static, Lines> {
    WAITING.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Begins to collect the log lines of the extension and its server.
pub(crate) fn start() {
    let subscriber = fmt::Subscriber::builder()
        .without_time()
        .with_target(false)
        .with_level(false)
        .with_ansi(false)
        .with_max_level(settings::log_level())
        .with_writer(GodotLog)
        .finish();
    // Fails when the extension is loaded again in the same process: the first stays.
    let _ = tracing::subscriber::set_global_default(subscriber);
}

/// Prints the lines that wait. Main thread only.
pub(crate) fn flush() {
    if !HAS_NEWS.swap(false, Ordering::Acquire) {
        return;
    }
    let (lines, lost) = {
        let mut waiting = waiting();
        let lost = std::mem::take(&mut waiting.lost);
        (std::mem::take(&mut waiting.lines), lost)
    };
    for (level, line) in lines {
        match level {
            Level::ERROR => godot_error!("Noray: {line}"),
            Level::WARN => godot_warn!("Noray: {line}"),
            _ => godot_print!("Noray: {line}"),
        }
    }
    if lost > 0 {
        godot_warn!("Noray: {lost} more log lines found no place");
    }
}

struct GodotLog;

impl<'a> MakeWriter<'a> for GodotLog {
    type Writer = LogLine;

    fn make_writer(&'a self) -> LogLine {
        LogLine::new(Level::INFO)
    }

    fn make_writer_for(&'a self, metadata: &Metadata<'_>) -> LogLine {
        LogLine::new(*metadata.level())
    }
}

/// One event's text; queued when it is complete.
struct LogLine {
    level: Level,
    text: Vec<u8>,
}

impl LogLine {
    fn new(level: Level) -> Self {
        Self {
            level,
            text: Vec::new(),
        }
    }
}

impl io::Write for LogLine {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.text.extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Drop for LogLine {
    fn drop(&mut self) {
        let line = String::from_utf8_lossy(&self.text).trim_end().to_owned();
        let mut waiting = waiting();
        if waiting.lines.len() < LOG_LINES {
            waiting.lines.push_back((self.level, line));
        } else {
            waiting.lost += 1;
        }
        HAS_NEWS.store(true, Ordering::Release);
    }
}
