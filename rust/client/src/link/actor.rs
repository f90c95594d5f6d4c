//! The task that holds the socket outside and obeys the protocol's link.

use std::{
    collections::HashMap,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Instant,
};

use noray_protocol::{
    player::link::{
        HostConfig, JoinConfig, JoinError, Link as Core, LinkEvent, PeerId, RegistrationFailure,
    },
    wire::{
        check::{Key, SessionId},
        id::OpenId,
    },
};
use socket2::SockRef;
use tokio::{
    net::UdpSocket,
    sync::mpsc,
    time::{Interval, MissedTickBehavior, interval, sleep_until},
};
use tracing::{debug, info, warn};

use super::{
    Command, HostOptions, JoinOptions, PeerEvent, ToConnection, loopback::Loopback,
    stats::PeerStats,
};
use crate::{
    defaults::{
        DATAGRAMS_PER_TURN, IDLE_WAKE, LAN_SEARCH, MAX_DATAGRAM, RECEIVE_BUFFER, USE_CHECK_INTERVAL,
    },
    lan::{LanAdvert, LanSearch},
    registrar::RegisterError,
};

/// The socket to all other players and the registrar.
#[derive(Debug)]
pub(super) struct Outside {
    socket: UdpSocket,
    is_ipv6: bool,
}

impl Outside {
    /// Bound on all interfaces, for the registrar's family of addresses.
    async fn bind(registrar: SocketAddr, port: u16) -> io::Result<Self> {
        let any = match registrar {
            SocketAddr::V4(_) => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            SocketAddr::V6(_) => IpAddr::V6(Ipv6Addr::UNSPECIFIED),
        };
        let socket = UdpSocket::bind((any, port)).await?;
        if let Err(error) = SockRef::from(&socket).set_recv_buffer_size(RECEIVE_BUFFER) {
            debug!(%error, "the system's own receive buffer stays");
        }
        Ok(Self {
            socket,
            is_ipv6: registrar.is_ipv6(),
        })
    }

    fn port(&self) -> io::Result<u16> {
        Ok(self.socket.local_addr()?.port())
    }

    /// Sends a datagram. One that the system does not take is a lost packet.
    pub(super) fn send(&self, to: SocketAddr, bytes: &[u8]) {
        let to = match to {
            SocketAddr::V4(v4) if self.is_ipv6 => {
                SocketAddr::from((v4.ip().to_ipv6_mapped(), v4.port()))
            }
            _ => to,
        };
        // Not by the runtime, which sends nothing before it has seen the socket ready.
        if let Err(error) = SockRef::from(&self.socket).send_to(bytes, &to.into()) {
            debug!(%error, %to, "a datagram is lost");
        }
    }

