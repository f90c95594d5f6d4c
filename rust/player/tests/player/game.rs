//! A game without Godot: it performs effects by writing them down, and answers those that want an
//! answer.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use noray_client::{
    ConnectionEvent, DialError, DisconnectReason, PeerEvent, PeerId, PeerStats, SendError,
};
use noray_player::{
    Answer, CallId, ClientStatus, Command, Effect, EnetPeer, Failure, LinkCommand, Options, Player,
    RegisterArguments, ServerAddress, SetupError, Signal,
};
use noray_protocol::{
    player::link::{ActivePath, Quality},
    wire::{check::PathKind, command::ServerLine, framing::Framing},
};

type Handler = Box<dyn FnOnce(&mut Game)>;

pub(crate) struct Game {
    pub(crate) player: Player,
    pub(crate) now: Instant,
    /// How the ENet client that enters a game stands.
    pub(crate) client: ClientStatus,
    /// Whether Godot's multiplayer listens to the game's ENet peers.
    pub(crate) listens: bool,
    /// Whether the game uses its ENet servers in a multiplayer.
    pub(crate) uses_servers: bool,
    /// Whether the game's ENet server refuses new connections.
    pub(crate) refuses: bool,
    /// Whether a script waits for the ends of calls.
    pub(crate) awaits: bool,
    /// Whether ENet gives no sockets.
    pub(crate) no_enet: bool,
    /// Whether the system gives no threads.
    pub(crate) no_thread: bool,
    /// Why the connection takes nothing.
    pub(crate) unsent: Option<SendError>,
    /// Whether the link still has something to do when no game goes over it.
    pub(crate) link_is_used: bool,
    /// Destroyed `ENetConnection`s.
    pub(crate) destroyed: Vec<i64>,
    closed: Vec<EnetPeer>,
    /// How deep turns are in each other, and the ends of calls that are told after them.
    turns: usize,
    ends_later: Vec<Answer>,
    last_peer: i64,
    last_call: u64,
    log: Vec<String>,
    handlers: Vec<(&'static str, Handler)>,
}

impl Game {
    #[expect(clippy::disallowed_methods, reason = "a test's time begins somewhere")]
    pub(crate) fn new() -> Self {
        Self {
            player: Player::default(),
            now: Instant::now(),
            client: ClientStatus::Connecting,
            listens: false,
            uses_servers: true,
            refuses: false,
            awaits: true,
            no_enet: false,
            no_thread: false,
            unsent: None,
            link_is_used: false,
            destroyed: Vec::new(),
            closed: Vec::new(),
            turns: 0,
            ends_later: Vec::new(),
            last_peer: 0,
            last_call: 0,
            log: Vec::new(),
            handlers: Vec::new(),
        }
    }

    /// A game whose player is connected to the server `s`.
    pub(crate) fn connected() -> Self {
        let mut game = Self::new();
        game.connect("s");
        game.event(ConnectionEvent::Connected(server()));
        game.forget();
        game
    }

    /// The same, with the identity `ME`.
    pub(crate) fn identified() -> Self {
        let mut game = Self::connected();
        game.line("set-oid ME");
        game.line("set-pid SECRET");
        game.forget();
        game
    }

    /// A game that hosts, with ENet peer 1. Its `host` was call 1.
    pub(crate) fn hosting() -> Self {
        let mut game = Self::new();
        game.host();
        game.event(ConnectionEvent::Connected(server()));
        game.line("set-oid ME");
        game.line("set-pid SECRET");
        game.event(ConnectionEvent::Ready(Ok(())));
        game.forget();
        game
    }

    /// A game that has just begun to join `HOST`. Its `join` was call 1.
    pub(crate) fn joining() -> Self {
        let mut game = Self::new();
        game.join("HOST");
        game.forget();
        game
    }

    /// A game that enters the host's game, with ENet peer 1; the host is the link's peer 1.
    pub(crate) fn entering() -> Self {
        let mut game = Self::joining();
        game.event(ConnectionEvent::Connected(server()));
        game.event(ConnectionEvent::Ready(Ok(())));
        game.reach(1);
        game.forget();
        game
    }

    /// A game that has joined `HOST`, with ENet peer 1; the host is the link's peer 1.
    pub(crate) fn joined() -> Self {
        let mut game = Self::entering();
        game.client = ClientStatus::Connected;
        game.frame();
        game.forget();
        game
    }

    /// Calls `handler` once, when an effect is performed whose line begins with `line`.
    pub(crate) fn on(&mut self, line: &'static str, handler: impl FnOnce(&mut Self) + 'static) {
        self.handlers.push((line, Box::new(handler)));
    }

    /// Returns what was done since the last time.
    pub(crate) fn done(&mut self) -> Vec<String> {
        std::mem::take(&mut self.log)
    }

