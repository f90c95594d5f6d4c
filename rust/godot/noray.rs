//! The class `Noray`, an engine singleton.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, Ordering},
    time::Instant,
};

use godot::{
    builtin::{
        Callable, GString, PackedByteArray, Signal, StringName, VarDictionary, Variant, vdict,
    },
    classes::{ENetConnection, IObject, Object, notify::ObjectNotification},
    global::Error,
    meta::{ToGodot, owned_into_arg},
    obj::{Base, Gd, InstanceId, Singleton, WithBaseField},
    register::{GodotClass, godot_api, property::PhantomVar},
};
use noray_client::{ConnectOptions, Connection, Identity, Link};
use noray_player::{
    Answer, CallId, Command, Effect, EnetPeer, Failed, Options, PacketSource, Player,
    RegisterArguments, ServerAddress, ServerAddressError, SetupError, Socket,
};
use noray_protocol::wire::command::ConnectKind;

use crate::{
    class_enum::class_enum,
    defaults::EVENTS_PER_FRAME,
    enet, error,
    handles::Handles,
    main_loop, main_thread,
    noray_connection::{NorayConnection, Path},
    options::{self, OptionsArgument},
    request, runtime, settings,
};

/// Whether the singleton refuses to be freed.
static IS_KEPT: AtomicBool = AtomicBool::new(false);

class_enum! {
    /// How far a join is.
    Noray.JoinStage {
        /// Connecting to the noray server.
        Connecting as CONNECTING = 0,
        /// Getting an identity from the server, and registering this player's address.
        Registering as REGISTERING = 1,
        /// Asking the server for the host.
        Asking as ASKING = 2,
        /// The host is in the local network; trying to reach it there.
        TryingLan as TRYING_LAN = 3,
        /// Trying to reach the host directly, through both routers.
        TryingDirect as TRYING_DIRECT = 4,
        /// Trying to reach the host through the server.
        TryingRelay as TRYING_RELAY = 5,
        /// The host is reached; entering its game.
        Entering as ENTERING = 6,
        /// The player is in.
        Joined as JOINED = 7,
    }
}

impl From<noray_player::JoinStage> for JoinStage {
    fn from(stage: noray_player::JoinStage) -> Self {
        match stage {
            noray_player::JoinStage::Connecting => Self::Connecting,
            noray_player::JoinStage::Registering => Self::Registering,
            noray_player::JoinStage::Asking => Self::Asking,
            noray_player::JoinStage::TryingLan => Self::TryingLan,
            noray_player::JoinStage::TryingDirect => Self::TryingDirect,
            noray_player::JoinStage::TryingRelay => Self::TryingRelay,
            noray_player::JoinStage::Entering => Self::Entering,
            noray_player::JoinStage::Joined => Self::Joined,
        }
    }
}

/// Connects players behind home routers and mobile networks, with the help of a noray server.
///
/// A noray server gives each player an OpenID, which players share, and tells two players each
/// other's address. The extension opens a path through both routers; where there is no direct path,
/// the server relays.
///
/// A host and a joining player need one call each:
/// ```gdscript
/// func host() -> void:
///     var peer: ENetMultiplayerPeer = await Noray.host("noray.example.com")
///     if peer == null:
///         print(Noray.last_error_message)
///         return
///     multiplayer.multiplayer_peer = peer
///     print("Join me: ", Noray.oid)
///
/// func join(oid: String) -> void:
///     var peer: ENetMultiplayerPeer = await Noray.join(oid, "noray.example.com")
///     if peer == null:
///         print(Noray.last_error_message)
///         return
///     multiplayer.multiplayer_peer = peer
///     await multiplayer.connected_to_server
///     print("I am in.")
/// ```
/// Both take `options` as a `Dictionary`, or `null` for none. Omitted options have their defaults;
/// unknown options and values of another type are refused. Where an `int` is wanted, a whole
/// `float` counts too, as JSON gives it:
/// - `force_relay: bool` (false): use only the server's relay.
/// - `lan: bool` (the project setting `noray/network/lan`): look for each other in the local
///   network too.
/// - `timeout: float` (15): the longest wait, in seconds.
/// - `registrar_port: int` (8809): the server's UDP port for registrations.
/// - `channels: int`, `in_bandwidth: int`, `out_bandwidth: int` (0): as in
///   [method ENetMultiplayerPeer.create_server] and `create_client`.
/// - `compression: int` (0): a [enum ENetConnection.CompressionMode], the same for the host and
///   those who join. To call `compress` on a peer is too late: [method join] gives one that is
///   connected already.
/// - `identity: Dictionary` (none): what [method get_identity] gave an earlier process, to get the same
///   OpenID again; also as a `String` of both parts with a space between them. It is never logged.
///
/// What a call does while another runs ("hosting", "joining", "entering") or a game is on
/// ("hosted", "joined"):
/// ```text
/// call                 hosting  hosted   joining  entering joined
/// host                 BUSY     IN_USE   BUSY     BUSY     begins
/// join, another host   BUSY     IN_USE   BUSY     BUSY     begins
/// join, the same       BUSY     IN_USE   BUSY     BUSY     replaces
/// cancel_host          SKIP     -        -        -        -
/// cancel_join          -        -        SKIP     SKIP     -
/// leave                SKIP     ends     SKIP     SKIP     ends
/// disconnect_from_host LOST     -        LOST     -        -
/// connect_to_host      LOST     -        LOST     -        -
/// ```
/// - BUSY, IN_USE: the new call fails with [constant ERR_BUSY] or [constant ERR_ALREADY_IN_USE],
///   and changes nothing.
/// - SKIP, LOST: the call that runs returns `null` with [constant ERR_SKIP] or
///   [constant ERR_CONNECTION_ERROR].
/// - begins: the new call begins, and the game goes on; replaces: the game ends first.
/// - ends: the game ends.
///
/// A call that no script awaits any more, since its scene is freed for example, gives way to the
/// next [method host] or [method join], and so does a hosted game whose peer no [MultiplayerAPI]
/// uses, even if a variable still holds it.
///
/// A game that does all of it by itself connects, requests its ids, and registers its address:
/// ```gdscript
/// func register() -> Error:
///     var err: Error = await Noray.connect_to_host("noray.example.com")
///     if err != OK:
///         return err
///     Noray.register_host()
///     await Noray.on_pid
///     return await Noray.register_remote()
/// ```
/// A host then calls `ENetMultiplayerPeer.create_server(Noray.local_port)`, and a joining player
/// calls [method connect_nat] with the host's OpenID. Both get [signal on_connect_nat] with the
/// other player's address, and open the path with [PacketHandshake].
///
/// No method blocks the main thread. [member last_error_message] describes the last failure in
/// words.
///
/// Only the main thread can call the methods, by [method Object.call_deferred] from another: there
/// they return `null` or [constant ERR_UNAVAILABLE]. [method is_connected_to_host] and the
/// properties can be read on any thread.
///
/// Project settings:
/// - `noray/network/server`: the server of [method host] and [method join] calls that name none.
/// - `noray/network/lan` (on): players look for each other in the local network.
/// - `noray/network/connect_timeout` (8 s): the longest wait of [method connect_to_host], name
///   look-up included.
/// - `noray/network/answer_timeout` (5 s): how long [method connect_nat] and [method connect_relay]
///   wait for a server that does not answer at all.
/// - `noray/logging/level` (warnings): what reaches Godot's log; read when the game starts.
#[derive(GodotClass)]
#[class(init, singleton, base = Object)]
pub(crate) struct Noray {
    /// The OpenID that the server gave last; players share it. Empty before [signal on_oid].
    ///
    /// Others can join with it while this player is connected to the server. After a broken
    /// connection our own server gives it back; other servers give another one, which a game of
    /// [method host] or [method join] learns by [signal oid_changed].
    #[var(get, no_set)]
    oid: PhantomVar<GString>,

