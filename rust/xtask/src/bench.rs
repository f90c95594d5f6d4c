//! Measures what a player waits for, in Godot, against our own server.

use anyhow::{Result, bail};

use crate::cargo::Profile;
use crate::server::Server;
use crate::{addon, engine, godot, paths};

/// Builds the release, measures, and prints a table in Markdown.
pub fn run() -> Result<()> {
    let godot = godot::find()?;
    addon::run(Profile::Release, &[])?;
    engine::import(&godot, &paths::demo_project())?;
    let server = Server::start_ours(Profile::Release)?;
    server.stop()?;
    bail!("nothing is measured yet")
}
