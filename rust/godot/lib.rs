//! The extension: the classes that Godot sees.
//!
//! ```text
//! Noray            engine singleton: the connection to a noray server
//! PacketHandshake  static methods that open the way between two players
//! NorayServer      a noray server inside the game
//!
//! pump      once a frame on the main thread: events → signals, ends → awaits
//! request   what an awaited method returns
//! runtime   the background runtime, begun with the first use
//! error     the one map from our errors to Godot's
//! settings  what stands under noray/ in the project settings
//! log       tracing → Godot's log
//! autoload  the warning for games that still hold netfox.noray's autoloads
//! ```

// The entry point that the bindings demand is the only unsafe code.
#![allow(unsafe_code)]

mod announced;
mod autoload;
mod defaults;
mod error;
mod log;
mod noray;
mod noray_server;
mod packet_handshake;
mod pump;
mod request;
mod runtime;
mod settings;

use godot::{
    init::{ExtensionLibrary, InitStage},
    prelude::gdextension,
};

struct NorayExtension;

// SAFETY: the entry point stands here alone, declared by the bindings' own macro.
#[gdextension]
unsafe impl ExtensionLibrary for NorayExtension {
    fn on_stage_init(stage: InitStage) {
        if stage == InitStage::Scene {
            settings::register();
            log::start();
            autoload::warn_about_netfox();
            noray::Noray::start();
        }
    }

    fn on_stage_deinit(stage: InitStage) {
        if stage == InitStage::Scene {
            pump::stop();
            runtime::stop();
        }
    }
}
