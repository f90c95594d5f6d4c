//! The same measurement of each server, by turns.

use std::thread::sleep;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use noray_testkit::server::{ServerPorts, ServerProcess, ServerProgram};
use noray_testkit::statistics::median;

use super::table::Row;

/// How many ports for relays a server has by default.
pub(super) const DEFAULT_RELAYS: usize = 2049;
/// When a server takes commands, its start is not quite over.
const SETTLED: Duration = Duration::from_millis(300);

/// Limits that no server reaches.
pub(super) const NO_LIMITS: [(&str, &str); 3] = [
    ("NORAY_UDP_RELAY_MAX_INDIVIDUAL_TRAFFIC", "1tb"),
    ("NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC", "1tb"),
    ("NORAY_UDP_RELAY_MAX_LIFETIME_TRAFFIC", "1pb"),
];

/// The values of each server.
pub(super) struct Comparison<const N: usize> {
    /// Ours.
    pub ours: [f64; N],
    /// Those of the other server, or why there are none.
    pub other: Option<Result<[f64; N], String>>,
}

/// What a value's row says: the first cell, how the value is shown, and its target.
pub(super) type Label<'a> = (&'a str, fn(f64) -> String, &'static str);

impl<const N: usize> Comparison<N> {
    /// Returns a row for each of the first values.
    pub(super) fn rows(&self, labels: &[Label<'_>]) -> Vec<Row> {
        let labels = labels.iter().enumerate();
        labels
            .map(|(at, &(what, show, target))| self.row(at, what, show, target))
            .collect()
    }

    /// Returns a row with the values at an index.
    pub(super) fn row(
        &self,
        at: usize,
        what: &str,
        show: impl Fn(f64) -> String,
        target: &'static str,
    ) -> Row {
        let other = self.other.as_ref();
        let other = other.map(|other| other.as_ref().map(|values| values[at]));
        Row::new(what, self.ours[at], other, show, target)
    }
}

/// Measures each program `rounds` times, by turns, and takes each value's median.
///
/// # Errors
/// Ours cannot be measured. The other server's failure is a result.
pub(super) fn compare<const N: usize>(
    programs: &[ServerProgram],
    rounds: usize,
    mut measure: impl FnMut(&ServerProgram) -> Result<[f64; N]>,
) -> Result<Comparison<N>> {
    let mut all: Vec<Result<Vec<[f64; N]>, String>> = vec![Ok(Vec::new()); programs.len()];
    for _ in 0..rounds {
        for (program, values) in programs.iter().zip(&mut all) {
            let Ok(so_far) = values else { continue };
            match measure(program) {
                Ok(measured) => {
                    eprintln!("  {}: {measured:.1?}", program.name());
                    so_far.push(measured);
                }
                Err(error) if program.is_ours() => return Err(error),
                Err(error) => *values = Err(format!("{error:#}")),
            }
        }
    }
    let mut all = all.into_iter().map(|values| Ok(medians(&values?)));
    let ours = all.next().context("nothing to measure")?;
    Ok(Comparison {
        ours: ours.map_err(|error: String| anyhow!(error))?,
        other: all.next(),
    })
}

/// Measures how each program relays, as [`compare`] does, and each time also the system without a
/// server between. Returns the medians of both.
pub(super) fn compare_relays<const M: usize, const N: usize>(
    programs: &[ServerProgram],
    rounds: usize,
    without_relay: fn() -> Result<[f64; M]>,
    relayed: fn(&ServerProcess) -> Result<[f64; N]>,
) -> Result<([f64; M], Comparison<N>)> {
    let mut direct = Vec::new();
    let measured = compare(programs, rounds, |program| {
        if program.is_ours() {
            direct.push(without_relay()?);
        }
        with_server(program, DEFAULT_RELAYS, &NO_LIMITS, relayed)
    })?;
    Ok((medians(&direct), measured))
}

/// Returns the median of each value.
fn medians<const N: usize>(values: &[[f64; N]]) -> [f64; N] {
    std::array::from_fn(|at| {
        let of_one: Vec<f64> = values.iter().map(|values| values[at]).collect();
        median(&of_one)
    })
}

/// Starts a server with `relays` ports for relays, measures once it takes commands, and stops it.
pub(super) fn with_server<T>(
    program: &ServerProgram,
    relays: usize,
    settings: &[(&str, &str)],
    measure: impl FnOnce(&ServerProcess) -> Result<T>,
) -> Result<T> {
    let mut server = launch(program, ServerPorts::free(relays), settings)?;
    server.wait_until_ready()?;
    sleep(SETTLED);
    let measured = measure(&server);
    // If the server ended, that says more than what failed without it.
    server.stop()?;
    measured
}

/// Starts a server that logs warnings alone, and does not wait for it.
pub(super) fn launch(
    program: &ServerProgram,
    ports: ServerPorts,
    settings: &[(&str, &str)],
) -> Result<ServerProcess> {
    let settings = [&[("NORAY_LOGLEVEL", "warn")], settings].concat();
    ServerProcess::launch(program, ports, &settings)
}
