//! What each crate is made of.

use std::{collections::BTreeSet, env, process::Command};

use anyhow::{Context, Result, ensure};

use crate::tree::root;

/// Which features of a crate count.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Features {
    /// Those that are built when the crate is built by itself.
    Default,
    /// All.
    All,
}

/// Returns the names of the packages that a package of the workspace names itself, with itself; not
/// what only its tests need.
///
/// # Errors
/// Cargo cannot be asked, or the workspace has no such package.
pub fn direct_dependencies(package: &str) -> Result<BTreeSet<String>> {
    tree(package, &["--depth", "1", "--all-features"])
}

/// Returns the names of the packages that a package of the workspace is made of on any platform,
/// itself included; not what only its tests need.
///
/// # Errors
/// Cargo cannot be asked, or the workspace has no such package.
pub fn dependencies(package: &str, features: Features) -> Result<BTreeSet<String>> {
    match features {
        Features::Default => tree(package, &[]),
        Features::All => tree(package, &["--all-features"]),
    }
}

fn tree(package: &str, arguments: &[&str]) -> Result<BTreeSet<String>> {
    let mut cargo = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    cargo
        .current_dir(root())
        .args(["tree", "--package", package, "--edges", "normal,build"])
        .args(["--target", "all", "--prefix", "none", "--format", "{p}"])
        .args(arguments);
    let output = cargo.output().context("cannot start cargo")?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "cargo tree: {error}");
    let tree = String::from_utf8(output.stdout).context("cargo tree")?;
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    Ok(names.map(str::to_owned).collect())
}
