//! Our server inside this process, on a runtime of its own.

use std::net::{Ipv4Addr, SocketAddr};

use noray_server::{Config, Server};
use tokio::runtime::{Builder, Runtime};

use crate::player::AcceptsPlayers;
use crate::ports::free_ports;

/// A server on free ports of 127.0.0.1. It ends when this is dropped.
pub struct LibraryServer {
    /// The server.
    pub server: Server,
    /// What its tasks run on.
    pub runtime: Runtime,
}

impl LibraryServer {
    /// Returns the configuration of a server on free ports, eight of them for relays.
    pub fn config() -> Config {
        Config {
            socket_host: Ipv4Addr::LOCALHOST.into(),
            socket_port: 0,
            udp_host: Ipv4Addr::LOCALHOST,
            registrar_port: 0,
            relay_ports: free_ports(8).into(),
            ..Config::default()
        }
    }

    /// Returns a runtime for servers, with two threads.
    pub fn runtime() -> Runtime {
        let mut builder = Builder::new_multi_thread();
        let runtime = builder.worker_threads(2).enable_all().build();
        runtime.expect("a runtime")
    }

    /// Starts one with [`Self::config`].
    pub fn start() -> Self {
        Self::with(Self::config())
    }

    /// Starts one with this configuration.
    pub fn with(config: Config) -> Self {
        let runtime = Self::runtime();
        let server = Server::start(config, runtime.handle()).expect("the server starts");
        Self { server, runtime }
    }
}

impl AcceptsPlayers for LibraryServer {
    fn commands(&self) -> SocketAddr {
        self.server.command_address()
    }

    fn registrar(&self) -> SocketAddr {
        self.server.registrar_address()
    }
}
