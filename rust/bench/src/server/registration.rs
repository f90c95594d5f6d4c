//! Thousands of players register and ask for each other.

use std::panic::resume_unwind;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use noray_testkit::player::{AcceptsPlayers as _, Player, address_of};
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

/// Measures all programs.
pub(super) fn measure(programs: &[ServerProgram]) -> Result<Part> {
    let measured = compare(programs, ROUNDS, |program| {
        with_server(program, DEFAULT_RELAYS, &[], register_and_connect)
    })?;
    let seconds: fn(f64) -> String = |value| format!("{value:.2} s");
    let megabytes: fn(f64) -> String = |value| format!("{value:.1} MB");
    let register = "register: TCP connect to the registrar's `OK`, each of 5,000, median";
    let connect = "`connect` answered, 5,000 hosts registered, median";
    let cpu_of_player = "- the server's processor time for a player";
    let cpu_of_connect = "- the server's processor time for one";
    Ok(Part {
        rows: measured.rows(&[
            (register, milliseconds, "half"),
            ("- 99th percentile", milliseconds, "half"),
            ("- all 5,000", seconds, ""),
            (cpu_of_player, microseconds, "reported"),
            (connect, microseconds, "half"),
            ("- 99th percentile", microseconds, "half"),
            (cpu_of_connect, microseconds, "reported"),
            ("memory with 5,000 registered players", megabytes, "a third"),
            ("- at the start", megabytes, ""),
        ]),
        notes: vec![format!(
            "Players: {AT_A_TIME} register at a time, {} `connect`s follow one by one; the \
             servers have their default limits.",
            thousands(CONNECTS as f64)
        )],
    })
}

/// Returns the values in the order of their rows.
fn register_and_connect(server: &ServerProcess) -> Result<[f64; 9]> {
    let process = ProcessInfo::of(server.child.id())?;
    let megabytes = || anyhow::Ok(process.memory()? as f64 / 1e6);
    let microseconds = || anyhow::Ok(process.cpu_time_of_threads()?.as_secs_f64() * 1e6);
    let memory_before = megabytes()?;

    let (cpu_before, start) = (microseconds()?, Instant::now());
    let (mut players, register) = register_all(server)?;
    let all = start.elapsed().as_secs_f64();
    let (memory, cpu_between) = (megabytes()?, microseconds()?);
    let connect = connect_some(&mut players)?;
    let cpu_after = microseconds()?;
    Ok([
        median(&register),
        percentile(&register, 99),
        all,
        (cpu_between - cpu_before) / PLAYERS as f64,
        median(&connect),
        percentile(&connect, 99),
        (cpu_after - cpu_between) / CONNECTS as f64,
        memory,
        memory_before,
    ])
}

/// Registers all players, and returns them with the milliseconds that each took.
fn register_all(server: &ServerProcess) -> Result<(Vec<Player>, Vec<f64>)> {
    let register_some = |first: usize| {
        let numbers = (first..PLAYERS).step_by(AT_A_TIME);
        let players = numbers.map(|number| {
            let start = Instant::now();
            let player = server.registered_from(address_of(number))?;
            Ok((player, as_milliseconds(start.elapsed())))
        });
        players.collect::<Result<Vec<_>>>()
    };
    let players = thread::scope(|scope| {
        let threads: Vec<_> = (0..AT_A_TIME)
            .map(|first| scope.spawn(move || register_some(first)))
            .collect();
        let players = threads.into_iter().map(|thread| {
            let players = thread.join();
            players.unwrap_or_else(|panic| resume_unwind(panic))
        });
        players.collect::<Result<Vec<_>>>()
    });
    let players = players.context("cannot register")?;
    Ok(players.into_iter().flatten().unzip())
}

/// Lets some players ask for one who registered long before or after them, and returns the
/// microseconds until each answer.
fn connect_some(players: &mut [Player]) -> Result<Vec<f64>> {
    let (asking, hosts) = players.split_at_mut(PLAYERS / 2);
    let pairs = asking.iter_mut().zip(hosts.iter().rev());
    let pairs = pairs.step_by(PLAYERS / 2 / CONNECTS);
    let times = pairs.take(CONNECTS).map(|(player, host)| {
        let start = Instant::now();
        player.connect_to(host)?;
        Ok(as_milliseconds(start.elapsed()) * 1e3)
    });
    times.collect()
}

fn as_milliseconds(time: Duration) -> f64 {
    time.as_secs_f64() * 1e3
}
