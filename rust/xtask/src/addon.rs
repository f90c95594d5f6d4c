//! Builds the extension's library and puts it where games find it.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};

use crate::cargo::{self, Profile};
use crate::{files, paths, process};

const PACKAGE: &str = "noray-godot";

/// The extension as a project names it.
pub(crate) const EXTENSION: &str = "res://addons/noray/noray.gdextension";

/// Builds for `targets` (this machine, if there are none), fills `addons/noray/bin` and stages
/// the addon in the demo and in the tests' project.
pub(crate) fn run(profile: Profile, targets: &[String]) -> Result<()> {
    let mut built: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    if targets.is_empty() {
        let name = library_name(std::env::consts::OS, std::env::consts::ARCH)?;
        let folder = cargo::build(PACKAGE, profile, None)?;
        built
            .entry(name)
            .or_default()
            .push(folder.join(cargo_name(std::env::consts::OS)));
    }
    for triple in targets {
        let (os, arch) = platform(triple)?;
        let name = library_name(os, arch)?;
        let folder = cargo::build(PACKAGE, profile, Some(triple))?;
        built
            .entry(name)
            .or_default()
            .push(folder.join(cargo_name(os)));
    }
    let _lock = files::Lock::wait(&paths::target()?.join("addon.lock"))?;
    for (name, libraries) in built {
        let to = paths::addon().join("bin").join(name);
        match libraries.as_slice() {
            [library] => drop(files::copy(library, &to)?),
            libraries => merge(libraries, &to)?,
        }
        eprintln!("{}", to.display());
    }
    stage_in(&paths::demo_project())?;
    stage_in(&paths::godot_tests())
}

/// Puts the addon, as it was built last, into a project. Godot may be running it meanwhile.
pub(crate) fn stage_in(project: &Path) -> Result<()> {
    // Godot writes these two beside each file that it imports.
    let by_godot = |path: &Path| {
        path.extension()
            .is_some_and(|ending| ending == "import" || ending == "uid")
    };
    files::mirror(
        &paths::addon(),
        &project.join("addons").join("noray"),
        &by_godot,
    )?;
    list_extension(project)
}

/// Tells a project that was never opened in the editor which extension it has, as the editor
/// itself does when it finds one. Godot 4.5 and 4.6 crash when a run of `--import` finds an
/// extension and quits before its help is made (godotengine/godot#111048).
fn list_extension(project: &Path) -> Result<()> {
    let list = project.join(".godot").join("extension_list.cfg");
    let mut content = fs::read_to_string(&list).unwrap_or_default();
    if content.lines().any(|line| line.trim() == EXTENSION) {
        return Ok(());
    }
    if !content.is_empty() && !content.ends_with('\n') {
        content.push('\n');
    }
    content.push_str(EXTENSION);
    content.push('\n');
    files::create_folder(&project.join(".godot"))?;
    files::write(&list, content.as_bytes())
}

/// One library for several processors, which Apple's systems know.
fn merge(libraries: &[PathBuf], to: &Path) -> Result<()> {
    let merged = paths::target()?.join("merged.dylib");
    process::run_tool(
        Command::new("lipo")
            .arg("-create")
            .args(libraries)
            .arg("-output")
            .arg(&merged),
    )
    .context("Apple's lipo is needed to put libraries for several processors together")?;
    files::copy(&merged, to)?;
    Ok(())
}

/// The staged library of this machine.
pub(crate) fn own_library() -> Result<PathBuf> {
    let name = library_name(std::env::consts::OS, std::env::consts::ARCH)?;
    Ok(paths::addon().join("bin").join(name))
}

/// What `noray.gdextension` calls the library for a system and processor, as Rust names them.
fn library_name(os: &str, arch: &str) -> Result<String> {
    let arch = match arch {
        "aarch64" => "arm64",
        other => other,
    };
    let name = match (os, arch) {
        ("linux", "x86_64" | "arm64") => format!("libnoray_godot.linux.{arch}.so"),
        ("windows", "x86_64" | "arm64") => format!("noray_godot.windows.{arch}.dll"),
        ("android", "x86_64" | "arm64") => format!("libnoray_godot.android.{arch}.so"),
        ("macos", "x86_64" | "arm64") => "libnoray_godot.macos.dylib".to_owned(),
        ("ios", "arm64") => "libnoray_godot.ios.dylib".to_owned(),
        _ => bail!("noray.gdextension names no library for {os} on {arch}"),
    };
    Ok(name)
}