    pub(crate) fn forget(&mut self) {
        self.log.clear();
    }

    /// Returns the last failure as the log has it; empty when there is none.
    pub(crate) fn last_report(&self) -> String {
        let failure = self.player.last_failure();
        failure.map_or_else(String::new, |failure| failure.report(""))
    }

    /// Returns whether a line of what was done begins so.
    pub(crate) fn has_done(&self, line: &str) -> bool {
        self.log.iter().any(|done| done.starts_with(line))
    }

    fn call(&mut self) -> CallId {
        self.last_call += 1;
        CallId(self.last_call)
    }

    pub(crate) fn connect(&mut self, address: &str) {
        self.connect_to(address, 8890);
    }

    pub(crate) fn connect_to(&mut self, address: &str, port: i64) {
        let call = self.call();
        self.player.connect_to_host(call, address, port);
        self.perform_all();
    }

    pub(crate) fn disconnect(&mut self) {
        self.player.disconnect_from_host();
        self.perform_all();
    }

    /// Returns whether the command was sent.
    pub(crate) fn register_host(&mut self) -> bool {
        let Ok(command) = self.player.register_host() else {
            return false;
        };
        let sent = self.unsent.map_or(Ok(()), Err);
        self.player.handle_sent(&command, sent).is_ok()
    }

    /// Returns whether the command was sent.
    pub(crate) fn connect_nat(&mut self, oid: &str) -> bool {
        let kind = noray_protocol::wire::command::ConnectKind::Nat;
        let Ok(command) = self.player.connect_peer(kind, oid) else {
            return false;
        };
        let sent = self.unsent.map_or(Ok(()), Err);
        self.player.handle_sent(&command, sent).is_ok()
    }

    pub(crate) fn register_remote(&mut self) {
        self.register_remote_with(8809, 8.0, 0.1);
    }

    pub(crate) fn register_remote_with(&mut self, port: i64, timeout: f64, interval: f64) {
        let call = self.call();
        let arguments = RegisterArguments {
            registrar_port: port,
            timeout,
            interval,
        };
        self.player.register_remote(call, arguments);
        self.perform_all();
    }

    pub(crate) fn host(&mut self) {
        self.host_at("s", 32);
    }

    pub(crate) fn host_at(&mut self, server: &str, max_clients: i64) {
        let call = self.call();
        self.player.host(call, place(server), max_clients, self.now);
        self.perform_all();
    }

    pub(crate) fn join(&mut self, oid: &str) {
        self.join_at(oid, "s");
    }

    pub(crate) fn join_at(&mut self, oid: &str, server: &str) {
        let call = self.call();
        self.player.join(call, oid, place(server), self.now);
        self.perform_all();
    }

    pub(crate) fn cancel_join(&mut self) {
        self.player.cancel_join();
        self.perform_all();
    }

    pub(crate) fn cancel_host(&mut self) {
        self.player.cancel_host();
        self.perform_all();
    }

    pub(crate) fn leave_games(&mut self) {
        self.player.leave();
        self.perform_all();
    }

    pub(crate) fn quit(&mut self) {
        self.player.quit();
        self.perform_all();
    }

    /// The game closes an ENet peer, or lets go of it.
    pub(crate) fn close(&mut self, peer: i64) {
        self.closed.push(EnetPeer(peer));
    }

    pub(crate) fn is_open(&self, peer: EnetPeer) -> bool {
        !self.closed.contains(&peer)
    }

    pub(crate) fn wait(&mut self, time: Duration) {
        self.now += time;
        self.frame();
    }

    pub(crate) fn frame(&mut self) {
        self.player.begin_frame(self.now, self.link_is_used);
        self.perform_all();
    }

    pub(crate) fn event(&mut self, event: ConnectionEvent) {
        self.player.handle_connection_event(event);
        self.perform_all();
    }

    /// The server sends a line.
    pub(crate) fn line(&mut self, line: &str) {
        if let Some(line) = ServerLine::parse(line, Framing::Plain) {
            self.event(ConnectionEvent::Line(line));
        }
    }

    pub(crate) fn link_event(&mut self, event: PeerEvent) {
        self.player.handle_link_event(event);
        self.perform_all();
    }

    /// The link has reached the host, which is this peer of its.
    pub(crate) fn reach(&mut self, peer: u32) {
        self.link_event(PeerEvent::HostReached {
            peer: PeerId::new(peer),
            port: 5000,
            kind: PathKind::Direct,
            stats: stats(),
        });
    }

