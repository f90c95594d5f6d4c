//! Where things are. All paths are absolute.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The repository's root.
pub(crate) fn root() -> PathBuf {
    // `cargo run` tells the place of today; the built-in one is for a binary started by hand.
    let package = env::var_os("CARGO_MANIFEST_DIR")
        .map_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")), PathBuf::from);
    package
        .ancestors()
        .nth(2)
        .map_or_else(|| package.clone(), Path::to_path_buf)
}

/// Cargo's target folder, which also holds what this tool fetches and stages.
pub(crate) fn target() -> Result<PathBuf> {
    let folder = ["CARGO_TARGET_DIR", "CARGO_BUILD_TARGET_DIR"]
        .iter()
        .find_map(env::var_os)
        .map_or_else(|| root().join("target"), PathBuf::from);
    std::path::absolute(&folder).with_context(|| format!("{}", folder.display()))
}

/// The addon's folder: exactly what a game copies.
pub(crate) fn addon() -> PathBuf {
    root().join("addons").join("noray")
}

/// The demo game.
pub(crate) fn demo_project() -> PathBuf {
    root().join("godot-project")
}

/// The Godot project with the tests written in GDScript.
pub(crate) fn godot_tests() -> PathBuf {
    root().join("rust").join("godot-tests")
}

/// The crate with what is fuzzed, and the kept inputs.
pub(crate) fn fuzz() -> PathBuf {
    root().join("rust").join("fuzz")
}

/// The templates of the games that the scenarios stage.
pub(crate) fn game_templates() -> PathBuf {
    root().join("rust").join("xtask").join("games")
}
