//! The relays' sockets: one task for each open relay port.
//!
//! What goes where is decided by [`RelayTable`]; here are its ports, bound when a
//! relay opens and closed when it expires.

use std::{
    cell::RefCell,
    collections::HashMap,
    io,
    net::{Ipv4Addr, SocketAddr, SocketAddrV4},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use noray_protocol::relay_table::{Opened, RelayTable, RelaysFull};
use tokio::{net::UdpSocket, runtime::Handle};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Config,
    defaults::{DATAGRAMS_PER_TURN, MAX_DATAGRAM, PORT_CLOSE_WAIT, PORT_RETRY, RECEIVE_PAUSE},
    directory::Counters,
    sockets::{bind_udp, send_datagram},
};

thread_local! {
    /// One buffer for each thread: a datagram is received and sent without a pause
    /// between, and ten thousand buffers of this size would take 655 MB.
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; MAX_DATAGRAM]);
}

/// All relays of a server.
#[derive(Debug)]
pub(crate) struct Relays {
    host: Ipv4Addr,
    runtime: Handle,
    tasks: TaskTracker,
    stop: CancellationToken,
    counters: Arc<Counters>,
    state: Mutex<State>,
}

/// Locked for each packet, and for binding a port: never while waiting.
#[derive(Debug)]
struct State {
    table: RelayTable,
    /// By port; each open relay has one.
    sockets: HashMap<u16, RelaySocket>,
    /// Ports could not be bound for lack of descriptors or memory, and this was logged.
    is_short: bool,
}

#[derive(Debug)]
struct RelaySocket {
    socket: Arc<UdpSocket>,
    closed: CancellationToken,
}

impl Relays {
    /// No relays yet. Tasks run on `runtime`, counted by `tasks`, until `stop`.
    pub(crate) fn new(
        config: &Config,
        runtime: Handle,
        tasks: TaskTracker,
        stop: CancellationToken,
        counters: Arc<Counters>,
    ) -> Self {
        Self {
            host: config.udp_host,
            runtime,
            tasks,
            stop,
            counters,
            state: Mutex::new(State {
                table: RelayTable::new(&config.relay_ports, config.relay_limits(), PORT_RETRY),
                sockets: HashMap::new(),
                is_short: false,
            }),
        }
    }

    /// The ports that stand for two players, opened where there is none.
    ///
    /// # Errors
    /// [`RelaysFull`] when a port is missing for one of them; then neither has a new one.
    pub(crate) async fn open_pair(
        self: &Arc<Self>,
        players: [SocketAddrV4; 2],
    ) -> Result<[u16; 2], RelaysFull> {
        match self.try_open_pair(players) {
            // Relays may be idle that nobody has closed yet.
            Err(RelaysFull) if self.expire() > 0 => {
                tokio::time::sleep(PORT_CLOSE_WAIT).await;
                self.try_open_pair(players)
            }
            result => result,
        }
    }

    fn try_open_pair(self: &Arc<Self>, players: [SocketAddrV4; 2]) -> Result<[u16; 2], RelaysFull> {
        let mut state = self.state();
        let first = self.open(&mut state, players[0])?;
        let second = self.open(&mut state, players[1]);
        if let (Opened::New(port), Err(RelaysFull)) = (first, second) {
            self.close(&mut state, port);
        }
        self.counters.relays.store(state.table.len(), Relaxed);
        Ok([first, second?].map(|(Opened::Before(port) | Opened::New(port))| port))
    }

    fn open(
        self: &Arc<Self>,
        state: &mut State,
        player: SocketAddrV4,
    ) -> Result<Opened, RelaysFull> {
        loop {
            let now = Instant::now();
            let port = match state.table.open(player, now)? {
                Opened::New(port) => port,
                before => return Ok(before),
            };
            match self.bind(state, port) {
                Ok(()) => {
                    state.is_short = false;
                    tracing::debug!(%player, port, "relay opened");
                    return Ok(Opened::New(port));
                }
                Err(error) if is_ports_fault(&error) => {
                    tracing::debug!(port, %error, "relay port skipped");
                    state.table.set_aside(port, now);
                }
                Err(error) => {
                    if !std::mem::replace(&mut state.is_short, true) {
                        tracing::warn!(%error, "no relay can be opened for now");
                    }
                    state.table.close(port);
                    state.table.give_back(port);
                    return Err(RelaysFull);
                }
            }
        }
    }

