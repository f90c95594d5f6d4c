//! What the system tells of a process.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// The processor time that a process's threads that are alive have used.
pub(super) fn processor_time(process: u32) -> Result<Duration> {
    let folder = format!("/proc/{process}/task");
    let mut nanoseconds = 0;
    for task in fs::read_dir(&folder).with_context(|| folder.clone())? {
        // A thread may end meanwhile.
        let Ok(times) = fs::read_to_string(task?.path().join("schedstat")) else {
            continue;
        };
        let used = times.split_whitespace().next();
        nanoseconds += used
            .and_then(|used| used.parse::<u64>().ok())
            .context("no times in schedstat")?;
    }
    Ok(Duration::from_nanos(nanoseconds))
}

/// How many files and sockets a process has open.
pub(super) fn open_files(process: u32) -> Result<usize> {
    let folder = format!("/proc/{process}/fd");
    Ok(fs::read_dir(&folder).context(folder)?.count())
}

/// The memory that a process has in use, in MB.
pub(super) fn memory(process: u32) -> Result<f64> {
    let file = format!("/proc/{process}/status");
    let status = fs::read_to_string(&file).with_context(|| file.clone())?;
    let kibibytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
        .and_then(|text| text.trim().parse().ok())
        .context("no VmRSS")?;
    Ok(kibibytes * 1024.0 / 1e6)
}

/// The processor time that was used so far, in the system's clock ticks.
pub(super) struct Ticks {
    server: u64,
    ours: u64,
    all: u64,
}

impl Ticks {
    /// Of a server, of this process, and of all processes and the system itself.
    pub(super) fn now(server: Option<u32>) -> Result<Self> {
        Ok(Self {
            server: server.map_or(Ok(0), ticks_of)?,
            ours: ticks_of(std::process::id())?,
            all: ticks_of_all()?,
        })
    }

    /// The server's, ours, and everyone's, in seconds.
    pub(super) fn seconds_since(&self, before: &Self) -> [f64; 3] {
        let per_second = rustix::param::clock_ticks_per_second() as f64;
        [
            self.server.saturating_sub(before.server),
            self.ours.saturating_sub(before.ours),
            self.all.saturating_sub(before.all),
        ]
        .map(|ticks| ticks as f64 / per_second)
    }
}

/// As `man 5 proc` lays out `/proc/PID/stat`: its 14th and 15th field. The threads that ended
/// count, too.
fn ticks_of(process: u32) -> Result<u64> {
    let file = format!("/proc/{process}/stat");
    let text = fs::read_to_string(&file).with_context(|| file.clone())?;
    // The second field may hold anything, spaces too.
    let (_, rest) = text.rsplit_once(')').context("no name in stat")?;
    sum(rest.split_whitespace().skip(11).take(2))
}

/// Everything but idling and waiting for disks: the fields of `/proc/stat` but the fourth and
/// fifth; what virtual machines used is among the first two already.
fn ticks_of_all() -> Result<u64> {
    let text = fs::read_to_string("/proc/stat").context("/proc/stat")?;
    let first = text.lines().next().context("/proc/stat is empty")?;
    let fields = first.split_whitespace().skip(1).take(8);
    let busy = fields.enumerate().filter(|(at, _)| !matches!(at, 3 | 4));
    sum(busy.map(|(_, field)| field))
}

fn sum<'a>(numbers: impl Iterator<Item = &'a str>) -> Result<u64> {
    let numbers = numbers.map(str::parse::<u64>);
    numbers.sum::<Result<_, _>>().context("no number of ticks")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_uses_time_and_memory() {
        let process = std::process::id();
        assert!(memory(process).unwrap() > 0.1);
        let before = Ticks::now(Some(process)).unwrap();
        let start = std::time::Instant::now();
        // What counts is the process's time: the machine may be busy.
        while Ticks::now(None).unwrap().seconds_since(&before)[1] < 0.05 {
            assert!(start.elapsed() < Duration::from_secs(30));
        }
        let [server, ours, all] = Ticks::now(Some(process)).unwrap().seconds_since(&before);
        assert!(
            server >= 0.05 && ours >= server && all >= 0.0,
            "{server} {ours} {all}"
        );
        assert!(processor_time(process).unwrap() >= Duration::from_millis(10));
    }
}
