//! The extension: the classes that Godot sees.
use godot::prelude::*;

struct NorayExtension;

#[gdextension]
#[allow(unsafe_code)]
unsafe impl ExtensionLibrary for NorayExtension {}
