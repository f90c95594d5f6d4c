//! Finds a Godot 4, or fetches one: `GODOT4_BIN`, `PATH`, a copy fetched before, the official
//! release, Debian's packages.

use std::env;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};
use noray_testkit::godot::{Godot, OLDEST};
use noray_testkit::{files, paths};

use crate::debian::{self, Wanted};
use crate::official_release;

/// Names an executable to use, before all others.
const VARIABLE: &str = "GODOT4_BIN";

/// What Godot is called on people's machines, the surest name first.
const NAMES: &[&str] = &["godot4", "godot-4", "Godot4", "godot", "Godot"];

/// Godot of Debian's suite sid (about 160 MB with its libraries), if possible with what draws windows
/// in software, for a machine without a graphics card. Debian 12 itself has no Godot 4.
const DEBIANS: Wanted = Wanted {
    name: "Godot and its libraries",
    packages: &[
        &[
            "godot",
            "libgl1",
            "libglx-mesa0",
            "libegl1",
            "libegl-mesa0",
            "libgl1-mesa-dri",
        ],
        &["godot"],
    ],
    script: "godot",
    program: "usr/bin/godot",
    check: |script| Godot::at(script).map(drop),
};

/// Where Godot is fetched from, into a store.
struct Source {
    name: &'static str,
    executable: fn(&Path) -> Result<PathBuf>,
    fetch: fn(&Path) -> Result<()>,
}

const SOURCES: [Source; 2] = [
    Source {
        name: "the official release",
        executable: official_release::executable,
        fetch: official_release::fetch,
    },
    Source {
        name: "Debian's packages",
        executable: |store| Ok(debians_folder(store).join(DEBIANS.script)),
        fetch: |store| debian::fetch(&debians_folder(store), &DEBIANS),
    },
];

/// Finds a Godot, fetching one when there is none. Says on stderr what it does.
///
/// # Errors
/// When there is none to be had, with everything that was tried.
pub fn find() -> Result<Godot> {
    if let Some(named) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        // A person who names one wants it: going on silently would surprise.
        return Godot::at(Path::new(&named))
            .with_context(|| format!("{VARIABLE} names no usable Godot"));
    }
    let mut tried = vec![format!("{VARIABLE} is not set")];

    let candidates = candidates(&env::var_os("PATH").unwrap_or_default());
    if candidates.is_empty() {
        tried.push(format!("PATH has none of {}", NAMES.join(", ")));
    }
    if let Some(godot) = first_usable(candidates, &mut tried) {
        return Ok(godot);
    }
    let store = paths::target()?.join("godot");
    let _lock = files::lock(&store.join("lock"))?;
    let mut fetched: Vec<PathBuf> = SOURCES
        .iter()
        .filter_map(|source| (source.executable)(&store).ok())
        .collect();
    fetched.retain(|executable| executable.is_file());
    if let Some(godot) = first_usable(fetched, &mut tried) {
        return Ok(godot);
    }
    for source in SOURCES {
        eprintln!("no Godot here yet; trying {}", source.name);
        match (source.fetch)(&store).and_then(|()| Godot::at(&(source.executable)(&store)?)) {
            Ok(godot) => {
                eprintln!("fetched Godot {}", godot.version);
                return Ok(godot);
            }
            Err(error) => {
                let line = format!("{}: {error:#}", source.name);
                eprintln!("{line}");
                tried.push(line);
            }
        }
    }
    let (major, minor) = OLDEST;
    Err(anyhow!(
        "no Godot {major}.{minor} or newer was found or could be fetched; name one in {VARIABLE}. \
         What was tried:\n- {}",
        tried.join("\n- ")
    ))
}

/// Returns the first usable Godot, and adds to `tried` what is wrong with those before it.
fn first_usable(executables: Vec<PathBuf>, tried: &mut Vec<String>) -> Option<Godot> {
    executables.iter().find_map(|executable| {
        Godot::at(executable)
            .map_err(|error| tried.push(format!("{error:#}")))
            .ok()
    })
}

/// Returns the folder of Debian's Godot in a store.
fn debians_folder(store: &Path) -> PathBuf {
    store.join(format!("debian-{}", env::consts::ARCH))
}

/// Returns where a Godot may lie, by name.
fn candidates(path: &std::ffi::OsStr) -> Vec<PathBuf> {
    let folders: Vec<PathBuf> = env::split_paths(path)
        // A relative folder depends on the caller's own.
        .filter(|folder| folder.is_absolute())
        .collect();
    let mut found: Vec<PathBuf> = NAMES
        .iter()
        .flat_map(|name| {
            let name = format!("{name}{}", env::consts::EXE_SUFFIX);
            folders.iter().map(move |folder| folder.join(&name))
        })
        .collect();
    if cfg!(target_os = "macos") {
        found.push(PathBuf::from(
            "/Applications/Godot.app/Contents/MacOS/Godot",
        ));
    }
    found.retain(|file| file.is_file());
    // A file system that ignores case has the same file under two names.
    found.dedup();
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    #[test]
    fn an_executable_is_judged_by_its_version() {
        use std::os::unix::fs::PermissionsExt;

        let folder = tempfile::tempdir().unwrap();
        let fake = |name: &str, script: &str| {
            let path = folder.path().join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{script}\n")).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
            path
        };
        let new = fake("godot", "echo 4.3.stable.official.77dcf97d8");
        assert_eq!(
            Godot::at(&new).unwrap().version,
            "4.3.stable.official.77dcf97d8"
        );

        let old = fake("Godot", "echo 3.5.2.stable");
        let error = format!("{:#}", Godot::at(&old).unwrap_err());
        assert!(error.ends_with("is Godot 3.5.2.stable, but 4.3 or newer is needed"));

        let broken = fake("godot4", "echo no such library >&2; exit 1");
        let error = format!("{:#}", Godot::at(&broken).unwrap_err());
        assert!(error.contains("no such library"), "{error}");
        assert!(Godot::at(&folder.path().join("absent")).is_err());

        assert_eq!(candidates(folder.path().as_os_str()), [broken, new, old]);
    }
}
