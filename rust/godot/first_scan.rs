//! The editor's first look at a project, in continuous integration: it must end well.
//!
//! When the first scan of a project finds an extension, the editor's listener to
//! `extensions_reloaded` has the help made anew on another thread. A run of `--import`,
//! `--export-pack` or `--editor --quit` ends before that is done, and Godot aborts
//! (godotengine/godot#111048). So the listener does not hear of this one emission. Nobody reads the
//! help in such a run, and the next start makes it anyway.

use godot::{
    builtin::{Callable, Variant},
    classes::{Engine, Object},
    init::is_editor_hint,
    meta::ToGodot,
    obj::{Gd, Singleton},
};

const RELOADED_SIGNAL: &str = "extensions_reloaded";
const EDITOR_CLASS: &str = "EditorNode";

/// Keeps the editor from making help that it cannot finish. To be called while the extension is
/// loaded.
pub(crate) fn spare_the_help() {
    let is_first_scan = is_editor_hint() && Engine::singleton().get_main_loop().is_some();
    if !is_first_scan || has_display() {
        return;
    }
    let Some(mut manager) = Engine::singleton().get_singleton("GDExtensionManager") else {
        return;
    };
    for connection in manager
        .get_signal_connection_list(RELOADED_SIGNAL)
        .iter_shared()
    {
        let listener = connection.at("callable").to::<Callable>();
        if listener.object().is_some_and(|object| is_editor(&object)) {
            manager.disconnect(RELOADED_SIGNAL, &listener);
            // After the emission, which follows at once.
            let arguments: [Variant; 3] = [
                RELOADED_SIGNAL.to_variant(),
                listener.to_variant(),
                connection.at("flags"),
            ];
            manager.call_deferred("connect", &arguments);
        }
    }
}

fn is_editor(object: &Gd<Object>) -> bool {
    object.get_class() == EDITOR_CLASS
}

fn has_display() -> bool {
    let display = Engine::singleton().get_singleton("DisplayServer");
    let name = display.and_then(|mut display| display.try_call("get_name", &[]).ok());
    name.is_some_and(|name| name.stringify() != "headless")
}
