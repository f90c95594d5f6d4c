//! The extension: the classes that Godot sees.
//!
//! ```text
//! noray             class Noray, an engine singleton: a noray server, and games through it
//! noray_connection  class NorayConnection: what is known of a peer of such a game
//! packet_handshake  class PacketHandshake: static methods that open a path between two players
//! noray_server      class NorayServer: a noray server inside the game
//! request           class NorayRequest: what an awaited method returns
//!
//! extension    the entry point, which Godot calls
//! frame        once a frame on the main thread: events → signals, ends → awaits
//! main_loop    how Godot calls that
//! main_thread  keeps calls from other threads away
//! first_scan   the first look of the editor at a project, in continuous integration
//! handles      what effects act on: connection, link, calls, ENet peers
//! options      the options dictionary of host() and join()
//! enet         Godot's ENet, as we use it
//! error        the one map from our errors to Godot's
//! settings     what stands under noray/ in the project settings
//! runtime      the background runtime, begun with the first use
//! log          tracing → Godot's log
//! class_enum   enums of our classes
//! autoload     the warning for games that still have netfox.noray's autoloads
//! ```
//!
//! What the calls of `Noray` decide stands in the crate `noray-player`, which knows no Godot. The
//! class hands it calls and events, and performs the effects that it gives.

mod autoload;
mod class_enum;
mod defaults;
mod enet;
mod error;
mod extension;
mod first_scan;
mod frame;
mod handles;
mod log;
mod main_loop;
mod main_thread;
mod noray;
mod noray_connection;
mod noray_server;
mod options;
mod packet_handshake;
mod request;
mod runtime;
mod settings;
