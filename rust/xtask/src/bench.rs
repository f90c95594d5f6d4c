//! Builds what the benchmarks measure, and starts them.

use std::path::Path;
use std::process::Command;

use anyhow::Result;
use noray_testkit::tool;

use crate::cargo::Profile;
use crate::{addon, program};

/// Measures what a player waits for in Godot.
pub(crate) fn in_godot() -> Result<()> {
    let godot = noray_download::godot::find()?;
    addon::run(Profile::Release, &[])?;
    let mut command = command("godot")?;
    command.arg("--godot").arg(godot.executable);
    command.arg("--library").arg(addon::own_library()?);
    tool::run_on_terminal(&mut command)
}

/// Measures our server under load; of `noray`, an installed copy of the public server, too.
pub(crate) fn server(noray: Option<&Path>, filter: Option<&str>) -> Result<()> {
    let mut command = command("server")?;
    if let Some(folder) = noray {
        command.arg("--noray").arg(std::path::absolute(folder)?);
    }
    command.args(filter);
    tool::run_on_terminal(&mut command)
}

/// Returns a command with our server as players get it. The benchmarks themselves are built for
/// debugging.
fn command(what: &str) -> Result<Command> {
    let mut command = program::command(&program::build("noray-bench", Profile::Debug)?);
    let server = program::build("noray-server", Profile::Release)?;
    command.arg(what).arg("--server").arg(server);
    Ok(command)
}
