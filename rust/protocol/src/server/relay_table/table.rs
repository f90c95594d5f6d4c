//! The relays of a server: which ports are open, and whose they are.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    net::SocketAddrV4,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    limits::RelayLimits,
    relay::{Common, Relay},
    route::Route,
};
use crate::server::host_table::PlayerId;

/// The relay of a player, or a port for it.
#[derive(Debug)]
pub enum Reservation<S> {
    /// The relay is already open.
    Open(Arc<Relay<S>>),
    /// The relay can be opened on this port, which must now be bound. Then call
    /// [`RelayTable::insert`], or, if it cannot be bound, [`RelayTable::set_aside`] or
    /// [`RelayTable::give_back`].
    Bind(u16),
}

/// Why a player gets no relay.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum OpenError {
    /// Every port is in use, or one of two players is linked with too many others.
    #[error("no free relay port")]
    Full,
    /// The player has no registered address, or has left.
    #[error("the player has no registered address")]
    Unregistered,
}

/// The open relays of a server, and the ports for more. `S` is what is bound to a port.
///
/// A port is free, open, set aside because another program has it, or taken: to be bound, or closed
/// and not yet unbound. [`Self::give_back`] frees a taken port. The port that became free longest
/// ago is used first, so that stray packets to a closed relay seldom reach the next one.
#[derive(Debug)]
pub struct RelayTable<S> {
    common: Arc<Common>,
    open: BTreeMap<u16, Entry<S>>,
    players: BTreeMap<PlayerId, Route>,
    by_owner: BTreeMap<PlayerId, u16>,
    /// Relays whose player has left the server, by registered address: its game may go on, and it
    /// may come back under a new id.
    orphans: BTreeMap<SocketAddrV4, u16>,
    /// The port that became free longest ago comes first.
    free: VecDeque<u16>,
    /// Ports that other programs have, by the time at which they are tried again.
    aside: VecDeque<(Instant, u16)>,
    taken: BTreeSet<u16>,
    /// How long a port that another program has is left alone.
    aside_time: Duration,
}

#[derive(Debug)]
struct Entry<S> {
    relay: Arc<Relay<S>>,
    registered: Route,
    /// `None` when the player has left.
    owner: Option<PlayerId>,
}

impl<S> RelayTable<S> {
    /// Returns a table without relays that may use `ports`, each once. A port that another program
    /// has is tried again after `aside_time`.
    #[must_use]
    pub fn new(ports: &[u16], limits: RelayLimits, aside_time: Duration, now: Instant) -> Self {
        let mut seen = BTreeSet::new();
        let free = ports.iter().copied().filter(|port| seen.insert(*port));
        Self {
            common: Arc::new(Common::new(limits, now)),
            open: BTreeMap::new(),
            players: BTreeMap::new(),
            by_owner: BTreeMap::new(),
            orphans: BTreeMap::new(),
            free: free.collect(),
            aside: VecDeque::new(),
            taken: BTreeSet::new(),
            aside_time,
        }
    }

    /// Notes the address that a player proved, its first or a new one, and where it found the
    /// registrar. Its relay stays open and linked.
    pub fn register(&mut self, player: PlayerId, registered: impl Into<Route>, now: Instant) {
        let registered = registered.into();
        let before = self.players.insert(player, registered);
        if before == Some(registered) {
            return;
        }
        self.common.add_registered(registered.player);
        if let Some(before) = before {
            self.common.remove_registered(before.player);
        }
        let port = self.by_owner.get(&player);
        if let Some(entry) = port.and_then(|port| self.open.get_mut(port)) {
            entry.registered = registered;
            for other in entry.relay.linked() {
                other.relocate(entry.relay.port(), registered, now);
            }
        }
    }

    /// Returns the relay of a player, or a port for one. A relay that was left behind at the
    /// player's registered address becomes the player's.
    ///
    /// # Errors
    /// See [`OpenError`].
    pub fn reserve(&mut self, player: PlayerId, now: Instant) -> Result<Reservation<S>, OpenError> {
        let registered = *self.players.get(&player).ok_or(OpenError::Unregistered)?;
        let own = self.by_owner.get(&player).copied();
        let own = own.or_else(|| self.adopt(player, registered.player));
        if let Some(entry) = own.and_then(|port| self.open.get(&port)) {
            let relay = entry.relay.clone();
            if !relay.is_over(now) {
                relay.touch(now);
            }
            return Ok(Reservation::Open(relay));
        }
        while let Some((_, port)) = self.aside.pop_front_if(|(due, _)| *due <= now) {
            self.free.push_back(port);
        }
        let port = self.free.pop_front().ok_or(OpenError::Full)?;
        self.taken.insert(port);
        Ok(Reservation::Bind(port))
    }

