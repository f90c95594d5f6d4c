//! A player: what its calls and what happens outside lead to.

use std::{io, net::SocketAddr, rc::Rc, time::Instant};

use noray_client::{
    ConnectionEvent, DialError, PeerEvent, RegisterError, RegisterOptions, SendError,
};
use noray_protocol::{
    player::requests::ConnectFailure,
    wire::{
        command::{ConnectKind, ServerCommand, ServerLine},
        id::OpenId,
    },
};
use tracing::info;

use crate::{
    announced::Announced,
    calls::{
        CallId, ConnectionId, EnetPeer, GameConnection, HostCall, JoinCall, RegisterArguments,
    },
    connection::ServerConnection,
    defaults::MAX_CLIENTS,
    effect::{Answer, Command, Effect, Next, Signal, Step},
    failure::{
        ConnectPeerError, ConnectToHostError, Failed, Failure, HostCallError, JoinCallError,
        KeepAliveError, RegisterHostError, RegisterRemoteError, SetupError,
    },
    games::{Games, registering_at},
    join_stage::JoinStage,
    joining::ClientStatus,
    keepalives::Keepalives,
    options::Options,
    output::{Identity, Output},
    server_address::ServerAddress,
    valid::{valid_port, valid_seconds},
};

/// A player of a game. Every method that takes a call or an event opens a turn, which
/// [`Self::next_effect`] must be asked for until it is over.
#[derive(Default, Debug)]
pub struct Player {
    connection: Option<ServerConnection>,
    last_connection: u64,
    /// The link's games; `None` without a link.
    games: Option<Games>,
    keepalives: Keepalives,
    announced: Announced,
    output: Output,
}

/// What the game reads.
impl Player {
    /// Returns the OpenID that the server gave last; empty before.
    #[must_use]
    pub fn oid(&self) -> &str {
        &self.output.identity.oid
    }

    /// Returns the PrivateID that belongs to it; empty before. Never to be shown.
    #[must_use]
    pub fn pid(&self) -> &str {
        self.output.identity.pid_text()
    }

    /// Returns the registered UDP port.
    #[must_use]
    pub fn local_port(&self) -> Option<u16> {
        self.output.identity.local_port
    }

    /// Returns how the server introduced itself; empty when it did not.
    #[must_use]
    pub fn server_version(&self) -> &str {
        &self.output.identity.server_version
    }

    /// Returns what went wrong last.
    #[must_use]
    pub fn last_failure(&self) -> Option<&Failure> {
        self.output.last_failure.as_deref()
    }

    /// Returns what went wrong last as a sentence; empty when nothing did.
    #[must_use]
    pub fn last_sentence(&self) -> &str {
        &self.output.last_sentence
    }

    /// Returns whether a server is connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connection
            .as_ref()
            .is_some_and(ServerConnection::is_connected)
    }

    /// Returns the connection to the peer that the game knows by this id. `is_open` tells of an ENet
    /// peer whether the game still has it.
    pub fn connection_to(
        &self,
        peer_id: i32,
        is_open: impl Fn(EnetPeer) -> bool,
    ) -> Option<GameConnection<'_>> {
        self.games.as_ref()?.connection_to(peer_id, is_open)
    }

    /// Returns the addresses that a handshake which begins now can be with, as the server announced
    /// them: in a handler of `on_connect_nat` or `on_connect_relay` the one of that signal.
    #[must_use]
    pub fn announced_targets(&self) -> Vec<SocketAddr> {
        self.announced.targets()
    }

    /// Returns the ENet peers that games go on with, as far as the last look tells.
    #[must_use]
    pub fn enet_peers(&self) -> Vec<EnetPeer> {
        self.games.iter().flat_map(Games::enet_peers).collect()
    }

    /// Returns whether a frame has nothing to do here, whatever the time.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.games.is_none() && self.keepalives.is_empty()
    }
}

/// The effects.
impl Player {
    /// Returns what is to be done next, or `None` when the innermost turn is over.
    pub fn next_effect(&mut self) -> Option<Effect> {
        loop {
            match self.output.turns.next()? {
                Step::Effect(effect) => return Some(effect),
                Step::Next(next) => self.go_on(next),
            }
        }
    }

