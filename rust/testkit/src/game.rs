//! Puts the addon into projects, and makes games from templates.

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

use crate::godot::Godot;
use crate::{files, paths};

/// The extension as a project names it.
const EXTENSION: &str = "res://addons/noray/noray.gdextension";

/// What there is to play with beside our own.
#[derive(Clone, Default, Debug)]
pub struct Others {
    /// A checkout of netfox, with `addons/netfox.noray`.
    pub netfox: Option<PathBuf>,
    /// An installed copy of the public server.
    pub noray: Option<PathBuf>,
}

/// Makes a game anew in `folder` from the template folder, with our addon or that of a checkout of
/// netfox, and imports it as the editor does when it is opened for the first time.
pub fn stage(godot: &Godot, template: &Path, folder: &Path, netfox: Option<&Path>) -> Result<()> {
    files::remove_folder(folder)?;
    files::mirror(template, folder, &|_| false)?;
    match netfox {
        None => stage_addon(folder)?,
        Some(checkout) => stage_netfox(checkout, folder)?,
    }
    godot.import(folder)
}

/// Puts the addon, as it was built last, into a project. Godot may be running it meanwhile.
pub fn stage_addon(project: &Path) -> Result<()> {
    // Godot writes these two beside each file that it imports.
    let by_godot = |path: &Path| {
        path.extension()
            .is_some_and(|ending| ending == "import" || ending == "uid")
    };
    let addon = project.join("addons").join("noray");
    files::mirror(&paths::addon(), &addon, &by_godot)?;
    list_extension(project)
}

fn stage_netfox(checkout: &Path, folder: &Path) -> Result<()> {
    for part in ["netfox.internals", "netfox.noray"] {
        let from = checkout.join("addons").join(part);
        files::mirror(&from, &folder.join("addons").join(part), &|_| false)
            .with_context(|| format!("{} is no checkout of netfox", checkout.display()))?;
    }
    let project = folder.join("project.godot");
    let mut settings = fs::read_to_string(&project)?;
    settings.push_str(
        "\n[autoload]\n\n\
         Noray=\"*res://addons/netfox.noray/noray.gd\"\n\
         PacketHandshake=\"*res://addons/netfox.noray/packet-handshake.gd\"\n",
    );
    files::write(&project, settings.as_bytes())
}

/// Tells a project that was never opened in the editor which extension it has, as the editor
/// itself does when it finds one. Godot 4.5 and 4.6 crash when a run of `--import` finds an
/// extension and quits before its help is made (godotengine/godot#111048).
fn list_extension(project: &Path) -> Result<()> {
    let folder = project.join(".godot");
    let list = folder.join("extension_list.cfg");
    let listed = fs::read_to_string(&list).unwrap_or_default();
    let mut lines: Vec<&str> = listed.lines().collect();
    if lines.iter().any(|line| line.trim() == EXTENSION) {
        return Ok(());
    }
    lines.push(EXTENSION);
    files::create_folder(&folder)?;
    files::write(&list, (lines.join("\n") + "\n").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_project_lists_the_extension_once() {
        let project = tempfile::tempdir().unwrap();
        let list = project.path().join(".godot/extension_list.cfg");
        list_extension(project.path()).unwrap();
        list_extension(project.path()).unwrap();
        assert_eq!(fs::read_to_string(&list).unwrap(), format!("{EXTENSION}\n"));

        fs::write(&list, "res://other.gdextension").unwrap();
        list_extension(project.path()).unwrap();
        let both = format!("res://other.gdextension\n{EXTENSION}\n");
        assert_eq!(fs::read_to_string(&list).unwrap(), both);
    }
}
