//! Searches with libFuzzer for inputs that break what `rust/fuzz` checks.
//!
//! `cargo fuzz` builds and runs it, on stable Rust too: no sanitizer is asked for, since what is
//! fuzzed has no unsafe code of its own.

use std::env;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use noray_testkit::report::Report;
use noray_testkit::{files, paths, tool};

use crate::{cargo, defaults};

/// The targets of `rust/fuzz`, and how many inputs a test run feeds each: 5 to 15 seconds' worth
/// here. A count, so that a slow machine takes longer and finds the same.
const TARGETS: &[(&str, u32)] = &[
    ("framing", 10_000),
    ("commands", 2_000),
    ("registrar", 40_000),
    ("relay", 50_000),
    ("datagrams", 30_000),
];

/// How long to search.
#[derive(Clone, Copy)]
enum Bound {
    /// So many inputs, always the same ones.
    Inputs(u32),
    /// So many seconds, by chance.
    Seconds(u32),
}

/// Searches in one target or in all of them, for so many seconds each. With `keep`, what was found
/// to reach new code is added to the kept inputs.
pub(crate) fn run(target: Option<&str>, seconds: u32, keep: bool) -> Result<()> {
    if let Some(name) = target
        && !TARGETS.iter().any(|(known, _)| *known == name)
    {
        let known: Vec<_> = TARGETS.iter().map(|(known, _)| *known).collect();
        bail!("no target is named {name}; there are {}", known.join(", "));
    }
    let fuzz = CargoFuzz::find()?;
    fuzz.build()?;
    for (name, _) in TARGETS {
        if target.is_none_or(|target| target == *name) {
            fuzz.search(name, Bound::Seconds(seconds), keep)?;
        }
    }
    Ok(())
}

/// Feeds each target a bounded number of inputs.
pub(crate) fn test(report: &mut Report) {
    let name_of = |target| format!("fuzz::{target}");
    if !TARGETS
        .iter()
        .any(|(target, _)| report.wants(&name_of(target)))
    {
        return;
    }
    let fuzz = match CargoFuzz::find() {
        Ok(fuzz) => fuzz,
        Err(why) => {
            for (target, _) in TARGETS {
                report.skip(&name_of(target), &format!("{why:#}"));
            }
            return;
        }
    };
    let built = fuzz.build();
    for (target, inputs) in TARGETS {
        report.test(&name_of(target), || {
            if let Err(error) = &built {
                bail!("{error:#}");
            }
            fuzz.search(target, Bound::Inputs(*inputs), false)
        });
    }
}

/// A `cargo fuzz` that can be used.
struct CargoFuzz {
    executable: PathBuf,
    output: PathBuf,
}

impl CargoFuzz {
    /// Finds or installs it, with all that a build needs; else says what is missing.
    fn find() -> Result<Self> {
        if !cfg!(unix) {
            bail!("cargo fuzz is for Linux and macOS");
        }
        let compiler = env::var_os("CXX").unwrap_or_else(|| "c++".into());
        if !answers(Command::new(&compiler).arg("--version")) {
            let compiler = Path::new(&compiler).display();
            bail!("libFuzzer needs a C++ compiler, and there is no {compiler}");
        }
        let target = paths::target()?;
        let tools = target.join("tools");
        let executable = tools.join("bin").join("cargo-fuzz");
        if !has_version(&executable) {
            install(&tools)?;
        }
        // Downloads what only a build for libFuzzer needs.
        let mut tree = cargo::command("tree")?;
        tree.args(["--package", "noray-fuzz", "--features", "libfuzzer"]);
        if !answers(&mut tree) {
            bail!("the crate libfuzzer-sys cannot be downloaded");
        }
        Ok(Self {
            executable,
            output: target.join("fuzz"),
        })
    }

