//! The engine singleton `Noray`.

use std::time::Duration;

use godot::{
    builtin::{Callable, GString, Signal, StringName},
    classes::{ENetConnection, Object},
    global::Error,
    obj::{Base, Gd, Singleton},
    register::{GodotClass, godot_api},
};
use noray_protocol::wire::command::ConnectKind;
use tracing::{info, warn};

use crate::{
    defaults::MAX_SECONDS,
    error::{GodotError, without},
    hosting,
    joining::{self, JoinStage},
    keepalive::KeptAlive,
    meeting::{self, Meeting, MeetingError},
    noray_connection::{NorayConnection, Path},
    options::OptionDictionary,
    pump,
    request::Request,
    session::{self, Session},
};

/// Lets players behind home routers and mobile networks meet, through a noray server.
///
/// A noray server gives every player an OpenID, which players share, and tells two players
/// each other's address. The extension opens the way through both routers; where no direct way
/// exists, the server relays.
///
/// A host and a joining player need one call each:
/// ```gdscript
/// # host
/// var peer: ENetMultiplayerPeer = await Noray.host("noray.example.com")
/// if peer == null:
///     show_error(Noray.last_error_message)
///     return
/// multiplayer.multiplayer_peer = peer
/// share(Noray.oid)
///
/// # joining player
/// var peer: ENetMultiplayerPeer = await Noray.join(oid, "noray.example.com")
/// if peer == null:
///     show_error(Noray.last_error_message)
///     return
/// multiplayer.multiplayer_peer = peer
/// ```
/// Their `options` are a `Dictionary`; what it does not name has its default, and what is not
/// known or has another type is refused:
/// - `force_relay: bool` (false): only go through the server.
/// - `lan: bool` (the project setting `noray/network/lan`): look for each other in the local
///   network too.
/// - `timeout: float` (15): the longest wait in seconds.
/// - `registrar_port: int` (8809): the server's UDP port for registrations.
/// - `channels: int`, `in_bandwidth: int`, `out_bandwidth: int` (0): as in
///   `ENetMultiplayerPeer.create_server` and `create_client`.
///
/// A game that does all of it itself connects, asks for its ids and registers its address:
/// ```gdscript
/// var err: Error = await Noray.connect_to_host("noray.example.com")
/// if err != OK:
///     return err
/// Noray.register_host()
/// await Noray.on_pid
/// err = await Noray.register_remote()
/// ```
/// Then a host calls `ENetMultiplayerPeer.create_server(Noray.local_port)`, and a joining
/// player calls `connect_nat` with the host's OpenID. Both get `on_connect_nat` with the
/// other's address, and `PacketHandshake` opens the way.
///
/// Nothing here waits on the main thread. `last_error_message` says in words what went
/// wrong last.
///
/// Project settings: `noray/network/server` is the server of `host` and `join` calls that name
/// none; `noray/network/lan` (on by default) lets players look for each other in the local
/// network; `noray/network/connect_timeout` (seconds, 8 by default) bounds
/// `connect_to_host`, name look-up included; `noray/network/answer_timeout` (seconds, 5 by
/// default) is how long `connect_nat` and `connect_relay` wait for a server that answers
/// nothing at all; `noray/logging/level` (warnings by default) is what reaches Godot's log,
/// read when the game starts.
#[derive(GodotClass)]
#[class(init, singleton, base = Object)]
pub struct Noray {
    /// The OpenID that the server gave last; players share it. Empty before `on_oid`.
    ///
    /// It is valid as long as the connection to the server lives.
    #[var(no_set)]
    pub(crate) oid: GString,

    /// The PrivateID that belongs to `oid`. Empty before `on_pid`.
    ///
    /// It is a password: never show, share or log it.
    #[var(no_set)]
    pub(crate) pid: GString,

    /// The UDP port that `register_remote` registered, -1 before.
    ///
    /// A host listens on it, a joining player uses it as its local port: other players are
    /// told this port's outside address.
    #[var(no_set)]
    #[init(val = -1)]
    pub(crate) local_port: i32,

    /// How the server introduced itself, for example `noray v2.0.0`. Empty when it did not:
    /// servers of generation 1 never do.
    #[var(no_set)]
    pub(crate) server_version: GString,

    /// What went wrong last, as an `Error`: what `host`, `join` or another call failed with. `OK`
    /// when nothing ever did.
    #[var(get, no_set)]
    #[init(val = Error::OK)]
    last_error: Error,

    /// What went wrong last, in a sentence that a player's log can show. Empty when nothing
    /// ever did.
    #[var(no_set)]
    pub(crate) last_error_message: GString,

