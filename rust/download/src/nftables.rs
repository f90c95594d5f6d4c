//! Debian's `nft`, for a machine without one.

use std::path::PathBuf;
use std::process::Command;

use anyhow::Result;
use noray_testkit::{files, paths, tool};

use crate::debian::{self, Wanted};

const WANTED: Wanted = Wanted {
    name: "nftables",
    packages: &[&["nftables"]],
    script: "nft",
    program: "usr/sbin/nft",
    check: |script| tool::run_reading(Command::new(script).arg("--version"), |_| {}),
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
