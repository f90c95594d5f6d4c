//! The engine singleton `Noray`.

use std::{net::SocketAddr, time::Duration};

use godot::{
    builtin::{Callable, GString, Signal, StringName},
    classes::Object,
    global::Error,
    obj::{Base, Gd, Singleton},
    register::{GodotClass, godot_api},
};
use noray_client::{ConnectOptions, Connection, Event, RegisterOptions};
use noray_protocol::{
    command::{ConnectKind, ServerCommand, ServerLine},
    id::{OpenId, PrivateId},
    requests::ConnectFailure,
};
use tracing::{info, warn};

use crate::{
    announced,
    defaults::{EVENTS_PER_FRAME, MAX_SECONDS},
    error::{GodotError, without},
    pump,
    request::Request,
    runtime, settings,
};

/// Lets players behind home routers and mobile networks meet, through a noray server.
///
/// A noray server gives every player an OpenID, which players share, and tells two
/// players each other's address. `PacketHandshake` then opens the way through both
/// routers. Where no direct way exists, the server relays.
///
/// A player connects, asks for its ids and registers its address:
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
/// other's address.
///
/// Nothing here waits on the main thread. `last_error_message` says in words what went
/// wrong last.
///
/// Project settings: `noray/network/connect_timeout` (seconds, 8 by default) bounds
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
    oid: GString,

    /// The PrivateID that belongs to `oid`. Empty before `on_pid`.
    ///
    /// It is a password: never show, share or log it.
    #[var(no_set)]
    pid: GString,

    /// The UDP port that `register_remote` registered, -1 before.
    ///
    /// A host listens on it, a joining player uses it as its local port: other players are
    /// told this port's outside address.
    #[var(no_set)]
    #[init(val = -1)]
    local_port: i32,

    /// How the server introduced itself, for example `noray v2.0.0`. Empty when it did not:
    /// servers of generation 1 never do.
    #[var(no_set)]
    server_version: GString,

    /// What went wrong last, in a sentence that a player's log can show. Empty when nothing
    /// ever did.
    #[var(no_set)]
    last_error_message: GString,

    link: Option<Link>,
    last_link: u64,
    base: Base<Object>,
}

/// A connection with all that waits for it.
struct Link {
    id: u64,
    connection: Connection,
    /// The server's address, once it has accepted.
    server: Option<SocketAddr>,
    connecting: Option<Request>,
    /// Calls of `register_host` that have no answer yet.
    identities: usize,
    registering: Vec<Request>,
    /// The PrivateID that is being registered, or was last.
    registering_for: GString,
    /// The PrivateID for which `local_port` is registered.
    registered: Option<GString>,
}

impl Link {
    /// Wakes all who await this connection; after the current call has returned.
    fn abandon(self) {
        for request in self.connecting.into_iter().chain(self.registering) {
            pump::end_later(request, Error::ERR_CONNECTION_ERROR);
        }
    }
}

#[godot_api]
impl Noray {
    /// Emitted for each command from the server, after the specific signal.
    #[signal]
    fn on_command(command: GString, data: GString);

    /// Emitted when the server has accepted the connection.
    #[signal]
    fn on_connect_to_host();

    /// Emitted once when a connection ends: by `disconnect_from_host`, by the server, or
    /// because the link died.
    #[signal]
    fn on_disconnect_from_host();

    /// Emitted when the server gives an OpenID; with an empty one when `register_host` gets no
    /// answer, so that an `await` of it ends.
    #[signal]
    fn on_oid(oid: GString);

    /// Emitted when the server gives a PrivateID; with an empty one when `register_host` gets no
    /// answer, because the connection ended or the answer time-out has passed, so that an `await`
    /// of it ends. A `register_remote` that follows then gives the error.
    #[signal]
    fn on_pid(pid: GString);

    /// Emitted when another player is to be reached directly, at its external address; on
    /// both sides of a `connect_nat`.
    #[signal]
    fn on_connect_nat(address: GString, port: i32);

    /// Emitted when another player is to be reached through the server, at a port of it; on
    /// both sides of a `connect_relay`.
    #[signal]
    fn on_connect_relay(address: GString, port: i32);