    /// The next datagram that waits, if one does.
    fn try_receive(&self, buffer: &mut [u8]) -> Option<(usize, SocketAddr)> {
        loop {
            match self.socket.try_recv_from(buffer) {
                Ok((length, from)) => {
                    let from = SocketAddr::new(from.ip().to_canonical(), from.port());
                    return Some((length, from));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return None,
                // Some systems tell here that a datagram of ours was refused.
                Err(error) => debug!(%error, "receiving"),
            }
        }
    }
}

struct Actor {
    core: Core,
    outside: Option<Arc<Outside>>,
    connection: Option<mpsc::Sender<ToConnection>>,
    events: mpsc::Sender<PeerEvent>,
    used: Arc<AtomicBool>,
    /// ENet's side of each player whose game has begun or may.
    remotes: HashMap<PeerId, Loopback>,
    identity: Option<OpenId>,
    hosting: Option<HostOptions>,
    registrar: Option<SocketAddr>,
    advert: Option<LanAdvert>,
    search: Option<(LanSearch, Instant)>,
    /// Whom to look for in the local network, once it is known where the server is.
    wanted: Option<OpenId>,
}

pub(super) async fn run(
    mut commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<PeerEvent>,
    used: Arc<AtomicBool>,
) {
    let mut actor = Actor {
        core: Core::new(),
        outside: None,
        connection: None,
        events,
        used,
        remotes: HashMap::new(),
        identity: None,
        hosting: None,
        registrar: None,
        advert: None,
        search: None,
        wanted: None,
    };
    let mut buffer = vec![0; MAX_DATAGRAM];
    let mut use_check = use_check();
    let mut deadline = Instant::now() + IDLE_WAKE;
    loop {
        let decide = tokio::select! {
            () = readable(actor.outside.as_deref()) => actor.receive(&mut buffer),
            command = commands.recv() => match command {
                Some(command) => {
                    actor.obey(command).await;
                    true
                }
                None => return,
            },
            address = found(&mut actor.search) => {
                actor.core.found_in_lan(Instant::now(), address);
                true
            }
            _ = use_check.tick(), if !actor.remotes.is_empty() => {
                actor.note_use();
                true
            }
            () = sleep_until(deadline.into()) => true,
        };
        // A game's own datagrams change no deadline.
        if decide {
            deadline = actor.decide();
        }
    }
}

fn use_check() -> Interval {
    let mut interval = interval(USE_CHECK_INTERVAL);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}

async fn readable(outside: Option<&Outside>) {
    match outside {
        // An error is told by the receive that follows.
        Some(outside) => drop(outside.socket.readable().await),
        None => std::future::pending().await,
    }
}

async fn found(search: &mut Option<(LanSearch, Instant)>) -> SocketAddr {
    match search {
        Some((search, _)) => search.next().await,
        None => std::future::pending().await,
    }
}

impl Actor {
    /// Takes what has come in; whether some of it was for the link itself.
    fn receive(&mut self, buffer: &mut [u8]) -> bool {
        let Some(outside) = self.outside.clone() else {
            return false;
        };
        let now = Instant::now();
        let mut decide = false;
        for _ in 0..DATAGRAMS_PER_TURN {
            let Some((length, from)) = outside.try_receive(buffer) else {
                break;
            };
            let datagram = &buffer[..length];
            match self.core.receive(now, from, datagram) {
                Some(id) => match self.remotes.get(&id) {
                    Some(loopback) => loopback.deliver(datagram),
                    None => {
                        self.admit(id, datagram);
                        decide = true;
                    }
                },
                None => decide = true,
            }
        }
        decide
    }

    /// A player's game begins on the host's side.
    fn admit(&mut self, id: PeerId, first: &[u8]) {
        let (Some(options), Some(outside)) = (&self.hosting, &self.outside) else {
            return;
        };
        let Some(report) = self.core.active_path(id) else {
            return;
        };
        let stats = PeerStats::new(report);
        let opened = Loopback::open(stats.clone()).and_then(|mut loopback| {
            loopback.connect(options.enet_port, Arc::clone(outside))?;
            Ok(loopback)
        });
        match opened {
            Ok(loopback) => {
                info!(way = ?report.kind, address = %report.address, "a player comes in");
                loopback.deliver(first);
                self.tell(PeerEvent::PeerAdmitted {
                    peer: id,
                    port: loopback.port,
                    stats,
                });
                self.remotes.insert(id, loopback);
                self.core.used(Instant::now(), id);
            }
            Err(error) => {
                warn!(%error, "no socket for a player");
                self.core.release(Instant::now(), id);
            }
        }
    }

    async fn obey(&mut self, command: Command) {
        let now = Instant::now();
        match command {
            Command::Host(options) => {
                self.hosting = Some(options);
                self.begin_hosting();
            }
            Command::StopHosting => {
                self.hosting = None;
                self.advert = None;
                self.core.stop_hosting(now);
            }
            Command::Join(options) => {
                // The connection that was ready may be over, and another one begun.
                self.core.set_server(now, None);
                self.join(now, options);
            }
            Command::CancelJoin => self.core.cancel_join(),
            Command::ConnectEnet(id, port) => self.connect_enet(id, port),
            Command::Release(id) => self.core.release(now, id),
            Command::Attach(connection) => self.connection = Some(connection),
            Command::Register {
                registrar,
                pid,
                adopt,
            } => match self.bind(registrar, adopt).await {
                Ok(()) if adopt.is_some() => {
                    self.core.adopt(now, registrar, pid);
                    self.registered(Ok(()));
                }
                Ok(()) => self.core.register(now, registrar, pid),
                Err(error) => {
                    self.tell_connection(ToConnection::Registered(Err(error.into())));
                }
            },
            Command::Server(server) => {
                if server.is_none() {
                    self.core.forget_registration();
                }
                self.core.set_server(now, server);
            }
            Command::Identity(oid) => {
                self.identity = Some(oid);
                self.begin_hosting();
            }
            Command::Announced(way, address) => self.core.announced(now, way, address),
            Command::Refused(failure) => {
                (self.core).refused(failure.kind, &failure.oid, &failure.error);
            }
        }
    }

