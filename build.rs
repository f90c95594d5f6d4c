//! Keeps the crate's and the addon's versions equal.

use std::{env, fs};

const PLUGIN: &str = "addons/noray/plugin.cfg";

fn main() {
    println!("cargo::rerun-if-changed={PLUGIN}");

    let version = env::var("CARGO_PKG_VERSION").expect("cargo sets CARGO_PKG_VERSION");
    let plugin = fs::read_to_string(PLUGIN).unwrap_or_else(|error| panic!("{PLUGIN}: {error}"));
    let expected = format!("version=\"{version}\"");
    assert!(
        plugin.lines().any(|line| line.trim() == expected),
        "{PLUGIN} must say {expected}, the version in Cargo.toml"
    );
}
