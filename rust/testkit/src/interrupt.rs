//! Ends all processes that were started here when this one is interrupted: by Ctrl-C or SIGTERM.

use std::collections::BTreeMap;
use std::io;
use std::process::{Child, Command};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use crate::{defaults, system};

/// The processes that run now, by id, and whether each leads a group of its own.
static LIVE: Mutex<BTreeMap<u32, bool>> = Mutex::new(BTreeMap::new());

/// What else to do when this process is interrupted.
static HOOKS: Mutex<Vec<fn()>> = Mutex::new(Vec::new());

/// Ends every process that was started here when this one is interrupted.
///
/// # Errors
/// Another handler is set already.
pub fn end_all_when_interrupted() -> Result<()> {
    ctrlc::set_handler(|| {
        for (&id, &leads_group) in lock(&LIVE).iter() {
            if leads_group {
                system::kill_group(id);
            } else {
                system::ask_to_end(id);
            }
        }
        for hook in lock(&HOOKS).iter() {
            hook();
        }
        eprintln!("interrupted");
        std::process::exit(130);
    })
    .context("cannot watch for Ctrl-C")
}

/// Calls `hook` as well when this process is interrupted, after the other processes were ended.
pub fn when_interrupted(hook: fn()) {
    lock(&HOOKS).push(hook);
}

/// Starts a program and lists it until [`forget`].
///
/// Also starts one that was written a moment ago: until a child that another thread is starting
/// has become its program, it holds all our files open.
pub(crate) fn spawn_listed(command: &mut Command, leads_group: bool) -> Result<Child> {
    let until = Instant::now() + Duration::from_secs(1);
    // Held until the process is listed: an interruption in between must not miss it.
    let mut live = lock(&LIVE);
    let is_busy = |error: &io::Error| error.kind() == io::ErrorKind::ExecutableFileBusy;
    let mut child = command.spawn();
    while child.as_ref().is_err_and(is_busy) && Instant::now() < until {
        thread::sleep(defaults::POLL);
        child = command.spawn();
    }
    let program = command.get_program().display();
    let child = child.with_context(|| format!("cannot start {program}"))?;
    live.insert(child.id(), leads_group);
    Ok(child)
}

/// Takes a process that has ended off the list. Returns whether it was on it.
pub(crate) fn forget(id: u32) -> bool {
    lock(&LIVE).remove(&id).is_some()
}

/// Locks a mutex, also after a panic of another thread.
pub fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
