//! Folders that are there whole or not at all.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use noray_testkit::files;

/// Lets `fill` make a folder, which then appears under its name in one step. What an interrupted
/// run left is removed first; what a failed `fill` made, afterwards.
pub(crate) fn make_folder(folder: &Path, fill: impl FnOnce(&Path) -> Result<()>) -> Result<()> {
    let part = folder.with_extension("part");
    files::remove_folder(&part)?;
    files::create_folder(&part)?;
    let result = fill(&part).and_then(|()| {
        files::remove_folder(folder)?;
        fs::rename(&part, folder)
            .with_context(|| format!("cannot rename {} to {}", part.display(), folder.display()))
    });
    if result.is_err() {
        let _ = files::remove_folder(&part);
    }
    result
}
