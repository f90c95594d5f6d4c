//! Builds what the benchmarks measure, and starts them.

use std::path::Path;
use std::process::Command;

use anyhow::Result;

use crate::cargo::{self, Profile};
use crate::server::Server;
use crate::{addon, godot, process};

/// Measures what a player waits for in Godot.
pub(crate) fn in_godot() -> Result<()> {
    let godot = godot::find()?;
    addon::run(Profile::Release, &[])?;
    let mut command = command("godot")?;
    command.arg("--godot").arg(godot.executable);
    command.arg("--library").arg(addon::own_library()?);
    run(&mut command)
}

/// Measures our server under load; of `noray`, an installed copy of the public server, too.
pub(crate) fn server(noray: Option<&Path>, filter: Option<&str>) -> Result<()> {
    let mut command = command("server")?;
    if let Some(folder) = noray {
        command.arg("--noray").arg(std::path::absolute(folder)?);
    }
    command.args(filter);
    run(&mut command)
}

/// Returns a command with our server as players get it. The benchmarks themselves are built for
/// debugging.
fn command(what: &str) -> Result<Command> {
    let program = cargo::build("noray-bench", Profile::Debug, None)?.join("noray-bench");
    let mut command = Command::new(program);
    let server = Server::build(Profile::Release)?;
    command.arg(what).arg("--server").arg(server);
    Ok(command)
}

fn run(command: &mut Command) -> Result<()> {
    process::run_tool_reading(command, |line| println!("{line}"))
}
