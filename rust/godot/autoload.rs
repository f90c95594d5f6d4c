//! Games that still have netfox.noray's autoloads, which hide our classes.

use godot::{classes::ProjectSettings, global::godot_warn, obj::Singleton};

/// The names that netfox.noray's plugin gives its autoloads.
const NAMES: [&str; 2] = ["Noray", "PacketHandshake"];

/// Warns once, at start-up, and names the remedy.
pub(crate) fn warn_about_netfox() {
    let settings = ProjectSettings::singleton();
    let held: Vec<_> = NAMES
        .into_iter()
        .filter(|name| settings.has_setting(&format!("autoload/{name}")))
        .collect();
    if !held.is_empty() {
        godot_warn!(
            "Noray: this project's autoload {} hides the extension's own class. Turn the \
             netfox.noray plugin off in Project Settings > Plugins, or remove the autoload \
             in Project Settings > Globals.",
            held.join(" and ")
        );
    }
}
