//! The relays' sockets: one task for each open relay port.
//!
//! What goes where is decided by `noray-protocol`'s [`RelayTable`]; here are its ports,
//! bound when a relay opens and closed when it expires.

use std::{
    io,
    net::{Ipv4Addr, SocketAddrV4},
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use noray_protocol::server::{
    host_table::PlayerId,
    relay_table::{Forward, OpenError, RelayTable, Reservation},
};
use tokio::{net::UdpSocket, runtime::Handle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    batching::{Batching, Run},
    config::Config,
    counters::Counters,
    defaults::{BATCHES_PER_TURN, PORT_CLOSE_WAIT, PORT_RETRY, RECEIVE_PAUSE, RELAY_BUFFER},
    sockets::{bind_udp, enlarge_receive_buffer},
    timing,
};

/// All relays of a server.
#[derive(Debug)]
pub(crate) struct Relays {
    host: Ipv4Addr,
    runtime: Handle,
    tasks: TaskTracker,
    stop: CancellationToken,
    /// No more relays are opened.
    drain: CancellationToken,
    counters: Arc<Counters>,
    /// Made with the first relay.
    batching: OnceLock<Arc<Batching>>,
    /// Locked when relays open, close and move, never for a packet.
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    table: RelayTable<RelaySocket>,
    /// Ports could not be bound for lack of descriptors or memory, and this was logged.
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
    /// No relays yet. Tasks run on `runtime`, counted by `tasks`, until `stop`.
    pub(crate) fn new(
        config: &Config,
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
            batching: OnceLock::new(),
            state: Mutex::new(State {
                table,
                is_short: false,
            }),
        }
    }

    /// The ports that stand for two players, opened where there is none, and linked.
    ///
    /// # Errors
    /// See [`OpenError`]; then neither has a new one.
    pub(crate) async fn open_pair(
        self: &Arc<Self>,
        players: [PlayerId; 2],
    ) -> Result<[u16; 2], OpenError> {
        match self.try_open_pair(players) {
            // Relays may be idle that nobody has closed yet.
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

    /// The port of a player's relay; a new one is added to `opened`.
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
        let batching = match self.batching.get() {
            Some(batching) => batching,
            None => {
                let new = Arc::new(Batching::new()?);
                self.batching.get_or_init(|| new)
            }
        };
        let socket = bind_udp(SocketAddrV4::new(self.host, port))?;
        enlarge_receive_buffer(&socket, RELAY_BUFFER);
        let _context = self.runtime.enter();
        Ok(RelaySocket {
            socket: UdpSocket::from_std(socket)?,
            batching: batching.clone(),
            closed: self.stop.child_token(),
        })
    }

    /// Notes the address that a player proved.
    pub(crate) fn register(&self, player: PlayerId, registered: SocketAddrV4) {
        let mut state = self.state();
        state.table.register(player, registered, Instant::now());
    }

    /// Notes that players are gone from the server.
    pub(crate) fn disown(&self, players: &[PlayerId]) {
        let mut state = self.state();
        for player in players {
            state.table.disown(*player);
        }
    }

    /// Closes idle relays again and again, until the server stops.
    pub(crate) async fn expire_regularly(self: Arc<Self>, interval: Duration) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = timing::sleep(interval) => {}
            }
            self.expire();
        }
    }

    /// Closes idle relays and says how many there were.
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

    /// Forwards what comes to a relay's port, until it is closed.
    async fn run(self: Arc<Self>, relay: Arc<Relay>) {
        let port = relay.port();
        let RelaySocket { socket, closed, .. } = relay.socket();
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
                Ok(false) => {}
                Ok(true) => tokio::task::yield_now().await,
                Err(error) => {
                    tracing::debug!(port, %error, "relay did not receive");
                    tokio::time::sleep(RECEIVE_PAUSE).await;
                }
            }
        }
        // A packet may be leaving through it on another thread.
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

/// Forwards packets that are there already, but not so many that others wait; `true`
/// when there may be more.
fn forward_some(relay: &Relay, counters: &Counters) -> io::Result<bool> {
    let RelaySocket {
        socket, batching, ..
    } = relay.socket();
    for _ in 0..BATCHES_PER_TURN {
        let more = batching.receive(socket, |run| forward(relay, &run, counters));
        match more {
            Ok(true) => {}
            Ok(false) => return Ok(false),
            // Windows tells here that an earlier packet found nobody.
            Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
            Err(error) => return Err(error),
        }
    }
    Ok(true)
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
            tracing::trace!(port = relay.port(), from = %run.from, %reason, "packets dropped");
        }
    }
}

/// Whether another port may do where this one did not.
fn is_ports_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::PermissionDenied
    )
}