    pub(crate) session: Option<Session>,
    pub(crate) last_session: u64,
    pub(crate) meeting: Option<Meeting>,
    pub(crate) kept_alive: Vec<KeptAlive>,
    base: Base<Object>,
}

#[godot_api]
impl Noray {
    /// Emitted for each command from the server, after the specific signal.
    #[signal]
    pub(crate) fn on_command(command: GString, data: GString);

    /// Emitted when the server has accepted the connection.
    #[signal]
    pub(crate) fn on_connect_to_host();

    /// Emitted once when a connection ends: by `disconnect_from_host`, by the server, or
    /// because the link died.
    #[signal]
    pub(crate) fn on_disconnect_from_host();

    /// Emitted when the server gives an OpenID; with an empty one when `register_host` gets no
    /// answer, so that an `await` of it ends.
    #[signal]
    pub(crate) fn on_oid(oid: GString);

    /// Emitted when the server gives a PrivateID; with an empty one when `register_host` gets no
    /// answer, because the connection ended or the answer time-out has passed, so that an `await`
    /// of it ends. A `register_remote` that follows then gives the error.
    #[signal]
    pub(crate) fn on_pid(pid: GString);

    /// Emitted when another player is to be reached directly, at its external address; on
    /// both sides of a `connect_nat`.
    #[signal]
    pub(crate) fn on_connect_nat(address: GString, port: i32);

    /// Emitted when another player is to be reached through the server, at a port of it; on
    /// both sides of a `connect_relay`.
    #[signal]
    pub(crate) fn on_connect_relay(address: GString, port: i32);

    /// Emitted when a `connect_nat` or `connect_relay` comes to nothing: the server refused,
    /// or it is certain not to answer. `message` says why in words.
    ///
    /// `error` is `ERR_DOES_NOT_EXIST` (no such player), `ERR_UNAVAILABLE` (the host has not
    /// registered its address), `ERR_UNAUTHORIZED` (this player has not), `ERR_BUSY` (no free
    /// relay, or too many requests), `ERR_CANT_CONNECT` (the server's reason is not known),
    /// `ERR_TIMEOUT` (no answer in time) or `ERR_CONNECTION_ERROR` (the connection to the
    /// server was lost). A server of generation 1 never says why.
    #[signal]
    pub(crate) fn connect_failed(oid: GString, error: Error, message: GString);

    /// Emitted when a `join` gets on, with a sentence that a player can be shown.
    #[signal]
    pub(crate) fn join_progressed(stage: JoinStage, message: GString);

    /// Emitted when the game goes another way to a player, because a better one has opened or
    /// the last one has closed. Nothing is lost by that. A host gets its player's id, a joined
    /// player gets 1.
    #[signal]
    pub(crate) fn path_changed(peer_id: i64, path: Path);

    /// Emitted when the server has given this player another OpenID while it hosts or plays: the
    /// connection to the server was lost and made anew. Players who are in stay in; new ones
    /// need the new OpenID.
    #[signal]
    pub(crate) fn oid_changed(oid: GString);

    /// Hosts a game. Await it.
    ///
    /// Connects to the noray server (`name`, `name:port` or `[v6]:port`; when it is empty, the
    /// one of the project setting `noray/network/server`), gets an OpenID and registers this
    /// player's address, each only where that is not done yet. Gives an `ENetMultiplayerPeer`
    /// that takes up to `max_clients` players; or `null`, and `last_error` is:
    /// - `ERR_INVALID_PARAMETER` for a bad address, number or option;
    /// - `ERR_ALREADY_IN_USE` when this player hosts already, `ERR_BUSY` when it is joining;
    /// - `ERR_CANT_RESOLVE` when the server's name has no address, `ERR_CONNECTION_ERROR` when the
    ///   server is not reachable or gives no OpenID, `FAILED` when it refuses the registration;
    /// - `ERR_TIMEOUT` when it takes longer than the option `timeout`;
    /// - `ERR_CANT_CREATE` when the system gives no socket or no thread.
    ///
    /// `oid` is what players need to join. Hosting ends when the peer is closed or the game lets
    /// go of it. When the connection to the server is lost, the games go on and it is made anew;
    /// see `oid_changed`.
    #[func(gd_self)]
    fn host(
        mut this: Gd<Self>,
        #[opt(default = "")] noray: GString,
        #[opt(default = 32)] max_clients: i64,
        #[opt(default = &OptionDictionary::default())] options: OptionDictionary,
    ) -> Signal {
        hosting::begin(&mut this, &noray, max_clients, &options)
    }