    /// Emitted when a `connect_nat` or `connect_relay` comes to nothing: the server refused,
    /// or it is certain not to answer. `message` says why in words.
    ///
    /// `error` is `ERR_DOES_NOT_EXIST` (no such player), `ERR_UNAVAILABLE` (the host has not
    /// registered its address), `ERR_UNAUTHORIZED` (this player has not), `ERR_BUSY` (no free
    /// relay, or too many requests), `ERR_CANT_CONNECT` (the server's reason is not known),
    /// `ERR_TIMEOUT` (no answer in time) or `ERR_CONNECTION_ERROR` (the connection to the
    /// server was lost). A server of generation 1 never says why.
    #[signal]
    fn connect_failed(oid: GString, error: Error, message: GString);

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
        Self::end_link(&mut this);
        let host = address.to_string().trim().to_owned();
        let Some(port) = valid_port(port).filter(|_| !host.is_empty()) else {
            let message = format!("cannot connect to '{host}', port {port}: not an address");
            return Request::ended(this.bind_mut().fail(Error::ERR_INVALID_PARAMETER, message));
        };
        let runtime = match runtime::handle() {
            Ok(runtime) => runtime,
            Err(error) => {
                let message = format!("no background thread: {error}");
                return Request::ended(this.bind_mut().fail(Error::ERR_CANT_CREATE, message));
            }
        };
        announced::clear();
        let (request, signal) = Request::new();
        let options = ConnectOptions {
            host,
            port,
            timeout: settings::connect_timeout(),
            answer_timeout: settings::answer_timeout(),
        };
        let mut me = this.bind_mut();
        me.oid = GString::new();
        me.pid = GString::new();
        me.local_port = -1;
        me.server_version = GString::new();
        me.last_link += 1;
        let link = Link {
            id: me.last_link,
            connection: Connection::open(&runtime, options),
            server: None,
            connecting: Some(request),
            identities: 0,
            registering: Vec::new(),
            registering_for: GString::new(),
            registered: None,
        };
        // A handler that heard of the last connection's end can have begun one already.
        let replaced = me.link.replace(link);
        drop(me);
        if let Some(replaced) = replaced {
            replaced.abandon();
        }
        signal
    }

    /// Whether a server is connected.
    #[func]
    fn is_connected_to_host(&self) -> bool {
        self.link.as_ref().is_some_and(|link| link.server.is_some())
    }

    /// Ends the connection; whatever awaits it gets `ERR_CONNECTION_ERROR`. Does nothing
    /// without one.
    #[func(gd_self)]
    fn disconnect_from_host(mut this: Gd<Self>) {
        Self::end_link(&mut this);
    }

    /// Asks the server for an OpenID and a PrivateID, which come with `on_oid` and `on_pid`.
    ///
    /// Joining players need them too. A second call gives a second pair: both OpenIDs work.
    #[func]
    fn register_host(&mut self) -> Error {
        match self.connected() {
            Ok(link) => {
                let sent = link.connection.register_host();
                link.identities += usize::from(sent.is_ok());
                self.report(sent)
            }
            Err(error) => error,
        }
    }

    /// Registers this player's outside address with the server. Await it; after `on_pid`.
    ///
    /// `registrar_port` is the server's UDP port for this; `timeout` and `interval` (the pause
    /// between repeats, at least 0.02) are in seconds. Gives `OK`, and `local_port` is free to
    /// be used by the game; `ERR_CONNECTION_ERROR` without a connection, or when it ends
    /// meanwhile; `ERR_UNAUTHORIZED` without a PrivateID; `FAILED` when the server refuses;
    /// `ERR_TIMEOUT`; `ERR_INVALID_PARAMETER`; `ERR_BUSY` while another PrivateID is being
    /// registered. Once it is registered, a further call gives `OK` at once and changes nothing.
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
        self.request(ConnectKind::Nat, &oid)
    }

    /// Asks the server to connect this player and the host with OpenID `oid` through a relay.
    /// Both get `on_connect_relay`, or this player gets `connect_failed`. Errors as in
    /// `connect_nat`.
    #[func]
    fn connect_relay(&mut self, oid: GString) -> Error {
        self.request(ConnectKind::Relay, &oid)
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
}

impl Noray {
    /// Begins to run with each frame, as soon as the main loop is there.
    pub(crate) fn start() {
        Self::singleton().call_deferred("_connect_to_tree", &[]);
    }

    /// What happened since the last frame becomes signals.
    pub(crate) fn pump() {
        let mut this = Self::singleton();
        for _ in 0..EVENTS_PER_FRAME {
            let (id, event) = {
                let mut me = this.bind_mut();
                let Some(link) = &mut me.link else { return };
                match link.connection.next_event() {
                    Some(event) => (link.id, event),
                    None => return,
                }
            };
            Self::handle(&mut this, id, event);
        }
    }

