//! Once a frame, on the main thread: what happened in the background reaches the
//! game.

use std::cell::RefCell;

use godot::{
    builtin::{Callable, Variant},
    classes::{Engine, Object, SceneTree},
    global::Error,
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
    /// What the pump is connected to, so that it can let go.
    connections: Vec<(Gd<Object>, &'static str, Callable)>,
    /// Calls that ended before they returned; their awaits end in the next frame.
    ended: Vec<(Request, Error)>,
    handshakes: Vec<ActiveHandshake>,
}

impl Pump {
    const fn new() -> Self {
        Self {
            connections: Vec::new(),
            ended: Vec::new(),
            handshakes: Vec::new(),
        }
    }
}

/// Runs the pump with each frame, as soon as the main loop is there.
pub(crate) fn start() {
    Callable::from_fn("noray_connect", |_| connect()).call_deferred(&[]);
}

fn connect() {
    let tree = Engine::singleton()
        .get_main_loop()
        .and_then(|main_loop| main_loop.try_cast::<SceneTree>().ok());
    let Some((tree, root)) = tree.and_then(|tree| Some((tree.clone(), tree.get_root()?))) else {
        return;
    };
    let frame = Callable::from_fn("noray_pump", |_: &[&Variant]| run());
    let leave = Callable::from_fn("noray_leave", |_: &[&Variant]| leave());
    let mut connections: Vec<(Gd<Object>, _, _)> = vec![
        (tree.upcast(), "process_frame", frame),
        (root.upcast(), "tree_exiting", leave),
    ];
    for (object, signal, callable) in &mut connections {
        object.connect(*signal, &*callable);
    }
    PUMP.with_borrow_mut(|pump| pump.connections = connections);
}

/// Ends a call after it has returned.
pub(crate) fn end_later(request: Request, error: Error) {
    PUMP.with_borrow_mut(|pump| pump.ended.push((request, error)));
}

/// Steps a handshake with each frame until it ends.
pub(crate) fn add_handshake(handshake: ActiveHandshake) {
    PUMP.with_borrow_mut(|pump| pump.handshakes.push(handshake));
}

fn run() {
    log::flush();
    Noray::pump();
    step_handshakes();
    end_calls();
}

/// Wakes who awaits a call that ended before it returned; whether there was any.
fn end_calls() -> bool {
    let ended = PUMP.with_borrow_mut(|pump| std::mem::take(&mut pump.ended));
    let any = !ended.is_empty();
    for (request, error) in ended {
        request.end(error);
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
fn leave() {
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

/// Lets go of everything that Godot holds of ours. The scripts are gone already.
pub(crate) fn stop() {
    let pump = PUMP.replace(Pump::new());
    for (mut object, signal, callable) in pump.connections {
        if object.is_instance_valid() && object.is_connected(signal, &callable) {
            object.disconnect(signal, &callable);
        }
    }
    log::flush();
}
