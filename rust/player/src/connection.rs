//! The connection to a noray server, and the calls that wait for it.

use std::{net::SocketAddr, rc::Rc};

use noray_protocol::wire::id::PrivateId;

use crate::{
    calls::{CallId, ConnectionId},
    effect::{Answer, Signal},
    failure::Failure,
    output::Output,
    server_address::ServerAddress,
};

/// A connection to a server, or the attempt at one.
#[derive(Debug)]
pub(crate) struct ServerConnection {
    pub(crate) id: ConnectionId,
    pub(crate) target: ServerAddress,
    /// The server's address, while it is connected.
    pub(crate) server: Option<SocketAddr>,
    /// The call of `connect_to_host` that waits.
    pub(crate) connecting: Option<CallId>,
    /// Calls of `register_host` that have no answer yet.
    unanswered: usize,
    /// The calls of `register_remote` that wait.
    pub(crate) registering: Vec<CallId>,
    /// The PrivateID that is being registered, or was last.
    pub(crate) registering_for: Option<PrivateId>,
    /// The server's UDP port of the last registration.
    pub(crate) registrar_port: u16,
    /// The PrivateID whose address is registered, and the registrar that knows it.
    registered: Option<(PrivateId, SocketAddr)>,
}

impl ServerConnection {
    pub(crate) fn new(id: ConnectionId, target: ServerAddress, connecting: Option<CallId>) -> Self {
        Self {
            id,
            target,
            server: None,
            connecting,
            unanswered: 0,
            registering: Vec::new(),
            registering_for: None,
            registrar_port: 0,
            registered: None,
        }
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.server.is_some()
    }

    /// Returns the registrar that knows this PrivateID's address.
    pub(crate) fn registrar_of(&self, pid: &PrivateId) -> Option<SocketAddr> {
        let (registered, registrar) = self.registered.as_ref()?;
        (registered == pid).then_some(*registrar)
    }

    /// An OpenID and a PrivateID were requested.
    pub(crate) fn expect_identity(&mut self) {
        self.unanswered += 1;
    }

    /// One of those requests was answered, or will not be.
    pub(crate) fn identity_answered(&mut self) {
        self.unanswered = self.unanswered.saturating_sub(1);
    }

    /// An address is registered. `latest` is the PrivateID that the server gave last.
    pub(crate) fn note_registered(&mut self, latest: Option<&PrivateId>) {
        // A registration that `host` or `join` began is for the latest.
        let pid = if self.registering.is_empty() {
            latest.cloned()
        } else {
            self.registering_for.clone()
        };
        self.registered = pid.zip(self.server).map(|(pid, server)| {
            let registrar = SocketAddr::new(server.ip().to_canonical(), self.registrar_port);
            (pid, registrar)
        });
    }

    /// Wakes whoever awaits this connection, after the current call has returned.
    pub(crate) fn end_calls(&mut self, output: &mut Output) {
        let registering = std::mem::take(&mut self.registering);
        let ended = Rc::new(Failure::ConnectionEnded);
        for call in self.connecting.take().into_iter().chain(registering) {
            output.end_later(call, Answer::Failed(Rc::clone(&ended)));
        }
    }

    /// The connection is lost, and is being made again.
    pub(crate) fn handle_lost(&mut self, output: &mut Output) {
        self.server = None;
        self.registered = None;
        self.end_calls(output);
        output.emit(Signal::DisconnectFromHost);
        if std::mem::take(&mut self.unanswered) > 0 {
            output.emit_no_identity();
        }
    }

    /// The connection has ended; `is_quitting` tells it to nobody but who awaits something.
    pub(crate) fn tell_end(self, is_quitting: bool, output: &mut Output) {
        if self.is_connected() && !is_quitting {
            output.emit(Signal::DisconnectFromHost);
        }
        if self.unanswered > 0 {
            output.emit_no_identity();
        }
    }
}
