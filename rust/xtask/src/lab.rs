//! Starts the lab: games behind NATs, and games of two processes.

use std::ffi::OsString;
use std::process::Command;

use anyhow::Result;
use noray_testkit::game::Others;
use noray_testkit::godot::Godot;
use noray_testkit::report::Report;
use noray_testkit::system::{find_program, is_root};
use noray_testkit::tool;

use crate::cargo::Profile;
use crate::{addon, program};

/// Runs `natlab` with arguments of its own.
pub(crate) fn run(arguments: &[OsString]) -> Result<bool> {
    if program::is_help(arguments) {
        let mut command = program::command("noray-lab")?;
        return Ok(tool::run_on_terminal(command.arg("nat").args(arguments)).is_ok());
    }
    // Nothing is fetched for a machine that cannot have namespaces.
    let mut godot = None;
    if is_root() {
        let found = noray_download::godot::find()?;
        println!("Godot {}", found.version);
        addon::run(Profile::Debug, &[])?;
        godot = Some(found);
    }
    let mut command = command("nat", godot.as_ref())?;
    Ok(tool::run_on_terminal(command.args(arguments)).is_ok())
}

/// Runs both as part of the tests, with the addon that they use.
pub(crate) fn test(godot: &Godot, others: &Others, report: &mut Report) {
    for (name, subcommand) in [("games", "games"), ("natlab", "nat")] {
        let mut command = match command(subcommand, Some(godot)) {
            Ok(command) => command,
            Err(error) => {
                report.fail(name, &error);
                continue;
            }
        };
        for (option, folder) in [("--netfox", &others.netfox), ("--noray", &others.noray)] {
            if let Some(folder) = folder {
                command.arg(option).arg(folder);
            }
        }
        command.args(report.filter());
        program::add_run(report, name, &mut command);
    }
}

fn command(subcommand: &str, godot: Option<&Godot>) -> Result<Command> {
    let server = program::build("noray-server", Profile::Debug)?;
    let mut command = program::command("noray-lab")?;
    command.arg(subcommand).arg("--server").arg(server);
    if let Some(godot) = godot {
        command.arg("--godot").arg(&godot.executable);
    }
    let makes_namespaces = subcommand == "nat" && cfg!(target_os = "linux") && is_root();
    if makes_namespaces && find_program("nft").is_none() {
        match noray_download::nftables::fetch() {
            Ok(nft) => drop(command.arg("--nft").arg(nft)),
            Err(error) => eprintln!("no nft can be fetched: {error:#}"),
        }
    }
    Ok(command)
}
