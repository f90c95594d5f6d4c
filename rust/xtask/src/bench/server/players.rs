//! Thousands of players register and find each other.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

use super::machine;
use super::player::Player;
use super::statistics::{median, percentile};
use super::table::{Part, Row, thousands};
use super::turns::{by_turns, with_server};
use crate::server::{Program, Server};

/// Each server is measured so often.
const ROUNDS: usize = 3;
const PLAYERS: usize = 5000;
/// So many register at the same time. With many more, our own threads would wait for a core more
/// often than for the server, and that would be measured.
const AT_A_TIME: usize = 4;
/// So many `connect`s are measured, one after the other.
const CONNECTS: usize = 1000;

/// How the values are laid out.
const REGISTER_MEDIAN: usize = 0;
const REGISTER_99: usize = 1;
const REGISTER_ALL: usize = 2;
const REGISTER_PROCESSOR: usize = 3;
const CONNECT_MEDIAN: usize = 4;
const CONNECT_99: usize = 5;
const CONNECT_PROCESSOR: usize = 6;
const MEMORY_BEFORE: usize = 7;
const MEMORY: usize = 8;

/// Measures all programs.
pub(super) fn measure(programs: &[Program]) -> Result<Part> {
    let measured = by_turns(programs, ROUNDS, |program| {
        with_server(program, &[], register_and_connect)
    })?;
    let row = |what: &str, at: usize, show: fn(f64) -> String, to_reach| {
        Row::new(what, measured.ours[at], measured.other(at), show, to_reach)
    };
    let milliseconds = |value| format!("{value:.2} ms");
    let microseconds = |value| format!("{value:.0} µs");
    let megabytes = |value| format!("{value:.1} MB");
    Ok(Part {
        rows: vec![
            row(
                "register: TCP connect to the registrar's `OK`, each of 5,000, median",
                REGISTER_MEDIAN,
                milliseconds,
                "half",
            ),
            row("- 99th percentile", REGISTER_99, milliseconds, "half"),
            row(
                "- all 5,000",
                REGISTER_ALL,
                |value| format!("{value:.2} s"),
                "",
            ),
            row(
                "- the server's processor time for a player",
                REGISTER_PROCESSOR,
                microseconds,
                "reported",
            ),
            row(
                "`connect` answered, 5,000 hosts registered, median",
                CONNECT_MEDIAN,
                microseconds,
                "half",
            ),
            row("- 99th percentile", CONNECT_99, microseconds, "half"),
            row(
                "- the server's processor time for one",
                CONNECT_PROCESSOR,
                microseconds,
                "reported",
            ),
            row(
                "memory with 5,000 registered players",
                MEMORY,
                megabytes,
                "a third",
            ),
            row("- at the start", MEMORY_BEFORE, megabytes, ""),
        ],
        notes: vec![format!(
            "Players: {AT_A_TIME} register at a time, {} `connect`s follow one by one; the \
             servers have their default limits.",
            thousands(CONNECTS as f64)
        )],
    })
}

fn register_and_connect(server: &Server) -> Result<[f64; 9]> {
    let process = server.process();
    let mut values = [0.0; 9];
    values[MEMORY_BEFORE] = machine::memory(process)?;

    let before = machine::processor_time(process)?;
    let start = Instant::now();
    let (mut players, times) = register_all(server)?;
    values[REGISTER_ALL] = start.elapsed().as_secs_f64();
    let used = machine::processor_time(process)?.saturating_sub(before);
    values[REGISTER_MEDIAN] = median(&times);
    values[REGISTER_99] = percentile(&times, 99);
    values[REGISTER_PROCESSOR] = used.as_secs_f64() * 1e6 / PLAYERS as f64;
    values[MEMORY] = machine::memory(process)?;

    let before = machine::processor_time(process)?;
    let times = connect_some(&mut players)?;
    let used = machine::processor_time(process)?.saturating_sub(before);
    values[CONNECT_MEDIAN] = median(&times);
    values[CONNECT_99] = percentile(&times, 99);
    values[CONNECT_PROCESSOR] = used.as_secs_f64() * 1e6 / CONNECTS as f64;
    Ok(values)
}

/// All players, and the milliseconds that each took.
fn register_all(server: &Server) -> Result<(Vec<Player>, Vec<f64>)> {
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
                let player = Player::register(server, number)?;
                let took = milliseconds(start.elapsed());
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

/// Some players ask for one that registered long before or after them; the microseconds that
/// each answer took.
fn connect_some(players: &mut [Player]) -> Result<Vec<f64>> {
    let (askers, hosts) = players.split_at_mut(PLAYERS / 2);
    let pairs = askers.iter_mut().zip(hosts.iter().rev());
    let pairs = pairs.step_by(PLAYERS / 2 / CONNECTS);
    let times = pairs.take(CONNECTS).map(|(asker, host)| {
        let start = Instant::now();
        asker.connect(host)?;
        Ok(milliseconds(start.elapsed()) * 1e3)
    });
    times.collect()
}

fn milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
