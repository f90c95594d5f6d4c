//! What the extension knows of Godot's API: the classes and methods that it or the bindings call.
//!
//! The bindings look up each method that they know when the extension is loaded, and do not load in
//! a Godot that lacks one. A studio's own Godot may be without 3D or physics, so the extension knows
//! nothing of either. It also builds in a third of the time.

use std::collections::BTreeSet;
use std::path::PathBuf;

use anyhow::{Context, Result};
use noray_testkit::{files, paths};
use serde_json::Value;

/// Named in `.cargo/config.toml`. The name has Godot's version: the oldest that the extension runs
/// on.
const FILE: &str = "rust/godot-api/godot-4.3.json";

/// Classes of which no method is called, or only these: a Godot without 3D or physics lacks some
/// of the others.
const FEW_METHODS: &[(&str, &[&str])] = &[
    ("CanvasItem", &[]),
    ("EditorPlugin", &[]),
    ("Node2D", &[]),
    // The bindings' prelude names it.
    ("Node3D", &[]),
    ("PackedScene", &["instantiate"]),
    (
        "SceneTree",
        &[
            "call_group_flags",
            "get_root",
            "notify_group",
            "notify_group_flags",
            "quit",
            "set_group_flags",
        ],
    ),
    ("Viewport", &[]),
    ("Window", &[]),
];

/// Classes that every Godot with networking has as they are.
const WHOLE: &[&str] = &[
    "ClassDB",
    "ENetConnection",
    "ENetMultiplayerPeer",
    "ENetPacketPeer",
    "Engine",
    "FileAccess",
    "MainLoop",
    "MultiplayerAPI",
    "MultiplayerPeer",
    "Node",
    "OS",
    "Object",
    "PacketPeer",
    "PacketPeerUDP",
    "ProjectSettings",
    "RefCounted",
    "Resource",
    "ResourceLoader",
    "ResourceSaver",
    "Script",
    "ScriptExtension",
    "ScriptLanguage",
    "ScriptLanguageExtension",
];

/// Parts of the API that the bindings do not read.
const UNREAD: &[&str] = &["builtin_class_member_offsets", "global_constants"];
const UNREAD_OF_CLASSES: &[&str] = &["brief_description", "description", "properties"];
const UNREAD_OF_BUILTINS: &[&str] = &["constants", "members"];

/// Writes the file anew.
pub(crate) fn write() -> Result<()> {
    let file = file();
    files::write(&file, reduced()?.as_bytes())?;
    eprintln!("{}", file.display());
    eprintln!("`cargo clean -p godot-ffi -p godot-core` makes the next build read it");
    Ok(())
}

fn file() -> PathBuf {
    paths::root().join(FILE)
}

/// Returns Godot's API without what is not called.
fn reduced() -> Result<String> {
    let whole = gdextension_api::version_4_3::load_extension_api_json();
    let mut api: Value = serde_json::from_str(&whole).context("Godot's API")?;
    let all: BTreeSet<String> = names(&api["classes"]);
    let structures = names(&api["native_structures"]);
    let is_known = |text: &str| {
        words(text).all(|word| !structures.contains(word) && (!all.contains(word) || keeps(word)))
    };
    remove(&mut api, UNREAD);
    for class in list(&mut api["builtin_classes"]) {
        remove(class, UNREAD_OF_BUILTINS);
    }
    for part in ["classes", "singletons"] {
        list(&mut api[part]).retain(|class| keeps(name(class)));
    }
    for class in list(&mut api["classes"]) {
        remove(class, UNREAD_OF_CLASSES);
        let few = FEW_METHODS.iter().find(|(few, _)| *few == name(class));
        let is_wanted = |method: &str| few.is_none_or(|(_, methods)| methods.contains(&method));
        list(&mut class["methods"])
            .retain(|method| is_wanted(name(method)) && types(method).all(is_known));
        list(&mut class["signals"]).retain(|signal| types(signal).all(is_known));
    }
    list(&mut api["native_structures"]).clear();
    Ok(serde_json::to_string(&api)? + "\n")
}

fn keeps(class: &str) -> bool {
    WHOLE.contains(&class) || FEW_METHODS.iter().any(|(few, _)| *few == class)
}

/// Returns the types of a method's or signal's arguments and of what it returns.
fn types(method: &Value) -> impl Iterator<Item = &str> {
    let arguments = method["arguments"].as_array().into_iter().flatten();
    arguments
        .chain(Some(&method["return_value"]))
        .filter_map(|value| value["type"].as_str())
}

/// Returns the names in a type such as `typedarray::Node` or `enum::Node.ProcessMode`.
fn words(text: &str) -> impl Iterator<Item = &str> {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_')
}

fn name(value: &Value) -> &str {
    value["name"].as_str().unwrap_or_default()
}

fn names(values: &Value) -> BTreeSet<String> {
    let values = values.as_array().into_iter().flatten();
    values.map(|value| name(value).to_owned()).collect()
}

/// Returns a list, which is empty when there is none.
fn list(value: &mut Value) -> &mut Vec<Value> {
    if !value.is_array() {
        *value = Value::Array(Vec::new());
    }
    value.as_array_mut().expect("it is an array now")
}

fn remove(value: &mut Value, keys: &[&str]) {
    if let Some(object) = value.as_object_mut() {
        object.retain(|key, _| !keys.contains(&key.as_str()));
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn committed() -> String {
        fs::read_to_string(file()).unwrap()
    }

    #[test]
    fn the_api_is_godots_own_without_what_is_not_called() {
        assert!(committed() == reduced().unwrap(), "cargo xtask godot-api");
    }

    #[test]
    fn a_godot_without_3d_or_physics_is_asked_for_nothing_it_lacks() {
        let api: Value = serde_json::from_str(&committed()).unwrap();
        for class in api["classes"].as_array().unwrap() {
            let methods = class["methods"].as_array().unwrap();
            // A class of which no method is called is not looked up.
            let of_3d = |name: &str| name.contains("3d") || name.contains("3D");
            assert!(methods.is_empty() || !of_3d(name(class)), "{}", name(class));
            for method in methods {
                let method = format!("{}.{}", name(class), name(method));
                assert!(!of_3d(&method), "{method}");
                // Engine's and the nodes' turns go on without a physics server.
                let turns = ["Engine.", "MainLoop.", "Node."];
                let is_turn = turns.iter().any(|class| method.starts_with(class));
                assert!(is_turn || !method.contains("physics"), "{method}");
            }
        }
    }

    #[test]
    fn the_build_reads_the_api_of_the_oldest_godot() {
        let (major, minor) = noray_testkit::godot::OLDEST;
        let api: Value = serde_json::from_str(&committed()).unwrap();
        assert_eq!(api["header"]["version_major"], major);
        assert_eq!(api["header"]["version_minor"], minor);
        assert!(FILE.ends_with(&format!("godot-{major}.{minor}.json")));
        let config = fs::read_to_string(paths::root().join(".cargo/config.toml")).unwrap();
        assert!(config.contains(FILE));
    }
}
