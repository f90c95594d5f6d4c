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
    // Nothing is fetched for a machine that cannot have namespaces.
    let godot = match is_root() {
        true => Some(noray_download::godot::find()?),
        false => None,
    };
    if let Some(godot) = &godot {
        println!("Godot {}", godot.version);
        addon::run(Profile::Debug, &[])?;
    }
    let mut command = command("nat", godot.as_ref())?;
    Ok(tool::run_on_terminal(command.args(arguments)).is_ok())
}

/// Runs both as part of the tests, with the addon that they use.
pub(crate) fn test(godot: &Godot, others: &Others, report: &mut Report) {
    for (name, subcommand) in [("games", "games"), ("natlab", "nat")] {
        match command(subcommand, Some(godot)) {
            Ok(mut command) => {
                for (option, folder) in [("--netfox", &others.netfox), ("--noray", &others.noray)] {
                    command.args(
                        folder
                            .iter()
                            .flat_map(|folder| [option.as_ref(), folder.as_os_str()]),
                    );
                }
                command.args(report.filter());
                program::add_run(report, name, &mut command);
            }
            Err(error) => report.fail(name, &error),
        }
    }
}

fn command(subcommand: &str, godot: Option<&Godot>) -> Result<Command> {
    let server = program::build("noray-server", Profile::Debug)?;
    let mut command = program::command(&program::build("noray-lab", Profile::Debug)?);
    command.arg(subcommand).arg("--server").arg(server);
    if let Some(godot) = godot {
        command.arg("--godot").arg(&godot.executable);
    }
    if subcommand == "nat"
        && cfg!(target_os = "linux")
        && is_root()
        && find_program("nft").is_none()
    {
        match noray_download::nftables::fetch() {
            Ok(nft) => drop(command.arg("--nft").arg(nft)),
            Err(error) => eprintln!("no nft can be fetched: {error:#}"),
        }
    }
    Ok(command)
}
