//! The relays' sockets, with one task for each open port.
//!
//! [`RelayTable`] decides what goes where; this file binds a port when a relay opens, and closes it
//! when the relay expires.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use noray_protocol::{
    server::{
        host_table::PlayerId,
        relay_table::{Forward, OpenError, RelayTable, Reservation, Route},
    },
    socket_errors::SocketErrors,
};
use tokio::{net::UdpSocket, runtime::Handle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    batching::{Batching, Run},
    config::Config,
    counters::Counters,
    defaults::{BATCHES_PER_TURN, PORT_CLOSE_WAIT, PORT_RETRY, RECEIVE_PAUSE, RELAY_BUFFER},
    sockets::{bind_udp, enlarge_receive_buffer},
    standstill,
};

/// All relays of a server.
#[derive(Debug)]
pub(crate) struct Relays {
    host: Ipv4Addr,
    runtime: Handle,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// Cancelled when no more relays may open.
    drain: CancellationToken,
    counters: Arc<Counters>,
    batching: Arc<Batching>,
    /// Locked when relays open, close or learn an address, never for a packet.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    table: RelayTable<RelaySocket>,
    /// Descriptors or memory ran out, and the log says so.
    is_short: bool,
}

#[derive(Debug)]
struct RelaySocket {
    socket: UdpSocket,
    batching: Arc<Batching>,
    closed: CancellationToken,
}

type Relay = noray_protocol::server::relay_table::Relay<RelaySocket>;

impl Relays {
    /// Returns an empty set of relays, whose tasks run on `runtime` until `stop` and are among
    /// `tasks`.
    pub(crate) fn new(
        config: &Config,
        batching: Arc<Batching>,
        runtime: Handle,
        tasks: TaskTracker,
        stop: CancellationToken,
        drain: CancellationToken,
        counters: Arc<Counters>,
    ) -> Self {
        let limits = config.relay_limits();
        let table = RelayTable::new(&config.relay_ports, limits, PORT_RETRY, Instant::now());
        Self {
            host: config.udp_host,
            runtime,
            tasks,
            stop,
            drain,
            counters,
            batching,
            state: Mutex::new(State {
                table,
                is_short: false,
            }),
        }
    }

    /// Opens relays for two players, where they have none, and links them. Returns the ports that
    /// stand for the players.
    ///
    /// # Errors
    /// See [`OpenError`]; no relay was opened then.
    pub(crate) async fn open_pair(
        self: &Arc<Self>,
        players: [PlayerId; 2],
    ) -> Result<[u16; 2], OpenError> {
        match self.try_open_pair(players) {
            // Some relays may be idle and not closed yet.
            Err(OpenError::Full) if self.expire() > 0 => {
                tokio::time::sleep(PORT_CLOSE_WAIT).await;
                self.try_open_pair(players)
            }
            result => result,
        }
    }

    fn try_open_pair(self: &Arc<Self>, players: [PlayerId; 2]) -> Result<[u16; 2], OpenError> {
        let mut state = self.state();
        let mut opened = Vec::new();
        let result = self.open_and_link(&mut state, players, &mut opened);
        if result.is_err() {
            for port in opened {
                close(&mut state, port);
            }
        }
        self.counters.relays.store(state.table.len(), Relaxed);
        result
    }

    fn open_and_link(
        self: &Arc<Self>,
        state: &mut State,
        players: [PlayerId; 2],
        opened: &mut Vec<u16>,
    ) -> Result<[u16; 2], OpenError> {
        let ports = [
            self.open(state, players[0], opened)?,
            self.open(state, players[1], opened)?,
        ];
        state.table.link(ports, Instant::now())?;
        Ok(ports)
    }

    /// Returns the port of a player's relay, and adds it to `opened` if it is new.
    fn open(
        self: &Arc<Self>,
        state: &mut State,
        player: PlayerId,
        opened: &mut Vec<u16>,
    ) -> Result<u16, OpenError> {
        loop {
            let now = Instant::now();
            let port = match state.table.reserve(player, now)? {
                Reservation::Open(relay) => return Ok(relay.port()),
                Reservation::Bind(port) if self.drain.is_cancelled() => {
                    state.table.give_back(port);
                    return Err(OpenError::Full);
                }
                Reservation::Bind(port) => port,
            };
            match self.bind(port) {
                Ok(socket) => {
                    state.is_short = false;
                    let relay = state.table.insert(port, player, socket, now);
                    let Some(relay) = relay else {
                        state.table.give_back(port);
                        return Err(OpenError::Unregistered);
                    };
                    self.tasks.spawn_on(self.clone().run(relay), &self.runtime);
                    tracing::debug!(port, "relay opened");
                    opened.push(port);
                    return Ok(port);
                }
                Err(error) if is_ports_fault(&error) => {
                    tracing::debug!(port, %error, "relay port skipped");
                    state.table.set_aside(port, now);
                }
                Err(error) => {
                    if !std::mem::replace(&mut state.is_short, true) {
                        tracing::warn!(%error, "no relay can be opened for now");
                    }
                    state.table.give_back(port);
                    return Err(OpenError::Full);
                }
            }
        }
    }