    /// The PrivateID that belongs to [member oid]. Empty before [signal on_pid].
    ///
    /// It is a password: never show, share or log it.
    #[var(get, no_set)]
    pid: PhantomVar<GString>,

    /// The UDP port that [method register_remote] registered; -1 before.
    ///
    /// A host listens on it, and a joining player uses it as its local port, because the server
    /// tells other players the outside address of this port.
    #[var(get, no_set)]
    local_port: PhantomVar<i32>,

    /// How the server introduced itself, for example `noray v2.0.0`. Empty when it did not: servers
    /// of generation 1 never do.
    #[var(get, no_set)]
    server_version: PhantomVar<GString>,

    /// The failure of the last call, as an `Error`; [constant OK] when that succeeded. When a
    /// script goes on after an `await`, it is that call's own.
    #[var(get, no_set)]
    last_error: PhantomVar<Error>,

    /// The same as a short sentence for a player, with what to do; empty for [constant OK]. The
    /// causes are in the log.
    #[var(get, no_set)]
    last_error_message: PhantomVar<GString>,

    player: Player,
    handles: Handles,
    base: Base<Object>,
}

#[godot_api]
impl IObject for Noray {
    fn on_notification(&mut self, what: ObjectNotification) {
        if what == ObjectNotification::PREDELETE
            && IS_KEPT.load(Ordering::Relaxed)
            && self.base().instance_id() == Self::singleton().instance_id()
        {
            self.base_mut().cancel_free();
            tracing::error!("Noray.free() does nothing: the singleton stays while the game runs");
        }
    }
}

#[godot_api]
impl Noray {
    /// Emitted for each command from the server, after the specific signal.
    #[signal]
    fn on_command(command: GString, data: GString);

    /// Emitted when the noray server has accepted the connection. It is not about a game's host:
    /// that is Godot's own [signal MultiplayerAPI.connected_to_server].
    #[signal]
    fn on_connect_to_host();

    /// Emitted once when the connection to the noray server ends. It is not about a game's host:
    /// that is Godot's own [signal MultiplayerAPI.server_disconnected].
    ///
    /// It ends by [method disconnect_from_host], by the server, or because the network failed. A
    /// game that is on goes on.
    #[signal]
    fn on_disconnect_from_host();

    /// Emitted when the server gives an OpenID. Emitted with an empty one when
    /// [method register_host] gets no answer, so that an `await` ends.
    #[signal]
    fn on_oid(oid: GString);

    /// Emitted when the server gives a PrivateID. Emitted with an empty one when
    /// [method register_host] gets no answer, because the connection ended or the answer time-out
    /// has passed, so that an `await` ends. A [method register_remote] that follows then returns
    /// the error.
    /// ```gdscript
    /// func get_oid() -> String:
    ///     Noray.register_host()
    ///     await Noray.on_pid
    ///     return Noray.oid
    /// ```
    #[signal]
    fn on_pid(pid: GString);