    fn go_on(&mut self, next: Next) {
        match next {
            Next::Connect(call, host, port) => self.connect_now(call, host, port),
            Next::Connected(connection) => self.end_connecting(connection),
            Next::Announced(outer) => self.announced.end(outer),
            Next::Line(connection, line) => {
                if self.is_current(connection) {
                    self.output.emit(Signal::Command(line));
                }
            }
            Next::Register(call, arguments) => self.register_now(call, arguments),
            Next::Host(call) => self.check_host(call),
            Next::HostHere(call) => self.host_here(call),
            Next::Join(call) => self.check_join(call),
            Next::JoinHere(call) => self.join_here(call),
            Next::JoinNow(call) => self.join_now(*call),
            Next::TellJoin(stage, message) => {
                if let Some(games) = &mut self.games {
                    games.advance(stage, message, &mut self.output);
                }
            }
            Next::Looked(now) => {
                if let Some(games) = &mut self.games {
                    games.expire_host(now, &mut self.output);
                }
            }
        }
    }

    fn is_current(&self, connection: ConnectionId) -> bool {
        self.connection
            .as_ref()
            .is_some_and(|current| current.id == connection)
    }
}

/// The plain flow's calls.
impl Player {
    /// `connect_to_host`.
    pub fn connect_to_host(&mut self, call: CallId, address: &str, port: i64) {
        self.output.turns.begin();
        self.end_connection(false);
        let host = address.trim().to_owned();
        self.output.then(Next::Connect(call, host, port));
    }

    fn connect_now(&mut self, call: CallId, host: String, port: i64) {
        match valid_port(port).filter(|_| !host.is_empty()) {
            Some(port) => self.open_connection(ServerAddress { host, port }, Some(call)),
            None => {
                let error = ConnectToHostError::Address { host, port };
                self.refuse(call, error);
            }
        }
    }

    /// `disconnect_from_host`.
    pub fn disconnect_from_host(&mut self) {
        self.output.turns.begin();
        self.end_connection(false);
    }

    /// `register_host`. Returns the command to send, whose end [`Self::handle_sent`] takes.
    ///
    /// # Errors
    /// No server is connected.
    pub fn register_host(&mut self) -> Result<Command, Failed> {
        if self.is_connected() {
            Ok(Command::RegisterHost)
        } else {
            Err(self.output.fail(RegisterHostError::NotConnected))
        }
    }

    /// `connect_nat` and `connect_relay`. Returns the command to send, whose end
    /// [`Self::handle_sent`] takes.
    ///
    /// # Errors
    /// See [`ConnectPeerError`].
    pub fn connect_peer(&mut self, kind: ConnectKind, oid: &str) -> Result<Command, Failed> {
        let error = match OpenId::new(oid) {
            Ok(oid) if self.is_connected() => return Ok(Command::ConnectPeer(kind, oid)),
            Ok(_) => ConnectPeerError::NotConnected,
            Err(error) => error.into(),
        };
        Err(self.output.fail(error))
    }

    /// The command of [`Self::register_host`] or [`Self::connect_peer`] was sent, or was not.
    ///
    /// # Errors
    /// The command was not sent.
    pub fn handle_sent(
        &mut self,
        command: &Command,
        result: Result<(), SendError>,
    ) -> Result<(), Failed> {
        match (result, command) {
            (Ok(()), Command::RegisterHost) => {
                if let Some(connection) = &mut self.connection {
                    connection.expect_identity();
                }
                Ok(())
            }
            (Ok(()), _) => Ok(()),
            (Err(error), Command::RegisterHost) => {
                Err(self.output.fail(RegisterHostError::from(error)))
            }
            (Err(error), _) => Err(self.output.fail(ConnectPeerError::from(error))),
        }
    }

    /// `register_remote`.
    pub fn register_remote(&mut self, call: CallId, arguments: RegisterArguments) {
        self.output.turns.begin();
        // The game may have closed its peer in this very frame.
        self.output.push(Effect::LookAtPeers);
        self.output.then(Next::Register(call, arguments));
    }

