//! The same measurement of several servers, by turns.

use std::time::Duration;

use anyhow::{Context, Result};

use super::statistics::median;
use crate::server::{Program, Server};

/// What was measured of each server: ours first.
pub(super) struct Measured<const N: usize> {
    pub ours: [f64; N],
    /// Of the other server, or why there is nothing.
    pub other: Option<Result<[f64; N], String>>,
}

impl<const N: usize> Measured<N> {
    /// The `at`-th value of the other server.
    pub(super) fn other(&self, at: usize) -> Option<Result<f64, String>> {
        let of_all = self.other.as_ref()?;
        Some(
            of_all
                .as_ref()
                .map(|values| values[at])
                .map_err(Clone::clone),
        )
    }
}

/// Measures each program `rounds` times, by turns, and takes each value's median.
///
/// Ours must be measured; the other server's failure is a result.
pub(super) fn by_turns<const N: usize>(
    programs: &[Program],
    rounds: usize,
    measure: impl Fn(&Program) -> Result<[f64; N]>,
) -> Result<Measured<N>> {
    let mut values: Vec<Result<Vec<[f64; N]>, String>> = vec![Ok(Vec::new()); programs.len()];
    for _ in 0..rounds {
        for (program, values) in programs.iter().zip(&mut values) {
            let Ok(so_far) = values else { continue };
            match (measure(program), program) {
                (Ok(measured), _) => {
                    eprintln!("  {}: {measured:.1?}", program.name());
                    so_far.push(measured);
                }
                (Err(error), Program::Ours(_)) => return Err(error),
                (Err(error), Program::Public(_)) => *values = Err(format!("{error:#}")),
            }
        }
    }
    let mut values = values.into_iter();
    let ours = values.next().context("nothing to measure")?;
    let ours = ours.map_err(anyhow::Error::msg)?;
    Ok(Measured {
        ours: medians(&ours),
        other: values.next().map(|values| Ok(medians(&values?))),
    })
}

/// The median of each value.
pub(super) fn medians<const N: usize>(values: &[[f64; N]]) -> [f64; N] {
    std::array::from_fn(|at| {
        let of_one: Vec<f64> = values.iter().map(|values| values[at]).collect();
        median(&of_one)
    })
}

/// Relays of a server: as many as it has by default.
const RELAYS: u16 = 2049;

/// Starts a server that logs what is wrong alone, and calls `measure` when it answers.
pub(super) fn with_server<T>(
    program: &Program,
    settings: &[(&str, &str)],
    measure: impl FnOnce(&Server) -> Result<T>,
) -> Result<T> {
    let mut server = launch(program, settings)?;
    server.wait_until_ready()?;
    // Its start is over when it answers, but not all that it does after.
    std::thread::sleep(Duration::from_millis(300));
    let measured = measure(&server);
    // Why it ended says more than what failed when it was gone.
    server.stop()?;
    measured
}

/// Starts a server that logs what is wrong alone.
pub(super) fn launch(program: &Program, settings: &[(&str, &str)]) -> Result<Server> {
    let settings = [&[("NORAY_LOGLEVEL", "warn")], settings].concat();
    Server::launch(program, RELAYS, &settings)
}
