//! What an awaited method returns: the signal of an object that ends once.

use godot::{
    builtin::{Signal, Variant},
    classes::RefCounted,
    global::Error,
    meta::ToGodot,
    obj::{Base, Gd, NewGd},
    register::{GodotClass, godot_api},
};

use crate::pump;

/// An awaited call that has not ended.
///
/// The bindings' side of an `await`: a `Signal` holds no reference, so the object
/// is held here until it has emitted.
#[derive(GodotClass)]
#[class(init, tool, internal, base = RefCounted)]
pub(crate) struct NorayRequest {
    base: Base<RefCounted>,
}

#[godot_api]
impl NorayRequest {
    /// Emitted once, with how the call ended: its result.
    #[signal]
    fn completed(result: Variant);
}

/// The right to end an awaited call.
pub(crate) struct Request(Gd<NorayRequest>);

impl Request {
    /// A fresh call, and the signal that its method returns.
    pub(crate) fn new() -> (Self, Signal) {
        let object = NorayRequest::new_gd();
        let signal = Signal::from_object_signal(&object, "completed");
        (Self(object), signal)
    }

    /// A call that has ended already.
    pub(crate) fn ended(error: Error) -> Signal {
        let (request, signal) = Self::new();
        pump::end_later(request, error);
        signal
    }

    /// Wakes who awaits the call with null, after the method that runs now has returned.
    pub(crate) fn end_with_nothing_later(self) {
        pump::end_later(self, Variant::nil());
    }

    /// Wakes who awaits the call. Not inside the call itself, where nobody awaits
    /// it yet: that is what [`pump::end_later`] is for.
    pub(crate) fn end(self, result: impl ToGodot) {
        self.0.signals().completed().emit(&result.to_variant());
    }
}