    fn register_now(&mut self, call: CallId, arguments: RegisterArguments) {
        if let Err(error) = self.try_register(call, arguments) {
            self.refuse(call, error);
        }
    }

    fn try_register(
        &mut self,
        call: CallId,
        arguments: RegisterArguments,
    ) -> Result<(), RegisterRemoteError> {
        let connection = self.connection.as_mut().filter(|it| it.is_connected());
        let connection = connection.ok_or(RegisterRemoteError::NotConnected)?;
        let pid = self.output.identity.pid.clone();
        let pid = pid.ok_or(RegisterRemoteError::NoPrivateId)?;
        let options = register_options(arguments)?;
        if let Some(games) = &self.games {
            if games.is_used() {
                return Err(RegisterRemoteError::PortInUse);
            }
            self.games = None;
            self.output.push(Effect::CloseLink);
        }
        if connection.registrar_of(&pid).is_some() {
            self.output.end_later(call, Answer::Ok);
            return Ok(());
        }
        if connection.registering.is_empty() {
            connection.registrar_port = options.registrar_port;
            connection.registering_for = Some(pid.clone());
            let command = Command::RegisterRemote(pid, options);
            self.output.push(Effect::Send(command));
        } else if connection.registering_for != Some(pid) {
            return Err(RegisterRemoteError::Busy);
        }
        connection.registering.push(call);
        Ok(())
    }

    /// `keep_alive` of this `ENetConnection`; `None` when there is no living one.
    ///
    /// # Errors
    /// See [`KeepAliveError`].
    pub fn keep_alive(&mut self, connection: Option<i64>, now: Instant) -> Result<(), Failed> {
        let Some(connection) = connection else {
            return Err(self.output.fail(KeepAliveError::NoConnection));
        };
        match &self.output.identity.pid {
            Some(pid) if self.registrar().is_some() => {
                self.keepalives.add(connection, pid.clone(), now);
                Ok(())
            }
            _ => Err(self.output.fail(KeepAliveError::Unregistered)),
        }
    }

    /// The connection that was kept alive is destroyed.
    pub fn forget_kept_alive(&mut self, connection: i64) {
        self.keepalives.forget(connection);
    }

    /// Returns the registrar that knows the latest identity's address.
    fn registrar(&self) -> Option<SocketAddr> {
        let pid = self.output.identity.pid.as_ref()?;
        self.connection.as_ref()?.registrar_of(pid)
    }

    /// Ends a call that came to nothing before it returned.
    fn refuse(&mut self, call: CallId, error: impl Into<Failure>) {
        let failed = self.output.fail(error);
        self.output.end_later(call, Answer::Failed(failed));
    }
}

/// The connection to the server.
impl Player {
    fn open_connection(&mut self, target: ServerAddress, call: Option<CallId>) {
        self.announced.clear();
        self.output.identity = Identity::default();
        self.last_connection += 1;
        let id = ConnectionId(self.last_connection);
        let opened = ServerConnection::new(id, target.clone(), call);
        // A handler that heard of the last connection's end can have opened one already.
        if let Some(mut replaced) = self.connection.replace(opened) {
            replaced.end_calls(&mut self.output);
        }
        self.output.push(Effect::OpenConnection(target));
    }

