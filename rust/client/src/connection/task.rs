//! The connection's task: dials, serves the connection, and reconnects while a link is used.

use std::{future::pending, net::SocketAddr, time::Duration};

use tokio::{net::TcpStream, sync::mpsc, time::timeout};
use tracing::debug;

use super::{
    command::Command,
    connected::{Connected, End},
    event::{ConnectionEvent, DisconnectReason},
    link_setup::LinkSetup,
    options::ConnectOptions,
};
use crate::{
    defaults::{COMMAND_QUEUE, MAX_RECONNECT_PAUSE, RECONNECT_PAUSE},
    dial::{DialError, dial},
    link::LinkHandle,
};

/// Everything that outlives a single TCP connection.
pub(super) struct ConnectionTask {
    pub(super) options: ConnectOptions,
    pub(super) commands: mpsc::Receiver<Command>,
    pub(super) events: mpsc::Sender<ConnectionEvent>,
}

impl ConnectionTask {
    pub(super) async fn run(mut self) {
        debug!(
            host = self.options.host,
            port = self.options.port,
            "connecting"
        );
        let last_event = match self.dial().await {
            Ok((stream, server)) => match self.serve(stream, server).await {
                End::Lost(reason) => ConnectionEvent::Disconnected(reason),
                End::Dropped => return,
            },
            Err(error) => ConnectionEvent::NotConnected(error),
        };
        // Fails when the game has dropped its handle: nobody is left to be told.
        let _ = self.events.send(last_event).await;
    }

    async fn dial(&self) -> Result<(TcpStream, SocketAddr), DialError> {
        dial(&self.options.host, self.options.port, self.options.timeout).await
    }

    /// Serves this connection, and each that replaces it, until one ends for good.
    async fn serve(&mut self, mut stream: TcpStream, mut server: SocketAddr) -> End {
        let mut setup = None;
        let mut waiting = Vec::new();
        loop {
            let connected =
                Connected::new(stream, server, &self.options, self.events.clone(), setup);
            let (end, served) = connected.run(&mut self.commands, waiting).await;
            let End::Lost(reason) = end else {
                return end;
            };
            // Without an identity so far, nobody plays by this connection: whoever waits for it is
            // told at once.
            let in_use = |setup: &LinkSetup| setup.link().is_used() && setup.former().is_some();
            let Some(mut served) = served.filter(in_use) else {
                return End::Lost(reason);
            };
            served.connection_lost();
            if let Err(error) = self.events.send(ConnectionEvent::Lost(reason)).await {
                return error.into();
            }
            let Some(next) = self.reconnect(served.link()).await else {
                return End::Lost(DisconnectReason::Closed);
            };
            (stream, server, waiting) = next;
            setup = Some(served);
        }
    }

    /// Dials until a server accepts, with growing pauses; returns the commands that came
    /// meanwhile too. `None` when the connection is no longer needed.
    async fn reconnect(
        &mut self,
        link: &LinkHandle,
    ) -> Option<(TcpStream, SocketAddr, Vec<Command>)> {
        let mut waiting = Vec::new();
        let mut pause = RECONNECT_PAUSE;
        loop {
            let urgent = timeout(with_jitter(pause), self.collect(&mut waiting));
            if let Ok(None) = urgent.await {
                return None;
            }
            if !link.is_used() && !waiting.iter().any(is_urgent) {
                return None;
            }
            match self.dial().await {
                Ok((stream, server)) => return Some((stream, server, waiting)),
                Err(error) => debug!(%error, "reconnecting failed"),
            }
            pause = (pause * 2).min(MAX_RECONNECT_PAUSE);
        }
    }

    /// Collects the game's commands until an urgent one; returns `None` when the game has dropped
    /// its handle.
    async fn collect(&mut self, waiting: &mut Vec<Command>) -> Option<()> {
        while waiting.len() < COMMAND_QUEUE {
            let command = self.commands.recv().await?;
            let urgent = is_urgent(&command);
            waiting.push(command);
            if urgent {
                return Some(());
            }
        }
        pending().await
    }
}

/// A `host` or `join` that begins now does not wait for the pause to end.
fn is_urgent(command: &Command) -> bool {
    matches!(command, Command::UseLink { .. })
}

/// Returns `pause`, up to a quarter shorter or longer: the players of a restarted server must not
/// all return at the same time.
fn with_jitter(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    pause.mul_f64(0.75 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}
