//! Where things are.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use cargo_metadata::{MetadataCommand, TargetKind};

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
    let targets = metadata
        .packages
        .iter()
        .flat_map(|package| &package.targets);
    let mut roots: Vec<PathBuf> = targets
        .filter(|target| {
            target
                .kind
                .iter()
                .any(|kind| matches!(kind, TargetKind::Lib | TargetKind::CDyLib | TargetKind::Bin))
        })
        .map(|target| target.src_path.clone().into_std_path_buf())
        .collect();
    roots.sort();
    roots.dedup();
    Ok(roots)
}
