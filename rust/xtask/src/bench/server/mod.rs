//! Our server under load, and the public one beside it: both are measured in the same run, by
//! turns, with the same generator.
//!
//! Each player has an address of its own on loopback (127.x.y.z), as on the Internet.

mod abuse;
mod latency;
mod load;
mod machine;
mod player;
mod players;
mod receiving;
mod start;
mod statistics;
mod table;
mod throughput;
mod turns;

use std::path::Path;

use anyhow::{Result, ensure};

use crate::cargo::Profile;
use crate::process;
use crate::server::{Program, Server};

/// Measures and prints a table in Markdown; of `noray`, an installed copy of the public server,
/// too. A filter leaves only the measurements with it in their name.
pub(crate) fn run(noray: Option<&Path>, filter: Option<String>) -> Result<()> {
    process::allow_many_files()?;
    let mut programs = vec![Program::Ours(Server::build(Profile::Release)?)];
    programs.extend(noray.map(|folder| Program::Public(folder.to_path_buf())));
    type Measure = fn(&[Program]) -> Result<table::Part>;
    let measurements: [(&str, Measure); 5] = [
        ("throughput", throughput::measure),
        ("latency", latency::measure),
        ("players", players::measure),
        ("start", start::measure),
        ("abuse", abuse::measure),
    ];
    let mut parts = Vec::new();
    for (name, measure) in measurements {
        if filter.as_ref().is_none_or(|part| name.contains(part)) {
            eprintln!("{name} ...");
            parts.push(measure(&programs)?);
        }
    }
    ensure!(!parts.is_empty(), "no measurement has that in its name");
    table::print(&parts);
    Ok(())
}
