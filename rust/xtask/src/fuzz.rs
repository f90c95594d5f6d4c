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
const TARGETS: [(&str, u32); 5] = [
    ("framing", 10_000),
    ("commands", 2_000),
    ("registrar", 40_000),
    ("relay", 50_000),
    ("datagrams", 30_000),
];

/// Searches in one target or in all of them, for so many seconds each. With `keep`, what was found
/// to reach new code is added to the kept inputs.
pub(crate) fn run(target: Option<&str>, seconds: u32, keep: bool) -> Result<()> {
    let known = TARGETS.map(|(name, _)| name);
    if let Some(name) = target.filter(|name| !known.contains(name)) {
        bail!("no target is named {name}; there are {}", known.join(", "));
    }
    let fuzz = CargoFuzz::find()?;
    fuzz.build()?;
    for name in known {
        if target.is_none_or(|target| target == name) {
            fuzz.search(name, &format!("-max_total_time={seconds}"))?;
            if keep {
                fuzz.keep(name)?;
            }
        }
    }
    Ok(())
}

/// Feeds each target a bounded number of inputs.
pub(crate) fn test(report: &mut Report) {
    let tests = TARGETS.map(|(target, inputs)| (format!("fuzz::{target}"), target, inputs));
    if !tests.iter().any(|(name, ..)| report.wants(name)) {
        return;
    }
    let fuzz = match CargoFuzz::find() {
        Ok(fuzz) => fuzz,
        Err(why) => {
            for (name, ..) in tests {
                report.skip(&name, &format!("{why:#}"));
            }
            return;
        }
    };
    let built = fuzz.build();
    for (name, target, inputs) in tests {
        report.test(&name, || match &built {
            Ok(()) => {
                // Always the same inputs.
                files::remove_folder(&fuzz.found(target))?;
                fuzz.search(target, &format!("-runs={inputs} -seed=1"))
            }
            Err(error) => bail!("{error:#}"),
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
        let executable = cargo::installed("cargo-fuzz", defaults::CARGO_FUZZ)?;
        // Downloads what only a build for libFuzzer needs.
        let tree = "tree --package noray-fuzz --features libfuzzer";
        if !answers(&mut cargo::command(tree)?) {
            bail!("the crate libfuzzer-sys cannot be downloaded");
        }
        Ok(Self {
            executable,
            output: paths::target()?.join("fuzz"),
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

    /// Returns the folder of inputs that were found to reach new code.
    fn found(&self, target: &str) -> PathBuf {
        self.output.join("found").join(target)
    }

    /// Runs a target as long as libFuzzer's options in `bound` say. An input that fails is kept in
    /// `rust/fuzz/artifacts` and reported.
    fn search(&self, target: &str, bound: &str) -> Result<()> {
        let found = self.found(target);
        files::create_folder(&found)?;
        let options = format!(
            "-- -max_len={} -timeout={} -rss_limit_mb={} -verbosity=0 -print_final_stats=1 {bound}",
            defaults::FUZZ_INPUT,
            defaults::FUZZ_STEP.as_secs(),
            defaults::FUZZ_MEMORY,
        );
        let mut command = self.command("run")?;
        command.arg(target).arg(found).arg(corpus(target));
        tool::run(command.args(options.split(' '))).with_context(|| format!("fuzzing {target}"))
    }

    /// Adds what was found to the kept inputs.
    fn keep(&self, target: &str) -> Result<()> {
        // A loop that runs once more often is no new code.
        let options = ["--", "-merge=1", "-use_counters=0", "-verbosity=0"];
        let mut command = self.command("run")?;
        command
            .arg(target)
            .arg(corpus(target))
            .arg(self.found(target));
        tool::run(command.args(options)).with_context(|| format!("keeping for {target}"))
    }
}

fn corpus(target: &str) -> PathBuf {
    paths::fuzz().join("corpus").join(target)
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
        let mut run = TARGETS.map(|(name, _)| name.to_owned());
        run.sort();
        let names = |folder: &str| -> Vec<String> {
            let entries = files::entries(&paths::fuzz().join(folder)).unwrap();
            let mut names: Vec<_> = entries
                .iter()
                .filter_map(|path| Some(path.file_stem()?.to_string_lossy().into_owned()))
                .collect();
            names.sort();
            names
        };
        assert_eq!(names("fuzz_targets"), run);
        assert_eq!(names("corpus"), run);
        let manifest = fs::read_to_string(paths::fuzz().join("Cargo.toml")).unwrap();
        assert_eq!(manifest.matches("[[bin]]").count(), run.len());
    }

    #[test]
    fn a_missing_tool_is_noticed() {
        assert!(!answers(&mut Command::new("no-such-tool")));
    }
}
