//! The link between players: one UDP socket to all of them, for as long as the game lasts.
//!
//! ```text
//! Link             the game's handle: what to do in, what happened out
//! LinkHandle       the connection's: what the server says in, whom to ask out
//! └─ actor         the socket outside, the protocol's decisions, the local network
//!    └─ loopback   one socket and one task for each other player: ENet's side
//! ```
//!
//! ENet's sockets are bound to the loopback address alone. For each other player the link has a
//! socket there, which stands for it: what comes in from the player goes to ENet from that socket,
//! and what ENet sends to it goes to the player, by whichever way is the best.

mod actor;
mod loopback;
mod stats;

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

pub use noray_protocol::player::link::{JoinError, JoinProgress, PeerId};
use noray_protocol::{
    player::{link::ServerKind, requests::ConnectFailure},
    wire::{
        check::PathKind,
        command::ConnectKind,
        id::{OpenId, PrivateId},
    },
};
use tokio::{runtime::Handle, sync::mpsc};
use tokio_util::sync::{CancellationToken, DropGuard};

pub use self::stats::{PeerSnapshot, PeerStats};
use crate::{
    defaults::{LINK_COMMAND_QUEUE, LINK_EVENT_QUEUE},
    registrar::RegisterError,
};

/// How a host takes players in.
#[derive(Clone, Debug)]
pub struct HostOptions {
    /// The UDP port on the loopback address where ENet listens.
    pub enet_port: u16,
    /// Players at one time.
    pub max_clients: usize,
    /// Only relays are used.
    pub force_relay: bool,
    /// The host shows itself in the local network.
    pub lan: bool,
}

/// How to join a host.
#[derive(Clone, Debug)]
pub struct JoinOptions {
    /// The host's OpenID.
    pub oid: OpenId,
    /// How long it may take until a way to the host is open.
    pub timeout: Duration,
    /// Only relays are used.
    pub force_relay: bool,
    /// The host is looked for in the local network too.
    pub lan: bool,
}

/// What happened on a link, in order.
#[derive(Debug)]
pub enum PeerEvent {
    /// How far the join is.
    Progress(JoinProgress),
    /// A way to the host is open. Say with [`Link::connect_enet`] which port ENet has, then let it connect
    /// to `port` on the loopback address.
    HostReached {
        /// The host.
        peer: PeerId,
        /// The port that stands for it.
        port: u16,
        /// The way that opened first.
        kind: PathKind,
        /// What is known of it, live.
        stats: PeerStats,
    },
    /// The join came to nothing.
    JoinFailed(JoinError),
    /// A player's game came in; ENet knows the player by `port` on the loopback address.
    PeerAdmitted {
        /// The player.
        peer: PeerId,
        /// The port that stands for it.
        port: u16,
        /// What is known of it, live.
        stats: PeerStats,
    },
    /// The game goes another way from now on.
    PathChanged {
        /// To whom.
        peer: PeerId,
        /// Which way.
        kind: PathKind,
    },
    /// The entry of this player is closed: it left, or was released.
    PeerGone {
        /// Who.
        peer: PeerId,
    },
    /// The registrar does not answer any more: UDP does not get out, or the server is gone.
    UdpLost,
    /// It answers again.
    UdpBack,
}

/// What the link tells the connection that it is attached to.
#[derive(Debug)]
pub(crate) enum ToConnection {
    /// Ask the server to connect us with this host.
    Ask(ConnectKind, OpenId),
    /// A registration ended; with the local port.
    Registered(Result<u16, RegisterError>),
    /// The address that is registered may be a wrong one by now.
    AddressInDoubt,
}

#[derive(Debug)]
enum Command {
    Host(HostOptions),
    StopHosting,
    Join(JoinOptions),
    CancelJoin,
    ConnectEnet(PeerId, u16),
    Release(PeerId),
    Attach(mpsc::Sender<ToConnection>),
    Register {
        registrar: SocketAddr,
        pid: PrivateId,
        /// The port for which this was registered before.
        adopt: Option<u16>,
    },
    Server(Option<ServerKind>),
    Identity(OpenId),
    Announced(PathKind, SocketAddr),
    Refused(ConnectFailure),
}

