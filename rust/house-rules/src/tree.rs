//! Where things are.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use anyhow::{Context, Result};
use cargo_metadata::MetadataCommand;

/// Returns the repository's root.
#[must_use]
pub fn root() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).to_path_buf()
}

/// Returns the root file of every library and program in the workspace; tests, examples and
/// benchmarks have none of the rules that need it.
///
/// # Errors
/// Cargo cannot be asked.
pub fn crate_roots() -> Result<Vec<PathBuf>> {
    let metadata = MetadataCommand::new()
        .current_dir(root())
        .no_deps()
        .exec()
        .context("cannot ask cargo for the workspace")?;
    let targets = metadata.packages.into_iter();
    let mut targets: Vec<_> = targets.flat_map(|package| package.targets).collect();
    targets.retain(|target| target.is_lib() || target.is_cdylib() || target.is_bin());
    let roots: BTreeSet<PathBuf> = targets
        .into_iter()
        .map(|target| target.src_path.into())
        .collect();
    Ok(roots.into_iter().collect())
}