    /// The same host, whose link answers checks.
    pub(crate) fn reach_answering(&mut self, peer: u32) {
        let quality = Quality {
            round_trip: Some(Duration::from_millis(20)),
            ..Quality::default()
        };
        self.link_event(PeerEvent::HostReached {
            peer: PeerId::new(peer),
            port: 5000,
            kind: PathKind::Direct,
            stats: PeerStats::new(ActivePath {
                kind: PathKind::Direct,
                address: SocketAddr::from(([198, 51, 100, 1], 1000)),
                quality,
            }),
        });
    }

    /// ENet lets a peer in.
    pub(crate) fn enter(&mut self, peer_id: i32, port: u16) {
        self.player.handle_entered(EnetPeer(1), peer_id, port);
    }

    /// ENet has lost a peer.
    pub(crate) fn leave(&mut self, peer_id: i32) {
        self.player.handle_left(EnetPeer(1), peer_id);
        self.perform_all();
    }

    pub(crate) fn perform_all(&mut self) {
        self.turns += 1;
        while let Some(effect) = self.player.next_effect() {
            self.perform(effect);
        }
        self.turns -= 1;
        if self.turns == 0 {
            for answer in std::mem::take(&mut self.ends_later) {
                self.player.handle_call_ends(&answer);
            }
        }
    }

    /// Writes an effect down, lets a handler run that waits for it, and answers.
    fn perform(&mut self, effect: Effect) {
        if let Some(line) = written(&effect) {
            let index = (self.handlers.iter()).position(|(wanted, _)| line.starts_with(wanted));
            self.log.push(line);
            if let Some(index) = index {
                let (_, handler) = self.handlers.remove(index);
                handler(self);
            }
        }
        match effect {
            Effect::OpenConnection(..) if self.no_thread => {
                let error = std::io::Error::other("none left");
                self.player.handle_no_thread(error);
            }
            Effect::Send(command) => match self.unsent {
                Some(error) => self.player.handle_unsent(&command, error),
                None => return,
            },
            Effect::LookAtPeers => {
                for enet in self.player.enet_peers() {
                    if !self.is_open(enet) {
                        self.player.handle_closed(enet);
                        self.perform_all();
                    }
                }
                return;
            }
            Effect::LookForUse { call, server } => {
                if let Some(call) = call.filter(|_| !self.awaits) {
                    self.player.handle_unused_call(call);
                    self.perform_all();
                }
                if let Some(server) = server.filter(|_| !self.uses_servers) {
                    self.player.handle_unused_server(server);
                    self.perform_all();
                }
                return;
            }
            Effect::EndCall(_, answer) => {
                self.player.handle_call_ends(&answer);
                return;
            }
            Effect::EndCallLater(_, answer) => {
                self.ends_later.push(answer);
                return;
            }
            Effect::LookWhetherClosed(enet) => {
                self.player.handle_server_closed(enet, self.refuses);
            }
            Effect::CreateServer(call) => {
                let created = self.create();
                self.player.handle_server_created(&call, created);
            }
            Effect::CreateClient { .. } => {
                let created = self.create();
                self.player.handle_client_created(created, self.now);
            }
            Effect::PollClient(enet) => {
                self.player
                    .handle_client_polled(enet, self.client, self.now);
            }
            Effect::ClosePeer(enet) => {
                self.closed.push(enet);
                return;
            }
            Effect::LookForMultiplayer(enet) if self.listens => {
                self.player.handle_multiplayer_listens(enet);
            }
            Effect::SendKeepalive { connection, .. } => {
                if self.destroyed.contains(&connection) {
                    self.player.forget_kept_alive(connection);
                }
                return;
            }
            _ => return,
        }
        self.perform_all();
    }

