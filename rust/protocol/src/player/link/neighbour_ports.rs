//! Datagrams that open our own router for the ports behind an announced relay.
//!
//! A server of generation 2 relays for a player whose address it does not know from the next free
//! port. Our router lets that relay's datagrams in only if we have sent something there.

use std::{net::SocketAddr, time::Instant};

use super::transmit::Transmit;
use crate::{
    defaults::{HANDSHAKE_INTERVAL, NEIGHBOUR_DATAGRAMS, NEIGHBOUR_PORTS},
    wire::handshake_status::Status,
};

#[derive(Debug, Default)]
pub(super) struct NeighbourPorts(Vec<NeighbourPort>);

#[derive(Debug)]
struct NeighbourPort {
    address: SocketAddr,
    datagrams_left: u32,
    next: Instant,
}

impl NeighbourPorts {
    /// Opens the router for the ports behind `relay`, and no longer for any others.
    pub(super) fn open(&mut self, now: Instant, relay: SocketAddr) {
        self.0 = (1..=NEIGHBOUR_PORTS)
            .filter_map(|offset| relay.port().checked_add(offset))
            .map(|port| NeighbourPort {
                address: SocketAddr::new(relay.ip(), port),
                datagrams_left: NEIGHBOUR_DATAGRAMS,
                // Behind a symmetric NAT each of these makes the server open a further relay: the
                // one that the other side waits for has to be the first.
                next: now + HANDSHAKE_INTERVAL,
            })
            .collect();
    }

    pub(super) fn tick(&mut self, now: Instant, out: &mut Vec<Transmit>) {
        for port in &mut self.0 {
            if now >= port.next {
                port.datagrams_left -= 1;
                port.next = now + HANDSHAKE_INTERVAL;
                out.push(Transmit::new(port.address, &Status::default().packet()));
            }
        }
        self.0.retain(|port| port.datagrams_left > 0);
    }

    pub(super) fn due(&self) -> Option<Instant> {
        self.0.iter().map(|port| port.next).min()
    }
}
