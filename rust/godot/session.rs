//! The connection to a noray server, as the game sees it: the plain calls, and the events that
//! become signals.

use std::net::SocketAddr;

use godot::{
    builtin::{GString, Signal},
    global::Error,
    obj::Gd,
};
use noray_client::{
    ConnectOptions, Connection, ConnectionEvent, RegisterError, RegisterOptions, SendError,
};
use noray_protocol::{
    player::requests::ConnectFailure,
    wire::{
        command::{ConnectKind, ServerCommand, ServerLine},
        id::{OpenId, PrivateId},
    },
};
use tracing::info;

use crate::{
    announced,
    defaults::EVENTS_PER_FRAME,
    error::GodotError,
    meeting,
    noray::{Noray, valid_port, valid_seconds},
    pump,
    request::Request,
    runtime,
    server_address::ServerAddress,
    settings,
};

/// A connection with all that waits for it.
pub(crate) struct Session {
    id: u64,
    pub(crate) connection: Connection,
    /// Where it was told to connect to.
    pub(crate) target: ServerAddress,
    /// The server's address, while it is connected.
    server: Option<SocketAddr>,
    connecting: Option<Request>,
    /// Calls of `register_host` that have no answer yet.
    identities: usize,
    registering: Vec<Request>,
    /// The PrivateID that is being registered, or was last.
    registering_for: GString,
    /// The UDP port of the server's that was last used for this.
    pub(crate) registrar_port: u16,
    /// The PrivateID for which `local_port` is registered, and with which registrar.
    registered: Option<(GString, SocketAddr)>,
}

impl Session {
    pub(crate) fn is_connected(&self) -> bool {
        self.server.is_some()
    }

    /// The registrar that knows this PrivateID's address.
    pub(crate) fn registrar_of(&self, pid: &GString) -> Option<SocketAddr> {
        let (registered, registrar) = self.registered.as_ref()?;
        (registered == pid).then_some(*registrar)
    }

    /// Wakes all who await this connection; after the current call has returned.
    fn abandon_calls(&mut self) {
        let registering = std::mem::take(&mut self.registering);
        for request in self.connecting.take().into_iter().chain(registering) {
            pump::end_later(request, Error::ERR_CONNECTION_ERROR);
        }
    }
}

/// Who is told that a session ends.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Told {
    /// The game, by its signals too.
    Game,
    /// Only who awaits something: the game quits.
    Awaiting,
}

/// `connect_to_host`.
pub(crate) fn connect(this: &mut Gd<Noray>, address: &GString, port: i64) -> Signal {
    end(this);
    let host = address.to_string().trim().to_owned();
    let Some(port) = valid_port(port).filter(|_| !host.is_empty()) else {
        let message = format!("cannot connect to '{host}', port {port}: not an address");
        return Request::ended(this.bind_mut().fail(Error::ERR_INVALID_PARAMETER, message));
    };
    let (request, signal) = Request::new();
    if let Err(error) = open(this, ServerAddress { host, port }, Some(request)) {
        let message = format!("no background thread: {error}");
        return Request::ended(this.bind_mut().fail(Error::ERR_CANT_CREATE, message));
    }
    signal
}

/// Begins to connect. `request` waits for that.
///
/// # Errors
/// The system gives no thread.
pub(crate) fn open(
    this: &mut Gd<Noray>,
    target: ServerAddress,
    request: Option<Request>,
) -> std::io::Result<()> {
    let runtime = runtime::handle()?;
    announced::clear();
    let options = ConnectOptions {
        host: target.host.clone(),
        port: target.port,
        timeout: settings::connect_timeout(),
        answer_timeout: settings::answer_timeout(),
    };
    let replaced = {
        let mut me = this.bind_mut();
        me.forget_identity();
        me.last_session += 1;
        let session = Session {
            id: me.last_session,
            connection: Connection::open(&runtime, options),
            target,
            server: None,
            connecting: request,
            identities: 0,
            registering: Vec::new(),
            registering_for: GString::new(),
            registrar_port: 0,
            registered: None,
        };
        // A handler that heard of the last connection's end can have begun one already.
        me.session.replace(session)
    };
    if let Some(mut replaced) = replaced {
        replaced.abandon_calls();
    }
    Ok(())
}

