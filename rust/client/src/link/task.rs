//! The link's task: performs what the protocol's link decides, with the sockets and the local
//! network.

use std::{
    collections::HashMap,
    future::pending,
    hash::{BuildHasher, RandomState},
    io,
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use noray_protocol::{
    player::link::{
        ActivePath, HostConfig, JoinConfig, JoinError, Link, LinkEvent, PeerId, RegistrationFailure,
    },
    socket_errors::SocketErrors,
    wire::{
        check::{Key, SessionId},
        id::{OpenId, PrivateId},
    },
};
use tokio::{
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval, sleep_until},
};
use tracing::{debug, info, warn};

use super::{
    event::PeerEvent,
    local_network::LocalNetwork,
    loopback::LoopbackSocket,
    message::{Command, LinkMessage},
    options::{HostOptions, JoinOptions},
    socket::LinkSocket,
    stats::PeerStats,
};
use crate::{
    defaults::{
        DATAGRAMS_PER_TURN, ERROR_PAUSE, IDLE_WAKE, MAX_DATAGRAM, REBIND_PAUSE,
        RECEIVE_ERRORS_PER_TURN, USE_CHECK_INTERVAL,
    },
    registrar::RegisterError,
};

/// The decisions, and what performs them.
pub(super) struct LinkTask {
    link: Link,
    events: mpsc::Sender<PeerEvent>,
    used: Arc<AtomicBool>,
    connection: Option<mpsc::Sender<LinkMessage>>,
    socket: Option<Arc<LinkSocket>>,
    receive_errors: SocketErrors,
    /// Until when the socket is left alone, because it failed.
    paused_until: Option<Instant>,
    registrar: Option<SocketAddr>,
    local_network: LocalNetwork,
    /// The OpenID under which the player hosts.
    oid: Option<OpenId>,
    hosting: Option<HostOptions>,
    /// ENet's side of each peer whose game has begun or is about to.
    peers: HashMap<PeerId, LoopbackSocket>,
}

impl LinkTask {
    pub(super) fn new(events: mpsc::Sender<PeerEvent>, used: Arc<AtomicBool>) -> Self {
        Self {
            link: Link::new(random_secret()),
            events,
            used,
            connection: None,
            socket: None,
            receive_errors: SocketErrors::default(),
            paused_until: None,
            registrar: None,
            local_network: LocalNetwork::default(),
            oid: None,
            hosting: None,
            peers: HashMap::new(),
        }
    }

