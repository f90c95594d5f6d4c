//! Builds and runs the binaries of other crates.

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use noray_testkit::report::{Counts, Report};
use noray_testkit::tool;

use crate::cargo::{self, Profile};

/// Builds a crate whose binary has its name, and returns the executable.
pub(crate) fn build(package: &str, profile: Profile) -> Result<PathBuf> {
    let folder = cargo::build(package, profile, None)?;
    Ok(folder.join(format!("{package}{}", std::env::consts::EXE_SUFFIX)))
}

/// Builds a crate for debugging, and returns a command that runs its binary.
pub(crate) fn command(package: &str) -> Result<Command> {
    let mut command = Command::new(build(package, Profile::Debug)?);
    // Cargo sets it for what cargo itself runs: where to look for the repository.
    command.env("CARGO_MANIFEST_DIR", noray_testkit::paths::root());
    Ok(command)
}

/// Returns whether a program is only asked which options it has.
pub(crate) fn is_help(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        .any(|word| word == "--help" || word == "-h")
}

/// Runs a program that counts tests, prints all that it prints but the sum, and adds that to
/// `report`. One that ends without a sum is a failed test.
pub(crate) fn add_run(report: &mut Report, name: &str, command: &mut Command) {
    let mut counts = None;
    let ended = tool::run_reading(command, |line| match Counts::parse(line) {
        Some(sum) => counts = Some(sum),
        None if line != "no test ran" => println!("{line}"),
        None => {}
    });
    match (counts, ended) {
        (Some(counts), _) => report.add(counts),
        (None, Err(error)) => report.fail(name, &error),
        (None, Ok(())) => report.fail(name, &anyhow::anyhow!("it ended without a sum")),
    }
}