    fn end_connection(&mut self, is_quitting: bool) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        self.output.push(Effect::CloseConnection);
        connection.end_calls(&mut self.output);
        self.fail_waiting(SetupError::Disconnected);
        connection.tell_end(is_quitting, &mut self.output);
    }

    /// Ends the `host` or `join` that needs the server. Returns whether there was one.
    fn fail_waiting(&mut self, error: SetupError) -> bool {
        self.games
            .as_mut()
            .is_some_and(|games| games.fail_waiting(error, &mut self.output).is_ok())
    }

    /// The system gives no thread for the connection.
    pub fn handle_no_thread(&mut self, error: io::Error) {
        self.output.turns.begin();
        if let Some(call) = self.connection.take().and_then(|gone| gone.connecting) {
            self.refuse(call, ConnectToHostError::Thread(error));
        }
    }

    /// A command of [`Effect::Send`] was not sent.
    pub fn handle_unsent(&mut self, command: &Command, error: SendError) {
        self.output.turns.begin();
        match command {
            Command::UseLink { .. } => {
                // A connection that has ended already tells why, with its last event.
                if error == SendError::Full {
                    self.fail_waiting(error.into());
                }
            }
            _ => {
                let failed = self.output.fail(RegisterRemoteError::from(error));
                let connection = self.connection.as_mut();
                for call in
                    connection.map_or_else(Vec::new, |it| std::mem::take(&mut it.registering))
                {
                    self.output.end_later(call, Answer::Failed(failed.clone()));
                }
            }
        }
    }

    /// Takes an event of the connection.
    pub fn handle_connection_event(&mut self, event: ConnectionEvent) {
        self.output.turns.begin();
        match event {
            ConnectionEvent::Connected(server) => self.handle_connected(server),
            ConnectionEvent::NotConnected(error) => self.handle_not_connected(error),
            ConnectionEvent::Line(line) => self.handle_line(line),
            ConnectionEvent::NoIdentity => self.handle_no_identity(),
            ConnectionEvent::Registered(result) => self.handle_registered(result),
            ConnectionEvent::Ready(result) => {
                if let Some(games) = &mut self.games {
                    games.handle_ready(result, &mut self.output);
                }
            }
            ConnectionEvent::ConnectFailed(failure) => self.handle_connect_failed(failure),
            ConnectionEvent::Lost(reason) => {
                self.output.fail(reason);
                if let Some(connection) = &mut self.connection {
                    connection.handle_lost(&mut self.output);
                }
            }
            ConnectionEvent::Disconnected(reason) => {
                self.output.fail(reason);
                self.end_connection(false);
            }
        }
    }

    fn handle_connected(&mut self, server: SocketAddr) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        connection.server = Some(server);
        let id = connection.id;
        if let Some(games) = &mut self.games {
            games.handle_connected(&connection.target.to_string(), &mut self.output);
        }
        self.output.emit(Signal::ConnectToHost);
        self.output.then(Next::Connected(id));
    }

    /// A handler can have ended this connection: then its call has ended already.
    fn end_connecting(&mut self, id: ConnectionId) {
        let connection = self.connection.as_mut().filter(|it| it.id == id);
        if let Some(call) = connection.and_then(|it| it.connecting.take()) {
            self.output.end(call, Answer::Ok);
        }
    }

    fn handle_not_connected(&mut self, error: DialError) {
        let connection = self.connection.take();
        self.output.push(Effect::CloseConnection);
        let error = Rc::new(error);
        let is_told = self.fail_waiting(SetupError::Dial(Rc::clone(&error)));
        let failure = Failure::from(ConnectToHostError::Dial(error));
        let failed = if is_told {
            Rc::new(failure)
        } else {
            self.output.fail(failure)
        };
        if let Some(call) = connection.and_then(|connection| connection.connecting) {
            self.output.end(call, Answer::Failed(failed));
        }
    }

    fn handle_line(&mut self, line: ServerLine) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let output = &mut self.output;
        let identity = &mut output.identity;
        let id = connection.id;
        match &line.command {
            ServerCommand::Greeting(version) => identity.server_version.clone_from(version),
            ServerCommand::SetOpenId(oid) => {
                identity.oid.clone_from(oid);
                output.emit(Signal::OpenId(oid.clone()));
            }
            ServerCommand::SetPrivateId(pid) => {
                identity.pid = Some(pid.clone());
                connection.identity_answered();
                output.emit(Signal::PrivateId(Some(pid.clone())));
            }
            ServerCommand::ConnectNat(address) => {
                info!(%address, "announced directly");
                let outer = self.announced.begin(*address);
                output.emit(Signal::ConnectNat(*address));
                output.then(Next::Announced(outer));
            }
            ServerCommand::ConnectRelay(port) => {
                if let Some(server) = connection.server {
                    let address = SocketAddr::new(server.ip().to_canonical(), *port);
                    info!(%address, "announced by relay");
                    let outer = self.announced.begin(address);
                    output.emit(Signal::ConnectRelay(address));
                    output.then(Next::Announced(outer));
                }
            }
            _ => {}
        }
        output.then(Next::Line(id, line));
    }

    fn handle_no_identity(&mut self) {
        // A host or join tells it itself.
        let is_told = self.games.as_ref().is_some_and(Games::waits_for_identity);
        if !is_told {
            self.output.fail(RegisterHostError::NoAnswer);
        }
        if let Some(connection) = &mut self.connection {
            connection.identity_answered();
        }
        self.output.emit_no_identity();
    }

    fn handle_registered(&mut self, result: Result<u16, RegisterError>) {
        let Some(connection) = &mut self.connection else {
            return;
        };
        let answer = match result {
            Ok(port) => {
                info!(port, "registered");
                self.output.identity.local_port = Some(port);
                connection.note_registered(self.output.identity.pid.as_ref());
                Answer::Ok
            }
            Err(error) => Answer::Failed(self.output.fail(RegisterRemoteError::from(error))),
        };
        for call in std::mem::take(&mut connection.registering) {
            self.output.end(call, answer.clone());
        }
    }

    fn handle_connect_failed(&mut self, failure: ConnectFailure) {
        let failed = self.output.fail(ConnectPeerError::Request {
            kind: failure.kind,
            oid: failure.oid.clone(),
            error: failure.error,
        });
        let message = self.output.last_sentence.clone();
        self.output.emit(Signal::ConnectFailed {
            oid: failure.oid,
            failure: failed,
            message,
        });
    }
}

