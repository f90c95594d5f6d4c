//! The addresses that the server announced, so that a handshake knows its target.

use std::{collections::VecDeque, net::SocketAddr};

use crate::defaults::ANNOUNCED_ADDRESSES;

/// The announced addresses of one connection.
#[derive(Default, Debug)]
pub(crate) struct Announced {
    addresses: VecDeque<SocketAddr>,
    /// The address whose signal is being handled.
    current: Option<SocketAddr>,
}

impl Announced {
    /// Remembers an address, which is the target of every handshake that begins from now on, until
    /// [`Self::end`]. Returns the previous current address; pass it to `end`, which restores it.
    pub(crate) fn begin(&mut self, address: SocketAddr) -> Option<SocketAddr> {
        self.addresses.retain(|known| *known != address);
        if self.addresses.len() == ANNOUNCED_ADDRESSES {
            self.addresses.pop_front();
        }
        self.addresses.push_back(address);
        self.current.replace(address)
    }

    /// The signal has been handled.
    pub(crate) fn end(&mut self, outer: Option<SocketAddr>) {
        self.current = outer;
    }

    /// Forgets all addresses: another server's mean nothing.
    pub(crate) fn clear(&mut self) {
        self.addresses.clear();
    }

    /// Returns what a handshake that begins now can be with.
    pub(crate) fn targets(&self) -> Vec<SocketAddr> {
        match self.current {
            Some(address) => vec![address],
            None => self.addresses.iter().copied().collect(),
        }
    }
}