    /// Emitted on both sides of a [method connect_nat], with the other player's outside address,
    /// where it may be reached directly. [PacketHandshake] has an example.
    #[signal]
    fn on_connect_nat(address: GString, port: i32);

    /// Emitted on both sides of a [method connect_relay], with the server's address and the port
    /// there that stands for the other player. [PacketHandshake] has an example.
    #[signal]
    fn on_connect_relay(address: GString, port: i32);

    /// Emitted when a [method connect_nat] or [method connect_relay] failed: the server refused, or
    /// is certain not to answer. [param message] says why in words.
    ///
    /// [param error] is [constant ERR_DOES_NOT_EXIST] (no such player), [constant ERR_UNAVAILABLE]
    /// (the host has not registered its address), [constant ERR_UNAUTHORIZED] (this player has
    /// not), [constant ERR_BUSY] (no free relay, or too many requests), [constant ERR_CANT_CONNECT]
    /// (the server's reason is not known), [constant ERR_TIMEOUT] (no answer in time) or
    /// [constant ERR_CONNECTION_ERROR] (the connection to the server was lost). A server of
    /// generation 1 never says why.
    /// ```gdscript
    /// Noray.connect_failed.connect(func(_oid: String, _error: Error, message: String) -> void:
    ///     print(message))
    /// ```
    #[signal]
    fn connect_failed(oid: GString, error: Error, message: GString);

    /// Emitted when a [method join] makes progress, with a sentence that a player can be shown.
    /// ```gdscript
    /// Noray.join_progressed.connect(func(_stage: Noray.JoinStage, message: String) -> void:
    ///     print(message))
    /// ```
    #[signal]
    fn join_progressed(stage: JoinStage, message: GString);

    /// Emitted when the game takes another path to a peer, because a better one has opened or the
    /// last one has closed. No packet is lost by that. On a host, [param peer_id] is the peer's id;
    /// on a joined player, it is 1.
    /// ```gdscript
    /// Noray.path_changed.connect(func(peer_id: int, path: NorayConnection.Path) -> void:
    ///     if path == NorayConnection.RELAY:
    ///         print("Player ", peer_id, " is connected by relay now."))
    /// ```
    #[signal]
    fn path_changed(peer_id: i64, path: Path);

    /// Emitted when the server has given this player another OpenID while it hosts or plays: the
    /// connection to the server was lost and made again. Peers who are in stay in; new ones need
    /// the new OpenID.
    /// ```gdscript
    /// Noray.oid_changed.connect(func(oid: String) -> void: print("Join me: ", oid))
    /// ```
    #[signal]
    fn oid_changed(oid: GString);

    /// Hosts a game. Await it at once: `var peer: ENetMultiplayerPeer = await Noray.host()`.
    ///
    /// (`var peer := await …` does not parse: a signal's argument has no type that GDScript knows.)
    /// Connects to the noray server (`name`, `name:port` or `[v6]:port`; when it is empty, the
    /// project setting `noray/network/server` counts), gets an OpenID, and registers this player's
    /// address; what is done already is not done again. Returns an [ENetMultiplayerPeer] that takes
    /// up to [param max_clients] players, or `null`. Then [member last_error] is:
    /// - [constant ERR_INVALID_PARAMETER] for a bad address, number or option;
    /// - [constant ERR_ALREADY_IN_USE] when this player hosts already, [constant ERR_BUSY] while
    ///   another [method host] or [method join] runs, [constant ERR_SKIP] after
    ///   [method cancel_host] or [method leave];
    /// - [constant ERR_CANT_RESOLVE] when the server's name has no address,
    ///   [constant ERR_CONNECTION_ERROR] when the server cannot be reached or gives no OpenID,
    ///   [constant FAILED] when it refuses the registration;
    /// - [constant ERR_TIMEOUT] when it takes longer than the option `timeout`;
    /// - [constant ERR_CANT_CREATE] when the system gives no socket or no thread.
    ///
    /// Players need [member oid] to join. Hosting ends when the game closes the peer or lets go of
    /// it. When the connection to the server is lost, the game goes on and the connection is made
    /// again; see [signal oid_changed].
    #[func(gd_self)]
    fn host(
        mut this: Gd<Self>,
        #[opt(default = "")] noray: GString,
        #[opt(default = 32)] max_clients: i64,
        #[opt(default = owned_into_arg(OptionsArgument::default()))] options: OptionsArgument,
    ) -> Signal {
        if Self::refuses(this.instance_id(), "host") {
            return request::refuse_elsewhere(Variant::nil());
        }
        let place = read_place(&noray, &options);
        let (call, signal) = this.bind_mut().handles.begin_call();
        this.bind_mut()
            .player
            .host(call, place, max_clients, Instant::now());
        Self::perform_all(&mut this);
        signal
    }

