//! Telling a server's registrar the address from which a player's UDP comes.

use std::{io, net::SocketAddr, time::Duration};

use noray_protocol::{
    defaults::REGISTER_TIMEOUT,
    player::link::{ACCEPTED, RegistrationFailure},
    wire::id::PrivateId,
};
use tokio::{
    net::UdpSocket,
    time::{Instant, sleep_until, timeout_at},
};
use tracing::debug;

/// Why an address was not registered.
#[derive(Debug, thiserror::Error)]
pub enum RegisterError {
    /// This machine gave no UDP socket.
    #[error("no UDP socket: {0}")]
    Socket(#[from] io::Error),
    /// The registrar does not know the PrivateID. Its text can repeat that, so it
    /// is not kept.
    #[error("the registrar refused this player")]
    Refused,
    /// The registrar did not answer.
    #[error("no answer from the registrar at {registrar} within {} s", .after.as_secs_f32())]
    TimedOut {
        /// Where the answer should have come from.
        registrar: SocketAddr,
        /// The time that was allowed.
        after: Duration,
    },
    /// The connection to the server ended before the registrar answered.
    #[error("the connection to the server ended")]
    Disconnected,
}

impl RegisterError {
    pub(crate) fn from_failure(failure: RegistrationFailure, registrar: SocketAddr) -> Self {
        match failure {
            RegistrationFailure::Refused => Self::Refused,
            RegistrationFailure::TimedOut => Self::TimedOut {
                registrar,
                after: REGISTER_TIMEOUT,
            },
        }
    }
}

/// Sends the PrivateID each `interval` until the registrar answers, and gives the
/// local port that is registered then, free to be bound.
///
/// The socket is connected, so the system passes on what comes from the
/// registrar's address and port alone.
pub(crate) async fn register(
    registrar: SocketAddr,
    pid: &PrivateId,
    after: Duration,
    interval: Duration,
) -> Result<u16, RegisterError> {
    let deadline = Instant::now() + after;
    let any = match registrar {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(registrar).await?;
    let port = socket.local_addr()?.port();
    let mut answer = [0; 64];
    loop {
        // A failed send is a lost packet: the next one may get through.
        if let Err(error) = socket.send(pid.reveal().as_bytes()).await {
            debug!(%error, "sending to the registrar");
        }
        let repeat = deadline.min(Instant::now() + interval);
        match timeout_at(repeat, socket.recv(&mut answer)).await {
            Ok(Ok(length)) if &answer[..length] == ACCEPTED => return Ok(port),
            Ok(Ok(_)) => return Err(RegisterError::Refused),
            // The system tells that nobody listens there (yet).
            Ok(Err(error)) => {
                debug!(%error, "receiving from the registrar");
                sleep_until(repeat).await;
            }
            Err(_) => {}
        }
        if Instant::now() >= deadline {
            return Err(RegisterError::TimedOut { registrar, after });
        }
    }
}
