//! Builds what the benchmarks measure, and starts them.

use std::ffi::OsString;

use anyhow::Result;
use noray_testkit::tool;

use crate::cargo::Profile;
use crate::{addon, program};

/// Measures what a player waits for in Godot or, by arguments, our server under load.
///
/// Both measure what players get. The benchmarks themselves are built for debugging.
pub(crate) fn run(arguments: &[OsString]) -> Result<()> {
    let mut command = program::command("noray-bench")?;
    command.args(arguments);
    if !program::is_help(arguments) {
        if arguments.is_empty() {
            let godot = noray_download::godot::find()?;
            addon::run(Profile::Release, &[])?;
            command.arg("godot").arg("--godot").arg(godot.executable);
            command.arg("--library").arg(addon::own_library()?);
        }
        let server = program::build("noray-server", Profile::Release)?;
        command.arg("--server").arg(server);
    }
    tool::run_on_terminal(&mut command)
}