    /// Joins a host's game. Await it at once:
    /// `var peer: ENetMultiplayerPeer = await Noray.join(oid)`.
    ///
    /// White space and invisible marks around [param oid], as pasted texts have them, are ignored.
    /// [param noray] and [param options] are as in [method host]. Tries all paths at once and takes
    /// the first that works; [signal join_progressed] tells how far it is. Joining the same host
    /// again ends the game that is on with it.
    ///
    /// Returns an [ENetMultiplayerPeer] that is connected. Assign it to
    /// `multiplayer.multiplayer_peer` at once: nothing polls it before. Before the first RPC, await
    /// Godot's `connected_to_server`, which comes in the same frame or the next:
    /// ```gdscript
    /// func enter(peer: ENetMultiplayerPeer) -> void:
    ///     multiplayer.multiplayer_peer = peer
    ///     await multiplayer.connected_to_server
    ///     greet.rpc_id(1)
    ///
    /// @rpc("any_peer")
    /// func greet() -> void:
    ///     print("Player %d is here." % multiplayer.get_remote_sender_id())
    /// ```
    /// Or returns `null`. Then [member last_error] is:
    /// - [constant ERR_DOES_NOT_EXIST] when the server knows no such host;
    /// - [constant ERR_CANT_CONNECT] when the host exists, but no path to it opened;
    /// - [constant ERR_CANT_ACQUIRE_RESOURCE] when the host is full, [constant ERR_LOCKED] when it
    ///   takes no new players (`refuse_new_connections`), [constant ERR_UNAVAILABLE] when it is
    ///   reached, but its game does not answer;
    /// - [constant ERR_CANT_RESOLVE] when the server's name has no address,
    ///   [constant ERR_CONNECTION_ERROR] when the server cannot be reached or gives no OpenID,
    ///   [constant FAILED] when it refuses the registration;
    /// - [constant ERR_TIMEOUT] when it takes longer than the option `timeout`, also because the
    ///   host's game stands still (it loads a level, for example); [constant ERR_SKIP] after
    ///   [method cancel_join] or [method leave];
    /// - [constant ERR_INVALID_PARAMETER] for a bad OpenID, the player's own, a bad address or
    ///   option;
    /// - [constant ERR_BUSY] while another [method host] or [method join] runs,
    ///   [constant ERR_ALREADY_IN_USE] when this player hosts;
    /// - [constant ERR_CANT_CREATE] when the system gives no socket or no thread.
    #[func(gd_self)]
    fn join(
        mut this: Gd<Self>,
        oid: GString,
        #[opt(default = "")] noray: GString,
        #[opt(default = owned_into_arg(OptionsArgument::default()))] options: OptionsArgument,
    ) -> Signal {
        if Self::refuses(this.instance_id(), "join") {
            return request::refuse_elsewhere(Variant::nil());
        }
        let place = read_place(&noray, &options);
        let (call, signal) = this.bind_mut().handles.begin_call();
        this.bind_mut()
            .player
            .join(call, &oid.to_string(), place, Instant::now());
        Self::perform_all(&mut this);
        signal
    }

    /// Ends the [method host] that runs, which then returns `null` with [constant ERR_SKIP]. Does
    /// nothing without one; a game that is hosted already goes on.
    #[func(gd_self)]
    fn cancel_host(mut this: Gd<Self>) {
        if Self::refuses(this.instance_id(), "cancel_host") {
            return;
        }
        this.bind_mut().player.cancel_host();
        Self::perform_all(&mut this);
    }

    /// Leaves the game: ends all that [method host] and [method join] began. Calls that run return
    /// `null` with [constant ERR_SKIP], and their ENet peers are closed, so that the other players
    /// are told at once.
    /// ```gdscript
    /// Noray.leave()
    /// multiplayer.multiplayer_peer = OfflineMultiplayerPeer.new()
    /// ```
    /// The connection to the noray server stays, so that the next [method host] begins at once and
    /// with the same [member oid]; [method disconnect_from_host] ends it.
    #[func(gd_self)]
    fn leave(mut this: Gd<Self>) {
        if Self::refuses(this.instance_id(), "leave") {
            return;
        }
        this.bind_mut().player.leave();
        Self::perform_all(&mut this);
    }

    /// Returns this player's identity, for a dedicated host whose OpenID is to outlive its process:
    /// `{"oid": …, "pid": …}`, or an empty `Dictionary` before there is one.
    ///
    /// Store it where nobody else can read it, since the PrivateID is a password, and hand it to
    /// [method host] as the option `identity`:
    /// ```gdscript
    /// var saved: Dictionary = {}
    /// var options: Dictionary = {"identity": saved}
    /// var peer: ENetMultiplayerPeer = await Noray.host("noray.example.com", 32, options)
    /// saved = Noray.get_identity()
    /// ```
    /// A server that cannot give it back (the public ones, or another than the one that gave it)
    /// gives a new one.
    #[func]
    fn get_identity(&self) -> VarDictionary {
        if Self::refuses(self.base().instance_id(), "get_identity") {
            return VarDictionary::new();
        }
        if self.player.pid().is_empty() {
            return VarDictionary::new();
        }
        vdict! {
            "oid" => self.player.oid(),
            "pid" => self.player.pid(),
        }
    }

    /// Ends the [method join] that runs, which then returns `null` with [constant ERR_SKIP]. Does
    /// nothing without one.
    #[func(gd_self)]
    fn cancel_join(mut this: Gd<Self>) {
        if Self::refuses(this.instance_id(), "cancel_join") {
            return;
        }
        this.bind_mut().player.cancel_join();
        Self::perform_all(&mut this);
    }

    /// Returns the connection to a peer of a game that [method host] or [method join] began, by its
    /// id in `multiplayer`: a host asks for any of its peers, a joined player for 1. Returns `null`
    /// when there is no such peer.
    #[func]
    fn get_connection(&self, peer_id: i64) -> Option<Gd<NorayConnection>> {
        if Self::refuses(self.base().instance_id(), "get_connection") {
            return None;
        }
        let peer_id = i32::try_from(peer_id).ok()?;
        let connection = self.player.connection_to(peer_id, enet::is_open)?;
        let packet_peer = enet::packet_peer(connection.enet, peer_id);
        Some(NorayConnection::new(connection.stats.clone(), packet_peer))
    }