/// The link of one player. Dropping it closes its socket.
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
    /// A link without a socket: that comes with the first registration.
    #[must_use]
    pub fn open(runtime: &Handle) -> Self {
        let (command_sender, command_receiver) = mpsc::channel(LINK_COMMAND_QUEUE);
        let (event_sender, event_receiver) = mpsc::channel(LINK_EVENT_QUEUE);
        let used = Arc::new(AtomicBool::new(false));
        let cancel = CancellationToken::new();
        let task = actor::run(command_receiver, event_sender, Arc::clone(&used));
        runtime.spawn(cancel.clone().run_until_cancelled_owned(task));
        Self {
            handle: LinkHandle {
                commands: command_sender,
                used,
            },
            events: event_receiver,
            _cancel: cancel.drop_guard(),
        }
    }

    /// What a [`Connection`](crate::Connection) is given to play.
    #[must_use]
    pub fn handle(&self) -> LinkHandle {
        self.handle.clone()
    }

    /// Whether a game is hosted, joined, or about to be.
    #[must_use]
    pub fn is_used(&self) -> bool {
        self.handle.is_used()
    }

    /// Takes players in from now on, as soon as the connection is ready.
    pub fn host(&self, options: HostOptions) {
        self.handle.used.store(true, Ordering::Relaxed);
        self.handle.send(Command::Host(options));
    }

    /// Takes no more players in, and lets go of those who are.
    pub fn stop_hosting(&self) {
        self.handle.send(Command::StopHosting);
    }

    /// Joins a host as soon as the connection that plays next is ready; ends with [`PeerEvent::HostReached`] or
    /// [`PeerEvent::JoinFailed`]. A join that runs is cancelled.
    pub fn join(&self, options: JoinOptions) {
        self.handle.used.store(true, Ordering::Relaxed);
        self.handle.send(Command::Join(options));
    }

    /// Ends the join that runs with [`JoinError::Cancelled`].
    pub fn cancel_join(&self) {
        self.handle.send(Command::CancelJoin);
    }

    /// The port on the loopback address of the ENet client that talks to a joined host.
    pub fn connect_enet(&self, peer: PeerId, enet_port: u16) {
        self.handle.send(Command::ConnectEnet(peer, enet_port));
    }

    /// The game is done with this player. ENet's last packets still go out.
    pub fn release(&self, peer: PeerId) {
        self.handle.send(Command::Release(peer));
    }

    /// The next event, if there is one; never waits.
    pub fn next_event(&mut self) -> Option<PeerEvent> {
        self.events.try_recv().ok()
    }

    /// The next event; waits for it.
    pub async fn wait_event(&mut self) -> Option<PeerEvent> {
        self.events.recv().await
    }
}

impl LinkHandle {
    /// Whether a game is hosted, joined, or about to be.
    pub(crate) fn is_used(&self) -> bool {
        self.used.load(Ordering::Relaxed)
    }

    /// Whether this is the same link.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.commands.same_channel(&other.commands)
    }

    pub(crate) fn attach(&self, connection: mpsc::Sender<ToConnection>) {
        self.send(Command::Attach(connection));
    }

    pub(crate) fn register(&self, registrar: SocketAddr, pid: PrivateId, adopt: Option<u16>) {
        self.send(Command::Register {
            registrar,
            pid,
            adopt,
        });
    }

    pub(crate) fn set_server(&self, server: Option<ServerKind>) {
        self.send(Command::Server(server));
    }

    pub(crate) fn set_identity(&self, oid: OpenId) {
        self.send(Command::Identity(oid));
    }

    pub(crate) fn announced(&self, way: PathKind, address: SocketAddr) {
        self.send(Command::Announced(way, address));
    }

    pub(crate) fn refused(&self, failure: ConnectFailure) {
        self.send(Command::Refused(failure));
    }

    /// A link that is so far behind is one that hangs: the command is lost, as the players are.
    fn send(&self, command: Command) {
        if self.commands.try_send(command).is_err() {
            tracing::warn!("the link takes no commands");
        }
    }
}
