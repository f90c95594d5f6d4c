//! The registrar: players send it their PrivateID, and it notes the address they sent from.

use std::{
    io,
    net::{SocketAddr, SocketAddrV4},
    sync::Arc,
    time::Instant,
};

use noray_protocol::server::host_table::AddressRegistration;
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use crate::{
    defaults::{DATAGRAMS_PER_TURN, MAX_PRIVATE_ID, MAX_REFUSALS_PER_SECOND, RECEIVE_PAUSE},
    directory::Directory,
    sockets::{is_answerable, send_datagram},
    throttle::Throttle,
};

const OK: &[u8] = b"OK";
const UNKNOWN: &[u8] = b"Unknown host pid!";
/// What every refusal contains, of version 1 of the public server and of version 2.
const REFUSAL: &[u8] = b"Unknown host pid";

/// Answers datagrams until `stop`.
pub(crate) async fn run(socket: UdpSocket, directory: Arc<Directory>, stop: CancellationToken) {
    let mut registrar = Registrar {
        socket,
        directory,
        refusals: Throttle::new(MAX_REFUSALS_PER_SECOND, Instant::now()),
        // One byte more than a PrivateID may have, so that longer datagrams do not pass for one.
        buffer: vec![0; MAX_PRIVATE_ID + 1],
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
    directory: Arc<Directory>,
    refusals: Throttle,
    buffer: Vec<u8>,
}

impl Registrar {
    /// Answers datagrams that are there, but not so many that other tasks wait. Returns `true` if
    /// there may be more.
    fn answer_some(&mut self) -> io::Result<bool> {
        for _ in 0..DATAGRAMS_PER_TURN {
            match self.socket.try_recv_from(&mut self.buffer) {
                Ok((length, SocketAddr::V4(from))) if is_answerable(from) => {
                    self.answer(length, from);
                }
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
                Err(error) if is_datagrams_fault(&error) => {}
                Err(error) => return Err(error),
            }
        }
        Ok(true)
    }

    fn answer(&mut self, length: usize, from: SocketAddrV4) {
        let datagram = self.buffer.get(..length).unwrap_or_default();
        let registration = match std::str::from_utf8(datagram) {
            Ok(private_id) => self.directory.register_address(private_id, from),
            Err(_) => AddressRegistration::UnknownPrivateId,
        };
        let answer = match registration {
            AddressRegistration::First(_) => {
                tracing::debug!(%from, "player registered its address");
                OK
            }
            AddressRegistration::Moved(_) => {
                tracing::debug!(%from, "player registered another address");
                OK
            }
            AddressRegistration::Repeat => OK,
            // Two registrars must not answer each other for ever.
            AddressRegistration::UnknownPrivateId if is_answer(datagram) => return,
            AddressRegistration::UnknownPrivateId if !self.refusals.try_take(Instant::now()) => {
                return;
            }
            AddressRegistration::UnknownPrivateId => UNKNOWN,
        };
        send_datagram(&self.socket, answer, from);
    }
}

/// Returns whether a datagram is a registrar's answer.
fn is_answer(datagram: &[u8]) -> bool {
    datagram == OK || datagram.windows(REFUSAL.len()).any(|part| part == REFUSAL)
}

/// Returns whether receiving failed for one datagram only, as it does on Windows when an earlier
/// answer reached nobody or the datagram is too long.
fn is_datagrams_fault(error: &io::Error) -> bool {
    /// Windows' error for a datagram that does not fit, WSAEMSGSIZE.
    const TOO_LONG: i32 = 10040;
    error.kind() == io::ErrorKind::ConnectionReset
        || cfg!(windows) && error.raw_os_error() == Some(TOO_LONG)
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