    fn bind(&self, port: u16) -> io::Result<RelaySocket> {
        let socket = bind_udp(SocketAddrV4::new(self.host, port))?;
        enlarge_receive_buffer(&socket, RELAY_BUFFER);
        let _context = self.runtime.enter();
        Ok(RelaySocket {
            socket: UdpSocket::from_std(socket)?,
            batching: self.batching.clone(),
            closed: self.stop.child_token(),
        })
    }

    /// Notes the address that a player proved, and where it found the registrar.
    pub(crate) fn register(&self, player: PlayerId, registered: Route) {
        let mut state = self.state();
        state.table.register(player, registered, Instant::now());
    }

    /// Notes that players have left the server.
    pub(crate) fn disown(&self, players: &[PlayerId]) {
        let mut state = self.state();
        for player in players {
            state.table.disown(*player);
        }
    }

    /// Closes idle relays once every `interval`, until the server stops.
    pub(crate) async fn expire_regularly(self: Arc<Self>, interval: Duration) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = standstill::sleep(interval) => {}
            }
            self.expire();
        }
    }

    /// Closes idle relays and returns their number.
    fn expire(&self) -> usize {
        let mut state = self.state();
        let expired = state.table.expire(Instant::now());
        for relay in &expired {
            tracing::debug!(port = relay.port(), "relay expired");
            relay.socket().closed.cancel();
        }
        self.counters.relays.store(state.table.len(), Relaxed);
        let count = expired.len() as u64;
        self.counters.relays_expired.fetch_add(count, Relaxed);
        expired.len()
    }

    /// Forwards what comes to a relay's port, until the relay closes.
    async fn run(self: Arc<Self>, relay: Arc<Relay>) {
        let port = relay.port();
        let RelaySocket { socket, closed, .. } = relay.socket();
        let mut errors = SocketErrors::default();
        loop {
            tokio::select! {
                biased;
                () = closed.cancelled() => break,
                ready = socket.readable() => if ready.is_err() {
                    // The runtime is shutting down.
                    break;
                },
            }
            match forward_some(&relay, &self.counters) {
                Ok(is_more) => {
                    errors.clear();
                    if is_more {
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) if errors.note(Instant::now()) => {
                    // Its players ask for another one when they miss it.
                    tracing::warn!(port, %error, "relay closed, since its socket is dead");
                    let mut state = self.state();
                    close(&mut state, port);
                    self.counters.relays.store(state.table.len(), Relaxed);
                }
                Err(error) => {
                    tracing::debug!(port, %error, "relay did not receive");
                    tokio::time::sleep(RECEIVE_PAUSE).await;
                }
            }
        }
        // Another thread may be sending a packet through this relay's socket.
        let mut relay = relay;
        while let Err(in_use) = Arc::try_unwrap(relay) {
            if self.stop.is_cancelled() {
                break;
            }
            relay = in_use;
            tokio::task::yield_now().await;
        }
        self.state().table.give_back(port);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Relays {
    fn drop(&mut self) {
        self.counters.relays.store(0, Relaxed);
    }
}

fn close(state: &mut State, port: u16) {
    if let Some(relay) = state.table.close(port) {
        relay.socket().closed.cancel();
    }
}

/// Forwards packets that are there, but not so many that other tasks wait. Returns `true` if there
/// may be more.
fn forward_some(relay: &Relay, counters: &Counters) -> io::Result<bool> {
    let RelaySocket {
        socket, batching, ..
    } = relay.socket();
    let mut last = Ok(true);
    for _ in 0..BATCHES_PER_TURN {
        let more = batching.receive(socket, |run| forward(relay, &run, counters));
        match more {
            Ok(true) => last = Ok(true),
            Ok(false) => return Ok(false),
            // Windows reports here that an earlier packet reached nobody.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => last = Err(error),
            Err(error) => return Err(error),
        }
    }
    last
}

fn forward(relay: &Relay, run: &Run<'_>, counters: &Counters) {
    let now = Instant::now();
    let count = run.count();
    match relay.receive_run(run.from, count, run.length, run.last_length(), now) {
        Ok((Forward { from, to }, passed)) => {
            let RelaySocket {
                socket, batching, ..
            } = from.socket();
            let run = run.first(passed);
            batching.send(socket, &run, to.first);
            for copy in to.copies.into_iter().flatten() {
                batching.send(socket, &run, copy);
            }
            counters.relayed(passed, run.length, run.last_length(), now.elapsed());
            if count > passed {
                counters.dropped_rest(count - passed);
            }
        }
        Err(reason) => {
            counters.dropped(reason, count);
            tracing::trace!(port = relay.port(), from = %run.from.player, %reason, "packets dropped");
        }
    }
}

/// Returns whether another port may work where this one did not.
fn is_ports_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::PermissionDenied
    )
}
