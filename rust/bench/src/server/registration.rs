//! Thousands of players register and ask for each other.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use noray_testkit::player::{Player, address_of};
use noray_testkit::process_info::ProcessInfo;
use noray_testkit::server::{ServerProcess, ServerProgram};
use noray_testkit::statistics::{median, percentile};

use super::comparison::{DEFAULT_RELAYS, compare, with_server};
use super::table::{Part, microseconds, milliseconds, thousands};

/// How often each server is measured.
const ROUNDS: usize = 3;
const PLAYERS: usize = 5000;
/// How many register at the same time. With many more, our own threads would wait for a core more
/// often than for the server.
const AT_A_TIME: usize = 4;
/// How many `connect`s are measured, one after the other.
const CONNECTS: usize = 1000;

/// The indices of the values.
const REGISTER_MEDIAN: usize = 0;
const REGISTER_99: usize = 1;
const REGISTER_ALL: usize = 2;
const REGISTER_CPU_TIME: usize = 3;
const CONNECT_MEDIAN: usize = 4;
const CONNECT_99: usize = 5;
const CONNECT_CPU_TIME: usize = 6;
const MEMORY_BEFORE: usize = 7;
const MEMORY: usize = 8;

/// Measures all programs.
pub(super) fn measure(programs: &[ServerProgram]) -> Result<Part> {
    let measured = compare(programs, ROUNDS, |program| {
        with_server(program, DEFAULT_RELAYS, &[], register_and_connect)
    })?;
    let row = |what, at, show: fn(f64) -> String, target| measured.row(what, at, show, target);
    let seconds = |value| format!("{value:.2} s");
    let megabytes = |value| format!("{value:.1} MB");
    let register = "register: TCP connect to the registrar's `OK`, each of 5,000, median";
    let connect = "`connect` answered, 5,000 hosts registered, median";
    let cpu_of_player = "- the server's processor time for a player";
    let cpu_of_connect = "- the server's processor time for one";
    let memory = "memory with 5,000 registered players";
    Ok(Part {
        rows: vec![
            row(register, REGISTER_MEDIAN, milliseconds, "half"),
            row("- 99th percentile", REGISTER_99, milliseconds, "half"),
            row("- all 5,000", REGISTER_ALL, seconds, ""),
            row(cpu_of_player, REGISTER_CPU_TIME, microseconds, "reported"),
            row(connect, CONNECT_MEDIAN, microseconds, "half"),
            row("- 99th percentile", CONNECT_99, microseconds, "half"),
            row(cpu_of_connect, CONNECT_CPU_TIME, microseconds, "reported"),
            row(memory, MEMORY, megabytes, "a third"),
            row("- at the start", MEMORY_BEFORE, megabytes, ""),
        ],
        notes: vec![format!(
            "Players: {AT_A_TIME} register at a time, {} `connect`s follow one by one; the \
             servers have their default limits.",
            thousands(CONNECTS as f64)
        )],
    })
}

fn register_and_connect(server: &ServerProcess) -> Result<[f64; 9]> {
    let process = ProcessInfo::of(server.child.id())?;
    let megabytes = || anyhow::Ok(process.memory()? as f64 / 1e6);
    let mut values = [0.0; 9];
    values[MEMORY_BEFORE] = megabytes()?;

    let before = process.cpu_time_of_threads()?;
    let start = Instant::now();
    let (mut players, times) = register_all(server)?;
    values[REGISTER_ALL] = start.elapsed().as_secs_f64();
    let used = process.cpu_time_of_threads()?.saturating_sub(before);
    values[REGISTER_MEDIAN] = median(&times);
    values[REGISTER_99] = percentile(&times, 99);
    values[REGISTER_CPU_TIME] = used.as_secs_f64() * 1e6 / PLAYERS as f64;
    values[MEMORY] = megabytes()?;

    let before = process.cpu_time_of_threads()?;
    let times = connect_some(&mut players)?;
    let used = process.cpu_time_of_threads()?.saturating_sub(before);
    values[CONNECT_MEDIAN] = median(&times);
    values[CONNECT_99] = percentile(&times, 99);
    values[CONNECT_CPU_TIME] = used.as_secs_f64() * 1e6 / CONNECTS as f64;
    Ok(values)
}

/// Registers all players, and returns them with the milliseconds that each took.
fn register_all(server: &ServerProcess) -> Result<(Vec<Player>, Vec<f64>)> {
    let next = AtomicUsize::new(0);
    let done = Mutex::new((Vec::new(), Vec::new()));
    thread::scope(|scope| {
        let register = || -> Result<()> {
            loop {
                let number = next.fetch_add(1, Relaxed);
                if number >= PLAYERS {
                    return Ok(());
                }
                let start = Instant::now();
                let player = Player::registered_from(address_of(number), server)?;
                let took = as_milliseconds(start.elapsed());
                let mut done = done.lock().unwrap_or_else(PoisonError::into_inner);
                done.0.push(player);
                done.1.push(took);
            }
        };
        let threads: Vec<_> = (0..AT_A_TIME).map(|_| scope.spawn(register)).collect();
        for thread in threads {
            match thread.join() {
                Ok(result) => result.context("cannot register")?,
                Err(panic) => std::panic::resume_unwind(panic),
            }
        }
        anyhow::Ok(())
    })?;
    Ok(done.into_inner().unwrap_or_else(PoisonError::into_inner))
}

/// Lets some players ask for one who registered long before or after them, and returns the
/// microseconds until each answer.
fn connect_some(players: &mut [Player]) -> Result<Vec<f64>> {
    let (asking, hosts) = players.split_at_mut(PLAYERS / 2);
    let pairs = asking.iter_mut().zip(hosts.iter().rev());
    let pairs = pairs.step_by(PLAYERS / 2 / CONNECTS);
    let times = pairs.take(CONNECTS).map(|(player, host)| {
        let start = Instant::now();
        player.try_connect_to(host)?;
        Ok(as_milliseconds(start.elapsed()) * 1e3)
    });
    times.collect()
}

fn as_milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
