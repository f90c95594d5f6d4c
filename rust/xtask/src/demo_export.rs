//! Exports the demo and looks at what a player would get.

use std::fs::{self, File};
use std::path::Path;

use anyhow::{Context, Result, bail};
use noray_testkit::child::ChildProcess;
use noray_testkit::defaults::IMPORT;
use noray_testkit::godot::{self, Godot};
use noray_testkit::paths;
use zip::ZipArchive;

/// Words in the path of a file that is for developers only.
const FOR_DEVELOPERS: &[&str] = &["test", "suite", "bench"];

/// Fails when an export of the demo carries a test or a benchmark.
///
/// Exports a pack, for which Godot needs no export template.
pub(crate) fn check(godot: &Godot) -> Result<()> {
    let pack = paths::target()?.join("demo.zip");
    if pack.exists() {
        fs::remove_file(&pack)?;
    }
    let mut command = godot.headless(&paths::demo_project())?;
    command.args(["--export-pack", "Linux"]).arg(&pack);
    let ended = ChildProcess::start("export", &mut command)?.finish(IMPORT);
    // Not the whole log: exporting without a window, Godot 4.6 leaks a few of its own objects.
    if !ended.problems.is_empty() {
        let problems = ended.problems.join("\n");
        bail!("{problems}\n{}", godot::tail(&ended.lines));
    }
    let files = files_in(&pack)?;
    if !files.iter().any(|file| file == "main.gdc") {
        bail!("the demo is not in {}", pack.display());
    }
    let unwanted: Vec<&str> = files
        .iter()
        .map(String::as_str)
        .filter(|file| FOR_DEVELOPERS.iter().any(|word| file.contains(word)))
        .collect();
    if !unwanted.is_empty() {
        bail!("the export carries {}", unwanted.join(", "));
    }
    Ok(())
}

fn files_in(pack: &Path) -> Result<Vec<String>> {
    let file = File::open(pack).with_context(|| format!("{}", pack.display()))?;
    let archive = ZipArchive::new(file)?;
    archive
        .file_names()
        .map(|name| Ok(name?.into_owned()))
        .collect()
}
