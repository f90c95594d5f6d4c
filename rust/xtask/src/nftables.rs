//! Debian's `nft`, unpacked into a folder of its own, for a machine without one.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use noray_testkit::{files, paths};

use crate::debian::{self, Machine, Wanted};

const WANTED: Wanted = Wanted {
    name: "nftables",
    packages: &[&["nftables"]],
};

/// Returns the script that starts the unpacked `nft`, fetching it if it is not there yet.
pub(crate) fn fetch() -> Result<PathBuf> {
    let folder = paths::target()?.join("nftables");
    let _lock = files::Lock::wait(&folder.with_extension("lock"))?;
    let script = folder.join("nft");
    if !script.is_file() {
        debian::fetch(&folder, &WANTED, finish)?;
    }
    Ok(script)
}

/// Makes the script; it may be moved together with its folder.
fn finish(part: &Path, machine: &Machine) -> Result<()> {
    let root = part.join("root");
    let loader = machine.loader(&root)?;
    let places = ["usr/sbin/nft", "sbin/nft"];
    let nft = places.into_iter().find(|file| root.join(file).exists());
    let nft = nft.context("the packages hold no nft")?;
    let libraries = machine.libraries;
    let script = part.join("nft");
    let text = format!(
        "#!/bin/sh\n\
         # Starts the unpacked nft with the libraries that came with it.\n\
         root=$(dirname -- \"$(readlink -f -- \"$0\")\")/root\n\
         exec \"$root/{loader}\" \
         --library-path \"$root/usr/lib/{libraries}:$root/lib/{libraries}\" \
         \"$root/{nft}\" \"$@\"\n"
    );
    fs::write(&script, text).with_context(|| format!("cannot write {}", script.display()))?;
    files::make_executable(&script)?;
    let mut command = Command::new(&script);
    let output = command.arg("--version").stdin(Stdio::null()).output();
    let output = output.context("cannot start the unpacked nft")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("the unpacked nft does not run: {}", said.trim());
    }
    Ok(())
}
