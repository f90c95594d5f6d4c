//! Runs the measurements.

use std::path::PathBuf;

use anyhow::{Result, ensure};
use noray_testkit::process_info::allow_many_files;
use noray_testkit::server::ServerProgram;

use super::table::{self, Part};
use super::{latency, registration, resilience, startup, throughput};

type Measure = fn(&[ServerProgram]) -> Result<Part>;

/// The measurements by their names on the command line.
const MEASUREMENTS: [(&str, Measure); 5] = [
    ("throughput", throughput::measure),
    ("latency", latency::measure),
    ("players", registration::measure),
    ("start", startup::measure),
    ("abuse", resilience::measure),
];

/// Measures our server and, if `noray` is an installed copy of it, the public one; prints a table
/// in Markdown. A filter leaves only the measurements with it in their name.
pub(crate) fn run(server: PathBuf, noray: Option<PathBuf>, filter: Option<&str>) -> Result<()> {
    allow_many_files()?;
    let mut programs = vec![ServerProgram::Ours(server)];
    programs.extend(noray.map(ServerProgram::Public));
    let mut parts = Vec::new();
    for (name, measure) in MEASUREMENTS {
        if filter.is_none_or(|part| name.contains(part)) {
            eprintln!("{name} ...");
            parts.push(measure(&programs)?);
        }
    }
    ensure!(!parts.is_empty(), "no measurement has that in its name");
    table::print(&parts);
    Ok(())
}