    /// Runs until the game has dropped the link.
    pub(super) async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut buffer = vec![0; MAX_DATAGRAM];
        let mut use_check = use_check();
        let mut deadline = Instant::now() + IDLE_WAKE;
        loop {
            let is_due = tokio::select! {
                () = readable(self.socket.as_deref(), self.paused_until) => {
                    self.receive(&mut buffer)
                }
                command = commands.recv() => match command {
                    Some(command) => {
                        self.obey(command);
                        true
                    }
                    None => return,
                },
                address = self.local_network.next_address() => {
                    self.link.found_in_lan(Instant::now(), address);
                    true
                }
                _ = use_check.tick(), if !self.peers.is_empty() => {
                    self.check_use();
                    true
                }
                () = sleep_until(deadline.into()) => true,
            };
            // The game's own datagrams change no deadline.
            if is_due {
                deadline = self.perform();
            }
        }
    }

    /// Receives what has arrived. Returns whether some of it was for the link itself.
    fn receive(&mut self, buffer: &mut [u8]) -> bool {
        let Some(socket) = self.socket.clone() else {
            return false;
        };
        let now = Instant::now();
        let mut is_due = false;
        let mut errors = 0;
        self.paused_until = None;
        for _ in 0..DATAGRAMS_PER_TURN {
            let (length, from) = match socket.try_receive(buffer) {
                Ok(Some(received)) => received,
                Ok(None) => {
                    self.receive_errors.clear();
                    break;
                }
                Err(error) => {
                    errors += 1;
                    if errors < RECEIVE_ERRORS_PER_TURN {
                        continue;
                    }
                    self.pause_socket(now, &error);
                    return true;
                }
            };
            self.receive_errors.clear();
            let datagram = &buffer[..length];
            match self.link.receive(now, from, datagram) {
                Some(id) => match self.peers.get(&id) {
                    Some(loopback) => loopback.deliver(datagram),
                    None => {
                        self.admit(now, id, datagram);
                        is_due = true;
                    }
                },
                None => is_due = true,
            }
        }
        is_due
    }

    /// Leaves a socket alone for a moment that gives nothing but errors, or binds it anew.
    fn pause_socket(&mut self, now: Instant, error: &io::Error) {
        if !self.receive_errors.is_failing() {
            warn!(%error, "the link's socket does not receive");
        }
        self.paused_until = Some(now + ERROR_PAUSE);
        if self.receive_errors.note(now) {
            self.renew_socket(now);
        }
    }

    /// Binds a socket anew that is known to be dead, unless that was just tried.
    fn revive_socket(&mut self, now: Instant) {
        let is_dead = (self.socket.as_ref()).is_some_and(|socket| socket.is_dead());
        if is_dead && self.paused_until.is_none_or(|until| now >= until) {
            self.renew_socket(now);
        }
    }

    /// Binds the socket anew, and has the server learn its address again.
    fn renew_socket(&mut self, now: Instant) {
        let Some(socket) = &self.socket else {
            return;
        };
        match socket.bind_anew() {
            Ok(is_same_port) => {
                warn!(
                    port = socket.port(),
                    is_same_port, "the link's socket is bound anew"
                );
                self.receive_errors.clear();
                self.paused_until = None;
                self.link.refresh_registration(now);
                if !is_same_port {
                    self.begin_hosting();
                    self.tell_connection(LinkMessage::AddressInDoubt);
                }
            }
            Err(error) => {
                debug!(%error, "no socket for the link");
                self.paused_until = Some(now + REBIND_PAUSE);
            }
        }
    }

    /// Lets a player into the game that is hosted, with its first datagram.
    fn admit(&mut self, now: Instant, id: PeerId, first: &[u8]) {
        let (Some(options), Some(socket)) = (&self.hosting, &self.socket) else {
            return;
        };
        let Some(path) = self.link.active_path(now, id) else {
            return;
        };
        let stats = PeerStats::new(path);
        let opened = LoopbackSocket::open(stats.clone()).and_then(|mut loopback| {
            loopback.connect(options.enet_port, Arc::clone(socket))?;
            Ok(loopback)
        });
        match opened {
            Ok(loopback) => {
                info!(kind = ?path.kind, address = %path.address, "player admitted");
                loopback.deliver(first);
                self.tell(PeerEvent::PeerAdmitted {
                    peer: id,
                    port: loopback.port(),
                    stats,
                });
                self.peers.insert(id, loopback);
                self.link.used(now, id);
            }
            Err(error) => {
                warn!(%error, "no loopback socket for a player");
                self.link.release(now, id);
            }
        }
    }

    fn obey(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Host(options) => {
                self.hosting = Some(options);
                self.begin_hosting();
                self.tell_connection(LinkMessage::Hosting(true));
            }
            Command::StopHosting => {
                self.hosting = None;
                self.local_network.stop_advertising();
                self.link.stop_hosting(now);
                self.tell_connection(LinkMessage::Hosting(false));
            }
            Command::SetClosed(is_closed) => self.link.set_closed(is_closed),
            Command::Join(options) => self.join(now, options),
            Command::CancelJoin => self.link.cancel_join(),
            Command::ConnectEnet(id, port) => self.connect_enet(id, port),
            Command::Release(id) => self.link.release(now, id),
            Command::Attach(connection) => {
                self.connection = Some(connection);
                self.tell_connection(LinkMessage::Hosting(self.hosting.is_some()));
            }
            Command::Register {
                registrar,
                pid,
                port,
            } => self.register(now, registrar, pid, port),
            Command::SetServer(server) => {
                if server.is_none() {
                    self.link.forget_registration();
                }
                self.link.set_server(now, server);
            }
            Command::SetIdentity(oid) => {
                self.oid = Some(oid);
                self.begin_hosting();
            }
            Command::Announced(kind, address) => self.link.announced(now, kind, address),
            Command::RequestFailed(failure) => {
                (self.link).refused(failure.kind, &failure.oid, &failure.error);
            }
        }
    }

    fn register(&mut self, now: Instant, registrar: SocketAddr, pid: PrivateId, port: Option<u16>) {
        match self.open_socket(now, registrar, port) {
            Ok(()) if port.is_some() => {
                self.link.adopt(now, registrar, pid);
                self.registration_ended(Ok(()));
            }
            Ok(()) => self.link.register(now, registrar, pid),
            Err(error) => self.tell_connection(LinkMessage::Registered(Err(error.into()))),
        }
    }

    /// Opens the socket, unless the one that is open can be registered too: peers know its address.
    fn open_socket(
        &mut self,
        now: Instant,
        registrar: SocketAddr,
        port: Option<u16>,
    ) -> io::Result<()> {
        self.registrar = Some(registrar);
        self.local_network.set_registrar(now, registrar);
        let is_open = (self.socket.as_ref()).is_some_and(|socket| socket.serves(registrar, port));
        if !is_open {
            let socket = LinkSocket::bind(registrar, port.unwrap_or(0))?;
            self.socket = Some(Arc::new(socket));
            self.receive_errors.clear();
            self.paused_until = None;
            self.begin_hosting();
        }
        Ok(())
    }

    /// Hosts, or hosts under another OpenID, once the game wants it and the OpenID is known.
    fn begin_hosting(&mut self) {
        let (Some(options), Some(oid)) = (&self.hosting, &self.oid) else {
            return;
        };
        self.link.host(HostConfig {
            key: Key::new(oid),
            max_clients: options.max_clients,
            force_relay: options.force_relay,
        });
        let port = self.socket.as_ref().map(|socket| socket.port());
        match port.filter(|_| options.lan && !options.force_relay) {
            Some(port) => self.local_network.advertise(oid, port),
            None => self.local_network.stop_advertising(),
        }
    }

    fn join(&mut self, now: Instant, options: JoinOptions) {
        // The connection may have been replaced; the new one tells when it is ready.
        self.link.set_server(now, None);
        let mut session = [0; 8];
        if let Err(error) = getrandom::fill(&mut session) {
            let reason = format!("the system gives no random numbers: {error}");
            self.tell(PeerEvent::JoinFailed(JoinError::HostUnreachable(reason)));
            return;
        }
        if options.lan && !options.force_relay {
            self.local_network.search_for(now, options.oid.clone());
        } else {
            self.local_network.stop_search();
        }
        self.link.join(
            now,
            JoinConfig {
                oid: options.oid,
                session: SessionId(session),
                timeout: options.timeout,
                force_relay: options.force_relay,
            },
        );
    }

    fn connect_enet(&mut self, id: PeerId, enet_port: u16) {
        let (Some(loopback), Some(socket)) = (self.peers.get_mut(&id), &self.socket) else {
            return;
        };
        if let Err(error) = loopback.connect(enet_port, Arc::clone(socket)) {
            warn!(%error, enet_port, "ENet not reached");
        }
    }

    /// Tells the protocol which peers the game still talks to.
    fn check_use(&mut self) {
        let now = Instant::now();
        for (id, loopback) in &mut self.peers {
            if loopback.was_used() {
                self.link.used(now, *id);
            }
        }
        self.local_network.expire_search(now);
    }

    /// Performs all that is due, and returns when to do so again.
    fn perform(&mut self) -> Instant {
        let now = Instant::now();
        self.link.tick(now);
        self.revive_socket(now);
        if let Some(socket) = &self.socket {
            for datagram in self.link.transmits() {
                socket.send(datagram.to, &datagram.bytes);
            }
        }
        while let Some((kind, oid)) = self.link.next_request() {
            self.tell_connection(LinkMessage::Request(kind, oid));
        }
        while let Some(event) = self.link.next_event() {
            self.handle(now, event);
        }
        let used = self.link.is_used() || self.hosting.is_some();
        self.used.store(used, Ordering::Relaxed);
        let is_dead = (self.socket.as_ref()).is_some_and(|socket| socket.is_dead());
        let revival = self.paused_until.filter(|_| is_dead);
        let deadlines = self.link.next_deadline(now).into_iter().chain(revival);
        let idle = now + IDLE_WAKE;
        deadlines.fold(idle, Instant::min)
    }

    fn handle(&mut self, now: Instant, event: LinkEvent) {
        match event {
            LinkEvent::Registered(result) => self.registration_ended(result),
            LinkEvent::UdpLost => {
                warn!("registrar does not answer: UDP does not get out");
                self.tell(PeerEvent::UdpLost);
            }
            LinkEvent::UdpBack => {
                info!("registrar answers again");
                self.tell(PeerEvent::UdpBack);
                self.tell_connection(LinkMessage::AddressInDoubt);
            }
            LinkEvent::Progress(progress) => self.tell(PeerEvent::Progress(progress)),
            LinkEvent::Joined(id) => self.joined(now, id),
            LinkEvent::JoinFailed(error) => {
                self.local_network.stop_search();
                self.tell(PeerEvent::JoinFailed(error));
            }
            LinkEvent::PathChanged(id) | LinkEvent::Measured(id) => {
                if let Some(path) = self.link.active_path(now, id) {
                    self.update_path(id, path);
                }
            }
            LinkEvent::PeerRemoved(id) => {
                if let Some(loopback) = self.peers.remove(&id) {
                    loopback.stats().set_gone();
                    self.tell(PeerEvent::PeerGone { peer: id });
                }
            }
        }
    }

    fn registration_ended(&mut self, result: Result<(), RegistrationFailure>) {
        let port = match (&self.socket, self.registrar) {
            (Some(socket), Some(registrar)) => result
                .map_err(|failure| RegisterError::from_failure(failure, registrar))
                .map(|()| socket.port()),
            _ => Err(RegisterError::Disconnected),
        };
        self.tell_connection(LinkMessage::Registered(port));
    }

    /// A path to the host is open: ENet can connect.
    fn joined(&mut self, now: Instant, id: PeerId) {
        let Some(path) = self.link.active_path(now, id) else {
            return;
        };
        let stats = PeerStats::new(path);
        match LoopbackSocket::open(stats.clone()) {
            Ok(loopback) => {
                info!(kind = ?path.kind, address = %path.address, "host reached");
                self.tell(PeerEvent::HostReached {
                    peer: id,
                    port: loopback.port(),
                    kind: path.kind,
                    stats,
                });
                self.peers.insert(id, loopback);
            }
            Err(error) => {
                let reason = format!("no socket for the game: {error}");
                self.tell(PeerEvent::JoinFailed(JoinError::HostUnreachable(reason)));
                self.link.release(now, id);
            }
        }
    }

    fn update_path(&self, id: PeerId, path: ActivePath) {
        if let Some(loopback) = self.peers.get(&id)
            && loopback.stats().update(path)
        {
            info!(kind = ?path.kind, address = %path.address, "path changed");
            self.tell(PeerEvent::PathChanged {
                peer: id,
                kind: path.kind,
            });
        }
    }

    /// Never waits, so that games go on while a connection hangs. A connection that has ended
    /// reports that itself.
    fn tell_connection(&self, message: LinkMessage) {
        if let Some(connection) = &self.connection
            && connection.try_send(message).is_err()
        {
            debug!("connection takes no messages");
        }
    }

    /// Drops the event when the queue is full: a game that stands still for so long has lost its
    /// peers anyway.
    fn tell(&self, event: PeerEvent) {
        if self.events.try_send(event).is_err() {
            debug!("game takes no events");
        }
    }
}

/// Returns a random number, made of the keys of a hash map: unlike the system's random numbers, they
/// never fail.
fn random_secret() -> [u8; 16] {
    let mut secret = [0; 16];
    for half in secret.chunks_exact_mut(8) {
        half.copy_from_slice(&RandomState::new().hash_one(0).to_ne_bytes());
    }
    secret
}

fn use_check() -> Interval {
    let mut interval = interval(USE_CHECK_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

/// Waits until there may be something to receive, and the socket is not left alone.
async fn readable(socket: Option<&LinkSocket>, paused_until: Option<Instant>) {
    if let Some(until) = paused_until {
        sleep_until(until.into()).await;
    }
    match socket {
        Some(socket) => socket.readable().await,
        None => pending().await,
    }
}