    fn command(&self, subcommand: &str) -> Result<Command> {
        let mut command = Command::new(&self.executable);
        command
            .current_dir(paths::root())
            .args(["fuzz", subcommand, "--sanitizer", "none"])
            .args(["--features", "libfuzzer", "--fuzz-dir"])
            .arg(paths::fuzz())
            .arg("--target-dir")
            .arg(self.output.join("build"))
            // The settings that make players' builds small make these slow to build and hard to
            // read.
            .envs([
                ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "2"),
                ("CARGO_PROFILE_RELEASE_LTO", "off"),
                ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
                ("CARGO_PROFILE_RELEASE_STRIP", "none"),
            ])
            .env_remove("CARGO_BUILD_TARGET");
        Ok(command)
    }

    fn build(&self) -> Result<()> {
        tool::run(&mut self.command("build")?).context("the fuzz targets do not build")
    }

    /// Runs a target; an input that fails is kept in `rust/fuzz/artifacts` and reported.
    fn search(&self, target: &str, bound: Bound, keep: bool) -> Result<()> {
        let kept = paths::fuzz().join("corpus").join(target);
        let found = self.output.join("found").join(target);
        if let Bound::Inputs(_) = bound {
            files::remove_folder(&found)?;
        }
        files::create_folder(&found)?;
        let mut command = self.command("run")?;
        command.arg(target).arg(&found).arg(&kept).args([
            "--".to_owned(),
            format!("-max_len={}", defaults::FUZZ_INPUT),
            format!("-timeout={}", defaults::FUZZ_STEP.as_secs()),
            format!("-rss_limit_mb={}", defaults::FUZZ_MEMORY),
            "-verbosity=0".to_owned(),
            "-print_final_stats=1".to_owned(),
        ]);
        match bound {
            Bound::Inputs(count) => command.args([format!("-runs={count}"), "-seed=1".to_owned()]),
            Bound::Seconds(seconds) => command.arg(format!("-max_total_time={seconds}")),
        };
        tool::run(&mut command).with_context(|| format!("fuzzing {target}"))?;
        if keep {
            let mut command = self.command("run")?;
            command.arg(target).arg(&kept).arg(&found).args([
                "--",
                "-merge=1",
                // A loop that runs once more often is no new code.
                "-use_counters=0",
                "-verbosity=0",
            ]);
            tool::run(&mut command).with_context(|| format!("keeping for {target}"))?;
        }
        Ok(())
    }
}

fn install(tools: &Path) -> Result<()> {
    let mut command = cargo::command("install")?;
    let version = defaults::CARGO_FUZZ;
    command
        .args(["cargo-fuzz", "--version", version, "--locked", "--root"])
        .arg(tools);
    tool::run(&mut command).with_context(|| format!("cargo-fuzz {version} cannot be installed"))
}

fn has_version(executable: &Path) -> bool {
    let output = Command::new(executable).arg("--version").output();
    output.is_ok_and(|output| {
        let text = String::from_utf8_lossy(&output.stdout);
        text.split_whitespace()
            .any(|word| word == defaults::CARGO_FUZZ)
    })
}

fn answers(command: &mut Command) -> bool {
    let command = command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    /// Two lists that must agree: this one, and what `rust/fuzz` builds and keeps inputs for.
    #[test]
    fn every_target_is_run() {
        let mut run: Vec<_> = TARGETS.iter().map(|(name, _)| (*name).to_owned()).collect();
        run.sort_unstable();
        let names = |folder: &str| -> Vec<String> {
            let entries = files::entries(&paths::fuzz().join(folder)).unwrap();
            let names = entries.iter().filter_map(|path| path.file_stem());
            let mut names: Vec<_> = names
                .map(|name| name.to_string_lossy().into_owned())
                .collect();
            names.sort_unstable();
            names
        };
        assert_eq!(names("fuzz_targets"), run);
        assert_eq!(names("corpus"), run);
        let manifest = fs::read_to_string(paths::fuzz().join("Cargo.toml")).unwrap();
        assert_eq!(manifest.matches("[[bin]]").count(), run.len());
    }

    #[test]
    fn a_missing_tool_is_noticed() {
        assert!(!has_version(Path::new("no-such-tool")));
        assert!(!answers(&mut Command::new("no-such-tool")));
    }
}