/// `host` and `join`.
impl Player {
    /// `host`. The arguments are as the game gave them, and read already.
    pub fn host(
        &mut self,
        call: CallId,
        place: Result<(ServerAddress, Options), SetupError>,
        max_clients: i64,
        now: Instant,
    ) {
        self.output.turns.begin();
        match host_call(call, place, max_clients, now) {
            Ok(host) => {
                self.output.push(Effect::LookAtPeers);
                self.output.then(Next::Host(Box::new(host)));
            }
            Err(error) => self.end_with_null(call, error),
        }
    }

    fn check_host(&mut self, call: Box<HostCall>) {
        match self.games.as_ref().map_or(Ok(()), Games::check_host) {
            Ok(()) if self.leave_other_server(&call.server) => {
                self.output.push(Effect::LookAtPeers);
                self.output.then(Next::HostHere(call));
            }
            Ok(()) => self.host_here(call),
            Err(error) => self.end_with_null(call.call, HostCallError::from(error)),
        }
    }

    fn host_here(&mut self, call: Box<HostCall>) {
        // The end of the other connection was told, and its handlers may have called anything.
        match self.games.as_ref().map_or(Ok(()), Games::check_host) {
            Ok(()) => {
                self.prepare(&call.server);
                self.output.push(Effect::CreateServer(call));
            }
            Err(error) => self.end_with_null(call.call, HostCallError::from(error)),
        }
    }

    /// The ENet server is there, with its port, or cannot be created.
    pub fn handle_server_created(
        &mut self,
        call: &HostCall,
        created: Result<(EnetPeer, u16), String>,
    ) {
        self.output.turns.begin();
        match (created, &mut self.games) {
            (Ok((enet, port)), Some(games)) => {
                games.host(call, enet, port, &mut self.output);
                self.use_link(call.options.registrar_port);
            }
            (Ok((enet, _)), None) => {
                self.output.push(Effect::ClosePeer(enet));
                self.end_with_null(call.call, HostCallError::from(SetupError::Disconnected));
            }
            (Err(error), _) => {
                self.end_with_null(call.call, HostCallError::from(SetupError::Enet(error)));
            }
        }
    }

    /// `join`. The arguments are as the game gave them, and read already.
    pub fn join(
        &mut self,
        call: CallId,
        oid: &str,
        place: Result<(ServerAddress, Options), SetupError>,
        now: Instant,
    ) {
        self.output.turns.begin();
        match join_call(call, oid, place, now) {
            Ok(join) => {
                self.output.push(Effect::LookAtPeers);
                self.output.then(Next::Join(Box::new(join)));
            }
            Err(error) => self.end_with_null(call, error),
        }
    }

