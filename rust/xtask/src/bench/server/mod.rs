//! Our server under load, and the public one beside it: both are measured in the same run, by
//! turns, with the same generator.
//!
//! Each player has an address of its own on loopback (127.x.y.z), as on the Internet.

#[cfg(target_os = "linux")]
mod latency;
#[cfg(target_os = "linux")]
mod machine;
#[cfg(target_os = "linux")]
mod player;
#[cfg(target_os = "linux")]
mod players;
#[cfg(target_os = "linux")]
mod receiving;
#[cfg(target_os = "linux")]
mod start;
#[cfg(target_os = "linux")]
mod statistics;
#[cfg(target_os = "linux")]
mod table;
#[cfg(target_os = "linux")]
mod throughput;
#[cfg(target_os = "linux")]
mod turns;

use std::path::Path;

use anyhow::Result;

/// Measures and prints a table in Markdown; of `noray`, an installed copy of the public server,
/// too. A filter leaves only the measurements with it in their name.
#[cfg(target_os = "linux")]
pub fn run(noray: Option<&Path>, filter: Option<String>) -> Result<()> {
    use crate::cargo::Profile;
    use crate::server::{Program, Server};

    machine::allow_many_files()?;
    let mut programs = vec![Program::Ours(Server::build(Profile::Release)?)];
    programs.extend(noray.map(|folder| Program::Public(folder.to_path_buf())));
    type Measure = fn(&[Program]) -> Result<table::Part>;
    let measurements: [(&str, Measure); 4] = [
        ("throughput", throughput::measure),
        ("latency", latency::measure),
        ("players", players::measure),
        ("start", start::measure),
    ];
    let mut parts = Vec::new();
    for (name, measure) in measurements {
        if filter.as_ref().is_none_or(|part| name.contains(part)) {
            eprintln!("{name} ...");
            parts.push(measure(&programs)?);
        }
    }
    table::print(&parts);
    Ok(())
}

/// Tells that this system cannot be measured on.
#[cfg(not(target_os = "linux"))]
pub fn run(_noray: Option<&Path>, _filter: Option<String>) -> Result<()> {
    println!("skipped: it needs Linux's loopback addresses, time stamps and /proc");
    Ok(())
}
