//! A datagram that goes out.

use std::net::SocketAddr;

/// A datagram to send.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Transmit {
    /// Where it goes.
    pub to: SocketAddr,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

impl Transmit {
    pub(super) fn new(to: SocketAddr, bytes: &[u8]) -> Self {
        Self {
            to,
            bytes: bytes.to_vec(),
        }
    }
}
