//! How Godot calls the extension: with each frame, and when the game quits.

use std::cell::Cell;

use godot::{
    builtin::{Callable, Variant},
    classes::{Engine, Object, SceneTree},
    init::is_editor_hint,
    obj::{Gd, Singleton},
};

/// What is called.
#[derive(Clone, Copy)]
pub(crate) struct Callbacks {
    /// With each frame.
    pub(crate) frame: fn(),
    /// When the game quits.
    pub(crate) quit: fn(),
}

thread_local! {
    /// The main thread's; Godot's classes live on no other.
    static CALLBACKS: Cell<Option<Callbacks>> = const { Cell::new(None) };
}

/// Sets what is called.
pub(crate) fn set(callbacks: Callbacks) {
    CALLBACKS.set(Some(callbacks));
}

/// A frame begins.
pub(crate) fn frame() {
    if let Some(callbacks) = CALLBACKS.get() {
        (callbacks.frame)();
    }
}

/// The game quits.
pub(crate) fn quit() {
    if let Some(callbacks) = CALLBACKS.get() {
        (callbacks.quit)();
    }
}

/// Connects to the scene tree's signals.
///
/// In a game by closures, which cost a third of a method's call. In the editor by `object`'s methods
/// of these names, since a hot reload would leave closures behind.
pub(crate) fn connect(object: &Gd<Object>, frame_method: &str, quit_method: &str) {
    let tree = Engine::singleton()
        .get_main_loop()
        .and_then(|main_loop| main_loop.try_cast::<SceneTree>().ok());
    let Some(mut tree) = tree else { return };
    let (on_frame, on_quit) = if is_editor_hint() {
        (
            Callable::from_object_method(object, frame_method),
            Callable::from_object_method(object, quit_method),
        )
    } else {
        (
            Callable::from_fn("noray_frame", |_: &[&Variant]| frame()),
            Callable::from_fn("noray_leave", |_: &[&Variant]| quit()),
        )
    };
    tree.connect("process_frame", &on_frame);
    if let Some(mut root) = tree.get_root() {
        root.connect("tree_exiting", &on_quit);
    }
}