    /// Keeps this player reachable while the game's own ENet has [member local_port]: sends a small
    /// packet to the server every 15 s, so that the router does not forget the port. For a host
    /// that called [method register_remote] and `create_server`; [method host] and [method join] do
    /// not need it.
    /// ```gdscript
    /// var peer := ENetMultiplayerPeer.new()
    /// peer.create_server(Noray.local_port)
    /// Noray.keep_alive(peer.host)
    /// ```
    /// Goes on until [param connection] is destroyed or another [member pid] counts; holds no
    /// reference to it. Returns [constant OK]; [constant ERR_INVALID_PARAMETER] for a null or
    /// destroyed connection; [constant ERR_UNCONFIGURED] when no address is registered.
    #[func]
    fn keep_alive(&mut self, connection: Option<Gd<ENetConnection>>) -> Error {
        if Self::refuses(self.base().instance_id(), "keep_alive") {
            return Error::ERR_UNAVAILABLE;
        }
        let connection = connection.filter(enet::is_alive);
        let id = connection.map(|connection| connection.instance_id().to_i64());
        code(self.player.keep_alive(id, Instant::now()))
    }

    /// Connects to a noray server. Await it at once:
    /// `var err: Error = await Noray.connect_to_host(address)`.
    ///
    /// [param address] is a name or an IP address. The host here is the noray server, not a game's.
    ///
    /// Returns [constant OK]; [constant ERR_CANT_RESOLVE] when the name has no address;
    /// [constant ERR_CONNECTION_ERROR] when no address accepts, or another call or
    /// [method disconnect_from_host] cut this one short; [constant ERR_TIMEOUT];
    /// [constant ERR_INVALID_PARAMETER] for an empty address or a bad port;
    /// [constant ERR_CANT_CREATE] when the system gives no thread. Replaces a connection that
    /// exists.
    #[func(gd_self)]
    fn connect_to_host(
        mut this: Gd<Self>,
        address: GString,
        #[opt(default = 8890)] port: i64,
    ) -> Signal {
        if Self::refuses(this.instance_id(), "connect_to_host") {
            return request::refuse_elsewhere(Error::ERR_UNAVAILABLE);
        }
        let (call, signal) = this.bind_mut().handles.begin_call();
        this.bind_mut()
            .player
            .connect_to_host(call, &address.to_string(), port);
        Self::perform_all(&mut this);
        signal
    }

    /// Returns whether the noray server is connected. It is not about a game's host.
    #[func]
    fn is_connected_to_host(&self) -> bool {
        self.player.is_connected()
    }

    /// Ends the connection to the noray server, but no game: [method leave] does that.
    ///
    /// Whatever awaits the connection gets [constant ERR_CONNECTION_ERROR]. Does nothing without
    /// one.
    #[func(gd_self)]
    fn disconnect_from_host(mut this: Gd<Self>) {
        if Self::refuses(this.instance_id(), "disconnect_from_host") {
            return;
        }
        this.bind_mut().player.disconnect_from_host();
        Self::perform_all(&mut this);
    }

    /// Requests an OpenID and a PrivateID from the server, which come with [signal on_oid] and
    /// [signal on_pid].
    ///
    /// Joining players need them too. A second call gives a second pair: both OpenIDs work.
    #[func]
    fn register_host(&mut self) -> Error {
        if Self::refuses(self.base().instance_id(), "register_host") {
            return Error::ERR_UNAVAILABLE;
        }
        let command = self.player.register_host();
        self.send(command)
    }

    /// Registers this player's outside address. Await it at once, after [signal on_pid]:
    /// `var err: Error = await Noray.register_remote()`.
    ///
    /// [param registrar_port] is the server's UDP port for registrations; [param timeout] and
    /// [param interval] (the pause between repeats, at least 0.02) are in seconds. Returns
    /// [constant OK], and the game can use [member local_port]; [constant ERR_CONNECTION_ERROR]
    /// without a connection, or when it ends meanwhile; [constant ERR_UNAUTHORIZED] without a
    /// PrivateID; [constant FAILED] when the server refuses; [constant ERR_TIMEOUT];
    /// [constant ERR_INVALID_PARAMETER]; [constant ERR_BUSY] while another PrivateID is being
    /// registered; [constant ERR_ALREADY_IN_USE] while a game of [method host] or [method join] has
    /// the port. Once the address is registered, further calls return [constant OK] at once and
    /// change nothing.
    #[func(gd_self)]
    fn register_remote(
        mut this: Gd<Self>,
        #[opt(default = 8809)] registrar_port: i64,
        #[opt(default = 8.0)] timeout: f64,
        #[opt(default = 0.1)] interval: f64,
    ) -> Signal {
        if Self::refuses(this.instance_id(), "register_remote") {
            return request::refuse_elsewhere(Error::ERR_UNAVAILABLE);
        }
        let arguments = RegisterArguments {
            registrar_port,
            timeout,
            interval,
        };
        let (call, signal) = this.bind_mut().handles.begin_call();
        this.bind_mut().player.register_remote(call, arguments);
        Self::perform_all(&mut this);
        signal
    }

