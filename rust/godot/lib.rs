//! The extension: the classes that Godot sees.
//!
//! ```text
//! Noray            engine singleton: a noray server, and games through it
//! NorayConnection  what is known of another player of such a game
//! PacketHandshake  static methods that open the way between two players
//! NorayServer      a noray server inside the game
//!
//! session         the connection to the server: its events become signals
//! meeting         what host and join share: the link, its events
//! hosting         host: an ENet server, its players
//! joining         join: an ENet client, step by step
//! options         the options of both; server_address: name:port
//! keepalive       datagrams from a game's own ENet socket
//! enet            Godot's ENet, as we use it
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
mod class_enum;
mod defaults;
mod enet;
mod error;
mod hosting;
mod joining;
mod keepalive;
mod log;
mod meeting;
mod noray;
mod noray_connection;
mod noray_server;
mod options;
mod packet_handshake;
mod pump;
mod request;
mod runtime;
mod server_address;
mod session;
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
