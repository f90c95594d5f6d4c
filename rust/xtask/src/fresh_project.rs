//! A project that was never opened in the editor, as continuous integration checks it out.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Result, bail};
use noray_testkit::child::ChildProcess;
use noray_testkit::defaults::IMPORT;
use noray_testkit::godot::{self, Godot};
use noray_testkit::{files, paths, tool};

use crate::cargo;

/// What a first run in continuous integration may be.
pub(crate) const FIRST_RUNS: &[(&str, &[&str])] = &[
    ("import", &["--import"]),
    ("editor", &["--editor", "--quit"]),
    ("export", &["--export-pack", "Linux", "game.zip"]),
];

const OTHER_EXTENSION: &str = "other_extension";

const PROJECT: &str = "config_version=5\n\n[application]\n\nconfig/name=\"Fresh\"\n";

const PRESETS: &str = "[preset.0]\n\nname=\"Linux\"\nplatform=\"Linux\"\nrunnable=true\n\
                       export_filter=\"all_resources\"\n\n[preset.0.options]\n\n\
                       binary_format/architecture=\"x86_64\"\n";

/// Knows both extensions' classes only when both are loaded.
const CHECK: &str = "extends SceneTree\n\n\n\
                     func _init() -> void:\n\
                     \tassert(OtherClass.new().answer() == 42 and Noray.oid == \"\")\n\
                     \tprint(\"[fresh] loaded\")\n\
                     \tquit()\n";

/// Fails unless a first run of the editor on a fresh project ends well, with a fresh home and beside
/// another extension, and a script then finds the classes of both.
pub(crate) fn check(godot: &Godot, first_run: &[&str]) -> Result<()> {
    let folder = paths::target()?.join("fresh-project");
    files::remove_folder(&folder)?;
    let project = folder.join("project");
    fill(&project)?;
    let home = folder.join("home");
    files::create_folder(&home)?;

    let mut command = headless(godot, &project, &home)?;
    let process = ChildProcess::start("first run", command.args(first_run))?;
    let ended = process.finish(IMPORT);
    // Not the whole log: exporting without a window, Godot 4.6 leaks a few of its own objects.
    if !ended.problems.is_empty() {
        let problems = ended.problems.join("\n");
        bail!("{problems}\n{}", godot::tail(&ended.lines));
    }
    let mut command = headless(godot, &project, &home)?;
    let process = ChildProcess::start("check", command.args(["-s", "res://check.gd"]))?;
    let ended = process.finish(IMPORT);
    if !ended.lines.iter().any(|line| line == "[fresh] loaded") {
        bail!("no classes; {}", godot::tail(&ended.lines));
    }
    godot::judge(ended)
}

/// Makes the project with the addon and another extension, and without `.godot`.
fn fill(project: &Path) -> Result<()> {
    let addons = project.join("addons");
    files::mirror(&paths::addon(), &addons.join("noray"), &|_| false)?;
    let library = other_extension()?;
    let other = addons.join("other");
    files::create_folder(&other)?;
    let name = library.file_name().unwrap_or_default();
    files::copy(&library, &other.join(name))?;
    let settings = format!(
        "[configuration]\n\nentry_symbol=\"other_extension_init\"\n\
         compatibility_minimum=\"4.3\"\nreloadable=true\n\n[libraries]\n\n{}=\"{}\"\n",
        std::env::consts::OS,
        name.display()
    );
    fs::write(other.join("other.gdextension"), settings)?;
    fs::write(project.join("project.godot"), PROJECT)?;
    fs::write(project.join("export_presets.cfg"), PRESETS)?;
    fs::write(project.join("check.gd"), CHECK)?;
    Ok(())
}

fn other_extension() -> Result<PathBuf> {
    let mut command = cargo::command("build")?;
    command.args(["--package", "noray-godot", "--example", OTHER_EXTENSION]);
    tool::run(&mut command)?;
    let (before, after) = (std::env::consts::DLL_PREFIX, std::env::consts::DLL_SUFFIX);
    let folder = paths::target()?.join("debug").join("examples");
    Ok(folder.join(format!("{before}{OTHER_EXTENSION}{after}")))
}

fn headless(godot: &Godot, project: &Path, home: &Path) -> Result<Command> {
    let mut command = godot.headless(project)?;
    for variable in [
        "HOME",
        "XDG_DATA_HOME",
        "XDG_CONFIG_HOME",
        "XDG_CACHE_HOME",
        "APPDATA",
        "LOCALAPPDATA",
    ] {
        command.env(variable, home);
    }
    Ok(command)
}
