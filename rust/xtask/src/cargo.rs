//! Calls cargo, always with the same target folder.

use std::env;
use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context, Result};
use noray_testkit::{paths, tool};

/// The profile of a build.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Profile {
    /// Quick to build.
    Debug,
    /// What players get.
    Release,
}

/// Returns a command of the cargo that runs us, with these words, in the repository's root.
pub(crate) fn command(words: &str) -> Result<Command> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(paths::root())
        .args(words.split(' '))
        .env("CARGO_TARGET_DIR", paths::target()?)
        // A target set in the environment would move the outputs; it is passed on by name instead.
        .env_remove("CARGO_BUILD_TARGET");
    Ok(command)
}

/// Builds one package and returns the folder with its outputs.
///
/// `triple` is the target, or `None` for this machine.
pub(crate) fn build(package: &str, profile: Profile, triple: Option<&str>) -> Result<PathBuf> {
    build_with(package, profile, triple, &[])
}

/// Builds one package with more arguments for cargo.
pub(crate) fn build_with(
    package: &str,
    profile: Profile,
    triple: Option<&str>,
    arguments: &[&str],
) -> Result<PathBuf> {
    let mut command = command("build --package")?;
    command.arg(package).args(arguments);
    let mut folder = paths::target()?;
    if let Some(triple) = triple {
        command.args(["--target", triple]);
        folder.push(triple);
    }
    match profile {
        Profile::Debug => folder.push("debug"),
        Profile::Release => {
            command.arg("--release");
            folder.push("release");
        }
    }
    tool::run(&mut command).with_context(|| format!("cannot build {package}"))?;
    Ok(folder)
}

/// Returns the executable of a program that extends cargo, in this version. Installs it in the
/// target folder unless it is there.
pub(crate) fn installed(name: &str, version: &str) -> Result<PathBuf> {
    let tools = paths::target()?.join("tools");
    let executable = tools.join("bin").join(name);
    let said = Command::new(&executable).arg("--version").output();
    let said = said.map_or_else(|_| Vec::new(), |output| output.stdout);
    let is_there = |said: &str| said.split_whitespace().any(|word| word == version);
    if !is_there(&String::from_utf8_lossy(&said)) {
        let mut command = command("install --locked")?;
        command.args([name, "--version", version, "--root"]);
        tool::run(command.arg(&tools))
            .with_context(|| format!("{name} {version} cannot be installed"))?;
    }
    Ok(executable)
}