    /// The socket stays the same for good, whatever is registered from it.
    async fn bind(&mut self, registrar: SocketAddr, port: Option<u16>) -> io::Result<()> {
        self.registrar = Some(registrar);
        self.begin_search();
        if let Some(outside) = &self.outside
            && outside.is_ipv6 == registrar.is_ipv6()
            && port.is_none_or(|port| outside.port().is_ok_and(|bound| bound == port))
        {
            return Ok(());
        }
        let outside = Outside::bind(registrar, port.unwrap_or(0)).await?;
        self.outside = Some(Arc::new(outside));
        self.begin_hosting();
        Ok(())
    }

    /// Hosts, or hosts under another OpenID, once both are known.
    fn begin_hosting(&mut self) {
        let (Some(options), Some(oid)) = (&self.hosting, &self.identity) else {
            return;
        };
        self.core.host(HostConfig {
            key: Key::new(oid),
            max_clients: options.max_clients,
            force_relay: options.force_relay,
        });
        self.advert = None;
        if options.lan
            && !options.force_relay
            && self.may_use_lan()
            && let Some(Ok(port)) = self.outside.as_ref().map(|outside| outside.port())
        {
            self.advert = LanAdvert::start(oid, port)
                .inspect_err(|error| debug!(%error, "not shown in the local network"))
                .ok();
        }
    }

    fn join(&mut self, now: Instant, options: JoinOptions) {
        let mut session = [0; 8];
        if let Err(error) = getrandom::fill(&mut session) {
            let reason = format!("the system gives no random numbers: {error}");
            self.tell(PeerEvent::JoinFailed(JoinError::HostUnreachable(reason)));
            return;
        }
        self.search = None;
        self.wanted = (options.lan && !options.force_relay).then(|| options.oid.clone());
        self.begin_search();
        self.core.join(
            now,
            JoinConfig {
                oid: options.oid,
                session: SessionId(session),
                timeout: options.timeout,
                force_relay: options.force_relay,
            },
        );
    }

    fn begin_search(&mut self) {
        if self.registrar.is_none() {
            return;
        }
        if let Some(oid) = self.wanted.take().filter(|_| self.may_use_lan()) {
            self.search = LanSearch::start(&oid)
                .inspect_err(|error| debug!(%error, "not looked for in the local network"))
                .ok()
                .map(|search| (search, Instant::now() + LAN_SEARCH));
        }
    }

    /// With a server on this very machine all players are here, and need no network.
    fn may_use_lan(&self) -> bool {
        self.registrar
            .is_some_and(|registrar| !registrar.ip().to_canonical().is_loopback())
    }

    fn connect_enet(&mut self, id: PeerId, enet_port: u16) {
        let (Some(loopback), Some(outside)) = (self.remotes.get_mut(&id), &self.outside) else {
            return;
        };
        if let Err(error) = loopback.connect(enet_port, Arc::clone(outside)) {
            warn!(%error, "no way to ENet");
        }
    }

    /// Tells the protocol which players the game still talks to.
    fn note_use(&mut self) {
        let now = Instant::now();
        for (id, loopback) in &mut self.remotes {
            let sent = loopback.stats.packets_sent();
            if sent != loopback.seen_sent {
                loopback.seen_sent = sent;
                self.core.used(now, *id);
            }
        }
        if self.search.as_ref().is_some_and(|(_, until)| now >= *until) {
            self.search = None;
        }
    }

