//! Where things are. All paths are absolute.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// Returns the repository's root.
pub fn root() -> PathBuf {
    // `cargo run` sets the current place; the built-in one is for a binary started by hand.
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    let root = package
        .ancestors()
        .find(|folder| folder.join("addons/noray").is_dir());
    root.map_or_else(|| package.clone(), Path::to_path_buf)
}

/// Returns Cargo's target folder, which also holds what is fetched and staged.
pub fn target() -> Result<PathBuf> {
    let folder = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"]
        .iter()
        .find_map(env::var_os)
        .map_or_else(|| root().join("target"), PathBuf::from);
    std::path::absolute(&folder).with_context(|| format!("{}", folder.display()))
}

/// Returns the addon's folder: exactly what a game copies.
pub fn addon() -> PathBuf {
    root().join("addons").join("noray")
}

/// Returns the demo game's folder.
pub fn demo_project() -> PathBuf {
    root().join("godot-project")
}

/// Returns the Godot project with the tests written in GDScript.
pub fn godot_tests() -> PathBuf {
    root().join("rust").join("godot-tests")
}

/// Returns the crate with what is fuzzed, and the kept inputs.
pub fn fuzz() -> PathBuf {
    root().join("rust").join("fuzz")
}
