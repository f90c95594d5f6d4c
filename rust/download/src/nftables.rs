//! Debian's `nft`, for a machine without one.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use noray_testkit::{files, paths};

use crate::debian::{self, Wanted};

const WANTED: Wanted = Wanted {
    name: "nftables",
    packages: &[&["nftables"]],
    script: "nft",
    program: "usr/sbin/nft",
    check,
};

/// Returns the script that starts the unpacked `nft`, fetching it if it is not there yet.
///
/// # Errors
/// This is no Debian, or its packages cannot be had.
pub fn fetch() -> Result<PathBuf> {
    let folder = paths::target()?.join("nftables");
    let _lock = files::lock(&folder.with_extension("lock"))?;
    let script = folder.join(WANTED.script);
    if !script.is_file() {
        debian::fetch(&folder, &WANTED)?;
    }
    Ok(script)
}

fn check(script: &Path) -> Result<()> {
    let mut command = Command::new(script);
    let output = command.arg("--version").stdin(Stdio::null()).output();
    let output = output.context("cannot start the unpacked nft")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("the unpacked nft does not run: {}", said.trim());
    }
    Ok(())
}