    /// Asks the server to connect this player and the host with OpenID [param oid] directly. Both
    /// get [signal on_connect_nat], or this player gets [signal connect_failed].
    ///
    /// Returns [constant OK] when the request is on its way; [constant ERR_CONNECTION_ERROR]
    /// without a connection; [constant ERR_INVALID_PARAMETER], and nothing is sent, when
    /// [param oid] is empty, longer than 1 KiB, or contains white space, quotes, backslashes,
    /// control or invisible characters (around it, such are ignored); [constant ERR_BUSY] when too
    /// many requests wait.
    #[func]
    fn connect_nat(&mut self, oid: GString) -> Error {
        if Self::refuses(self.base().instance_id(), "connect_nat") {
            return Error::ERR_UNAVAILABLE;
        }
        let command = self.player.connect_peer(ConnectKind::Nat, &oid.to_string());
        self.send(command)
    }

    /// Asks the server to connect this player and the host with OpenID [param oid] through a relay.
    /// Both get [signal on_connect_relay], or this player gets [signal connect_failed]. Errors are
    /// as in [method connect_nat].
    #[func]
    fn connect_relay(&mut self, oid: GString) -> Error {
        if Self::refuses(self.base().instance_id(), "connect_relay") {
            return Error::ERR_UNAVAILABLE;
        }
        let command = self
            .player
            .connect_peer(ConnectKind::Relay, &oid.to_string());
        self.send(command)
    }

    #[func]
    fn get_oid(&self) -> GString {
        GString::from(self.player.oid())
    }

    #[func]
    fn get_pid(&self) -> GString {
        GString::from(self.player.pid())
    }

    #[func]
    fn get_local_port(&self) -> i32 {
        self.player.local_port().map_or(-1, i32::from)
    }

    #[func]
    fn get_server_version(&self) -> GString {
        GString::from(self.player.server_version())
    }

    #[func]
    fn get_last_error(&self) -> Error {
        self.player.last_failure().map_or(Error::OK, error::code)
    }

    #[func]
    fn get_last_error_message(&self) -> GString {
        GString::from(self.player.last_sentence())
    }

    #[func(gd_self)]
    fn _connect_to_tree(this: Gd<Self>) {
        if Self::refuses(this.instance_id(), "_connect_to_tree") {
            return;
        }
        main_loop::connect(&this.upcast(), "_frame", "_leave");
    }

    #[func(gd_self)]
    fn _frame(this: Gd<Self>) {
        if Self::refuses(this.instance_id(), "_frame") {
            return;
        }
        main_loop::frame();
    }

    #[func(gd_self)]
    fn _leave(this: Gd<Self>) {
        if Self::refuses(this.instance_id(), "_leave") {
            return;
        }
        main_loop::quit();
    }

    #[func(gd_self)]
    fn _player_entered(mut this: Gd<Self>, peer_id: i64, host: i64) {
        if Self::refuses(this.instance_id(), "_player_entered") {
            return;
        }
        let enet = EnetPeer(host);
        let Ok(peer_id) = i32::try_from(peer_id) else {
            return;
        };
        let Some(port) = enet::peer_port(enet, peer_id) else {
            return;
        };
        let mut me = this.bind_mut();
        while let Some(event) = me.handles.next_link_event() {
            me.player.admit_early(event);
        }
        me.player.handle_entered(enet, peer_id, port);
    }

    #[func(gd_self)]
    fn _player_left(mut this: Gd<Self>, peer_id: i64, host: i64) {
        if Self::refuses(this.instance_id(), "_player_left") {
            return;
        }
        let Ok(peer_id) = i32::try_from(peer_id) else {
            return;
        };
        this.bind_mut().player.handle_left(EnetPeer(host), peer_id);
        Self::perform_all(&mut this);
    }

    /// Returns whether a method must not act, and says why in the log: it is called from another
    /// thread, or of an object that `ClassDB` made beside the singleton.
    fn refuses(id: InstanceId, method: &str) -> bool {
        if main_thread::is_elsewhere("Noray", method) {
            return true;
        }
        let is_second = id != Self::singleton().instance_id();
        if is_second {
            tracing::error!("Noray.{method}() works on the singleton only: this object is another");
        }
        is_second
    }

    /// Sends a command that a call led to. Returns what the call returns.
    fn send(&mut self, command: Result<Command, Failed>) -> Error {
        code(command.and_then(|command| {
            let sent = self.handles.send(&command);
            self.player.handle_sent(&command, sent)
        }))
    }
}

/// What `frame` calls.
impl Noray {
    /// Begins to run with each frame, as soon as the main loop is there.
    pub(crate) fn start() {
        IS_KEPT.store(true, Ordering::Relaxed);
        JoinStage::register();
        Path::register();
        Self::singleton().call_deferred("_connect_to_tree", &[]);
    }

    /// Lets the bindings free the singleton.
    pub(crate) fn stop() {
        IS_KEPT.store(false, Ordering::Relaxed);
    }