    /// Joins the host with this OpenID. Await it.
    ///
    /// `noray` and `options` as in `host`. Joining the same host again ends the game that is on
    /// with it. Tries all ways at once and takes the first that works;
    /// `join_progressed` tells how far it is. Gives an `ENetMultiplayerPeer` that is connected;
    /// give it to `multiplayer.multiplayer_peer` at once, for nothing polls it before. Or gives
    /// `null`, and `last_error` is:
    /// - `ERR_DOES_NOT_EXIST` when the server knows no such host;
    /// - `ERR_CANT_CONNECT` when the host exists, but no way to it opened;
    /// - `ERR_CANT_ACQUIRE_RESOURCE` when the host is full, `ERR_UNAVAILABLE` when it is reached,
    ///   but its game does not answer;
    /// - `ERR_CANT_RESOLVE` when the server's name has no address, `ERR_CONNECTION_ERROR` when the
    ///   server is not reachable or gives no OpenID, `FAILED` when it refuses the registration;
    /// - `ERR_TIMEOUT` when it takes longer than the option `timeout`, `ERR_SKIP` after
    ///   `cancel_join`;
    /// - `ERR_INVALID_PARAMETER` for a bad OpenID, the player's own, a bad address or option;
    /// - `ERR_BUSY` when another join runs, `ERR_ALREADY_IN_USE` when this player hosts;
    /// - `ERR_CANT_CREATE` when the system gives no socket or no thread.
    #[func(gd_self)]
    fn join(
        mut this: Gd<Self>,
        oid: GString,
        #[opt(default = "")] noray: GString,
        #[opt(default = &OptionDictionary::default())] options: OptionDictionary,
    ) -> Signal {
        joining::begin(&mut this, &oid, &noray, &options)
    }

    /// Ends the `join` that runs, which then gives `null`. Does nothing without one.
    #[func(gd_self)]
    fn cancel_join(mut this: Gd<Self>) {
        joining::cancel(&mut this);
    }

    /// The connection to another player of a game that `host` or `join` began, by its id in
    /// `multiplayer`: a host asks for any of its players, a joined player for 1. `null` when
    /// there is none.
    #[func]
    fn get_connection(&self, peer_id: i64) -> Option<Gd<NorayConnection>> {
        meeting::connection_to(self, peer_id)
    }

    /// Keeps this player reachable while the game's own ENet has `local_port`: sends a small
    /// packet to the server every 15 s, so that the router does not forget the port. For a
    /// host that called `register_remote` and `create_server`; `host` and `join` need it not.
    /// ```gdscript
    /// peer.create_server(Noray.local_port)
    /// Noray.keep_alive(peer.host)
    /// ```
    /// Goes on until `connection` is destroyed or another `pid` counts; holds no reference to it.
    /// Gives `OK`; `ERR_INVALID_PARAMETER` for a null or destroyed connection;
    /// `ERR_UNCONFIGURED` when no address is registered.
    #[func]
    fn keep_alive(&mut self, connection: Option<Gd<ENetConnection>>) -> Error {
        self.begin_keepalive(connection)
    }

    /// Connects to the noray server at `address`, a name or an IP address. Await it.
    ///
    /// Gives `OK`; `ERR_CANT_RESOLVE` when the name has no address; `ERR_CONNECTION_ERROR`
    /// when no address accepts, or the call was cut short by another one or by
    /// `disconnect_from_host`; `ERR_TIMEOUT`; `ERR_INVALID_PARAMETER` for an empty address or
    /// a bad port; `ERR_CANT_CREATE` when the system gives no thread. A connection that exists is
    /// replaced.
    #[func(gd_self)]
    fn connect_to_host(
        mut this: Gd<Self>,
        address: GString,
        #[opt(default = 8890)] port: i64,
    ) -> Signal {
        session::connect(&mut this, &address, port)
    }

    /// Whether a server is connected.
    #[func]
    fn is_connected_to_host(&self) -> bool {
        self.session.as_ref().is_some_and(Session::is_connected)
    }

    /// Ends the connection; whatever awaits it gets `ERR_CONNECTION_ERROR`. Does nothing
    /// without one.
    #[func(gd_self)]
    fn disconnect_from_host(mut this: Gd<Self>) {
        session::end(&mut this);
    }

    /// Asks the server for an OpenID and a PrivateID, which come with `on_oid` and `on_pid`.
    ///
    /// Joining players need them too. A second call gives a second pair: both OpenIDs work.
    #[func]
    fn register_host(&mut self) -> Error {
        self.request_identity()
    }

