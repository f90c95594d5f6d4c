//! How long a server takes from the process's start until it answers its first command.

use std::net::Ipv4Addr;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use noray_testkit::defaults::SERVER_START;
use noray_testkit::player::AcceptsPlayers as _;
use noray_testkit::server::{ServerPorts, ServerProgram};

use super::comparison::{DEFAULT_RELAYS, compare, launch};
use super::table::Part;

/// How often each server is started.
const ROUNDS: usize = 7;
/// From one attempt to connect to the next.
const PAUSE: Duration = Duration::from_micros(500);

/// Measures all programs.
pub(super) fn measure(programs: &[ServerProgram]) -> Result<Part> {
    let measured = compare(programs, ROUNDS, |program| {
        Ok([first_answer(program)?.as_secs_f64() * 1e3])
    })?;
    Ok(Part {
        rows: measured.rows(&[(
            "first command answered after the process was started",
            |value| format!("{value:.0} ms"),
            "50 ms",
        )]),
        notes: Vec::new(),
    })
}

fn first_answer(program: &ServerProgram) -> Result<Duration> {
    let ports = ServerPorts::free(DEFAULT_RELAYS);
    let start = Instant::now();
    let mut server = launch(program, ports, &[])?;
    let mut player = loop {
        if let Ok(player) = server.player_from(Ipv4Addr::LOCALHOST) {
            break player;
        }
        thread::sleep(PAUSE);
        ensure!(!server.child.has_ended(), "it ended at its start");
        ensure!(start.elapsed() < SERVER_START, "it does not start");
    };
    player.register().context("no first answer")?;
    let took = start.elapsed();
    server.stop()?;
    Ok(took)
}
