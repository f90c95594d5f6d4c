//! Builds the extension's library and puts it where games find it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};
use noray_testkit::game::stage_addon;
use noray_testkit::{files, paths, tool};

use crate::cargo::{self, Profile};

const PACKAGE: &str = "noray-godot";

/// Rust's targets (of Windows' the beginning) with their names in `noray.gdextension`.
const TARGETS: [(&str, &str); 9] = [
    ("x86_64-unknown-linux-gnu", "linux.x86_64"),
    ("aarch64-unknown-linux-gnu", "linux.arm64"),
    ("x86_64-pc-windows-", "windows.x86_64"),
    ("aarch64-pc-windows-", "windows.arm64"),
    ("x86_64-apple-darwin", "macos"),
    ("aarch64-apple-darwin", "macos"),
    ("x86_64-linux-android", "android.x86_64"),
    ("aarch64-linux-android", "android.arm64"),
    ("aarch64-apple-ios", "ios"),
];

/// The library for games, and the one for the editor, which carries the help: how the second's name
/// ends, and how each is built.
const KINDS: [(&str, &[&str]); 2] = [("", &["--no-default-features"]), (EDITOR, &[])];

const EDITOR: &str = ".editor";

/// Builds for `targets` (this machine, if there are none), fills `addons/noray/bin` and stages
/// the addon in the demo and in the tests' project.
pub(crate) fn run(profile: Profile, targets: &[String]) -> Result<()> {
    let mut wanted = Vec::new();
    for triple in targets {
        wanted.push((Some(triple.as_str()), platform(triple)?));
    }
    if wanted.is_empty() {
        wanted.push((None, own_platform()?));
    }
    let _lock = files::lock(&paths::target()?.join("addon.lock"))?;
    for (kind, features) in KINDS {
        let mut built: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
        for (triple, platform) in &wanted {
            if kind == EDITOR && !has_editor(platform) {
                continue;
            }
            let folder = cargo::build_with(PACKAGE, profile, *triple, features)?;
            let library = folder.join(library("noray_godot", platform));
            let name = format!("{platform}{kind}");
            built.entry(name).or_default().push(library);
        }
        for (platform, libraries) in built {
            let to = staged(&platform);
            match libraries.as_slice() {
                [library] => drop(files::copy(library, &to)?),
                libraries => merge(libraries, &to)?,
            }
            eprintln!("{}", to.display());
        }
    }
    stage_addon(&paths::demo_project())?;
    stage_addon(&paths::godot_tests())
}

/// Returns whether a game developer's Godot runs on a platform.
fn has_editor(platform: &str) -> bool {
    !platform.starts_with("android") && platform != "ios"
}

/// Makes one library for several processors, which Apple's systems know.
fn merge(libraries: &[PathBuf], to: &Path) -> Result<()> {
    let merged = paths::target()?.join("merged.dylib");
    tool::run(
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

/// Returns the staged library of this machine, as games get it.
pub(crate) fn own_library() -> Result<PathBuf> {
    Ok(staged(own_platform()?))
}

fn own_platform() -> Result<&'static str> {
    platform_of(std::env::consts::OS, std::env::consts::ARCH)
}

/// Returns where the library of a platform is staged, as `noray.gdextension` says.
fn staged(platform: &str) -> PathBuf {
    let name = library(&format!("noray_godot.{platform}"), platform);
    paths::addon().join("bin").join(name)
}

/// Returns the name of a library's file on a platform.
fn library(name: &str, platform: &str) -> String {
    match platform.split('.').next() {
        Some("windows") => format!("{name}.dll"),
        Some("macos" | "ios") => format!("lib{name}.dylib"),
        _ => format!("lib{name}.so"),
    }
}

/// Returns the platform of a target triple.
fn platform(triple: &str) -> Result<&'static str> {
    let is_same = |target: &str| match target.ends_with('-') {
        true => triple.starts_with(target),
        false => triple == target,
    };
    let mut targets = TARGETS.into_iter();
    let found = targets.find(|(target, _)| is_same(target));
    let found = found.map(|(_, platform)| platform);
    found.with_context(|| format!("{triple} is not among the targets of noray.gdextension"))
}

/// Returns the platform of a system and processor, as Rust names them.
fn platform_of(os: &str, arch: &str) -> Result<&'static str> {
    let with_arch = format!("{os}.{}", arch.replace("aarch64", "arm64"));
    let mut platforms = TARGETS.into_iter().map(|(_, platform)| platform);
    let found = platforms.find(|platform| *platform == os || *platform == with_arch);
    found.with_context(|| format!("noray.gdextension names no library for {os} on {arch}"))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;

    use super::*;

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
        let bin = |platform: &str| {
            staged(platform)
                .strip_prefix(paths::addon())
                .unwrap()
                .to_owned()
        };
        let platforms = TARGETS.iter().flat_map(|(_, platform)| {
            let editor = has_editor(platform).then(|| format!("{platform}{EDITOR}"));
            [Some((*platform).to_owned()), editor].into_iter().flatten()
        });
        let written = platforms.map(|platform| {
            let file = bin(&platform).display().to_string();
            (platform, file.replace('\\', "/"))
        });
        let written: BTreeSet<_> = written.into_iter().collect();
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
        let (major, minor) = noray_testkit::godot::OLDEST;
        let settings: BTreeMap<String, String> = section("configuration").into_iter().collect();
        assert_eq!(settings["entry_symbol"], "gdext_rust_init");
        assert_eq!(
            settings["compatibility_minimum"],
            format!("{major}.{minor}")
        );
        assert_eq!(settings["reloadable"], "true");
        // `godot_api.rs` tests that the build reads the API of this Godot.
    }

    #[test]
    fn other_targets_are_refused() {
        for triple in ["x86_64-unknown-linux-musl", "wasm32-unknown-emscripten", ""] {
            assert!(platform(triple).is_err(), "{triple}");
        }
        assert!(platform_of("linux", "riscv64").is_err());
    }
}
