//! The class `NorayRequest`: what an awaited method returns the signal of.

use std::cell::RefCell;

use godot::{
    builtin::{Signal, Variant},
    classes::RefCounted,
    meta::ToGodot,
    obj::{Base, Gd, NewGd},
    register::{GodotClass, godot_api},
};

thread_local! {
    /// Calls that ended before they returned, with their results. The main thread's; Godot's classes
    /// live on no other.
    static WAITING: RefCell<Vec<(Request, Variant)>> = const { RefCell::new(Vec::new()) };
}

/// A call that a script awaits.
///
/// A `Signal` holds no reference, so this object is held here until it has emitted.
#[derive(GodotClass)]
#[class(init, tool, internal, base = RefCounted)]
pub(crate) struct NorayRequest {
    base: Base<RefCounted>,
}

#[godot_api]
impl NorayRequest {
    /// Emitted once, with the call's result.
    #[signal]
    fn completed(result: Variant);
}

/// The right to end a call.
pub(crate) struct Request(Gd<NorayRequest>);

impl Request {
    /// Returns a fresh call, and the signal that its method returns.
    pub(crate) fn new() -> (Self, Signal) {
        let object = NorayRequest::new_gd();
        let signal = Signal::from_object_signal(&object, "completed");
        (Self(object), signal)
    }

    /// Wakes whoever awaits the call. Not inside the call itself, which nobody awaits yet: that is
    /// what [`Self::end_later`] is for.
    pub(crate) fn end(self, result: &Variant) {
        self.0.signals().completed().emit(result);
    }

    /// Wakes whoever awaits the call, after it has returned: with this frame or the next.
    pub(crate) fn end_later(self, result: impl ToGodot) {
        WAITING.with_borrow_mut(|waiting| waiting.push((self, result.to_variant())));
    }
}

/// Wakes whoever awaits a call that ended before it returned. Returns whether there was any.
pub(crate) fn end_waiting() -> bool {
    let waiting = WAITING.take();
    let is_any = !waiting.is_empty();
    for (request, result) in waiting {
        request.end(&result);
    }
    is_any
}

/// Lets go of all calls that have not ended.
pub(crate) fn forget_waiting() {
    drop(WAITING.take());
}