    fn bind(self: &Arc<Self>, state: &mut State, port: u16) -> io::Result<()> {
        let socket = bind_udp(SocketAddrV4::new(self.host, port))?;
        let socket = Arc::new(UdpSocket::from_std(socket)?);
        let closed = self.stop.child_token();
        let task = self.clone().run(port, socket.clone(), closed.clone());
        self.tasks.spawn_on(task, &self.runtime);
        state.sockets.insert(port, RelaySocket { socket, closed });
        Ok(())
    }

    /// Closes idle relays again and again, until the server stops.
    pub(crate) async fn expire_regularly(self: Arc<Self>, interval: Duration) {
        loop {
            tokio::select! {
                () = self.stop.cancelled() => break,
                () = tokio::time::sleep(interval) => {}
            }
            self.expire();
        }
    }

    /// Closes idle relays and says how many there were.
    fn expire(&self) -> usize {
        let mut state = self.state();
        let expired = state.table.expire(Instant::now());
        for port in &expired {
            tracing::debug!(port, "relay expired");
            self.close(&mut state, *port);
        }
        self.counters.relays.store(state.table.len(), Relaxed);
        expired.len()
    }

    fn close(&self, state: &mut State, port: u16) {
        state.table.close(port);
        if let Some(socket) = state.sockets.remove(&port) {
            socket.closed.cancel();
        }
    }

    /// Forwards what comes to `port`, until the relay is closed.
    async fn run(self: Arc<Self>, port: u16, socket: Arc<UdpSocket>, closed: CancellationToken) {
        loop {
            tokio::select! {
                biased;
                () = closed.cancelled() => break,
                ready = socket.readable() => if ready.is_err() {
                    // The runtime is shutting down.
                    break;
                },
            }
            match self.forward_some(port, &socket) {
                Ok(false) => {}
                Ok(true) => tokio::task::yield_now().await,
                Err(error) => {
                    tracing::debug!(port, %error, "relay did not receive");
                    tokio::time::sleep(RECEIVE_PAUSE).await;
                }
            }
        }
        // A packet may be leaving through it on another thread.
        let mut socket = socket;
        while let Err(in_use) = Arc::try_unwrap(socket) {
            if self.stop.is_cancelled() {
                break;
            }
            socket = in_use;
            tokio::task::yield_now().await;
        }
        self.state().table.give_back(port);
    }

    /// Forwards packets that are there already, but not so many that others wait;
    /// `true` when there may be more.
    fn forward_some(&self, port: u16, socket: &UdpSocket) -> io::Result<bool> {
        BUFFER.with_borrow_mut(|buffer| {
            for _ in 0..DATAGRAMS_PER_TURN {
                match socket.try_recv_from(buffer) {
                    Ok((length, SocketAddr::V4(from))) => {
                        self.forward(port, from, buffer.get(..length).unwrap_or_default());
                    }
                    Ok((_, SocketAddr::V6(_))) => {}
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                    // Windows tells here that an earlier packet found nobody.
                    Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                    Err(error) => return Err(error),
                }
            }
            Ok(true)
        })
    }

    fn forward(&self, port: u16, from: SocketAddrV4, payload: &[u8]) {
        let now = Instant::now();
        let mut state = self.state();
        let forward = match state.table.forward(port, from, payload.len(), now) {
            Ok(forward) => forward,
            Err(reason) => {
                drop(state);
                tracing::trace!(port, %from, %reason, "packet dropped");
                return;
            }
        };
        let out = state.sockets.get(&forward.from_port);
        let out = out.map(|out| out.socket.clone());
        drop(state);
        if let Some(out) = out {
            send_datagram(&out, payload, forward.to);
        }
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

/// Whether another port may do where this one did not.
fn is_ports_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::AddrInUse
            | io::ErrorKind::AddrNotAvailable
            | io::ErrorKind::PermissionDenied
    )
}
