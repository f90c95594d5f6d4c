//! What is to be done outside, and the turns in which it is done.

use std::{
    collections::VecDeque,
    net::SocketAddr,
    time::{Duration, Instant},
};

use noray_client::{HostOptions, Identity, JoinOptions, PeerId, PeerStats, RegisterOptions};
use noray_protocol::wire::{
    check::PathKind,
    command::{ConnectKind, ServerLine},
    id::{OpenId, PrivateId},
};

use crate::{
    calls::{CallId, ConnectionId, EnetPeer, HostCall, JoinCall, RegisterArguments},
    failure::Failed,
    join_stage::JoinStage,
    options::EnetOptions,
    server_address::ServerAddress,
};

/// One thing to do outside.
#[derive(Debug)]
pub enum Effect {
    /// Open a connection, which takes the place of the one that is there, with an identity to resume.
    /// Answer a failure with
    /// [`Player::handle_no_thread`](crate::Player::handle_no_thread).
    OpenConnection(ServerAddress, Option<Identity>),
    /// Drop the connection.
    CloseConnection,
    /// Send this; answer a failure with [`Player::handle_unsent`](crate::Player::handle_unsent).
    Send(Command),
    /// Open the link.
    OpenLink,
    /// Drop the link.
    CloseLink,
    /// Tell the link.
    Link(LinkCommand),
    /// Look at all of [`Player::enet_peers`](crate::Player::enet_peers); answer with
    /// [`Player::handle_closed`](crate::Player::handle_closed) for each that the game has closed or
    /// let go of.
    LookAtPeers,
    /// Look whether anybody still waits for this call's end, and whether a multiplayer uses this
    /// server; answer with [`Player::handle_unused_call`](crate::Player::handle_unused_call) and
    /// [`Player::handle_unused_server`](crate::Player::handle_unused_server) where that is not so.
    LookForUse {
        /// The call of `host` or `join` that runs.
        call: Option<CallId>,
        /// The server of the game that is hosted.
        server: Option<EnetPeer>,
    },
    /// Look whether this server refuses new connections; answer with
    /// [`Player::handle_server_closed`](crate::Player::handle_server_closed).
    LookWhetherClosed(EnetPeer),
    /// Create an ENet server on the loopback address; answer with
    /// [`Player::handle_server_created`](crate::Player::handle_server_created), and from then on
    /// tell of its peers by [`Player::handle_entered`](crate::Player::handle_entered) and
    /// [`Player::handle_left`](crate::Player::handle_left).
    CreateServer(Box<HostCall>),
    /// Create an ENet client that connects to this port of the loopback address; answer with
    /// [`Player::handle_client_created`](crate::Player::handle_client_created).
    CreateClient {
        /// The port that stands for the host.
        port: u16,
        /// What ENet is created with.
        enet: EnetOptions,
        /// How long ENet tries to connect, at least.
        patience: Duration,
    },
    /// Poll the client; answer with
    /// [`Player::handle_client_polled`](crate::Player::handle_client_polled).
    PollClient(EnetPeer),
    /// Close the peer, and let go of it.
    ClosePeer(EnetPeer),
    /// Tell no more of this server's peers.
    ForgetServer(EnetPeer),
    /// Let ENet give up a peer that is known to be gone.
    GiveUp {
        /// The game's ENet peer.
        enet: EnetPeer,
        /// The id of the peer that is gone.
        peer_id: i32,
    },
    /// Look whether Godot's multiplayer listens to this client; if it does, answer with
    /// [`Player::handle_multiplayer_listens`](crate::Player::handle_multiplayer_listens).
    LookForMultiplayer(EnetPeer),
    /// Let this client tell that it is connected to the host.
    AnnounceHost(EnetPeer),
    /// Close the ENet peers, and wait until these peers were sent ENet's goodbyes.
    SayGoodbye {
        /// The ENet peers to close.
        close: Vec<EnetPeer>,
        /// Whom the goodbyes go to.
        to: Vec<PeerStats>,
    },
    /// Send the registrar a keepalive from a game's own socket; when that is destroyed, answer with
    /// [`Player::forget_kept_alive`](crate::Player::forget_kept_alive).
    SendKeepalive {
        /// The `ENetConnection`, by its instance id.
        connection: i64,
        /// To whom.
        registrar: SocketAddr,
        /// The datagram.
        pid: PrivateId,
    },
    /// Emit a signal.
    Emit(Signal),
    /// End a call now: it has returned. Tell
    /// [`Player::handle_call_ends`](crate::Player::handle_call_ends) first.
    EndCall(CallId, Answer),
    /// End a call after it has returned. Tell
    /// [`Player::handle_call_ends`](crate::Player::handle_call_ends) when that time has come.
    EndCallLater(CallId, Answer),
}

