//! The registrar: players send it their PrivateID, and it notes the address they sent from.

use std::{io, net::SocketAddrV4, sync::Arc, time::Instant};

use noray_protocol::{
    server::{host_table::AddressRegistration, relay_table::Route},
    socket_errors::SocketErrors,
};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use crate::{
    batching::Batching,
    defaults::{
        BATCHES_PER_TURN, MAX_PRIVATE_ID, MAX_REFUSALS_PER_SECOND, REBIND_PAUSE, RECEIVE_PAUSE,
        REGISTRAR_BUFFER,
    },
    directory::Directory,
    sockets::{bind_udp, enlarge_receive_buffer},
    throttle::Throttle,
};

const OK: &[u8] = b"OK";
const UNKNOWN: &[u8] = b"Unknown host pid!";
/// What every refusal contains, of version 1 of the public server and of version 2.
const REFUSAL: &[u8] = b"Unknown host pid";

/// Answers datagrams until `stop`. A socket that is dead is bound anew at `address`.
pub(crate) async fn run(
    socket: UdpSocket,
    address: SocketAddrV4,
    batching: Arc<Batching>,
    directory: Arc<Directory>,
    stop: CancellationToken,
) {
    let mut registrar = Registrar {
        socket,
        batching,
        directory,
        refusals: Throttle::new(MAX_REFUSALS_PER_SECOND, Instant::now()),
    };
    while let End::SocketDied = registrar.answer_until(&stop).await {
        let Registrar {
            socket,
            batching,
            directory,
            refusals,
        } = registrar;
        drop(socket);
        let Some(socket) = bind_anew(address, &stop).await else {
            break;
        };
        registrar = Registrar {
            socket,
            batching,
            directory,
            refusals,
        };
    }
}

/// Binds the registrar's socket again, as soon as the system lets it; `None` when the server stops.
async fn bind_anew(address: SocketAddrV4, stop: &CancellationToken) -> Option<UdpSocket> {
    loop {
        match bind(address).and_then(UdpSocket::from_std) {
            Ok(socket) => {
                tracing::warn!(%address, "registrar's socket bound anew");
                return Some(socket);
            }
            Err(error) => tracing::debug!(%address, %error, "registrar's socket not bound"),
        }
        tokio::select! {
            () = stop.cancelled() => return None,
            () = tokio::time::sleep(REBIND_PAUSE) => {}
        }
    }
}

/// Returns the registrar's socket.
///
/// # Errors
/// The system refuses.
pub(crate) fn bind(address: SocketAddrV4) -> io::Result<std::net::UdpSocket> {
    let socket = bind_udp(address)?;
    enlarge_receive_buffer(&socket, REGISTRAR_BUFFER);
    Ok(socket)
}

/// Why the registrar stopped to answer.
enum End {
    Stopped,
    SocketDied,
}

struct Registrar {
    socket: UdpSocket,
    batching: Arc<Batching>,
    directory: Arc<Directory>,
    refusals: Throttle,
}

impl Registrar {
    async fn answer_until(&mut self, stop: &CancellationToken) -> End {
        let mut errors = SocketErrors::default();
        loop {
            tokio::select! {
                biased;
                () = stop.cancelled() => return End::Stopped,
                ready = self.socket.readable() => if ready.is_err() {
                    // The runtime is shutting down.
                    return End::Stopped;
                },
            }
            match self.answer_some() {
                Ok(is_more) => {
                    errors.clear();
                    if is_more {
                        tokio::task::yield_now().await;
                    }
                }
                Err(error) => {
                    tracing::debug!(%error, "registrar did not receive");
                    if errors.note(Instant::now()) {
                        return End::SocketDied;
                    }
                    tokio::time::sleep(RECEIVE_PAUSE).await;
                }
            }
        }
    }

    /// Answers datagrams that are there, but not so many that other tasks wait. Returns `true` if
    /// there may be more.
    fn answer_some(&mut self) -> io::Result<bool> {
        let Self {
            socket,
            batching,
            directory,
            refusals,
        } = self;
        let mut last = Ok(true);
        for _ in 0..BATCHES_PER_TURN {
            let more = batching.receive(socket, |run| {
                for datagram in run.datagrams() {
                    if let Some(answer) = answer(datagram, run.from, directory, refusals) {
                        batching.send_one(socket, answer, run.from);
                    }
                }
            });
            match more {
                Ok(true) => last = Ok(true),
                Ok(false) => return Ok(false),
                // Windows reports here that an earlier answer reached nobody.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => last = Err(error),
                Err(error) => return Err(error),
            }
        }
        last
    }
}

/// Registers an address if the datagram is a PrivateID, and returns the answer, if there is one.
fn answer(
    datagram: &[u8],
    from: Route,
    directory: &Directory,
    refusals: &mut Throttle,
) -> Option<&'static [u8]> {
    let registration = match std::str::from_utf8(datagram) {
        Ok(private_id) if datagram.len() <= MAX_PRIVATE_ID => {
            directory.register_address(private_id, from)
        }
        _ => AddressRegistration::UnknownPrivateId,
    };
    match registration {
        AddressRegistration::First(_) => {
            tracing::debug!(from = %from.player, "player registered its address");
            Some(OK)
        }
        AddressRegistration::Moved(_) => {
            tracing::debug!(from = %from.player, "player registered another address");
            Some(OK)
        }
        AddressRegistration::Repeat => Some(OK),
        // Two registrars must not answer each other for ever.
        AddressRegistration::UnknownPrivateId if is_answer(datagram) => None,
        AddressRegistration::UnknownPrivateId => {
            refusals.try_take(Instant::now()).then_some(UNKNOWN)
        }
    }
}

/// Returns whether a datagram is a registrar's answer.
fn is_answer(datagram: &[u8]) -> bool {
    datagram == OK || datagram.windows(REFUSAL.len()).any(|part| part == REFUSAL)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_told_from_questions() {
        assert!(is_answer(b"OK"));
        assert!(is_answer(UNKNOWN));
        assert!(is_answer(b"Error: Unknown host pid: abc"));
        assert!(!is_answer(b""));
        assert!(!is_answer(b"OKAY"));
        assert!(!is_answer(b"Unknown host"));
    }
}
