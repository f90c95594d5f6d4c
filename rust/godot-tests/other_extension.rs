//! Another extension in the same project, which ours must live with.

#![expect(unsafe_code, reason = "the bindings demand it for the entry point")]

use godot::{
    classes::RefCounted,
    init::ExtensionLibrary,
    obj::Base,
    prelude::gdextension,
    register::{GodotClass, godot_api},
};

struct OtherExtension;

// SAFETY: the bindings' own macro declares the entry point.
#[gdextension(entry_symbol = other_extension_init)]
unsafe impl ExtensionLibrary for OtherExtension {}

/// A class of another extension.
#[derive(GodotClass)]
#[class(init, base = RefCounted)]
struct OtherClass {
    base: Base<RefCounted>,
}

#[godot_api]
impl OtherClass {
    /// Returns 42.
    #[func]
    fn answer(&self) -> i64 {
        42
    }
}
