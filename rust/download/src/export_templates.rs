//! Debian's export templates of Godot: what a game is exported with.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::Result;
use noray_testkit::godot::Godot;
use noray_testkit::{files, paths};

use crate::debian::{self, Wanted};

const WANTED: Wanted = Wanted {
    name: "Godot's export templates",
    packages: &[&["godot-template-release", "godot-template-debug"]],
    script: "godot-template-release",
    program: "usr/bin/godot-template-release",
    check: |script| Godot::at(script).map(drop),
};

/// The unpacked templates, with their libraries.
pub struct ExportTemplates {
    root: PathBuf,
}

/// Returns the export templates, fetching them if they are not there yet.
///
/// # Errors
/// This is no Debian, or its packages cannot be had.
pub fn fetch() -> Result<ExportTemplates> {
    let folder = paths::target()?.join("godot").join("export-templates");
    let _lock = files::lock(&folder.with_extension("lock"))?;
    if !folder.join(WANTED.script).is_file() {
        debian::fetch(&folder, &WANTED)?;
    }
    let root = folder.join("root");
    Ok(ExportTemplates { root })
}

impl ExportTemplates {
    /// Returns a template's file; `kind` is `debug` or `release`.
    pub fn file(&self, kind: &str) -> PathBuf {
        self.root.join(format!("usr/bin/godot-template-{kind}"))
    }

    /// Returns a command that starts an exported game with the libraries of its template.
    ///
    /// # Errors
    /// The loader cannot be copied beside the game.
    pub fn command(&self, game: &Path) -> Result<Command> {
        let (loader, libraries) = debian::loader(&self.root)?;
        // Godot takes the loader for its own executable: beside it is the extension, and the pack
        // has its name.
        let own = game.with_extension("");
        files::copy(&loader, &own)?;
        let mut command = Command::new(own);
        command.arg("--library-path").arg(libraries).arg(game);
        Ok(command)
    }
}
