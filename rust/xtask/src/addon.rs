//! Builds the extension's library and puts it where games find it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, anyhow, bail};
use noray_testkit::game::stage_addon;
use noray_testkit::{files, paths, tool};

use crate::cargo::{self, Profile};

const PACKAGE: &str = "noray-godot";

/// Builds for `targets` (this machine, if there are none), fills `addons/noray/bin` and stages
/// the addon in the demo and in the tests' project.
pub(crate) fn run(profile: Profile, targets: &[String]) -> Result<()> {
    let mut wanted: Vec<Option<&str>> =
        targets.iter().map(|triple| Some(triple.as_str())).collect();
    if wanted.is_empty() {
        wanted.push(None);
    }
    let mut built: BTreeMap<String, Vec<PathBuf>> = BTreeMap::new();
    for triple in wanted {
        let this_machine = (std::env::consts::OS, std::env::consts::ARCH);
        let (os, arch) = triple.map_or(Ok(this_machine), platform)?;
        let name = library_name(os, arch)?;
        let folder = cargo::build(PACKAGE, profile, triple)?;
        let libraries = built.entry(name).or_default();
        libraries.push(folder.join(cargo_name(os)));
    }
    let _lock = files::lock(&paths::target()?.join("addon.lock"))?;
    for (name, libraries) in built {
        let to = paths::addon().join("bin").join(name);
        match libraries.as_slice() {
            [library] => drop(files::copy(library, &to)?),
            libraries => merge(libraries, &to)?,
        }
        eprintln!("{}", to.display());
    }
    stage_addon(&paths::demo_project())?;
    stage_addon(&paths::godot_tests())
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

/// Returns the staged library of this machine.
pub(crate) fn own_library() -> Result<PathBuf> {
    let name = library_name(std::env::consts::OS, std::env::consts::ARCH)?;
    Ok(paths::addon().join("bin").join(name))
}

/// Returns what `noray.gdextension` calls the library for a system and processor, as Rust names them.
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

/// Returns what cargo calls the library for a system.
fn cargo_name(os: &str) -> &'static str {
    match os {
        "windows" => "noray_godot.dll",
        "macos" | "ios" => "libnoray_godot.dylib",
        _ => "libnoray_godot.so",
    }
}

/// Returns the system and processor of a target triple.
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
    use std::fs;

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
        let (major, minor) = noray_testkit::godot::OLDEST;
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
}