    /// The game quits: whoever awaits the connection is woken, and told nothing else.
    pub(crate) fn leave() {
        let mut this = Self::singleton();
        let Some(link) = this.bind_mut().link.take() else {
            return;
        };
        let awaits_identity = link.identities > 0;
        link.abandon();
        if awaits_identity {
            Self::emit_no_identity(&mut this);
        }
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

    fn handle(this: &mut Gd<Self>, id: u64, event: Event) {
        match event {
            Event::Connected(server) => Self::handle_connected(this, id, server),
            Event::NotConnected(error) => {
                let link = {
                    let mut me = this.bind_mut();
                    me.fail(error.code(), error.message());
                    me.link.take()
                };
                if let Some(request) = link.and_then(|link| link.connecting) {
                    request.end(error.code());
                }
            }
            Event::Line(line) => Self::handle_line(this, id, line),
            Event::NoIdentity => {
                let mut me = this.bind_mut();
                let message = "the server does not answer: is it a noray server?";
                me.fail(Error::ERR_TIMEOUT, message);
                if let Some(link) = &mut me.link {
                    link.identities = link.identities.saturating_sub(1);
                }
                drop(me);
                Self::emit_no_identity(this);
            }
            Event::Registered(result) => Self::handle_registered(this, result),
            Event::ConnectFailed(failure) => Self::handle_connect_failed(this, &failure),
            Event::Disconnected(reason) => {
                this.bind_mut().fail(reason.code(), reason.message());
                Self::end_link(this);
            }
        }
    }

    fn handle_connected(this: &mut Gd<Self>, id: u64, server: SocketAddr) {
        if let Some(link) = &mut this.bind_mut().link {
            link.server = Some(server);
        }
        this.signals().on_connect_to_host().emit();
        // A handler can have ended this connection: then its await is ended already.
        let request = match this.bind_mut().link.as_mut() {
            Some(link) if link.id == id => link.connecting.take(),
            _ => None,
        };
        if let Some(request) = request {
            request.end(Error::OK);
        }
    }

    fn handle_line(this: &mut Gd<Self>, id: u64, line: ServerLine) {
        match &line.command {
            ServerCommand::Greeting(version) => {
                this.bind_mut().server_version = version.as_str().into();
            }
            ServerCommand::SetOpenId(oid) => {
                let oid = GString::from(oid.as_str());
                this.bind_mut().oid = oid.clone();
                this.signals().on_oid().emit(&oid);
            }
            ServerCommand::SetPrivateId(pid) => {
                let pid = GString::from(pid.reveal());
                {
                    let mut me = this.bind_mut();
                    me.pid = pid.clone();
                    if let Some(link) = &mut me.link {
                        link.identities = link.identities.saturating_sub(1);
                    }
                }
                this.signals().on_pid().emit(&pid);
            }
            ServerCommand::ConnectNat(address) => {
                info!(%address, "a player is to be reached directly");
                let ip = GString::from(&address.ip().to_string());
                announced::announce(*address, || {
                    let port = i32::from(address.port());
                    this.signals().on_connect_nat().emit(&ip, port);
                });
            }
            ServerCommand::ConnectRelay(port) => {
                let server = this
                    .bind()
                    .link
                    .as_ref()
                    .and_then(|link| link.server)
                    .map(|server| server.ip().to_canonical());
                if let Some(server) = server {
                    let address = SocketAddr::new(server, *port);
                    info!(%address, "a player is to be reached by relay");
                    let ip = GString::from(&server.to_string());
                    announced::announce(address, || {
                        let port = i32::from(*port);
                        this.signals().on_connect_relay().emit(&ip, port);
                    });
                }
            }
            _ => {}
        }
        let same_link = this.bind().link.as_ref().is_some_and(|link| link.id == id);
        if same_link {
            let (name, data) = (GString::from(&line.name), GString::from(&line.data));
            this.signals().on_command().emit(&name, &data);
        }
    }

    fn handle_registered(this: &mut Gd<Self>, result: Result<u16, noray_client::RegisterError>) {
        let (requests, error) = {
            let mut me = this.bind_mut();
            let error = match result {
                Ok(port) => {
                    info!(port, "registered");
                    me.local_port = i32::from(port);
                    if let Some(link) = &mut me.link {
                        link.registered = Some(link.registering_for.clone());
                    }
                    Error::OK
                }
                Err(error) => me.fail(error.code(), error.message()),
            };
            let requests = me
                .link
                .as_mut()
                .map(|link| std::mem::take(&mut link.registering));
            (requests.unwrap_or_default(), error)
        };
        for request in requests {
            request.end(error);
        }
    }

    fn handle_connect_failed(this: &mut Gd<Self>, failure: &ConnectFailure) {
        let way = match failure.kind {
            ConnectKind::Nat => "no direct connection",
            ConnectKind::Relay => "no relay",
        };
        let error = failure.error.code();
        let message = {
            let mut me = this.bind_mut();
            let reason = failure.error.message_without(&me.pid.to_string());
            me.fail(error, format!("{way} to '{}': {reason}", failure.oid));
            me.last_error_message.clone()
        };
        let oid = GString::from(&failure.oid);
        this.signals().connect_failed().emit(&oid, error, &message);
    }

    /// Ends the connection, if there is one, and tells who awaits it.
    fn end_link(this: &mut Gd<Self>) {
        let Some(link) = this.bind_mut().link.take() else {
            return;
        };
        let was_connected = link.server.is_some();
        let awaits_identity = link.identities > 0;
        link.abandon();
        if was_connected {
            this.signals().on_disconnect_from_host().emit();
        }
        if awaits_identity {
            Self::emit_no_identity(this);
        }
    }

    /// Wakes who awaits an identity that will not come.
    fn emit_no_identity(this: &mut Gd<Self>) {
        this.signals().on_oid().emit(&GString::new());
        this.signals().on_pid().emit(&GString::new());
    }

    fn begin_registration(
        &mut self,
        request: Request,
        registrar_port: i64,
        timeout: f64,
        interval: f64,
    ) -> Result<(), Error> {
        self.connected()?;
        let Some(pid) = PrivateId::new(self.pid.to_string()) else {
            let message = "cannot register: there is no PrivateID yet; \
                call register_host and await on_pid first";
            return Err(self.fail(Error::ERR_UNAUTHORIZED, message));
        };
        let options = match (
            valid_port(registrar_port),
            valid_seconds(timeout),
            valid_seconds(interval),
        ) {
            (Some(registrar_port), Some(timeout), Some(interval)) => RegisterOptions {
                registrar_port,
                timeout,
                interval,
            },
            _ => {
                let message = format!(
                    "cannot register with port {registrar_port}, timeout {timeout}, \
                     interval {interval}"
                );
                return Err(self.fail(Error::ERR_INVALID_PARAMETER, message));
            }
        };
        let shown_pid = self.pid.clone();
        let link = self.connected()?;
        if link.registered.as_ref() == Some(&shown_pid) {
            pump::end_later(request, Error::OK);
            return Ok(());
        }
        if link.registering.is_empty() {
            if let Err(error) = link.connection.register_remote(pid, options) {
                return Err(self.fail(error.code(), error.message()));
            }
            link.registering_for = shown_pid;
        } else if link.registering_for != shown_pid {
            let message = "another PrivateID is being registered; await that first";
            return Err(self.fail(Error::ERR_BUSY, message));
        }
        link.registering.push(request);
        Ok(())
    }

    fn request(&mut self, kind: ConnectKind, oid: &GString) -> Error {
        let oid = match OpenId::new(&oid.to_string()) {
            Ok(oid) => oid,
            Err(error) => return self.fail(error.code(), error.message()),
        };
        match self.connected() {
            Ok(link) => {
                let sent = link.connection.connect(kind, oid);
                self.report(sent)
            }
            Err(error) => error,
        }
    }

    fn connected(&mut self) -> Result<&mut Link, Error> {
        if !self.is_connected_to_host() {
            let message = "not connected to a noray server";
            return Err(self.fail(Error::ERR_CONNECTION_ERROR, message));
        }
        self.link.as_mut().ok_or(Error::ERR_CONNECTION_ERROR)
    }

    fn report(&mut self, sent: Result<(), noray_client::SendError>) -> Error {
        match sent {
            Ok(()) => Error::OK,
            Err(error) => self.fail(error.code(), error.message()),
        }
    }

    /// Keeps a failure's sentence for the game and the log, without the PrivateID: a game can
    /// take that for an OpenID by mistake.
    fn fail(&mut self, error: Error, message: impl Into<String>) -> Error {
        let message = without(&message.into(), &self.pid.to_string());
        warn!("{message}");
        self.last_error_message = GString::from(&message);
        error
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
