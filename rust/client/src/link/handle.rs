//! The handles on a link: the game's, and the connection's.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use noray_protocol::{
    player::{
        link::{PeerId, ServerKind},
        requests::ConnectFailure,
    },
    wire::{
        check::PathKind,
        id::{OpenId, PrivateId},
    },
};
use tokio::{runtime::Handle, sync::mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::warn;

use super::{
    event::PeerEvent,
    message::{Command, LinkMessage},
    options::{HostOptions, JoinOptions},
    task::LinkTask,
};
use crate::defaults::{LINK_COMMAND_QUEUE, LINK_EVENT_QUEUE};

/// The link of one player. Dropping it closes its sockets.
#[derive(Debug)]
pub struct Link {
    handle: LinkHandle,
    events: mpsc::Receiver<PeerEvent>,
    _cancel: DropGuard,
}

/// A connection's access to the link.
#[derive(Clone, Debug)]
pub struct LinkHandle {
    commands: mpsc::Sender<Command>,
    used: Arc<AtomicBool>,
}

impl Link {
    /// Creates a link, whose task runs on `runtime`. Its socket opens with the first registration.
    #[must_use]
    pub fn open(runtime: &Handle) -> Self {
        let (command_sender, commands) = mpsc::channel(LINK_COMMAND_QUEUE);
        let (event_sender, events) = mpsc::channel(LINK_EVENT_QUEUE);
        let used = Arc::new(AtomicBool::new(false));
        let cancel = CancellationToken::new();
        let task = LinkTask::new(event_sender, Arc::clone(&used)).run(commands);
        runtime.spawn(cancel.clone().run_until_cancelled_owned(task));
        Self {
            handle: LinkHandle {
                commands: command_sender,
                used,
            },
            events,
            _cancel: cancel.drop_guard(),
        }
    }

    /// Returns the handle that [`Connection::use_link`](crate::Connection::use_link) takes.
    #[must_use]
    pub fn handle(&self) -> LinkHandle {
        self.handle.clone()
    }

    /// Whether the player hosts, is joining or has joined.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.handle.is_used()
    }

    /// Admits players from now on, as soon as the connection is ready.
    pub fn host(&self, options: HostOptions) {
        self.handle.used.store(true, Ordering::Relaxed);
        self.handle.send(Command::Host(options));
    }

    /// Admits no more players, and releases all that were admitted.
    pub fn stop_hosting(&self) {
        self.handle.send(Command::StopHosting);
    }

    /// Lets no new players in while `is_closed`.
    pub fn set_closed(&self, is_closed: bool) {
        self.handle.send(Command::SetClosed(is_closed));
    }

    /// Joins a host as soon as the connection that next uses this link is ready; ends with
    /// [`PeerEvent::HostReached`] or [`PeerEvent::JoinFailed`]. Cancels a join that runs already.
    pub fn join(&self, options: JoinOptions) {
        self.handle.used.store(true, Ordering::Relaxed);
        self.handle.send(Command::Join(options));
    }

    /// Ends the join that runs with [`JoinError::Cancelled`](crate::JoinError::Cancelled).
    pub fn cancel_join(&self) {
        self.handle.send(Command::CancelJoin);
    }

    /// Names the port on the loopback address of the ENet client that talks to a joined host.
    pub fn connect_enet(&self, peer: PeerId, enet_port: u16) {
        self.handle.send(Command::ConnectEnet(peer, enet_port));
    }

    /// Lets go of a peer. ENet's last packets are still sent.
    pub fn release(&self, peer: PeerId) {
        self.handle.send(Command::Release(peer));
    }

    /// Returns the next event if there is one; never waits.
    pub fn next_event(&mut self) -> Option<PeerEvent> {
        self.events.try_recv().ok()
    }

    /// Waits for the next event; returns `None` when the task has ended.
    pub async fn wait_event(&mut self) -> Option<PeerEvent> {
        self.events.recv().await
    }
}

impl LinkHandle {
    /// Whether the player hosts, is joining or has joined.
    pub(crate) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether both are handles on the same link.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.commands.same_channel(&other.commands)
    }

    /// Makes the link talk to this connection, and no longer to an earlier one.
    pub(crate) fn attach(&self, connection: mpsc::Sender<LinkMessage>) {
        self.send(Command::Attach(connection));
    }

    /// Registers the link's address, or takes over the local `port` that is registered already;
    /// ends with [`LinkMessage::Registered`].
    pub(crate) fn register(&self, registrar: SocketAddr, pid: PrivateId, port: Option<u16>) {
        self.send(Command::Register {
            registrar,
            pid,
            port,
        });
    }

    /// Tells the link whether it can send requests now, and to which kind of server.
    pub(crate) fn set_server(&self, server: Option<ServerKind>) {
        self.send(Command::SetServer(server));
    }

    /// Tells the link under which OpenID it hosts.
    pub(crate) fn set_identity(&self, oid: OpenId) {
        self.send(Command::SetIdentity(oid));
    }

    /// Passes on an address that the server announced.
    pub(crate) fn announced(&self, kind: PathKind, address: SocketAddr) {
        self.send(Command::Announced(kind, address));
    }

    /// Tells the link that a request of its own failed.
    pub(crate) fn request_failed(&self, failure: ConnectFailure) {
        self.send(Command::RequestFailed(failure));
    }

    /// Drops the command when the queue is full: a link so far behind hangs, and its game with it.
    fn send(&self, command: Command) {
        if self.commands.try_send(command).is_err() {
            warn!("link takes no commands");
        }
    }
}