    fn check_join(&mut self, call: Box<JoinCall>) {
        match self.can_join(&call.oid) {
            Ok(()) if self.leave_other_server(&call.server) => {
                self.output.push(Effect::LookAtPeers);
                self.output.then(Next::JoinHere(call));
            }
            Ok(()) => self.join_here(call),
            Err(error) => self.end_with_null(call.call, error),
        }
    }

    fn join_here(&mut self, call: Box<JoinCall>) {
        // The end of the other connection was told, and its handlers may have called anything.
        if let Err(error) = self.can_join(&call.oid) {
            self.end_with_null(call.call, error);
            return;
        }
        self.prepare(&call.server);
        if let Some(games) = &self.games {
            games.close_games_with(&call.oid, &mut self.output);
        }
        self.output.push(Effect::LookAtPeers);
        self.output.then(Next::JoinNow(call));
    }

    fn join_now(&mut self, call: JoinCall) {
        // Closing a peer is told too.
        if let Err(error) = self.can_join(&call.oid) {
            self.end_with_null(call.call, error);
            return;
        }
        let (Some(games), Some(connection)) = (&mut self.games, &self.connection) else {
            let error = JoinCallError::from(SetupError::Disconnected);
            self.end_with_null(call.call, error);
            return;
        };
        let server = connection.target.to_string();
        let (stage, message) = if connection.is_connected() {
            (JoinStage::Registering, registering_at(&server))
        } else {
            (JoinStage::Connecting, format!("connecting to {server}"))
        };
        let registrar_port = call.options.registrar_port;
        games.join(call, stage, &mut self.output);
        self.use_link(registrar_port);
        self.output.then(Next::TellJoin(stage, message));
    }

    fn can_join(&self, oid: &OpenId) -> Result<(), JoinCallError> {
        self.games.as_ref().map_or(Ok(()), Games::check_join)?;
        if self.oid() == oid.as_str() {
            return Err(JoinCallError::OwnOpenId);
        }
        Ok(())
    }

    /// `cancel_join`.
    pub fn cancel_join(&mut self) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            let error = noray_client::JoinError::Cancelled;
            games.give_up_join(error.into(), &mut self.output);
        }
    }

    /// Ends the connection to another server. Returns whether there was one.
    fn leave_other_server(&mut self, server: &ServerAddress) -> bool {
        let is_other = self
            .connection
            .as_ref()
            .is_some_and(|connection| connection.target != *server);
        if is_other {
            self.end_connection(false);
        }
        is_other
    }

    /// Opens the connection and the link, where they are not there.
    fn prepare(&mut self, server: &ServerAddress) {
        let is_there = self
            .connection
            .as_ref()
            .is_some_and(|connection| connection.target == *server);
        if !is_there {
            self.open_connection(server.clone(), None);
        }
        if self.games.is_none() {
            self.games = Some(Games::default());
            self.output.push(Effect::OpenLink);
        }
    }

    /// Lets the connection work for the link.
    fn use_link(&mut self, registrar_port: u16) {
        let Some(connection) = &mut self.connection else {
            self.fail_waiting(SetupError::Disconnected);
            return;
        };
        connection.registrar_port = registrar_port;
        let command = Command::UseLink { registrar_port };
        self.output.push(Effect::Send(command));
    }

    /// Ends a call of `host` or `join` that came to nothing before it returned.
    fn end_with_null(&mut self, call: CallId, error: impl Into<Failure>) {
        self.output.fail(error);
        self.output.end_later(call, Answer::Null);
    }
}

