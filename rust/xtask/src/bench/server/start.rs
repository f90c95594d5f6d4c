//! How long a server takes until it answers its first command.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::player::Commands;
use super::table::{Part, Row};
use super::turns::{by_turns, launch};
use crate::server::Program;

/// Each server is started so often.
const ROUNDS: usize = 7;
/// Pause between two attempts to connect.
const PAUSE: Duration = Duration::from_micros(500);
/// Not started after so long.
const PATIENCE: Duration = Duration::from_secs(20);

/// Measures all programs.
pub(super) fn measure(programs: &[Program]) -> Result<Part> {
    let measured = by_turns(programs, ROUNDS, |program| {
        let took = first_answer(program)?;
        Ok([took.as_secs_f64() * 1e3])
    })?;
    Ok(Part {
        rows: vec![Row::new(
            "first command answered after the process was started",
            measured.ours[0],
            measured.other(0),
            |value| format!("{value:.0} ms"),
            "50 ms",
        )],
        notes: Vec::new(),
    })
}

fn first_answer(program: &Program) -> Result<Duration> {
    let start = Instant::now();
    let mut server = launch(program, &[])?;
    let mut commands = loop {
        match Commands::connect(Ipv4Addr::LOCALHOST, server.port) {
            Ok(commands) => break commands,
            Err(_) => thread::sleep(PAUSE),
        }
        ensure!(!server.has_ended(), "it ended at its start");
        ensure!(start.elapsed() < PATIENCE, "it does not start");
    };
    commands.register().context("no first answer")?;
    let took = start.elapsed();
    server.stop()?;
    Ok(took)
}