    /// Takes what happened since the last frame.
    pub(crate) fn frame() {
        let mut this = Self::singleton();
        for _ in 0..EVENTS_PER_FRAME {
            let mut me = this.bind_mut();
            let connection = me.handles.connection.as_mut();
            let Some(event) = connection.and_then(Connection::next_event) else {
                // Asked here since a second guard would double an idle frame's cost.
                if me.player.is_idle() {
                    return;
                }
                break;
            };
            me.player.handle_connection_event(event);
            drop(me);
            Self::perform_all(&mut this);
            // What ended in a handler of this event ended before what the next one brings.
            request::end_waiting();
        }
        for _ in 0..EVENTS_PER_FRAME {
            let mut me = this.bind_mut();
            let early = me.player.next_early_event();
            let Some(event) = early.or_else(|| me.handles.next_link_event()) else {
                break;
            };
            me.player.handle_link_event(event);
            drop(me);
            Self::perform_all(&mut this);
            // What ended in a handler of this event ended before what the next one brings.
            request::end_waiting();
        }
        {
            let mut me = this.bind_mut();
            let link_is_used = me.handles.link.as_ref().is_some_and(Link::is_used);
            me.player.begin_frame(Instant::now(), link_is_used);
        }
        Self::perform_all(&mut this);
    }

    /// The game quits: whoever awaits something is woken, and told nothing else.
    pub(crate) fn quit() {
        let mut this = Self::singleton();
        this.bind_mut().player.quit();
        Self::perform_all(&mut this);
    }

    /// Lets go of all signal handlers: this object outlives the scripts that they are in.
    pub(crate) fn disconnect_handlers() {
        let mut this = Self::singleton();
        for signal in this.get_signal_list().iter_shared() {
            let name = StringName::from(&signal.at("name").to::<GString>());
            for connection in this.get_signal_connection_list(&name).iter_shared() {
                let callable = connection.at("callable").to::<Callable>();
                this.disconnect(&name, &callable);
            }
        }
    }

    /// Returns whose packets count in a handshake over this socket.
    pub(crate) fn packet_source(named: Option<SocketAddr>, socket: Socket) -> PacketSource {
        let this = Self::singleton();
        let me = this.bind();
        let registered = me.player.local_port();
        PacketSource::choose(named, socket, registered, me.player.announced_targets())
    }
}

/// The effects. None is performed while a guard is held: what it does may call back in.
impl Noray {
    fn perform_all(this: &mut Gd<Self>) {
        loop {
            let effect = this.bind_mut().player.next_effect();
            match effect {
                Some(effect) => Self::perform(this, effect),
                None => return,
            }
        }
    }

    fn perform(this: &mut Gd<Self>, effect: Effect) {
        match effect {
            Effect::OpenConnection(target, identity) => {
                Self::open_connection(this, target, identity);
            }
            Effect::CloseConnection => this.bind_mut().handles.connection = None,
            Effect::Send(command) => {
                let sent = this.bind().handles.send(&command);
                if let Err(error) = sent {
                    this.bind_mut().player.handle_unsent(&command, error);
                    Self::perform_all(this);
                }
            }
            Effect::OpenLink => {
                let runtime = runtime::handle().ok();
                this.bind_mut().handles.link = runtime.map(|runtime| Link::open(&runtime));
            }
            Effect::CloseLink => {
                let link = this.bind_mut().handles.link.take();
                drop(link);
            }
            Effect::Link(command) => this.bind().handles.tell_link(command),
            Effect::LookAtPeers => Self::look_at_peers(this),
            Effect::LookForUse { call, server } => {
                let awaited = |call: &CallId| this.bind().handles.is_awaited(*call);
                if let Some(call) = call.filter(|call| !awaited(call)) {
                    this.bind_mut().player.handle_unused_call(call);
                    Self::perform_all(this);
                }
                if let Some(server) = server.filter(|server| !enet::multiplayer_listens(*server)) {
                    this.bind_mut().player.handle_unused_server(server);
                    Self::perform_all(this);
                }
            }
            Effect::CreateServer(call) => {
                let created = enet::create_server(call.max_clients, call.options.enet);
                let created = created.map(|(mut peer, port)| {
                    let object = this.clone().upcast();
                    let mut me = this.bind_mut();
                    let handles = &mut me.handles;
                    handles.watch_server(&object, "_player_entered", "_player_left", &mut peer);
                    let enet = enet::id(&peer);
                    handles.hold(peer);
                    (enet, port)
                });
                this.bind_mut().player.handle_server_created(&call, created);
                Self::perform_all(this);
            }
            Effect::LookWhetherClosed(enet) => {
                if let Some(is_closed) = enet::is_closed(enet) {
                    this.bind_mut().player.handle_server_closed(enet, is_closed);
                    Self::perform_all(this);
                }
            }
            Effect::CreateClient {
                port,
                enet,
                patience,
            } => {
                let created = enet::create_client(port, enet, patience).map(|(peer, port)| {
                    let enet = enet::id(&peer);
                    this.bind_mut().handles.hold(peer);
                    (enet, port)
                });
                this.bind_mut()
                    .player
                    .handle_client_created(created, Instant::now());
                Self::perform_all(this);
            }
            Effect::PollClient(enet) => {
                let peer = this.bind().handles.held(enet);
                if let Some(status) = peer.map(enet::poll) {
                    this.bind_mut()
                        .player
                        .handle_client_polled(enet, status, Instant::now());
                    Self::perform_all(this);
                }
            }
            Effect::ClosePeer(enet) => {
                let held = this.bind_mut().handles.take(enet);
                enet::close(enet);
                drop(held);
            }
            Effect::ForgetServer(enet) => this.bind_mut().handles.forget_server(enet),
            Effect::GiveUp { enet, peer_id } => enet::give_up(enet, peer_id),
            Effect::LookForMultiplayer(enet) => {
                if enet::multiplayer_listens(enet) {
                    this.bind_mut().player.handle_multiplayer_listens(enet);
                    Self::perform_all(this);
                }
            }
            Effect::AnnounceHost(enet) => enet::announce_host(enet),
            Effect::SayGoodbye { close, to } => enet::say_goodbye(close, &to),
            Effect::SendKeepalive {
                connection: id,
                registrar,
                pid,
            } => match enet::live_connection(id) {
                Some(mut connection) => {
                    let address = GString::from(&registrar.ip().to_string());
                    let datagram = PackedByteArray::from(pid.reveal().as_bytes());
                    enet::send_datagram(&mut connection, &address, registrar.port(), &datagram);
                }
                None => this.bind_mut().player.forget_kept_alive(id),
            },
            Effect::Emit(signal) => Self::emit(this, signal),
            Effect::EndCall(call, answer) => {
                let request = this.bind_mut().handles.take_call(call);
                let result = Self::result(this, &answer);
                if let Some(request) = request {
                    request.end_after(result, move || Self::call_ends(&answer));
                }
            }
            Effect::EndCallLater(call, answer) => {
                let request = this.bind_mut().handles.take_call(call);
                let result = Self::result(this, &answer);
                if let Some(request) = request {
                    request.end_later_after(result, move || Self::call_ends(&answer));
                }
            }
        }
    }

