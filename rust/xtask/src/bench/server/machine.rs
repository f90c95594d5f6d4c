//! What the system tells of a process.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Lets this process and what it starts open as many files as the system allows: thousands of
/// players have two sockets each.
pub fn allow_many_files() -> Result<()> {
    let limit = getrlimit(Resource::Nofile);
    let most = Rlimit {
        current: limit.maximum,
        ..limit
    };
    setrlimit(Resource::Nofile, most).context("cannot open more files")
}

/// The processor time that a process's threads that are alive have used.
pub fn processor_time(process: u32) -> Result<Duration> {
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

/// The memory that a process has in use, in MB.
pub fn memory(process: u32) -> Result<f64> {
    let file = format!("/proc/{process}/status");
    let status = fs::read_to_string(&file).with_context(|| file.clone())?;
    let kibibytes: f64 = status
        .lines()
        .find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"))
        .and_then(|text| text.trim().parse().ok())
        .context("no VmRSS")?;
    Ok(kibibytes * 1024.0 / 1e6)
}
