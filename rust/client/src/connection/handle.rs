//! The game's handle on a connection.

use std::io;

use noray_protocol::wire::{
    command::ConnectKind,
    id::{OpenId, PrivateId},
};
use tokio::{runtime::Handle, sync::mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

use super::{
    command::Command,
    event::ConnectionEvent,
    options::{ConnectOptions, RegisterOptions},
    task::ConnectionTask,
};
use crate::{
    defaults::{COMMAND_QUEUE, EVENT_QUEUE},
    link::LinkHandle,
};

/// Why a command was not sent.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// The connection has ended.
    #[error("not connected to a server")]
    Disconnected,
    /// Too many commands wait to be sent.
    #[error("too many commands wait to be sent")]
    Full,
}

/// A connection to a server, or the attempt to make one. Dropping it closes the connection.
#[derive(Debug)]
pub struct Connection {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<ConnectionEvent>,
    _cancel: DropGuard,
}

impl Connection {
    /// Starts to connect, in a task on `runtime`. The first event tells how that ended.
    #[must_use]
    pub fn open(runtime: &Handle, options: ConnectOptions) -> Self {
        let (command_sender, commands) = mpsc::channel(COMMAND_QUEUE);
        let (events, event_receiver) = mpsc::channel(EVENT_QUEUE);
        let cancel = CancellationToken::new();
        let task = ConnectionTask {
            options,
            commands,
            events,
        };
        runtime.spawn(cancel.clone().run_until_cancelled_owned(task.run()));
        Self {
            commands: command_sender,
            events: event_receiver,
            _cancel: cancel.drop_guard(),
        }
    }

    /// Returns the next event if there is one; never waits. Reports a task that ended without a
    /// last event as a lost connection.
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

    /// Waits for the next event; returns `None` when the task has ended.
    pub async fn wait_event(&mut self) -> Option<ConnectionEvent> {
        self.events.recv().await
    }

    /// Requests an OpenID and a PrivateID.
    ///
    /// # Errors
    /// [`SendError`]; nothing was sent then.
    pub fn register_host(&self) -> Result<(), SendError> {
        self.send(Command::RegisterHost)
    }

    /// Requests that the server connects this player with a host.
    ///
    /// # Errors
    /// [`SendError`]; nothing was sent then.
    pub fn connect(&self, kind: ConnectKind, oid: OpenId) -> Result<(), SendError> {
        self.send(Command::Connect(kind, oid))
    }

    /// Registers a UDP address of this player; ends with [`ConnectionEvent::Registered`].
    ///
    /// # Errors
    /// [`SendError`]; nothing was sent then.
    pub fn register_remote(
        &self,
        pid: PrivateId,
        options: RegisterOptions,
    ) -> Result<(), SendError> {
        self.send(Command::RegisterRemote(pid, options))
    }

    /// Makes this connection serve `link`, so that the player can host and join through it; ends
    /// with [`ConnectionEvent::Ready`].
    ///
    /// The connection gets an identity and registers the link's address, each only once. It reuses
    /// an identity that it already has, and a port that [`Self::register_remote`] registered: the
    /// link then takes over that port. The server's announcements go to the link, and a lost
    /// connection is made again while the link is used.
    ///
    /// Call it after each [`Link::join`](crate::Link::join) and [`Link::host`](crate::Link::host).
    ///
    /// # Errors
    /// [`SendError`]; nothing was done then.
    pub fn use_link(&self, link: LinkHandle, registrar_port: u16) -> Result<(), SendError> {
        self.send(Command::UseLink {
            link,
            registrar_port,
        })
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