/// The link and the game's ENet peers.
impl Player {
    /// Takes an event of the link.
    pub fn handle_link_event(&mut self, event: PeerEvent) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.handle_link_event(event, &mut self.output);
        }
    }

    /// Takes an event of the link before its turn, so that a peer that ENet knows already is known
    /// here too. [`Self::next_early_event`] gives back what has to wait.
    pub fn admit_early(&mut self, event: PeerEvent) {
        if let Some(games) = &mut self.games {
            games.admit_early(event);
        }
    }

    /// Returns an event whose turn it is, of those that were taken early.
    pub fn next_early_event(&mut self) -> Option<PeerEvent> {
        self.games.as_mut()?.next_early()
    }

    /// The ENet client is there, with its port, or cannot be created.
    pub fn handle_client_created(
        &mut self,
        created: Result<(EnetPeer, u16), String>,
        now: Instant,
    ) {
        self.output.turns.begin();
        match (created, &mut self.games) {
            (created, Some(games)) => {
                games.handle_client_created(created, now, &mut self.output);
            }
            (Ok((enet, _)), None) => self.output.push(Effect::ClosePeer(enet)),
            (Err(_), None) => {}
        }
    }

    /// The ENet client that enters a game was polled, and stands like this.
    pub fn handle_client_polled(&mut self, enet: EnetPeer, status: ClientStatus, now: Instant) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.handle_client_polled(enet, status, now, &mut self.output);
        }
    }

    /// Godot's multiplayer listens to this ENet client.
    pub fn handle_multiplayer_listens(&mut self, enet: EnetPeer) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.handle_multiplayer_listens(enet, &mut self.output);
        }
    }

    /// An ENet server has let a peer in, by `port` of the loopback address.
    pub fn handle_entered(&mut self, enet: EnetPeer, peer_id: i32, port: u16) {
        if let Some(games) = &mut self.games {
            games.handle_entered(enet, peer_id, port);
        }
    }

    /// An ENet server has lost a peer.
    pub fn handle_left(&mut self, enet: EnetPeer, peer_id: i32) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.handle_left(enet, peer_id, &mut self.output);
        }
    }

    /// The game has closed this ENet peer, or let go of it.
    pub fn handle_closed(&mut self, enet: EnetPeer) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.handle_closed(enet, &mut self.output);
        }
    }

    /// A frame begins. `link_is_used` tells whether the link still has something to do.
    pub fn begin_frame(&mut self, now: Instant, link_is_used: bool) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.begin_frame(now, &mut self.output);
            // The game has left the server too; once the last goodbyes are out, nobody needs the
            // port.
            if !games.is_used() && self.connection.is_none() && !link_is_used {
                self.games = None;
                self.output.push(Effect::CloseLink);
            }
        }
        if !self.keepalives.is_empty() {
            let registrar = self.registrar();
            let pid = self.output.identity.pid.clone();
            self.keepalives
                .send(now, pid.as_ref(), registrar, &mut self.output);
        }
    }

    /// The game quits: whoever awaits something is woken, and told nothing else.
    pub fn quit(&mut self) {
        self.output.turns.begin();
        if let Some(games) = self.games.take() {
            games.quit(&mut self.output);
        }
        self.end_connection(true);
        self.keepalives.clear();
    }
}

fn register_options(arguments: RegisterArguments) -> Result<RegisterOptions, RegisterRemoteError> {
    let RegisterArguments {
        registrar_port: port,
        timeout,
        interval,
    } = arguments;
    match (
        valid_port(port),
        valid_seconds(timeout),
        valid_seconds(interval),
    ) {
        (Some(registrar_port), Some(timeout), Some(interval)) => Ok(RegisterOptions {
            registrar_port,
            timeout,
            interval,
        }),
        _ => Err(RegisterRemoteError::Arguments {
            port,
            timeout,
            interval,
        }),
    }
}

fn host_call(
    call: CallId,
    place: Result<(ServerAddress, Options), SetupError>,
    max_clients: i64,
    begun: Instant,
) -> Result<HostCall, HostCallError> {
    let (server, options) = place?;
    let max_clients = i32::try_from(max_clients)
        .ok()
        .filter(|clients| (1..=MAX_CLIENTS).contains(clients))
        .ok_or(HostCallError::MaxClients(max_clients))?;
    Ok(HostCall {
        call,
        server,
        max_clients,
        options,
        begun,
    })
}

fn join_call(
    call: CallId,
    oid: &str,
    place: Result<(ServerAddress, Options), SetupError>,
    begun: Instant,
) -> Result<JoinCall, JoinCallError> {
    let oid = OpenId::new(oid)?;
    let (server, options) = place?;
    Ok(JoinCall {
        call,
        oid,
        server,
        options,
        begun,
    })
}
