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

impl Profile {
    fn folder(self) -> &'static str {
        match self {
            Self::Debug => "debug",
            Self::Release => "release",
        }
    }
}

/// Returns a command of the cargo that runs us, in the repository's root.
pub(crate) fn command(subcommand: &str) -> Result<Command> {
    let mut command = Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command
        .current_dir(paths::root())
        .arg(subcommand)
        .env("CARGO_TARGET_DIR", paths::target()?);
    // A target set in the environment would move the outputs; it is passed on by name instead.
    command.env_remove("CARGO_BUILD_TARGET");
    Ok(command)
}

/// Builds one package and returns the folder with its outputs.
///
/// `triple` is the target, or `None` for this machine.
pub(crate) fn build(package: &str, profile: Profile, triple: Option<&str>) -> Result<PathBuf> {
    let mut command = command("build")?;
    command.args(["--package", package]);
    if profile == Profile::Release {
        command.arg("--release");
    }
    let mut folder = paths::target()?;
    if let Some(triple) = triple {
        command.args(["--target", triple]);
        folder.push(triple);
    }
    tool::run(&mut command).with_context(|| format!("cannot build {package}"))?;
    Ok(folder.join(profile.folder()))
}

/// Returns whether the toolchain has a component, `rustfmt` or `clippy`.
pub(crate) fn has(component: &str) -> Result<bool> {
    let subcommand = component.strip_prefix("rust").unwrap_or(component);
    let output = command(subcommand)?
        .arg("--version")
        .output()
        .context("cannot start cargo")?;
    Ok(output.status.success())
}