/// Ends the connection, if there is one, and tells who awaits it.
pub(crate) fn end(this: &mut Gd<Noray>) {
    let_go(this, Told::Game);
}

/// The game quits: whoever awaits the connection is woken, and told nothing else.
pub(crate) fn leave(this: &mut Gd<Noray>) {
    let_go(this, Told::Awaiting);
}

fn let_go(this: &mut Gd<Noray>, told: Told) {
    let Some(mut session) = this.bind_mut().session.take() else {
        return;
    };
    session.abandon_calls();
    meeting::lose_session(this);
    if session.is_connected() && told == Told::Game {
        this.signals().on_disconnect_from_host().emit();
    }
    if session.identities > 0 {
        emit_no_identity(this);
    }
}

/// What happened since the last frame becomes signals.
pub(crate) fn pump(this: &mut Gd<Noray>) {
    for _ in 0..EVENTS_PER_FRAME {
        let (id, event) = {
            let mut me = this.bind_mut();
            let Some(session) = &mut me.session else {
                return;
            };
            match session.connection.next_event() {
                Some(event) => (session.id, event),
                None => return,
            }
        };
        handle(this, id, event);
    }
}

fn handle(this: &mut Gd<Noray>, id: u64, event: ConnectionEvent) {
    match event {
        ConnectionEvent::Connected(server) => handle_connected(this, id, server),
        ConnectionEvent::NotConnected(error) => {
            let session = this.bind_mut().session.take();
            let (code, message) = (error.code(), error.message());
            if !meeting::handle_not_connected(this, error) {
                this.bind_mut().fail(code, message);
            }
            if let Some(request) = session.and_then(|session| session.connecting) {
                request.end(code);
            }
        }
        ConnectionEvent::Line(line) => handle_line(this, id, line),
        ConnectionEvent::NoIdentity => {
            // A host or join tells it itself.
            let is_told = meeting::waits_for_identity(this);
            let mut me = this.bind_mut();
            if !is_told {
                let message = "the server does not answer: is it a noray server?";
                me.fail(Error::ERR_TIMEOUT, message);
            }
            if let Some(session) = &mut me.session {
                session.identities = session.identities.saturating_sub(1);
            }
            drop(me);
            emit_no_identity(this);
        }
        ConnectionEvent::Registered(result) => handle_registered(this, result),
        ConnectionEvent::Ready(result) => meeting::handle_ready(this, result),
        ConnectionEvent::ConnectFailed(failure) => handle_connect_failed(this, &failure),
        ConnectionEvent::Lost(reason) => {
            this.bind_mut().fail(reason.code(), reason.message());
            handle_lost(this);
        }
        ConnectionEvent::Disconnected(reason) => {
            this.bind_mut().fail(reason.code(), reason.message());
            end(this);
        }
    }
}

fn handle_connected(this: &mut Gd<Noray>, id: u64, server: SocketAddr) {
    if let Some(session) = &mut this.bind_mut().session {
        session.server = Some(server);
    }
    meeting::handle_connected(this);
    this.signals().on_connect_to_host().emit();
    // A handler can have ended this connection: then its await is ended already.
    let request = match this.bind_mut().session.as_mut() {
        Some(session) if session.id == id => session.connecting.take(),
        _ => None,
    };
    if let Some(request) = request {
        request.end(Error::OK);
    }
}

/// The connection is lost, and is being made anew.
fn handle_lost(this: &mut Gd<Noray>) {
    let identities = {
        let mut me = this.bind_mut();
        let Some(session) = &mut me.session else {
            return;
        };
        session.server = None;
        session.registered = None;
        session.abandon_calls();
        std::mem::take(&mut session.identities)
    };
    this.signals().on_disconnect_from_host().emit();
    if identities > 0 {
        emit_no_identity(this);
    }
}

