//! Exports the demo and looks at what a player would get.

use std::fs::{self, File};

use anyhow::{Context, Result, bail, ensure};
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
    let file = File::open(&pack).with_context(|| format!("{}", pack.display()))?;
    let archive = ZipArchive::new(file)?;
    let files: Vec<_> = archive.file_names().collect::<Result<_, _>>()?;
    ensure!(
        files.iter().any(|file| file == "main.gdc"),
        "the demo is not in {}",
        pack.display()
    );
    let mut unwanted = files;
    unwanted.retain(|file| FOR_DEVELOPERS.iter().any(|word| file.contains(word)));
    ensure!(
        unwanted.is_empty(),
        "the export carries {}",
        unwanted.join(", ")
    );
    Ok(())
}