    fn create(&mut self) -> Result<(EnetPeer, u16), String> {
        if self.no_enet {
            return Err("Can't create".to_owned());
        }
        self.last_peer += 1;
        Ok((EnetPeer(self.last_peer), 4000))
    }
}

/// Returns an effect as a line; `None` for the looks that each frame takes.
fn written(effect: &Effect) -> Option<String> {
    Some(match effect {
        Effect::OpenConnection(target, None) => format!("open connection {target}"),
        Effect::OpenConnection(target, Some(identity)) => {
            format!("open connection {target} as {}", identity.oid)
        }
        Effect::CloseConnection => "close connection".to_owned(),
        Effect::Send(Command::RegisterRemote(pid, options)) => {
            format!("send register {} {}", pid.reveal(), options.registrar_port)
        }
        Effect::Send(Command::UseLink { registrar_port }) => {
            format!("send use link {registrar_port}")
        }
        Effect::Send(command) => format!("send {command:?}"),
        Effect::OpenLink => "open link".to_owned(),
        Effect::CloseLink => "close link".to_owned(),
        Effect::Link(command) => match command {
            LinkCommand::Host(options) => {
                format!("link host {} at {}", options.max_clients, options.enet_port)
            }
            LinkCommand::StopHosting => "link stop hosting".to_owned(),
            LinkCommand::SetClosed(is_closed) => format!("link set closed {is_closed}"),
            LinkCommand::Join(options) => format!("link join {}", options.oid),
            LinkCommand::CancelJoin => "link cancel join".to_owned(),
            LinkCommand::ConnectEnet(peer, port) => format!("link enet {} {port}", number(*peer)),
            LinkCommand::Release(peer) => format!("link release {}", number(*peer)),
        },
        Effect::CreateServer(call) => format!("create server {}", call.max_clients),
        Effect::CreateClient { port, .. } => format!("create client {port}"),
        Effect::ClosePeer(enet) => format!("close peer {}", enet.0),
        Effect::ForgetServer(enet) => format!("forget server {}", enet.0),
        Effect::GiveUp { enet, peer_id } => format!("give up {peer_id} of {}", enet.0),
        Effect::AnnounceHost(enet) => format!("announce host {}", enet.0),
        Effect::SayGoodbye { close, to } => {
            let close: Vec<_> = close.iter().map(|enet| enet.0).collect();
            format!("goodbye {close:?} to {}", to.len())
        }
        Effect::SendKeepalive {
            connection,
            registrar,
            pid,
        } => format!("keepalive {connection} {registrar} {}", pid.reveal()),
        Effect::Emit(signal) => format!("emit {}", named(signal)),
        Effect::EndCall(call, answer) => format!("end {} {}", call.0, ended(answer)),
        Effect::EndCallLater(call, answer) => format!("end later {} {}", call.0, ended(answer)),
        Effect::LookAtPeers
        | Effect::LookForUse { .. }
        | Effect::LookWhetherClosed(_)
        | Effect::PollClient(_)
        | Effect::LookForMultiplayer(_) => return None,
    })
}

fn named(signal: &Signal) -> String {
    match signal {
        Signal::Command(line) => format!("on_command {}", line.name),
        Signal::ConnectToHost => "on_connect_to_host".to_owned(),
        Signal::DisconnectFromHost => "on_disconnect_from_host".to_owned(),
        Signal::OpenId(oid) => format!("on_oid {oid:?}"),
        Signal::PrivateId(pid) => {
            format!("on_pid {:?}", pid.as_ref().map_or("", |pid| pid.reveal()))
        }
        Signal::ConnectNat(address) => format!("on_connect_nat {address}"),
        Signal::ConnectRelay(address) => format!("on_connect_relay {address}"),
        Signal::ConnectFailed { message, .. } => format!("connect_failed {message}"),
        Signal::JoinProgressed(stage, message) => format!("join_progressed {stage:?} {message}"),
        Signal::PathChanged(peer_id, kind) => format!("path_changed {peer_id} {kind:?}"),
        Signal::OpenIdChanged(oid) => format!("oid_changed {oid}"),
    }
}

fn ended(answer: &Answer) -> String {
    match answer {
        Answer::Ok => "OK".to_owned(),
        Answer::Failed(failure) if matches!(**failure, Failure::ConnectionEnded) => {
            "connection ended".to_owned()
        }
        Answer::Failed(failure) => format!("failed: {failure}"),
        Answer::Peer(enet) => format!("peer {}", enet.0),
        Answer::Null(_) => "null".to_owned(),
    }
}

fn number(peer: PeerId) -> u32 {
    (0..10_000)
        .find(|number| PeerId::new(*number) == peer)
        .unwrap_or(u32::MAX)
}

pub(crate) fn server() -> SocketAddr {
    SocketAddr::from(([192, 0, 2, 1], 8890))
}

pub(crate) fn stats() -> PeerStats {
    PeerStats::new(ActivePath {
        kind: PathKind::Direct,
        address: SocketAddr::from(([198, 51, 100, 1], 1000)),
        quality: Quality::default(),
    })
}

pub(crate) fn place(server: &str) -> Result<(ServerAddress, Options), SetupError> {
    Ok((ServerAddress::parse(server)?, Options::new(true)))
}

pub(crate) fn not_found() -> ConnectionEvent {
    ConnectionEvent::NotConnected(DialError::NotFound {
        host: "s".to_owned(),
    })
}

pub(crate) fn closed() -> ConnectionEvent {
    ConnectionEvent::Disconnected(DisconnectReason::Closed)
}

pub(crate) fn lost() -> ConnectionEvent {
    ConnectionEvent::Lost(DisconnectReason::Closed)
}

/// The link lets this peer in, which `port` stands for.
pub(crate) fn admitted(peer: u32, port: u16) -> PeerEvent {
    PeerEvent::PeerAdmitted {
        peer: PeerId::new(peer),
        port,
        stats: stats(),
    }
}

pub(crate) fn gone(peer: u32) -> PeerEvent {
    PeerEvent::PeerGone {
        peer: PeerId::new(peer),
    }
}
