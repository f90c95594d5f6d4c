//! Once a frame, on the main thread: what happened in the background reaches the
//! game.

use std::cell::RefCell;

use godot::{
    builtin::{Callable, Variant},
    classes::{Engine, Object, SceneTree, Window},
    global::Error,
    obj::{Gd, Singleton},
};

use crate::{log, noray::Noray, packet_handshake::ActiveHandshake, request::Request, runtime};

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

/// Runs the pump with each frame from now on.
pub(crate) fn start() {
    if PUMP.with_borrow(|pump| !pump.connections.is_empty()) {
        return;
    }
    let tree = Engine::singleton()
        .get_main_loop()
        .and_then(|main_loop| main_loop.try_cast::<SceneTree>().ok());
    let Some(tree) = tree else {
        // A script that is the main loop itself is made before it is known as such.
        Callable::from_fn("noray_start", |_| start()).call_deferred(&[]);
        return;
    };
    let mut connections = Vec::new();
    let frame = Callable::from_fn("noray_pump", |_: &[&Variant]| run());
    connections.push((tree.clone().upcast::<Object>(), "process_frame", frame));
    if let Some(root) = tree.get_root() {
        let root: Gd<Window> = root;
        let leave = Callable::from_fn("noray_leave", |_: &[&Variant]| leave());
        connections.push((root.upcast::<Object>(), "tree_exiting", leave));
    }
    for (object, signal, callable) in &mut connections {
        object.connect(*signal, &*callable);
    }
    PUMP.with_borrow_mut(|pump| pump.connections = connections);
}

/// Ends a call after it has returned.
pub(crate) fn end_later(request: Request, error: Error) {
    PUMP.with_borrow_mut(|pump| pump.ended.push((request, error)));
    start();
}

/// Steps a handshake with each frame until it ends.
pub(crate) fn add_handshake(handshake: ActiveHandshake) {
    PUMP.with_borrow_mut(|pump| pump.handshakes.push(handshake));
    start();
}

fn run() {
    log::flush();
    Noray::pump();
    step_handshakes();
    let ended = PUMP.with_borrow_mut(|pump| std::mem::take(&mut pump.ended));
    for (request, error) in ended {
        request.end(error);
    }
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

/// The game quits: whoever still awaits is let go of, while its script exists.
fn leave() {
    Noray::leave();
    PUMP.with_borrow_mut(|pump| {
        pump.ended.clear();
        pump.handshakes.clear();
    });
    log::flush();
    runtime::stop();
}

/// Lets go of everything that Godot holds of ours.
pub(crate) fn stop() {
    let pump = PUMP.replace(Pump::new());
    for (mut object, signal, callable) in pump.connections {
        if object.is_instance_valid() && object.is_connected(signal, &callable) {
            object.disconnect(signal, &callable);
        }
    }
    Noray::leave();
    log::flush();
}
