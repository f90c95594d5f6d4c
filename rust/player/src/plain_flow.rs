//! The calls of the plain flow: `connect_to_host`, `register_host`, `register_remote`,
//! `connect_nat`, `connect_relay`, `keep_alive`.

use std::{net::SocketAddr, time::Instant};

use noray_client::{RegisterOptions, SendError};
use noray_protocol::wire::command::ConnectKind;

use crate::{
    calls::{CallId, RegisterArguments},
    effect::{Answer, Command, Deferred, Effect},
    failure::{
        ConnectPeerError, ConnectToHostError, Failed, Failure, KeepAliveError, RegisterHostError,
        RegisterRemoteError,
    },
    pasted::{self, trimmed},
    player::Player,
    server_address::ServerAddress,
    valid::{valid_port, valid_seconds},
};

impl Player {
    /// `connect_to_host`.
    pub fn connect_to_host(&mut self, call: CallId, address: &str, port: i64) {
        self.output.turns.begin();
        self.end_connection(false);
        let host = trimmed(address).to_owned();
        self.output.defer(Deferred::Connect(call, host, port));
    }

    pub(crate) fn connect_now(&mut self, call: CallId, host: String, port: i64) {
        match valid_port(port).filter(|_| !host.is_empty()) {
            Some(port) => self.open_connection(ServerAddress { host, port }, None, Some(call)),
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
        let error = match pasted::open_id(oid) {
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
        if result.is_ok() {
            self.output.succeed();
        }
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
        self.output.defer(Deferred::Register(call, arguments));
    }

    pub(crate) fn register_now(&mut self, call: CallId, arguments: RegisterArguments) {
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
        let pid = self.output.server_info.pid.clone();
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
        match &self.output.server_info.pid {
            Some(pid) if self.registrar().is_some() => {
                self.keepalives.add(connection, pid.clone(), now);
                self.output.succeed();
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
    pub(crate) fn registrar(&self) -> Option<SocketAddr> {
        let pid = self.output.server_info.pid.as_ref()?;
        self.connection.as_ref()?.registrar_of(pid)
    }

    /// Ends a call that came to nothing before it returned.
    pub(crate) fn refuse(&mut self, call: CallId, error: impl Into<Failure>) {
        let failed = self.output.fail(error);
        self.output.end_later(call, Answer::Failed(failed));
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
