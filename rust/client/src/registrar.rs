//! Registers a UDP address: tells a server's registrar from where a player's datagrams come.

use std::{io, net::SocketAddr, time::Duration};

use noray_protocol::{
    defaults::{LONGEST_WAIT, REGISTER_TIMEOUT},
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
    /// The system gave no UDP socket.
    #[error("no UDP socket: {0}")]
    Socket(#[from] io::Error),
    /// The registrar does not know the PrivateID. Its answer is not kept, since it may repeat the
    /// PrivateID.
    #[error("the registrar refused this player")]
    Refused,
    /// The registrar did not answer in time.
    #[error(
        "no answer from the registrar at {registrar} within {} s{}",
        .after.as_secs_f32(),
        family_hint(*.registrar)
    )]
    TimedOut {
        /// The address that should have answered.
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

/// Returns what is probably wrong with a registrar that is reached by IPv6.
fn family_hint(registrar: SocketAddr) -> &'static str {
    if registrar.ip().to_canonical().is_ipv6() {
        "; noray servers register players by IPv4, and this one's name has no IPv4 address"
    } else {
        ""
    }
}

/// Sends the PrivateID every `interval` until the registrar answers, and returns the local port that
/// is then registered, free to be bound.
///
/// The socket is connected, so the system delivers only what comes from the registrar's address and
/// port.
pub(crate) async fn register(
    registrar: SocketAddr,
    pid: &PrivateId,
    after: Duration,
    interval: Duration,
) -> Result<u16, RegisterError> {
    let deadline = Instant::now() + after.min(LONGEST_WAIT);
    let any = match registrar {
        SocketAddr::V4(_) => "0.0.0.0:0",
        SocketAddr::V6(_) => "[::]:0",
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(registrar).await?;
    let port = socket.local_addr()?.port();
    let mut answer = [0; 64];
    loop {
        // A datagram that was not sent counts as lost: the next one may get through.
        if let Err(error) = socket.send(pid.reveal().as_bytes()).await {
            debug!(%error, "sending to the registrar");
        }
        let repeat = deadline.min(Instant::now() + interval);
        match timeout_at(repeat, socket.recv(&mut answer)).await {
            Ok(Ok(length)) if &answer[..length] == ACCEPTED => return Ok(port),
            Ok(Ok(_)) => return Err(RegisterError::Refused),
            // The system reports that nobody listens there, or not yet.
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_has_ipv6_alone_is_not_a_mystery() {
        let sentence = |registrar: &str| {
            let registrar = registrar.parse().unwrap();
            RegisterError::from_failure(RegistrationFailure::TimedOut, registrar).to_string()
        };
        assert_eq!(
            sentence("192.0.2.1:8809"),
            "no answer from the registrar at 192.0.2.1:8809 within 8 s"
        );
        assert!(sentence("[2001:db8::1]:8809").ends_with("has no IPv4 address"));
    }
}
