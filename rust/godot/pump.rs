//! Once a frame, on the main thread: what happened in the background reaches the
//! game.

use std::cell::RefCell;

use godot::{
    builtin::{Callable, Variant},
    classes::{Engine, SceneTree},
    init::is_editor_hint,
    meta::ToGodot,
    obj::{Gd, Singleton},
};

use crate::{
    defaults::LAST_CALLS, log, noray::Noray, packet_handshake::ActiveHandshake, request::Request,
    runtime,
};

thread_local! {
    /// The main thread's; Godot's classes live on no other.
    static PUMP: RefCell<Pump> = const { RefCell::new(Pump::new()) };
}

struct Pump {
    /// Calls that ended before they returned; their awaits end in the next frame.
    ended: Vec<(Request, Variant)>,
    handshakes: Vec<ActiveHandshake>,
}

impl Pump {
    const fn new() -> Self {
        Self {
            ended: Vec::new(),
            handshakes: Vec::new(),
        }
    }
}

/// Runs with each frame from now on, and when the game quits.
///
/// In a game by closures, which cost a third of a method's call; in the editor by `noray`'s
/// methods `frame` and `leave`, since a hot reload would leave closures behind.
pub(crate) fn connect(noray: &Gd<Noray>, frame: &str, leave: &str) {
    let tree = Engine::singleton()
        .get_main_loop()
        .and_then(|main_loop| main_loop.try_cast::<SceneTree>().ok());
    let Some(mut tree) = tree else { return };
    let (frame, leave) = if is_editor_hint() {
        (
            Callable::from_object_method(noray, frame),
            Callable::from_object_method(noray, leave),
        )
    } else {
        (
            Callable::from_fn("noray_frame", |_: &[&Variant]| run()),
            Callable::from_fn("noray_leave", |_: &[&Variant]| self::leave()),
        )
    };
    tree.connect("process_frame", &frame);
    if let Some(mut root) = tree.get_root() {
        root.connect("tree_exiting", &leave);
    }
}

/// Ends a call after it has returned.
pub(crate) fn end_later(request: Request, result: impl ToGodot) {
    PUMP.with_borrow_mut(|pump| pump.ended.push((request, result.to_variant())));
}

/// Steps a handshake with each frame until it ends.
pub(crate) fn add_handshake(handshake: ActiveHandshake) {
    PUMP.with_borrow_mut(|pump| pump.handshakes.push(handshake));
}

/// What happened since the last frame reaches the game.
pub(crate) fn run() {
    log::flush();
    Noray::pump();
    step_handshakes();
    end_calls();
}

/// Wakes who awaits a call that ended before it returned; whether there was any.
fn end_calls() -> bool {
    let ended = PUMP.with_borrow_mut(|pump| std::mem::take(&mut pump.ended));
    let any = !ended.is_empty();
    for (request, result) in ended {
        request.end(result);
    }
    any
}

fn step_handshakes() {
    let mut handshakes = PUMP.with_borrow_mut(|pump| std::mem::take(&mut pump.handshakes));
    if handshakes.is_empty() {
        return;
    }
    let ended: Vec<_> = handshakes
        .extract_if(.., |handshake| handshake.step())
        .collect();
    PUMP.with_borrow_mut(|pump| pump.handshakes.extend(handshakes));
    for handshake in ended {
        handshake.end();
    }
}

/// The game quits: every await ends with an error, since Godot never frees what a
/// script holds while it awaits.
pub(crate) fn leave() {
    let handshakes = PUMP.with_borrow_mut(|pump| std::mem::take(&mut pump.handshakes));
    for handshake in handshakes {
        handshake.abandon();
    }
    Noray::leave();
    // A script that is woken may call again: the bound is for one that always does.
    for _ in 0..LAST_CALLS {
        if !end_calls() {
            break;
        }
        Noray::leave();
    }
    Noray::disconnect_handlers();
    log::flush();
    runtime::stop();
}

/// Lets go of everything that Godot holds of ours.
pub(crate) fn stop() {
    // Without a main loop the game has quit, and the scripts are gone already. With one this is
    // a hot reload in the editor, whose scripts go on.
    if Engine::singleton().get_main_loop().is_some() {
        leave();
    }
    drop(PUMP.replace(Pump::new()));
    log::flush();
}
