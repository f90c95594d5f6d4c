//! Finds a Godot 4, or fetches one: `GODOT4_BIN`, `PATH`, a copy fetched before, the official
//! release, Debian's packages.

mod debian;
mod official;

use std::env;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail};

use crate::process::Game;
use crate::{defaults, files, paths};

/// Names an executable to use, before all others.
const VARIABLE: &str = "GODOT4_BIN";

/// What Godot is called on people's machines, the surest name first.
const NAMES: &[&str] = &["godot4", "godot-4", "Godot4", "godot", "Godot"];

/// A Godot that was seen to run.
#[derive(Clone, Debug)]
pub(crate) struct Godot {
    /// The executable.
    pub executable: PathBuf,
    /// What `--version` prints.
    pub version: String,
}

/// A place that Godot is fetched from, into a store.
struct PathKind {
    name: &'static str,
    fetched: fn(&Path) -> Option<PathBuf>,
    fetch: fn(&Path) -> Result<PathBuf>,
}

/// Finds a Godot, fetching one when there is none. Says on stderr what it does.
///
/// # Errors
/// When there is none to be had, with everything that was tried.
pub(crate) fn find() -> Result<Godot> {
    if let Some(named) = env::var_os(VARIABLE).filter(|value| !value.is_empty()) {
        // Whoever names one wants that one: going on silently would surprise.
        return check(Path::new(&named))
            .with_context(|| format!("{VARIABLE} names no usable Godot"));
    }
    let mut tried = vec![format!("{VARIABLE} is not set")];

    let (found, unusable) = on_path();
    if let Some(godot) = found {
        return Ok(godot);
    }
    if unusable.is_empty() {
        tried.push(format!("PATH has none of {}", NAMES.join(", ")));
    }
    tried.extend(unusable);

    let store = paths::target()?.join("godot");
    let _lock = files::Lock::wait(&store.join("lock"))?;
    let ways = [
        PathKind {
            name: "the official release",
            fetched: official::fetched,
            fetch: official::fetch,
        },
        PathKind {
            name: "Debian's packages",
            fetched: debian::fetched,
            fetch: debian::fetch,
        },
    ];
    for way in &ways {
        if let Some(executable) = (way.fetched)(&store) {
            match check(&executable) {
                Ok(godot) => return Ok(godot),
                Err(error) => tried.push(format!("{error:#}")),
            }
        }
    }
    for way in &ways {
        eprintln!("no Godot here yet; trying {}", way.name);
        match (way.fetch)(&store) {
            Ok(executable) => {
                let godot = check(&executable)?;
                eprintln!("fetched Godot {}", godot.version);
                return Ok(godot);
            }
            Err(error) => {
                let line = format!("{}: {error:#}", way.name);
                eprintln!("{line}");
                tried.push(line);
            }
        }
    }
    let (major, minor) = defaults::OLDEST_GODOT;
    Err(anyhow!(
        "no Godot {major}.{minor} or newer was found or could be fetched; name one in {VARIABLE}. \
         What was tried:\n- {}",
        tried.join("\n- ")
    ))
}

/// Runs `--version` and judges the answer.
fn check(executable: &Path) -> Result<Godot> {
    let shown = executable.display();
    let mut game = Game::start("godot --version", Command::new(executable).arg("--version"))?;
    let until = Instant::now() + defaults::VERSION_ANSWER;
    let found = game.wait_for(&mut 0, until, |line| {
        parse_version(line).map(|number| (number, line.trim().to_owned()))
    });
    let (number, version) = match found {
        Ok(found) => found,
        Err(missed) => {
            let ended = game.finish(std::time::Duration::ZERO);
            let said = ended.lines.join(" ");
            bail!("{shown} tells no Godot version ({missed}) {said}");
        }
    };
    drop(game);
    if number < defaults::OLDEST_GODOT {
        let (major, minor) = defaults::OLDEST_GODOT;
        bail!("{shown} is Godot {version}, but {major}.{minor} or newer is needed");
    }
    Ok(Godot {
        executable: executable.to_path_buf(),
        version,
    })
}

/// The first two numbers of a version such as `4.6.3.stable.official.0a1b2c3d4`.
fn parse_version(line: &str) -> Option<(u32, u32)> {
    let mut parts = line.trim().split('.');
    let major = parts.next()?.parse().ok()?;
    let minor = parts.next()?.split('-').next()?.parse().ok()?;
    Some((major, minor))
}

/// The first usable Godot on `PATH`, and what is wrong with those that are not.
fn on_path() -> (Option<Godot>, Vec<String>) {
    let mut unusable = Vec::new();
    for candidate in candidates(&env::var_os("PATH").unwrap_or_default()) {
        match check(&candidate) {
            Ok(godot) => return (Some(godot), unusable),
            Err(error) => unusable.push(format!("{error:#}")),
        }
    }
    (None, unusable)
}

/// Where a Godot may lie, by name.
fn candidates(path: &std::ffi::OsStr) -> Vec<PathBuf> {
    let folders: Vec<PathBuf> = env::split_paths(path)
        // A relative folder means another place with each caller.
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

    #[test]
    fn versions_are_read() {
        assert_eq!(parse_version("4.6.3.stable.debian4.6.3+ds-3"), Some((4, 6)));
        assert_eq!(
            parse_version("4.3.stable.official.77dcf97d8\n"),
            Some((4, 3))
        );
        assert_eq!(parse_version("3.5.2.stable.custom_build"), Some((3, 5)));
        assert_eq!(parse_version("4.10.rc1"), Some((4, 10)));
        assert_eq!(parse_version("Godot Engine"), None);
        assert_eq!(parse_version(""), None);
        assert!((4, 10) > defaults::OLDEST_GODOT && (3, 5) < defaults::OLDEST_GODOT);
    }

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
            check(&new).unwrap().version,
            "4.3.stable.official.77dcf97d8"
        );

        let old = fake("Godot", "echo 3.5.2.stable");
        let error = format!("{:#}", check(&old).unwrap_err());
        assert!(error.ends_with("is Godot 3.5.2.stable, but 4.3 or newer is needed"));

        let broken = fake("godot4", "echo no such library >&2; exit 1");
        let error = format!("{:#}", check(&broken).unwrap_err());
        assert!(error.contains("no such library"), "{error}");
        assert!(check(&folder.path().join("absent")).is_err());

        assert_eq!(candidates(folder.path().as_os_str()), [broken, new, old]);
    }
}
