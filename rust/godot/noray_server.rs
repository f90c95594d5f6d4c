//! The class `NorayServer`.

use std::net::{IpAddr, Ipv4Addr};

use godot::{
    builtin::GString,
    classes::RefCounted,
    global::Error,
    obj::Base,
    register::{GodotClass, godot_api, property::PhantomVar},
};
use noray_player::readable;
use noray_server::{Config, RelayPortsError, Server};
use tokio::time::timeout;
use tracing::warn;

use crate::{defaults::RESTART_TIMEOUT, error, runtime};

/// Stands for all of this machine's addresses, as in Godot's own servers.
const ALL_ADDRESSES: &str = "*";

/// A noray server inside a game, for local play, tests and dedicated hosts.
///
/// It runs in the background, and stops when the last reference to it is gone, so keep it in a
/// variable. All its methods can be called on any thread.
/// ```gdscript
/// var _server := NorayServer.new()
///
/// func host() -> void:
///     if _server.start() != OK:
///         print(_server.last_error_message)
///         return
///     var peer: ENetMultiplayerPeer = await Noray.host("127.0.0.1")
///     if peer != null:
///         multiplayer.multiplayer_peer = peer
/// ```
/// At 127.0.0.1 only games on this computer can join. For players in the same network, host at this
/// computer's address there; they join with the same address. Players in other networks can reach
/// the server only if its ports are open to them: [member port] (TCP), [member registrar_port] and
/// the relay ports (UDP).
///
/// It has the default limits and time-outs of the program `noray-server`: among others, a relayed
/// player may send 128 KiB a second.
#[derive(GodotClass)]
#[class(init, tool, base = RefCounted)]
pub(crate) struct NorayServer {
    /// The TCP port that players connect to; 0 when the server is not running.
    #[var(get, no_set)]
    port: PhantomVar<i32>,

    /// The UDP port of the registrar, for [method Noray.register_remote]; 0 when the server is not
    /// running.
    #[var(get, no_set)]
    registrar_port: PhantomVar<i32>,

    /// How many connected players have an OpenID.
    #[var(get, no_set)]
    player_count: PhantomVar<i32>,

    /// How many relays are open; each relayed player has one.
    #[var(get, no_set)]
    relay_count: PhantomVar<i32>,

    /// How many connections are open, including those without an OpenID.
    #[var(get, no_set)]
    connection_count: PhantomVar<i32>,

    /// Why the last [method start] failed, in a sentence that a log can show. Empty when it
    /// succeeded.
    #[var(get, no_set)]
    last_error_message: PhantomVar<GString>,

    failure: String,
    server: Option<Server>,
    /// The one that was stopped last, whose ports may not be free yet.
    stopped: Option<Server>,
    base: Base<RefCounted>,
}

#[godot_api]
impl NorayServer {
    /// Starts the server. Players can connect once this returns.
    ///
    /// [param port] and [param registrar_port] may be 0 for any free port. [param relay_ports] are
    /// UDP ports, one for each relayed player: `first-last`, single ports, or several of these
    /// separated by commas. The server binds them when it needs them. [param bind_address] is one
    /// of this machine's IP addresses, or `*` for all.
    ///
    /// Returns [constant OK]; [constant ERR_ALREADY_IN_USE] when the server is running already, or
    /// another program has one of the ports; [constant ERR_INVALID_PARAMETER];
    /// [constant ERR_CANT_CREATE] when the system refuses a socket.
    #[func]
    fn start(
        &mut self,
        #[opt(default = 8890)] port: i64,
        #[opt(default = 8809)] registrar_port: i64,
        #[opt(default = "49152-51200")] relay_ports: GString,
        #[opt(default = "*")] bind_address: GString,
    ) -> Error {
        if self.server.is_some() {
            return self.fail(Error::ERR_ALREADY_IN_USE, "the server is running already");
        }
        let config = match config(port, registrar_port, &relay_ports, &bind_address) {
            Ok(config) => config,
            Err(message) => return self.fail(Error::ERR_INVALID_PARAMETER, message),
        };
        let runtime = match runtime::handle() {
            Ok(runtime) => runtime,
            Err(error) => {
                return self.fail(
                    Error::ERR_CANT_CREATE,
                    format!("no background thread: {error}"),
                );
            }
        };
        if let Some(stopped) = self.stopped.take() {
            // Its tasks have been told to end: this takes microseconds.
            let _ = runtime.block_on(async { timeout(RESTART_TIMEOUT, stopped.stopped()).await });
        }
        match Server::start(config, &runtime) {
            Ok(server) => {
                self.server = Some(server);
                self.failure.clear();
                Error::OK
            }
            Err(error) => self.fail(error::start(&error), readable(&error.to_string())),
        }
    }

    /// Stops the server: disconnects all players and closes all relays. Does nothing when the
    /// server is not running.
    #[func]
    fn stop(&mut self) {
        if let Some(server) = self.server.take() {
            server.stop();
            self.stopped = Some(server);
        }
    }

    /// Returns whether the server is running.
    #[func]
    fn is_running(&self) -> bool {
        self.server.is_some()
    }

    #[func]
    fn get_port(&self) -> i32 {
        self.server
            .as_ref()
            .map_or(0, |server| server.command_address().port().into())
    }

    #[func]
    fn get_registrar_port(&self) -> i32 {
        self.server
            .as_ref()
            .map_or(0, |server| server.registrar_address().port().into())
    }

    #[func]
    fn get_player_count(&self) -> i32 {
        self.count(|stats| stats.players)
    }

    #[func]
    fn get_relay_count(&self) -> i32 {
        self.count(|stats| stats.relays)
    }

    #[func]
    fn get_connection_count(&self) -> i32 {
        self.count(|stats| stats.connections)
    }

    #[func]
    fn get_last_error_message(&self) -> GString {
        GString::from(&self.failure)
    }

    fn count(&self, of: impl Fn(noray_server::Stats) -> usize) -> i32 {
        self.server
            .as_ref()
            .and_then(|server| i32::try_from(of(server.stats())).ok())
            .unwrap_or(0)
    }

    fn fail(&mut self, error: Error, message: impl Into<String>) -> Error {
        let message = message.into();
        warn!("no server: {message}");
        self.failure = message;
        error
    }
}

fn config(
    port: i64,
    registrar_port: i64,
    relay_ports: &GString,
    bind_address: &GString,
) -> Result<Config, String> {
    let read_port = |port: i64| u16::try_from(port).map_err(|_| format!("{port} is no port"));
    let bind_address = bind_address.to_string();
    let address: IpAddr = match bind_address.as_str() {
        ALL_ADDRESSES => Ipv4Addr::UNSPECIFIED.into(),
        address => address
            .parse()
            .map_err(|_| format!("'{address}' is no IP address"))?,
    };
    let mut config = Config {
        socket_host: address,
        socket_port: read_port(port)?,
        registrar_port: read_port(registrar_port)?,
        ..Config::default()
    };
    if let IpAddr::V4(address) = address {
        config.udp_host = address;
    }
    let relay_ports = relay_ports.to_string();
    if !relay_ports.trim().is_empty() {
        config.relay_ports = (relay_ports.parse())
            .map_err(|error: RelayPortsError| format!("relay_ports: {error}"))?;
    }
    Ok(config)
}