fn handle_line(this: &mut Gd<Noray>, id: u64, line: ServerLine) {
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
                if let Some(session) = &mut me.session {
                    session.identities = session.identities.saturating_sub(1);
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
                .session
                .as_ref()
                .and_then(|session| session.server)
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
    let same_session = this
        .bind()
        .session
        .as_ref()
        .is_some_and(|session| session.id == id);
    if same_session {
        let (name, data) = (GString::from(&line.name), GString::from(&line.data));
        this.signals().on_command().emit(&name, &data);
    }
}

fn handle_registered(this: &mut Gd<Noray>, result: Result<u16, RegisterError>) {
    let (requests, error) = {
        let mut me = this.bind_mut();
        let error = match result {
            Ok(port) => {
                info!(port, "registered");
                me.note_registered(port);
                Error::OK
            }
            Err(error) => me.fail(error.code(), error.message()),
        };
        let requests = me
            .session
            .as_mut()
            .map(|session| std::mem::take(&mut session.registering));
        (requests.unwrap_or_default(), error)
    };
    for request in requests {
        request.end(error);
    }
}

fn handle_connect_failed(this: &mut Gd<Noray>, failure: &ConnectFailure) {
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

/// Wakes who awaits an identity that will not come.
fn emit_no_identity(this: &mut Gd<Noray>) {
    this.signals().on_oid().emit(&GString::new());
    this.signals().on_pid().emit(&GString::new());
}

impl Noray {
    /// `register_host`.
    pub(crate) fn request_identity(&mut self) -> Error {
        match self.connected() {
            Ok(session) => {
                let sent = session.connection.register_host();
                session.identities += usize::from(sent.is_ok());
                self.report(sent)
            }
            Err(error) => error,
        }
    }

    /// `register_remote`.
    pub(crate) fn begin_registration(
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
        if !self.give_up_link() {
            let message = "cannot register: the port belongs to the game that host or join began";
            return Err(self.fail(Error::ERR_ALREADY_IN_USE, message));
        }
        let shown_pid = self.pid.clone();
        let session = self.connected()?;
        if session.registrar_of(&shown_pid).is_some() {
            pump::end_later(request, Error::OK);
            return Ok(());
        }
        if session.registering.is_empty() {
            session.registrar_port = options.registrar_port;
            if let Err(error) = session.connection.register_remote(pid, options) {
                return Err(self.fail(error.code(), error.message()));
            }
            session.registering_for = shown_pid;
        } else if session.registering_for != shown_pid {
            let message = "another PrivateID is being registered; await that first";
            return Err(self.fail(Error::ERR_BUSY, message));
        }
        session.registering.push(request);
        Ok(())
    }

    /// `connect_nat` and `connect_relay`.
    pub(crate) fn request_connect(&mut self, kind: ConnectKind, oid: &GString) -> Error {
        let oid = match OpenId::new(&oid.to_string()) {
            Ok(oid) => oid,
            Err(error) => return self.fail(error.code(), error.message()),
        };
        match self.connected() {
            Ok(session) => {
                let sent = session.connection.connect(kind, oid);
                self.report(sent)
            }
            Err(error) => error,
        }
    }

    fn connected(&mut self) -> Result<&mut Session, Error> {
        if !self.session.as_ref().is_some_and(Session::is_connected) {
            let message = "not connected to a noray server";
            return Err(self.fail(Error::ERR_CONNECTION_ERROR, message));
        }
        self.session.as_mut().ok_or(Error::ERR_CONNECTION_ERROR)
    }

    fn report(&mut self, sent: Result<(), SendError>) -> Error {
        match sent {
            Ok(()) => Error::OK,
            Err(error) => self.fail(error.code(), error.message()),
        }
    }

    fn note_registered(&mut self, port: u16) {
        self.local_port = i32::from(port);
        let pid = self.pid.clone();
        let Some(session) = &mut self.session else {
            return;
        };
        // One that `host` or `join` began is for the latest.
        let registered = if session.registering.is_empty() {
            pid
        } else {
            session.registering_for.clone()
        };
        session.registered = session.server.map(|server| {
            let registrar = SocketAddr::new(server.ip().to_canonical(), session.registrar_port);
            (registered, registrar)
        });
    }

    /// Another server's identity means nothing.
    fn forget_identity(&mut self) {
        self.oid = GString::new();
        self.pid = GString::new();
        self.local_port = -1;
        self.server_version = GString::new();
    }
}
