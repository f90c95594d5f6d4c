//! The registrar: players send it their PrivateID, and it notes the address they sent from.

use std::{io, sync::Arc, time::Instant};

use noray_protocol::server::{host_table::AddressRegistration, relay_table::Route};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use crate::{
    batching::Batching,
    defaults::{BATCHES_PER_TURN, MAX_PRIVATE_ID, MAX_REFUSALS_PER_SECOND, RECEIVE_PAUSE},
    directory::Directory,
    throttle::Throttle,
};

const OK: &[u8] = b"OK";
const UNKNOWN: &[u8] = b"Unknown host pid!";
/// What every refusal contains, of version 1 of the public server and of version 2.
const REFUSAL: &[u8] = b"Unknown host pid";

/// Answers datagrams until `stop`.
pub(crate) async fn run(
    socket: UdpSocket,
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
    loop {
        tokio::select! {
            biased;
            () = stop.cancelled() => break,
            ready = registrar.socket.readable() => if ready.is_err() {
                // The runtime is shutting down.
                break;
            },
        }
        match registrar.answer_some() {
            Ok(false) => {}
            Ok(true) => tokio::task::yield_now().await,
            Err(error) => {
                tracing::debug!(%error, "registrar did not receive");
                tokio::time::sleep(RECEIVE_PAUSE).await;
            }
        }
    }
}

struct Registrar {
    socket: UdpSocket,
    batching: Arc<Batching>,
    directory: Arc<Directory>,
    refusals: Throttle,
}

impl Registrar {
    /// Answers datagrams that are there, but not so many that other tasks wait. Returns `true` if
    /// there may be more.
    fn answer_some(&mut self) -> io::Result<bool> {
        let Self {
            socket,
            batching,
            directory,
            refusals,
        } = self;
        for _ in 0..BATCHES_PER_TURN {
            let more = batching.receive(socket, |run| {
                for datagram in run.datagrams() {
                    if let Some(answer) = answer(datagram, run.from, directory, refusals) {
                        batching.send_one(socket, answer, run.from);
                    }
                }
            });
            match more {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                // Windows reports here that an earlier answer reached nobody.
                Err(error) if error.kind() == io::ErrorKind::ConnectionReset => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
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