/// A command for the connection.
#[derive(Clone, Debug)]
pub enum Command {
    /// Ask for an OpenID and a PrivateID.
    RegisterHost,
    /// Register a UDP address.
    RegisterRemote(PrivateId, RegisterOptions),
    /// Ask the server to connect this player and a host.
    ConnectPeer(ConnectKind, OpenId),
    /// Work for the link.
    UseLink {
        /// The server's UDP port for registrations.
        registrar_port: u16,
    },
}

/// A command for the link.
#[derive(Clone, Debug)]
pub enum LinkCommand {
    /// Take peers in.
    Host(HostOptions),
    /// Take no more peers in.
    StopHosting,
    /// Let no new peers in while this is so.
    SetClosed(bool),
    /// Join a host.
    Join(JoinOptions),
    /// End the join.
    CancelJoin,
    /// Lead this ENet port to the host.
    ConnectEnet(PeerId, u16),
    /// The game is done with this peer.
    Release(PeerId),
}

/// A signal of the class `Noray`, named as there.
#[derive(Clone, Debug)]
pub enum Signal {
    /// `on_command`.
    Command(ServerLine),
    /// `on_connect_to_host`.
    ConnectToHost,
    /// `on_disconnect_from_host`.
    DisconnectFromHost,
    /// `on_oid`; empty when none will come.
    OpenId(String),
    /// `on_pid`; `None` when none will come.
    PrivateId(Option<PrivateId>),
    /// `on_connect_nat`.
    ConnectNat(SocketAddr),
    /// `on_connect_relay`.
    ConnectRelay(SocketAddr),
    /// `connect_failed`.
    ConnectFailed {
        /// The host's OpenID.
        oid: String,
        /// Why.
        failure: Failed,
        /// The same as a sentence.
        message: String,
    },
    /// `join_progressed`.
    JoinProgressed(JoinStage, String),
    /// `path_changed`.
    PathChanged(i32, PathKind),
    /// `oid_changed`.
    OpenIdChanged(String),
}

/// How a call ends.
#[derive(Clone, Debug)]
pub enum Answer {
    /// With `OK`.
    Ok,
    /// With the failure's `Error`.
    Failed(Failed),
    /// With this ENet peer, which is the game's from now on.
    Peer(EnetPeer),
    /// With `null`, for this reason.
    Null(Failed),
}

/// A step that is decided only after all earlier effects of the turn, and their signal handlers,
/// have run.
#[derive(Debug)]
pub(crate) enum Deferred {
    /// `connect_to_host`: the connection before it has ended.
    Connect(CallId, String, i64),
    /// The game has heard that the server accepted.
    Connected(ConnectionId),
    /// The announced address's signal has been handled.
    Announced(Option<SocketAddr>),
    /// The line's own signal has been handled.
    Line(ConnectionId, ServerLine),
    /// `register_remote`: the game's peers have been looked at.
    Register(CallId, RegisterArguments),
    /// `host`: the game's peers have been looked at.
    Host(Box<HostCall>),
    /// The connection to another server has ended.
    HostHere(Box<HostCall>),
    /// `join`: the game's peers have been looked at.
    Join(Box<JoinCall>),
    /// The connection to another server has ended.
    JoinHere(Box<JoinCall>),
    /// The games with the same host have ended.
    JoinNow(Box<JoinCall>),
    /// The connection works for the join, unless that failed.
    TellJoin(JoinStage, String),
    /// The game has heard that the player has joined.
    EndJoin(CallId, EnetPeer),
    /// The game's peers have been looked at, as now and then.
    Looked(Instant),
}

#[derive(Debug)]
pub(crate) enum Step {
    Effect(Effect),
    Deferred(Deferred),
}

/// The effects of the calls and events that are being handled: the innermost turn is the last.
#[derive(Default, Debug)]
pub(crate) struct Turns(Vec<VecDeque<Step>>);

impl Turns {
    /// Begins a turn, whose steps all come before the rest of the one that runs.
    pub(crate) fn begin(&mut self) {
        self.0.push(VecDeque::new());
    }

    pub(crate) fn push(&mut self, step: Step) {
        debug_assert!(!self.0.is_empty(), "no turn runs");
        if let Some(turn) = self.0.last_mut() {
            turn.push_back(step);
        }
    }

    /// Takes the next step of the innermost turn, and ends that turn when there is none.
    pub(crate) fn next(&mut self) -> Option<Step> {
        let step = self.0.last_mut()?.pop_front();
        if step.is_none() {
            self.0.pop();
        }
        step
    }
}