/// What cargo calls the library for a system.
fn cargo_name(os: &str) -> &'static str {
    match os {
        "windows" => "noray_godot.dll",
        "macos" | "ios" => "libnoray_godot.dylib",
        _ => "libnoray_godot.so",
    }
}

/// The system and processor of a target triple.
fn platform(triple: &str) -> Result<(&str, &str)> {
    let unknown = || anyhow!("{triple} is not among the targets of noray.gdextension");
    let (arch, rest) = triple.split_once('-').ok_or_else(unknown)?;
    let os = match rest {
        "unknown-linux-gnu" => "linux",
        "linux-android" => "android",
        "apple-darwin" => "macos",
        "apple-ios" => "ios",
        windows if windows.starts_with("pc-windows-") => "windows",
        _ => return Err(unknown()),
    };
    Ok((os, arch))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const TARGETS: &[&str] = &[
        "x86_64-unknown-linux-gnu",
        "aarch64-unknown-linux-gnu",
        "x86_64-pc-windows-msvc",
        "aarch64-pc-windows-msvc",
        "x86_64-apple-darwin",
        "aarch64-apple-darwin",
        "x86_64-linux-android",
        "aarch64-linux-android",
        "aarch64-apple-ios",
    ];

    fn section(name: &str) -> Vec<(String, String)> {
        let file = fs::read_to_string(paths::addon().join("noray.gdextension")).unwrap();
        let mut inside = false;
        let mut found = Vec::new();
        for line in file.lines().map(str::trim) {
            if line.starts_with('[') {
                inside = line == format!("[{name}]");
            } else if let Some((key, value)) = line.split_once('=').filter(|_| inside) {
                let value = value.trim().trim_matches('"').to_owned();
                found.push((key.trim().to_owned(), value));
            }
        }
        found
    }

    #[test]
    fn the_extension_file_and_the_build_agree_on_names() {
        let listed: BTreeSet<(String, String)> = section("libraries").into_iter().collect();
        let written: BTreeSet<(String, String)> = TARGETS
            .iter()
            .map(|triple| {
                let (os, arch) = platform(triple).unwrap();
                let key = match (os, arch) {
                    ("macos" | "ios", _) => os.to_owned(),
                    (_, "aarch64") => format!("{os}.arm64"),
                    _ => format!("{os}.{arch}"),
                };
                let name = library_name(os, arch).unwrap();
                (key, format!("bin/{name}"))
            })
            .collect();
        assert_eq!(listed, written);
    }

    #[test]
    fn the_extension_file_names_icons_that_are_there() {
        let icons = section("icons");
        assert_eq!(icons.len(), 3);
        for (class, icon) in icons {
            assert!(paths::addon().join(&icon).is_file(), "{class}: {icon}");
        }
    }

    #[test]
    fn the_extension_file_asks_for_the_godot_that_the_crate_is_built_for() {
        let (major, minor) = crate::defaults::OLDEST_GODOT;
        let settings: BTreeMap<String, String> = section("configuration").into_iter().collect();
        assert_eq!(settings["entry_symbol"], "gdext_rust_init");
        assert_eq!(
            settings["compatibility_minimum"],
            format!("{major}.{minor}")
        );
        assert_eq!(settings["reloadable"], "true");
        let manifest = fs::read_to_string(paths::root().join("Cargo.toml")).unwrap();
        assert!(manifest.contains(&format!("\"api-{major}-{minor}\"")));
    }

    #[test]
    fn other_targets_are_refused() {
        for triple in ["x86_64-unknown-linux-musl", "wasm32-unknown-emscripten", ""] {
            assert!(platform(triple).is_err(), "{triple}");
        }
        assert!(library_name("linux", "riscv64").is_err());
    }

    #[test]
    fn a_project_lists_the_extension_once() {
        let project = tempfile::tempdir().unwrap();
        let list = project.path().join(".godot/extension_list.cfg");
        list_extension(project.path()).unwrap();
        list_extension(project.path()).unwrap();
        assert_eq!(fs::read_to_string(&list).unwrap(), format!("{EXTENSION}\n"));

        fs::write(&list, "res://other.gdextension").unwrap();
        list_extension(project.path()).unwrap();
        let both = format!("res://other.gdextension\n{EXTENSION}\n");
        assert_eq!(fs::read_to_string(&list).unwrap(), both);
    }
}
