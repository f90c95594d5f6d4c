//! Checks all dependencies by `cargo deny`, as `deny.toml` says.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};
use noray_testkit::{paths, tool};

use crate::{cargo, defaults};

/// Checks licences and sources, and advisories if their database can be fetched.
pub(crate) fn run() -> Result<()> {
    let deny = cargo::installed("cargo-deny", defaults::CARGO_DENY)?;
    call(&deny, &["check", "licenses", "bans", "sources"]).context("licences and sources")?;
    if let Err(error) = call(&deny, &["fetch", "db"]) {
        println!("SKIPPED advisories: their database cannot be fetched: {error:#}");
        return Ok(());
    }
    call(&deny, &["check", "--disable-fetch", "advisories"]).context("advisories")
}

fn call(deny: &Path, arguments: &[&str]) -> Result<()> {
    tool::run(
        Command::new(deny)
            .current_dir(paths::root())
            .args(arguments),
    )
}
