//! Once a frame, on the main thread: what happened in the background reaches the game.

use godot::{classes::Engine, obj::Singleton};

use crate::{
    defaults::LAST_CALLS, log, main_loop, main_loop::Callbacks, noray::Noray, packet_handshake,
    request, runtime,
};

/// Runs with each frame from now on, and when the game quits.
pub(crate) fn start() {
    main_loop::set(Callbacks { frame: run, quit });
    Noray::start();
}

fn run() {
    log::flush();
    // What ended since the last frame ended before what this one brings.
    request::end_waiting();
    Noray::frame();
    packet_handshake::step_all();
    request::end_waiting();
}

/// The game quits: every call ends with an error, since Godot never frees what a script holds while
/// it awaits.
fn quit() {
    packet_handshake::abandon_all();
    Noray::quit();
    // A script that is woken may call again: the bound is for one that always does.
    for _ in 0..LAST_CALLS {
        if !request::end_waiting() {
            break;
        }
        Noray::quit();
    }
    request::forget_waiting();
    Noray::disconnect_handlers();
    log::flush();
    runtime::stop();
}

/// Lets go of everything of ours that Godot holds.
pub(crate) fn stop() {
    // Without a main loop the game has quit, and the scripts are gone already. With one this is a
    // hot reload in the editor, whose scripts go on.
    if Engine::singleton().get_main_loop().is_some() {
        quit();
    }
    packet_handshake::forget_all();
    request::forget_waiting();
    Noray::stop();
    log::flush();
}
