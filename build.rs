//! Keeps the crate's and the addon's versions equal and records the build's version.

use std::{env, fs, process::Command};

const PLUGIN: &str = "addons/noray/plugin.cfg";

fn main() {
    println!("cargo::rerun-if-changed={PLUGIN}");
    println!("cargo::rerun-if-changed=.git/HEAD");

    let version = env::var("CARGO_PKG_VERSION").expect("cargo sets CARGO_PKG_VERSION");
    let plugin = fs::read_to_string(PLUGIN).unwrap_or_else(|error| panic!("{PLUGIN}: {error}"));
    let wanted = format!("version=\"{version}\"");
    assert!(
        plugin.lines().any(|line| line.trim() == wanted),
        "{PLUGIN} must say {wanted}, the version in Cargo.toml"
    );

    println!("cargo::rustc-env=NORAY_BUILD={}", build_version(&version));
}

/// The version with the commit it was built from, where git knows it.
fn build_version(version: &str) -> String {
    Command::new("git")
        .args(["rev-parse", "--short", "HEAD"])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map_or_else(
            || version.to_owned(),
            |output| {
                format!(
                    "{version}+{}",
                    String::from_utf8_lossy(&output.stdout).trim()
                )
            },
        )
}
