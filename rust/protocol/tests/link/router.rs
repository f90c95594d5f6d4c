//! A router that translates addresses, in the terms of RFC 4787.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use crate::dice::Dice;

/// How long a router keeps a mapping without outgoing datagrams: the shortest time that RFC 4787
/// reports.
pub(crate) const MAPPING_TIMEOUT: Duration = Duration::from_secs(30);

/// Which outside port an inside address gets.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Mapping {
    /// The same port for all destinations.
    Independent,
    /// A random port for each destination.
    PerDestination,
}

/// Whose datagrams a router lets in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Filter {
    /// Everybody's.
    Independent,
    /// Those from IP addresses that something was sent to.
    Address,
    /// Those from addresses and ports that something was sent to.
    AddressAndPort,
}

#[derive(Debug)]
pub(crate) struct Router {
    /// The router's outside IP address.
    pub outside: IpAddr,
    /// The router that this one is behind.
    pub behind: Option<usize>,
    pub mapping: Mapping,
    pub filter: Filter,
    /// Whether players behind the router reach each other by their outside addresses.
    pub hairpin: bool,
    /// The only IP address that UDP may go to and come from.
    pub only: Option<IpAddr>,
    ports: Vec<Port>,
}

#[derive(Debug)]
struct Port {
    number: u16,
    inside: SocketAddr,
    destination: Option<SocketAddr>,
    used: Instant,
    contacts: BTreeMap<SocketAddr, Instant>,
}

impl Router {
    pub(crate) fn new(
        outside: IpAddr,
        behind: Option<usize>,
        (mapping, filter): (Mapping, Filter),
    ) -> Self {
        Self {
            outside,
            behind,
            mapping,
            filter,
            hairpin: false,
            only: None,
            ports: Vec::new(),
        }
    }

    /// Returns the outside address from which a datagram leaves, or `None` if it may not leave.
    pub(crate) fn outbound(
        &mut self,
        now: Instant,
        dice: &mut Dice,
        inside: SocketAddr,
        to: SocketAddr,
    ) -> Option<SocketAddr> {
        if self.only.is_some_and(|only| only != to.ip()) {
            return None;
        }
        self.ports.retain(|port| !is_over(port.used, now));
        let destination = (self.mapping == Mapping::PerDestination).then_some(to);
        let known = |port: &Port| port.inside == inside && port.destination == destination;
        let index = match self.ports.iter().position(known) {
            Some(index) => index,
            None => {
                let number = self.free_port(dice);
                self.ports.push(Port {
                    number,
                    inside,
                    destination,
                    used: now,
                    contacts: BTreeMap::new(),
                });
                self.ports.len() - 1
            }
        };
        let port = &mut self.ports[index];
        port.used = now;
        port.contacts.insert(to, now);
        Some(SocketAddr::new(self.outside, port.number))
    }

    /// Returns the inside address to which a datagram goes on, or `None` if it is not let in.
    pub(crate) fn inbound(
        &self,
        now: Instant,
        from: SocketAddr,
        number: u16,
    ) -> Option<SocketAddr> {
        if self.only.is_some_and(|only| only != from.ip()) {
            return None;
        }
        let port =
            (self.ports.iter()).find(|port| port.number == number && !is_over(port.used, now))?;
        let mut contacts = (port.contacts.iter())
            .filter(|(_, sent)| !is_over(**sent, now))
            .map(|(contact, _)| contact);
        let passes = match self.filter {
            Filter::Independent => true,
            Filter::Address => contacts.any(|contact| contact.ip() == from.ip()),
            Filter::AddressAndPort => contacts.any(|contact| *contact == from),
        };
        passes.then_some(port.inside)
    }

    /// Forgets all mappings, as after a restart.
    pub(crate) fn forget(&mut self) {
        self.ports.clear();
    }

    fn free_port(&self, dice: &mut Dice) -> u16 {
        loop {
            let number = dice.port(20_000, 60_000);
            if self.ports.iter().all(|port| port.number != number) {
                return number;
            }
        }
    }
}

fn is_over(used: Instant, now: Instant) -> bool {
    now.saturating_duration_since(used) >= MAPPING_TIMEOUT
}