    /// Opens a player's relay on a port that was reserved and is now bound. Returns `None` if the
    /// port was not reserved, or the player already has a relay, or has left.
    pub fn insert(
        &mut self,
        port: u16,
        player: PlayerId,
        socket: S,
        now: Instant,
    ) -> Option<Arc<Relay<S>>> {
        let registered = *self.players.get(&player)?;
        if self.by_owner.contains_key(&player) || !self.taken.remove(&port) {
            return None;
        }
        let relay = Arc::new(Relay::new(port, socket, self.common.clone(), now));
        self.by_owner.insert(player, port);
        self.open.insert(
            port,
            Entry {
                relay: relay.clone(),
                registered,
                owner: Some(player),
            },
        );
        Some(relay)
    }

    /// Gives up a reserved port that another program has: it is left alone for a while. Has no
    /// effect on other ports.
    pub fn set_aside(&mut self, port: u16, now: Instant) {
        if self.taken.remove(&port)
            && let Some(due) = now.checked_add(self.aside_time)
        {
            // A time that no clock can name is as good as never.
            self.aside.push_back((due, port));
        }
    }

    /// Frees a reserved or closed port that is no longer bound. Has no effect on other ports.
    pub fn give_back(&mut self, port: u16) {
        if self.taken.remove(&port) {
            self.free.push_back(port);
        }
    }

    /// Lets the players of two relays send to each other, because one asked for the other.
    ///
    /// # Errors
    /// [`OpenError::Full`] if one of the relays is not open, or is linked with too many others that
    /// are all in use.
    pub fn link(&mut self, ports: [u16; 2], now: Instant) -> Result<(), OpenError> {
        let [one, other] = ports.map(|port| {
            let entry = self.open.get(&port).ok_or(OpenError::Full)?;
            Ok((entry.relay.clone(), entry.registered))
        });
        let [one, other] = [one?, other?];
        for (relay, port) in [(&one.0, ports[1]), (&other.0, ports[0])] {
            let max_links = self.common.limits.max_links;
            if !relay.is_linked_with(port) && relay.links() >= max_links {
                let idlest = relay.idlest_link(now).ok_or(OpenError::Full)?;
                idlest.unlink(relay.port());
                relay.unlink(idlest.port());
            }
        }
        one.0.allow(&other.0, other.1, now);
        other.0.allow(&one.0, one.1, now);
        Ok(())
    }

    /// Notes that a player has left the server. Its relay stays open as long as it is in use: a
    /// game goes on without the server's other services.
    pub fn disown(&mut self, player: PlayerId) {
        if let Some(registered) = self.players.remove(&player) {
            self.common.remove_registered(registered.player);
        }
        if let Some(port) = self.by_owner.remove(&player)
            && let Some(entry) = self.open.get_mut(&port)
        {
            entry.owner = None;
            self.orphans.insert(entry.registered.player, port);
        }
    }

    /// Closes and returns the relay on `port`, if there is one. [`Self::give_back`] then frees the
    /// port.
    pub fn close(&mut self, port: u16) -> Option<Arc<Relay<S>>> {
        let entry = self.open.remove(&port)?;
        match entry.owner {
            Some(owner) => {
                self.by_owner.remove(&owner);
            }
            None => self.forget_orphan(entry.registered.player, port),
        }
        for other in entry.relay.close() {
            other.unlink(port);
        }
        self.taken.insert(port);
        Some(entry.relay)
    }

    /// Closes and returns all idle relays. [`Self::give_back`] then frees their ports.
    pub fn expire(&mut self, now: Instant) -> Vec<Arc<Relay<S>>> {
        let idle_timeout = self.common.limits.idle_timeout;
        let mut idle: Vec<_> = self
            .open
            .values()
            .map(|entry| (entry.relay.idle(now), entry.relay.port()))
            .filter(|(idle, _)| *idle >= idle_timeout)
            .collect();
        // The relay that is idle for longest becomes free first.
        idle.sort_unstable_by_key(|(idle, port)| (std::cmp::Reverse(*idle), *port));
        idle.into_iter()
            .filter_map(|(_, port)| self.close(port))
            .collect()
    }

    /// Returns how many relays are open.
    #[must_use]
    pub fn len(&self) -> usize {
        self.open.len()
    }

    /// Whether no relay is open.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.open.is_empty()
    }

    fn adopt(&mut self, player: PlayerId, registered: SocketAddrV4) -> Option<u16> {
        let port = self.orphans.remove(&registered)?;
        self.open.get_mut(&port)?.owner = Some(player);
        self.by_owner.insert(player, port);
        Some(port)
    }

    fn forget_orphan(&mut self, registered: SocketAddrV4, port: u16) {
        if self.orphans.get(&registered) == Some(&port) {
            self.orphans.remove(&registered);
        }
    }
}

impl<S> Drop for RelayTable<S> {
    /// Linked relays hold each other.
    fn drop(&mut self) {
        for entry in self.open.values() {
            entry.relay.close();
        }
    }
}