    /// Registers this player's outside address with the server. Await it; after `on_pid`.
    ///
    /// `registrar_port` is the server's UDP port for this; `timeout` and `interval` (the pause
    /// between repeats, at least 0.02) are in seconds. Gives `OK`, and `local_port` is free to
    /// be used by the game; `ERR_CONNECTION_ERROR` without a connection, or when it ends
    /// meanwhile; `ERR_UNAUTHORIZED` without a PrivateID; `FAILED` when the server refuses;
    /// `ERR_TIMEOUT`; `ERR_INVALID_PARAMETER`; `ERR_BUSY` while another PrivateID is being
    /// registered; `ERR_ALREADY_IN_USE` while a game of `host` or `join` has the port. Once it is registered, a further call gives `OK` at once and changes nothing.
    #[func]
    fn register_remote(
        &mut self,
        #[opt(default = 8809)] registrar_port: i64,
        #[opt(default = 8.0)] timeout: f64,
        #[opt(default = 0.1)] interval: f64,
    ) -> Signal {
        let (request, signal) = Request::new();
        if let Err(error) = self.begin_registration(request, registrar_port, timeout, interval) {
            return Request::ended(error);
        }
        signal
    }

    /// Asks the server to connect this player and the host with OpenID `oid` directly. Both
    /// get `on_connect_nat`, or this player gets `connect_failed`.
    ///
    /// Gives `OK` when the request is on its way; `ERR_CONNECTION_ERROR` without a
    /// connection; `ERR_INVALID_PARAMETER`, and nothing is sent, when `oid` is empty, longer
    /// than 1 KiB, or has white space, quotes, backslashes or control characters in it;
    /// `ERR_BUSY` when too many requests wait.
    #[func]
    fn connect_nat(&mut self, oid: GString) -> Error {
        self.request_connect(ConnectKind::Nat, &oid)
    }

    /// Asks the server to connect this player and the host with OpenID `oid` through a relay.
    /// Both get `on_connect_relay`, or this player gets `connect_failed`. Errors as in
    /// `connect_nat`.
    #[func]
    fn connect_relay(&mut self, oid: GString) -> Error {
        self.request_connect(ConnectKind::Relay, &oid)
    }

    #[func]
    fn get_last_error(&self) -> Error {
        self.last_error
    }

    #[func(gd_self)]
    fn _connect_to_tree(this: Gd<Self>) {
        pump::connect(&this, "_frame", "_leave");
    }

    #[func(gd_self)]
    fn _frame(_this: Gd<Self>) {
        pump::run();
    }

    #[func(gd_self)]
    fn _leave(_this: Gd<Self>) {
        pump::leave();
    }

    #[func(gd_self)]
    fn _player_entered(mut this: Gd<Self>, peer_id: i64, host: i64) {
        hosting::handle_entered(&mut this, peer_id, host);
    }

    #[func(gd_self)]
    fn _player_left(mut this: Gd<Self>, peer_id: i64, host: i64) {
        hosting::handle_left(&mut this, peer_id, host);
    }
}

impl Noray {
    /// Begins to run with each frame, as soon as the main loop is there.
    pub(crate) fn start() {
        JoinStage::register();
        Path::register();
        Self::singleton().call_deferred("_connect_to_tree", &[]);
    }

    /// What happened since the last frame becomes signals.
    pub(crate) fn pump() {
        let mut this = Self::singleton();
        session::pump(&mut this);
        meeting::pump(&mut this);
        this.bind_mut().step_keepalives();
    }

    /// The game quits: whoever awaits something is woken, and told nothing else.
    pub(crate) fn leave() {
        let mut this = Self::singleton();
        meeting::leave(&mut this);
        session::leave(&mut this);
        this.bind_mut().kept_alive.clear();
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

    /// The registered port, for handshakes.
    pub(crate) fn registered_port() -> Option<u16> {
        u16::try_from(Self::singleton().bind().local_port).ok()
    }

    /// Keeps a failure for the game and the log, without the PrivateID: a game can take that for
    /// an OpenID by mistake.
    pub(crate) fn fail(&mut self, error: Error, message: impl Into<String>) -> Error {
        let message = without(&message.into(), &self.pid.to_string());
        if error == Error::ERR_SKIP {
            info!("{message}");
        } else {
            warn!("{message}");
        }
        self.last_error = error;
        self.last_error_message = GString::from(&message);
        error
    }

    /// The same for a `host` or `join`.
    pub(crate) fn fail_meeting(&mut self, what: &str, error: &MeetingError) -> Error {
        let message = error.message_without(&self.pid.to_string());
        self.fail(error.code(), format!("{what}: {message}"))
    }
}

/// A port that something can listen on.
pub(crate) fn valid_port(port: i64) -> Option<u16> {
    u16::try_from(port).ok().filter(|port| *port != 0)
}

/// A time that a game may ask for: neither negative, nor endless, nor NaN.
pub(crate) fn valid_seconds(seconds: f64) -> Option<Duration> {
    (0.0..=MAX_SECONDS)
        .contains(&seconds)
        .then(|| Duration::from_secs_f64(seconds))
}
