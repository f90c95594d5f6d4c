//! The class `NorayRequest`: what an awaited method returns the signal of.

use std::{cell::RefCell, collections::VecDeque, time::Instant};

use godot::{
    builtin::{Signal, Variant},
    classes::RefCounted,
    meta::ToGodot,
    obj::{Base, Gd, NewGd},
    register::{GodotClass, godot_api},
};

use crate::{
    defaults::{UNHEARD_ENDS, UNHEARD_RESULT},
    main_thread,
};

const COMPLETED: &str = "completed";

thread_local! {
    /// Calls that ended before they returned. The main thread's; Godot's classes live on no other.
    static WAITING: RefCell<Vec<End>> = const { RefCell::new(Vec::new()) };
    /// Calls that ended when no script awaited them: one may do so later.
    static UNHEARD: RefCell<VecDeque<(End, Instant)>> = const { RefCell::new(VecDeque::new()) };
}

/// The end of a call, until a script has heard it.
struct End {
    request: Request,
    result: Variant,
    /// Runs just before whoever awaits the call is woken.
    first: Option<Box<dyn Fn()>>,
}

impl End {
    /// Wakes whoever awaits the call. Without anybody, the end is kept for a while: a signal that
    /// was emitted already would never wake who awaits it then.
    fn tell(self) {
        if let Some(first) = &self.first {
            first();
        }
        if self.request.is_awaited() {
            self.request.emit(&self.result);
            return;
        }
        UNHEARD.with_borrow_mut(|unheard| {
            if unheard.len() == UNHEARD_ENDS {
                unheard.pop_front();
            }
            unheard.push_back((self, Instant::now() + UNHEARD_RESULT));
        });
    }
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

    #[func(gd_self)]
    fn _end(this: Gd<Self>, result: Variant, _held: Gd<Self>) {
        if !main_thread::is_elsewhere("NorayRequest", "_end") {
            Request(this).end_later(result);
        }
    }
}

/// The right to end a call.
pub(crate) struct Request(Gd<NorayRequest>);

impl Request {
    /// Returns a fresh call, and the signal that its method returns.
    pub(crate) fn new() -> (Self, Signal) {
        let object = NorayRequest::new_gd();
        let signal = Signal::from_object_signal(&object, COMPLETED);
        (Self(object), signal)
    }

    /// Wakes whoever awaits the call. Not inside the call itself, which nobody awaits yet: that is
    /// what [`Self::end_later`] is for.
    pub(crate) fn end(self, result: &Variant) {
        self.into_end(result.clone(), None).tell();
    }

    /// The same, after `first`.
    pub(crate) fn end_after(self, result: Variant, first: impl Fn() + 'static) {
        self.into_end(result, Some(Box::new(first))).tell();
    }

    /// Wakes whoever awaits the call, after it has returned: with this frame or the next.
    pub(crate) fn end_later(self, result: impl ToGodot) {
        let end = self.into_end(result.to_variant(), None);
        WAITING.with_borrow_mut(|waiting| waiting.push(end));
    }

    /// The same, after `first`.
    pub(crate) fn end_later_after(self, result: Variant, first: impl Fn() + 'static) {
        let end = self.into_end(result, Some(Box::new(first)));
        WAITING.with_borrow_mut(|waiting| waiting.push(end));
    }

    fn into_end(self, result: Variant, first: Option<Box<dyn Fn()>>) -> End {
        End {
            request: self,
            result,
            first,
        }
    }

    fn emit(&self, result: &Variant) {
        self.0.signals().completed().emit(result);
    }

    /// Returns whether a script awaits the call.
    pub(crate) fn is_awaited(&self) -> bool {
        !self.0.get_signal_connection_list(COMPLETED).is_empty()
    }
}

/// Returns the signal of a call that another thread made in vain.
///
/// The main thread ends it, since that thread may be slow to await it.
pub(crate) fn refuse_elsewhere(result: impl ToGodot) -> Signal {
    let mut object = NorayRequest::new_gd();
    let signal = Signal::from_object_signal(&object, COMPLETED);
    // What is deferred holds the object.
    let held = object.to_variant();
    object.call_deferred("_end", &[result.to_variant(), held]);
    signal
}

/// Wakes whoever awaits a call that ended before it returned. Returns whether there was any.
pub(crate) fn end_waiting() -> bool {
    let waiting = WAITING.take();
    let is_any = !waiting.is_empty();
    waiting.into_iter().for_each(End::tell);
    tell_late(Instant::now());
    is_any
}

/// Wakes whoever has awaited a call since it ended, and lets go of results that nobody took.
fn tell_late(now: Instant) {
    let is_any = UNHEARD.with_borrow(|unheard| !unheard.is_empty());
    if !is_any {
        return;
    }
    for (mut end, until) in UNHEARD.take() {
        if end.request.is_awaited() {
            end.tell();
            continue;
        }
        if now >= until {
            end.result = Variant::nil();
        }
        UNHEARD.with_borrow_mut(|unheard| unheard.push_back((end, until)));
    }
}

/// Lets go of all calls that have not ended, and of those that nobody has heard of.
pub(crate) fn forget_waiting() {
    drop(WAITING.take());
    drop(UNHEARD.take());
}
