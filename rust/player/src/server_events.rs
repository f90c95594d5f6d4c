//! The connection to the server: how it begins and ends, and what happens on it.

use std::{io, net::SocketAddr, rc::Rc};

use noray_client::{ConnectionEvent, DialError, Identity, RegisterError, SendError};
use noray_protocol::{
    player::requests::ConnectFailure,
    wire::command::{ServerCommand, ServerLine},
};
use tracing::info;

use crate::{
    calls::{CallId, ConnectionId},
    connection::ServerConnection,
    effect::{Answer, Command, Deferred, Effect, Signal},
    failure::{
        ConnectPeerError, ConnectToHostError, Failure, RegisterHostError, RegisterRemoteError,
        SetupError,
    },
    games::Games,
    output::ServerInfo,
    player::Player,
    server_address::ServerAddress,
};

impl Player {
    pub(crate) fn open_connection(
        &mut self,
        target: ServerAddress,
        identity: Option<Identity>,
        call: Option<CallId>,
    ) {
        self.announced.clear();
        self.output.server_info = ServerInfo::default();
        self.last_connection += 1;
        let id = ConnectionId(self.last_connection);
        let opened = ServerConnection::new(id, target.clone(), call);
        // A handler that heard of the last connection's end can have opened one already.
        if let Some(mut replaced) = self.connection.replace(opened) {
            replaced.end_calls(&mut self.output);
        }
        self.output.push(Effect::OpenConnection(target, identity));
    }

    pub(crate) fn end_connection(&mut self, is_quitting: bool) {
        self.end_connection_by(SetupError::Disconnected, is_quitting);
    }

    /// Ends the connection, and with `error` the `host` or `join` that needs it.
    fn end_connection_by(&mut self, error: SetupError, is_quitting: bool) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        self.output.push(Effect::CloseConnection);
        connection.end_calls(&mut self.output);
        self.fail_waiting(error);
        connection.tell_end(is_quitting, &mut self.output);
    }

    /// Ends the `host` or `join` that needs the server. Returns whether there was one.
    pub(crate) fn fail_waiting(&mut self, error: SetupError) -> bool {
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
                self.output.fail(Failure::Disconnected(Rc::new(reason)));
                if let Some(connection) = &mut self.connection {
                    connection.handle_lost(&mut self.output);
                }
            }
            ConnectionEvent::Disconnected(reason) => {
                let reason = Rc::new(reason);
                self.output.fail(Failure::Disconnected(Rc::clone(&reason)));
                self.end_connection_by(SetupError::Lost(reason), false);
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
        self.output.defer(Deferred::Connected(id));
    }

    /// A handler can have ended this connection: then its call has ended already.
    pub(crate) fn end_connecting(&mut self, id: ConnectionId) {
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
        let identity = &mut output.server_info;
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
                output.defer(Deferred::Announced(outer));
            }
            ServerCommand::ConnectRelay(port) => {
                if let Some(server) = connection.server {
                    let address = SocketAddr::new(server.ip().to_canonical(), *port);
                    info!(%address, "announced by relay");
                    let outer = self.announced.begin(address);
                    output.emit(Signal::ConnectRelay(address));
                    output.defer(Deferred::Announced(outer));
                }
            }
            _ => {}
        }
        output.defer(Deferred::Line(id, line));
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
                self.output.server_info.local_port = Some(port);
                connection.note_registered(self.output.server_info.pid.as_ref());
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
