//! Exports the demo and looks at what a player would get.

use std::fs::{self, File};
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use noray_download::export_templates::ExportTemplates;
use noray_testkit::child::ChildProcess;
use noray_testkit::defaults::IMPORT;
use noray_testkit::godot::{self, Godot};
use noray_testkit::{files, paths};
use zip::ZipArchive;

use crate::demo;

/// Words in the path of a file that is for developers only.
const FOR_DEVELOPERS: &[&str] = &["test", "suite", "bench"];

/// What Debian's templates say when a game ends, without any extension too.
const SAID_BY_TEMPLATES: &[&str] = &["Attempt to disconnect a nonexistent connection"];

/// The help of a class, which players need not download.
const HELP: &[u8] = b"Connects players behind home routers";

/// Exports the demo with a template, `debug` or `release`, and lets two bots play the exported
/// game. Its log is judged as strictly as the editor's, and it carries no help.
pub(crate) fn play(godot: &Godot, templates: &ExportTemplates, kind: &str) -> Result<()> {
    let folder = paths::target()?.join("exported-demo").join(kind);
    files::remove_folder(&folder)?;
    let project = folder.join("project");
    files::mirror(&paths::demo_project(), &project, &|_| false)?;
    let template = templates.file(kind);
    append(
        &project.join("export_presets.cfg"),
        &format!("\ncustom_template/{kind}={template:?}\n"),
    )?;
    // Else the lines of a release build come when it ends.
    append(
        &project.join("project.godot"),
        "\n[application]\n\nrun/flush_stdout_on_print=true\n",
    )?;
    let game = folder.join("game").join("demo.x86_64");
    files::create_folder(&folder.join("game"))?;
    let mut command = godot.headless(&project)?;
    command
        .args([&format!("--export-{kind}"), "Linux"])
        .arg(&game);
    finish_export(&mut command)?;
    for file in files::entries(&folder.join("game"))? {
        let content = fs::read(&file)?;
        let has_help = content.windows(HELP.len()).any(|part| part == HELP);
        ensure!(!has_help, "{} carries the help", file.display());
    }
    let start = || {
        let mut command = templates.command(&game)?;
        for (variable, value) in godot.headless(&project)?.get_envs() {
            match value {
                Some(value) => command.env(variable, value),
                None => command.env_remove(variable),
            };
        }
        command.arg("--headless");
        Ok(command)
    };
    demo::play_exported(godot, &start, SAID_BY_TEMPLATES)
}

fn append(file: &Path, text: &str) -> Result<()> {
    let content = fs::read_to_string(file)? + text;
    Ok(fs::write(file, content)?)
}

fn finish_export(command: &mut Command) -> Result<()> {
    let ended = ChildProcess::start("export", command)?.finish(IMPORT);
    // Not the whole log: exporting without a window, Godot 4.6 leaks a few of its own objects.
    if !ended.problems.is_empty() {
        let problems = ended.problems.join("\n");
        bail!("{problems}\n{}", godot::tail(&ended.lines));
    }
    Ok(())
}

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
    finish_export(&mut command)?;
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
