//! The connection to a noray server: a task, and the handle that a game holds.

use std::{io, net::SocketAddr, time::Duration};

use noray_protocol::{
    defaults::{ANSWER_TIMEOUT, COMMAND_PORT, REGISTER_INTERVAL, REGISTER_TIMEOUT, REGISTRAR_PORT},
    player::requests::ConnectFailure,
    wire::{
        command::{ConnectKind, ServerLine},
        id::{OpenId, PrivateId},
    },
};
use tokio::{runtime::Handle, sync::mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::{
    defaults::{COMMAND_QUEUE, CONNECT_TIMEOUT, EVENT_QUEUE},
    dial::DialError,
    link::LinkHandle,
    registrar::RegisterError,
    session,
};

/// Where to connect to, and how long to wait.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// The server's name or IP address.
    pub host: String,
    /// The server's command port; 8890 by default.
    pub port: u16,
    /// The longest wait for the connection; 8 s by default.
    pub timeout: Duration,
    /// The longest wait for the answer to a connect request; 5 s by default.
    pub answer_timeout: Duration,
}

impl ConnectOptions {
    /// The defaults for a server's name or IP address.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: COMMAND_PORT,
            timeout: CONNECT_TIMEOUT,
            answer_timeout: ANSWER_TIMEOUT,
        }
    }
}

/// How to register this player's UDP address.
#[derive(Clone, Copy, Debug)]
pub struct RegisterOptions {
    /// The registrar's UDP port; 8809 by default.
    pub registrar_port: u16,
    /// The longest wait for an answer; 8 s by default.
    pub timeout: Duration,
    /// The pause between repeats; 0.1 s by default, at least 20 ms.
    pub interval: Duration,
}

impl Default for RegisterOptions {
    fn default() -> Self {
        Self {
            registrar_port: REGISTRAR_PORT,
            timeout: REGISTER_TIMEOUT,
            interval: REGISTER_INTERVAL,
        }
    }
}

/// What happened on a connection, in order.
#[derive(Debug)]
pub enum ConnectionEvent {
    /// The server at this address accepted.
    Connected(SocketAddr),
    /// No server was reached; the last event.
    NotConnected(DialError),
    /// A command came from the server.
    Line(ServerLine),
    /// The server did not answer a [`Connection::register_host`] in time.
    NoIdentity,
    /// A registration ended; with the local port that is registered now.
    Registered(Result<u16, RegisterError>),
    /// A connect request came to nothing.
    ConnectFailed(ConnectFailure),
    /// This player is registered through its link, and can host and join; or cannot be. Comes again
    /// after each [`Self::Lost`].
    Ready(Result<(), ReadyError>),
    /// The connection is lost, and is being made again, since a game goes on. [`Self::Connected`]
    /// comes again.
    Lost(DisconnectReason),
    /// The connection is lost; the last event.
    Disconnected(DisconnectReason),
}

/// Why a player cannot host or join.
#[derive(Debug, thiserror::Error)]
pub enum ReadyError {
    /// The server gave no OpenID and PrivateID.
    #[error("the server does not answer: is it a noray server?")]
    NoIdentity,
    /// The address could not be registered.
    #[error(transparent)]
    Register(#[from] RegisterError),
}

/// Why a connection ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum DisconnectReason {
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The system gave up on the connection.
    #[error("the connection to the server is lost: {0}")]
    Lost(#[from] io::Error),
    /// The server does not take what is sent to it.
    #[error("the server does not take commands any more")]
    Stuck,
    /// UDP came back after a while, perhaps from another address than the registered one.
    #[error("the registered address may be a wrong one by now")]
    AddressInDoubt,
}

/// Why a command was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// The connection has ended.
    #[error("not connected to a server")]
    Disconnected,
    /// Too many commands wait to be sent.
    #[error("too many commands wait to be sent")]
    Full,
}

#[derive(Debug)]
pub(crate) enum Command {
    RegisterHost,
    Connect(ConnectKind, OpenId),
    RegisterRemote(PrivateId, RegisterOptions),
    Play(LinkHandle, u16),
}

/// A connection to a server, or the attempt at one. Dropping it ends it.
#[derive(Debug)]
pub struct Connection {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<ConnectionEvent>,
    _cancel: DropGuard,
}

impl Connection {
    /// Begins to connect, on the given runtime; what becomes of it are events.
    #[must_use]
    pub fn open(runtime: &Handle, options: ConnectOptions) -> Self {
        let (command_sender, command_receiver) = mpsc::channel(COMMAND_QUEUE);
        let (event_sender, event_receiver) = mpsc::channel(EVENT_QUEUE);
        let cancel = CancellationToken::new();
        let task = session::run(options, command_receiver, event_sender);
        runtime.spawn(cancel.clone().run_until_cancelled_owned(task));
        Self {
            commands: command_sender,
            events: event_receiver,
            _cancel: cancel.drop_guard(),
        }
    }

    /// The next event, if there is one; never waits. When the task has ended
    /// without a last event, that is told as a lost connection.
    pub fn next_event(&mut self) -> Option<ConnectionEvent> {
        match self.events.try_recv() {
            Ok(event) => Some(event),
            Err(mpsc::error::TryRecvError::Empty) => None,
            Err(mpsc::error::TryRecvError::Disconnected) => {
                let error = io::Error::other("the connection task has ended");
                Some(ConnectionEvent::Disconnected(error.into()))
            }
        }
    }

    /// The next event; waits for it.
    pub async fn wait_event(&mut self) -> Option<ConnectionEvent> {
        self.events.recv().await
    }

    /// Asks for an OpenID and a PrivateID.
    ///
    /// # Errors
    /// See [`SendError`]; nothing is sent then.
    pub fn register_host(&self) -> Result<(), SendError> {
        self.send(Command::RegisterHost)
    }

    /// Asks the server to connect this player and a host.
    ///
    /// # Errors
    /// See [`SendError`]; nothing is sent then.
    pub fn connect(&self, kind: ConnectKind, oid: OpenId) -> Result<(), SendError> {
        self.send(Command::Connect(kind, oid))
    }

    /// Registers a UDP address of this player's; ends with [`ConnectionEvent::Registered`].
    ///
    /// # Errors
    /// See [`SendError`]; nothing is sent then.
    pub fn register_remote(
        &self,
        pid: PrivateId,
        options: RegisterOptions,
    ) -> Result<(), SendError> {
        self.send(Command::RegisterRemote(pid, options))
    }

    /// Lets this player host and join through `link`.
    ///
    /// Gets an identity and registers the link's address, each once; what is there already is used,
    /// that of [`Self::register_remote`] too, whose port the link then takes. What the server
    /// announces goes to the link, and while the link is used a lost connection is made again.
    /// Ends with [`ConnectionEvent::Ready`]. Call it after each [`Link::join`](crate::Link::join) and
    /// [`Link::host`](crate::Link::host).
    ///
    /// # Errors
    /// See [`SendError`]; nothing is done then.
    pub fn use_link(&self, link: LinkHandle, registrar_port: u16) -> Result<(), SendError> {
        self.send(Command::Play(link, registrar_port))
    }

    fn send(&self, command: Command) -> Result<(), SendError> {
        self.commands
            .try_send(command)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => SendError::Full,
                mpsc::error::TrySendError::Closed(_) => SendError::Disconnected,
            })
    }
}