    /// Does all that is due, and says when the next of it is.
    fn decide(&mut self) -> Instant {
        let now = Instant::now();
        self.core.tick(now);
        if let Some(outside) = &self.outside {
            for datagram in self.core.transmits() {
                outside.send(datagram.to, &datagram.bytes);
            }
        }
        while let Some((kind, oid)) = self.core.next_request() {
            self.tell_connection(ToConnection::Ask(kind, oid));
        }
        while let Some(event) = self.core.next_event() {
            self.handle(event);
        }
        self.used.store(
            self.core.is_used() || self.hosting.is_some(),
            Ordering::Relaxed,
        );
        let idle = now + IDLE_WAKE;
        (self.core.next_deadline(now)).map_or(idle, |deadline| deadline.min(idle))
    }

    fn handle(&mut self, event: LinkEvent) {
        match event {
            LinkEvent::Registered(result) => self.registered(result),
            LinkEvent::UdpLost => {
                warn!("the registrar does not answer: UDP does not get out");
                self.tell(PeerEvent::UdpLost);
            }
            LinkEvent::UdpBack => {
                info!("the registrar answers again");
                self.tell(PeerEvent::UdpBack);
                self.tell_connection(ToConnection::AddressInDoubt);
            }
            LinkEvent::Progress(progress) => self.tell(PeerEvent::Progress(progress)),
            LinkEvent::Joined(id) => self.join_open(id),
            LinkEvent::JoinFailed(error) => {
                self.search = None;
                self.wanted = None;
                self.tell(PeerEvent::JoinFailed(error));
            }
            LinkEvent::PathChanged(id) | LinkEvent::Measured(id) => {
                let report = self.core.active_path(id);
                if let (Some(loopback), Some(report)) = (self.remotes.get(&id), report)
                    && loopback.stats.update(report)
                {
                    info!(way = ?report.kind, address = %report.address, "the game goes another way");
                    self.tell(PeerEvent::PathChanged {
                        peer: id,
                        kind: report.kind,
                    });
                }
            }
            LinkEvent::PeerRemoved(id) => {
                if let Some(loopback) = self.remotes.remove(&id) {
                    loopback.stats.set_gone();
                    self.tell(PeerEvent::PeerGone { peer: id });
                }
            }
        }
    }

    fn join_open(&mut self, id: PeerId) {
        let Some(report) = self.core.active_path(id) else {
            return;
        };
        let stats = PeerStats::new(report);
        match Loopback::open(stats.clone()) {
            Ok(loopback) => {
                info!(way = ?report.kind, address = %report.address, "a way to the host is open");
                self.tell(PeerEvent::HostReached {
                    peer: id,
                    port: loopback.port,
                    kind: report.kind,
                    stats,
                });
                self.remotes.insert(id, loopback);
            }
            Err(error) => {
                let reason = format!("no socket for the game: {error}");
                self.tell(PeerEvent::JoinFailed(JoinError::HostUnreachable(reason)));
                self.core.release(Instant::now(), id);
            }
        }
    }

    fn registered(&mut self, result: Result<(), RegistrationFailure>) {
        let port = match (&self.outside, self.registrar) {
            (Some(outside), Some(registrar)) => result
                .map_err(|failure| RegisterError::from_failure(failure, registrar))
                .and_then(|()| outside.port().map_err(RegisterError::from)),
            _ => Err(RegisterError::Disconnected),
        };
        self.tell_connection(ToConnection::Registered(port));
    }

    /// Never waits: games in progress go on while a connection hangs. One that is over tells of
    /// that itself.
    fn tell_connection(&self, message: ToConnection) {
        if let Some(connection) = &self.connection
            && connection.try_send(message).is_err()
        {
            debug!("no connection takes a message of the link's");
        }
    }

    /// A game that looks at nothing for so long that this fills up has lost its players anyway.
    fn tell(&self, event: PeerEvent) {
        if self.events.try_send(event).is_err() {
            debug!("an event of the link is lost");
        }
    }
}