    fn open_connection(this: &mut Gd<Self>, target: ServerAddress, identity: Option<Identity>) {
        match runtime::handle() {
            Ok(runtime) => {
                let options = ConnectOptions {
                    host: target.host,
                    port: target.port,
                    timeout: settings::connect_timeout(),
                    answer_timeout: settings::answer_timeout(),
                    identity,
                };
                let connection = Connection::open(&runtime, options);
                this.bind_mut().handles.connection = Some(connection);
            }
            Err(error) => {
                this.bind_mut().player.handle_no_thread(error);
                Self::perform_all(this);
            }
        }
    }

    /// Looks which ENet peers the game has closed or let go of.
    fn look_at_peers(this: &mut Gd<Self>) {
        let peers = this.bind().player.enet_peers();
        for enet in peers.into_iter().filter(|enet| !enet::is_open(*enet)) {
            this.bind_mut().player.handle_closed(enet);
            Self::perform_all(this);
        }
    }

    /// A call's end is about to be told.
    fn call_ends(answer: &Answer) {
        Self::singleton().bind_mut().player.handle_call_ends(answer);
    }

    /// Returns what a call that ends so gives to the game.
    fn result(this: &mut Gd<Self>, answer: &Answer) -> Variant {
        match answer {
            Answer::Ok => Error::OK.to_variant(),
            Answer::Failed(failure) => error::code(failure).to_variant(),
            Answer::Peer(enet) => this.bind_mut().handles.take(*enet).to_variant(),
            Answer::Null(_) => Variant::nil(),
        }
    }

    fn emit(this: &mut Gd<Self>, signal: noray_player::Signal) {
        use noray_player::Signal as Emitted;

        let mut signals = this.signals();
        match signal {
            Emitted::Command(line) => {
                let (name, data) = (GString::from(&line.name), GString::from(&line.data));
                signals.on_command().emit(&name, &data);
            }
            Emitted::ConnectToHost => signals.on_connect_to_host().emit(),
            Emitted::DisconnectFromHost => signals.on_disconnect_from_host().emit(),
            Emitted::OpenId(oid) => signals.on_oid().emit(&GString::from(&oid)),
            Emitted::PrivateId(pid) => {
                let pid = pid.map_or_else(GString::new, |pid| GString::from(pid.reveal()));
                signals.on_pid().emit(&pid);
            }
            Emitted::ConnectNat(address) => {
                let ip = GString::from(&address.ip().to_string());
                signals
                    .on_connect_nat()
                    .emit(&ip, i32::from(address.port()));
            }
            Emitted::ConnectRelay(address) => {
                let ip = GString::from(&address.ip().to_string());
                signals
                    .on_connect_relay()
                    .emit(&ip, i32::from(address.port()));
            }
            Emitted::ConnectFailed {
                oid,
                failure,
                message,
            } => {
                let (oid, message) = (GString::from(&oid), GString::from(&message));
                signals
                    .connect_failed()
                    .emit(&oid, error::code(&failure), &message);
            }
            Emitted::JoinProgressed(stage, message) => {
                signals
                    .join_progressed()
                    .emit(JoinStage::from(stage), &GString::from(&message));
            }
            Emitted::PathChanged(peer_id, kind) => {
                signals
                    .path_changed()
                    .emit(i64::from(peer_id), Path::from(kind));
            }
            Emitted::OpenIdChanged(oid) => signals.oid_changed().emit(&GString::from(&oid)),
        }
    }
}

fn code(result: Result<(), Failed>) -> Error {
    result.map_or_else(|failure| error::code(&failure), |()| Error::OK)
}

/// Reads where and how to host or join.
fn read_place(
    noray: &GString,
    options: &OptionsArgument,
) -> Result<(ServerAddress, Options), SetupError> {
    let options = options::read(options)?;
    let named = noray.to_string();
    let text = if named.trim().is_empty() {
        settings::server()
    } else {
        named
    };
    if text.trim().is_empty() {
        let setting = settings::SERVER_SETTING;
        return Err(ServerAddressError::Missing { setting }.into());
    }
    let server = ServerAddress::parse(&text)?;
    runtime::handle().map_err(SetupError::Thread)?;
    Ok((server, options))
}
