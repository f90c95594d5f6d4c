//! Starts and stops a server.

use std::{
    io,
    net::{SocketAddr, SocketAddrV4},
    sync::{Arc, atomic::Ordering::Relaxed},
    time::Instant,
};

use tokio::{
    net::{TcpListener, UdpSocket},
    runtime::Handle,
    task::AbortHandle,
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    batching::Batching,
    commands::Commands,
    config::{Config, ConfigError},
    counters::{Counters, Metrics},
    defaults::QUIET_RELAYS,
    directory::Directory,
    registrar,
    relays::Relays,
    sockets::listen_tcp,
};

/// A running noray server.
///
/// It runs on the caller's runtime and stops when it is dropped. Any thread may call its methods;
/// only [`Server::drained`] and [`Server::stopped`] wait.
#[derive(Debug)]
pub struct Server {
    command_address: SocketAddr,
    registrar_address: SocketAddr,
    stop: CancellationToken,
    /// Cancelled by `stop` as well.
    drain: CancellationToken,
    tasks: TaskTracker,
    counters: Arc<Counters>,
    max_connections: usize,
    relay_ports: usize,
    /// The tasks that must run while the server serves.
    parts: [AbortHandle; 3],
}

/// How much a server has to do at the moment.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Stats {
    /// Open connections, of players and of others.
    pub connections: usize,
    /// Players with an OpenID; one connection can have several.
    pub players: usize,
    /// Open relays, one for each relayed player.
    pub relays: usize,
}

/// Why a server did not start.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// It cannot work with its configuration.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The address of the commands cannot be used.
    #[error("cannot listen for commands on {address} (TCP): {source}")]
    Commands {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
    /// The address of the registrar cannot be used.
    #[error("cannot listen for registrations on {address} (UDP): {source}")]
    Registrar {
        /// The address.
        address: SocketAddr,
        /// What the system says.
        source: io::Error,
    },
}

impl Server {
    /// Starts a server on `runtime`, which needs I/O and time
    /// (`tokio::runtime::Builder::enable_all`).
    ///
    /// Binds the two sockets in the calling thread and does not wait; when it returns, players can
    /// connect. The server binds relay ports when it needs them.
    ///
    /// # Errors
    /// See [`StartError`]; no socket stays open then.
    pub fn start(config: Config, runtime: &Handle) -> Result<Self, StartError> {
        config.check()?;
        let address = SocketAddr::new(config.socket_host, config.socket_port);
        let commands_failed = |source| StartError::Commands { address, source };
        let listener = listen_tcp(address).map_err(commands_failed)?;
        let command_address = listener.local_addr().map_err(commands_failed)?;

        let address = SocketAddrV4::new(config.udp_host, config.registrar_port);
        let registrar_failed = |source| StartError::Registrar {
            address: address.into(),
            source,
        };
        let batching = Arc::new(Batching::new().map_err(registrar_failed)?);
        let registrar = registrar::bind(address).map_err(registrar_failed)?;
        let registrar_address = registrar.local_addr().map_err(registrar_failed)?;

        let _context = runtime.enter();
        let listener = TcpListener::from_std(listener).map_err(commands_failed)?;
        let registrar = UdpSocket::from_std(registrar).map_err(registrar_failed)?;

        let stop = CancellationToken::new();
        let drain = stop.child_token();
        let tasks = TaskTracker::new();
        let counters = Arc::new(Counters::default());
        let relays = Arc::new(Relays::new(
            &config,
            batching.clone(),
            runtime.clone(),
            tasks.clone(),
            stop.clone(),
            drain.clone(),
            counters.clone(),
        ));
        let directory = Arc::new(Directory::new(&config, counters.clone(), relays.clone()));
        let (max_connections, relay_ports) = (config.max_connections, config.relay_ports.len());
        let expiry = relays.expire_regularly(*config.relay_cleanup_interval);
        let address = SocketAddrV4::new(config.udp_host, registrar_address.port());
        let registrar = registrar::run(
            registrar,
            address,
            batching,
            directory.clone(),
            stop.clone(),
        );
        let commands = Arc::new(Commands {
            config,
            directory,
            tasks: tasks.clone(),
            stop: stop.clone(),
            drain: drain.clone(),
        });
        let parts = [
            tasks.spawn_on(expiry, runtime).abort_handle(),
            tasks.spawn_on(registrar, runtime).abort_handle(),
            tasks
                .spawn_on(commands.accept(listener, command_address), runtime)
                .abort_handle(),
        ];

        tracing::info!(commands = %command_address, registrar = %registrar_address, "server started");
        Ok(Self {
            command_address,
            registrar_address,
            stop,
            drain,
            tasks,
            counters,
            max_connections,
            relay_ports,
            parts,
        })
    }

    /// Returns the address at which the commands listen (TCP), with the actual port.
    #[must_use]
    pub fn command_address(&self) -> SocketAddr {
        self.command_address
    }

    /// Returns the address at which the registrar listens (UDP), with the actual port.
    #[must_use]
    pub fn registrar_address(&self) -> SocketAddr {
        self.registrar_address
    }

    /// Returns how much the server has to do at the moment; all are zero once it has stopped.
    #[must_use]
    pub fn stats(&self) -> Stats {
        Stats {
            connections: self.counters.connections.load(Relaxed),
            players: self.counters.players.load(Relaxed),
            relays: self.counters.relays.load(Relaxed),
        }
    }

    /// Returns what the server has counted since its start.
    #[must_use]
    pub fn metrics(&self) -> Metrics {
        Metrics {
            max_connections: self.max_connections as u64,
            relay_ports: self.relay_ports as u64,
            ..self.counters.metrics()
        }
    }

    /// Returns whether players can come: the server neither drains nor stops, and all its parts run.
    #[must_use]
    pub fn is_serving(&self) -> bool {
        !self.drain.is_cancelled() && !self.parts.iter().any(AbortHandle::is_finished)
    }

    /// Stops accepting players, and returns at once. A second call has no effect.
    ///
    /// The server closes the port of the commands and connections without an identity. It serves
    /// the others, but opens no new relays and gives no new identities; open relays go on until
    /// [`Self::stop`].
    pub fn drain(&self) {
        if !self.drain.is_cancelled() {
            tracing::info!(commands = %self.command_address, "server drains");
        }
        self.drain.cancel();
    }

    /// Waits until no game goes through a relay: none is open, or nothing was relayed for
    /// [`QUIET_RELAYS`]. Useful after [`Self::drain`].
    pub async fn drained(&self) {
        let mut relayed = self.counters.packets_relayed();
        let mut since = Instant::now();
        while self.counters.relays.load(Relaxed) > 0 && since.elapsed() < QUIET_RELAYS {
            tokio::time::sleep(QUIET_RELAYS / 20).await;
            let now = self.counters.packets_relayed();
            if now != relayed {
                (relayed, since) = (now, Instant::now());
            }
        }
    }

    /// Starts to close all connections and sockets, and returns at once. A second call has no effect.
    pub fn stop(&self) {
        if !self.stop.is_cancelled() {
            tracing::info!(commands = %self.command_address, "server stops");
        }
        self.stop.cancel();
        self.tasks.close();
    }

    /// Waits until the server was stopped and all its sockets are closed.
    pub async fn stopped(&self) {
        self.tasks.wait().await;
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop();
    }
}
