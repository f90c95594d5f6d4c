//! One open relay: what its player may send, and who may send to that player.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::SocketAddrV4,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError, RwLock,
        atomic::{AtomicU64, Ordering::Relaxed},
    },
    time::{Duration, Instant},
};

use super::{
    limits::{PACKET_OVERHEAD, RelayLimits},
    meter::{Meter, Rate, SharedMeter, nanos},
    route::Route,
    senders::{Destinations, Senders},
};
use crate::address_key::AddressKey;

/// Where a packet goes.
#[derive(Debug)]
pub struct Forward<S> {
    /// The relay that the packet leaves from: the sender's.
    pub from: Arc<Relay<S>>,
    /// How it reaches the player that it goes to.
    pub to: Destinations,
}

/// Why a packet is dropped.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Dropped {
    /// The sender is not linked with the player behind the relay.
    #[error("the sender is not linked with this relay's player")]
    UnknownSender,
    /// The sender's relay is older than a relay may get.
    #[error("the relay's lifetime is over")]
    LifetimeOver,
    /// The sender's relay has forwarded as much as a relay may.
    #[error("the relay's traffic is used up")]
    LifetimeTrafficUsed,
    /// The sender sends too much per second.
    #[error("the relay is over its bandwidth")]
    IndividualTraffic,
    /// All senders together send too much per second.
    #[error("the server is over its bandwidth")]
    GlobalTraffic,
}

/// An open relay: the port that stands for one player, and the `S` that is bound to it.
///
/// It is shared by the task that receives on its port and the relays that it is linked with. Each
/// relay has its own lock, held for look-ups only, one at a time.
#[derive(Debug)]
pub struct Relay<S> {
    port: u16,
    socket: S,
    common: Arc<Common>,
    /// When the relay last carried a packet, in either direction, or was requested: in nanoseconds
    /// since the table began.
    used: AtomicU64,
    state: Mutex<State<S>>,
}

#[derive(Debug)]
struct State<S> {
    opened: Instant,
    sent: Meter,
    lifetime_traffic: u64,
    senders: Senders<Arc<Relay<S>>>,
}

/// What all relays of a table share.
#[derive(Debug)]
pub(super) struct Common {
    pub(super) limits: RelayLimits,
    began: Instant,
    individual: Rate,
    global: Rate,
    sent: SharedMeter,
    /// The addresses that players proved, and how many players proved each. Read only for packets
    /// from unknown addresses.
    registered: RwLock<BTreeMap<AddressKey, usize>>,
}

impl Common {
    pub(super) fn new(limits: RelayLimits, now: Instant) -> Self {
        Self {
            individual: Rate::new(limits.max_individual_traffic, limits.traffic_interval),
            global: Rate::new(limits.max_global_traffic, limits.traffic_interval),
            began: now,
            sent: SharedMeter::default(),
            registered: RwLock::default(),
            limits,
        }
    }

    pub(super) fn add_registered(&self, address: SocketAddrV4) {
        let mut registered = (self.registered.write()).unwrap_or_else(PoisonError::into_inner);
        *registered.entry(address.into()).or_default() += 1;
    }

    pub(super) fn remove_registered(&self, address: SocketAddrV4) {
        let mut registered = (self.registered.write()).unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut entry) = registered.entry(address.into()) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }

    fn is_registered(&self, address: SocketAddrV4) -> bool {
        let registered = self.registered.read();
        let registered = registered.unwrap_or_else(PoisonError::into_inner);
        registered.contains_key(&address.into())
    }

    fn nanos(&self, now: Instant) -> u64 {
        nanos(now.saturating_duration_since(self.began))
    }
}

impl<S> Relay<S> {
    pub(super) fn new(port: u16, socket: S, common: Arc<Common>, now: Instant) -> Self {
        Self {
            port,
            socket,
            used: AtomicU64::new(common.nanos(now)),
            common,
            state: Mutex::new(State {
                opened: now,
                sent: Meter::default(),
                lifetime_traffic: 0,
                senders: Senders::default(),
            }),
        }
    }

    /// Returns the relay's port.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Returns what is bound to the port.
    #[must_use]
    pub fn socket(&self) -> &S {
        &self.socket
    }

    /// Returns where a packet with `payload` bytes goes that came to this relay's port.
    ///
    /// A forwarded packet counts for its sender, headers included; a copy of it counts for the
    /// player who gets the copies. The first packet of a sender that owes nothing passes whatever
    /// its size, and later ones pay for it.
    ///
    /// # Errors
    /// The reason to drop the packet; a dropped packet does not keep the relays open.
    pub fn receive(
        &self,
        from: impl Into<Route>,
        payload: usize,
        now: Instant,
    ) -> Result<Forward<S>, Dropped> {
        let (forward, _) = self.receive_run(from, 1, payload, payload, now)?;
        Ok(forward)
    }

    /// Returns where several packets go that came by one route, one after the other: `count` of
    /// them, each with `payload` bytes except the `last`. Also returns how many are forwarded, from
    /// the first on; the others are dropped.
    ///
    /// # Errors
    /// As for [`Self::receive`], if none is forwarded.
    pub fn receive_run(
        &self,
        from: impl Into<Route>,
        count: usize,
        payload: usize,
        last: usize,
        now: Instant,
    ) -> Result<(Forward<S>, usize), Dropped> {
        let common = &self.common;
        let from = from.into();
        let may_be_learned = || !common.is_registered(from.player);
        let sender = (self.state().senders)
            .sender_of(from, now, &common.limits, may_be_learned)
            .ok_or(Dropped::UnknownSender)?
            .clone();
        let length_of = |index| {
            let payload = if index + 1 == count { last } else { payload };
            (payload as u64).saturating_add(PACKET_OVERHEAD)
        };
        let (mut to, passed) = sender.send(self.port, (0..count).map(length_of), now)?;
        if to.copies.iter().any(Option::is_some) {
            let mut state = self.state();
            let length = (0..passed).map(length_of).fold(0, u64::saturating_add);
            for copy in &mut to.copies {
                if copy.is_some() && state.count(length, common, now).is_err() {
                    *copy = None;
                }
            }
        }
        self.touch(now);
        Ok((Forward { from: sender, to }, passed))
    }

    /// Counts as many packets as may pass of those that this relay's player sends to another
    /// relay's player. Returns where that player is answered from here, and how many packets pass.
    fn send(
        &self,
        to: u16,
        lengths: impl Iterator<Item = u64>,
        now: Instant,
    ) -> Result<(Destinations, usize), Dropped> {
        let mut state = self.state();
        let destinations = (state.senders)
            .destinations(to, now, &self.common.limits)
            .ok_or(Dropped::UnknownSender)?;
        let mut passed = 0;
        for length in lengths {
            match state.count(length, &self.common, now) {
                Ok(()) => passed += 1,
                Err(reason) if passed == 0 => return Err(reason),
                Err(_) => break,
            }
        }
        drop(state);
        self.touch(now);
        Ok((destinations, passed))
    }

    /// Notes that the relay is in use.
    pub(super) fn touch(&self, now: Instant) {
        self.used.fetch_max(self.common.nanos(now), Relaxed);
    }

    /// Returns for how long the relay has carried nothing.
    pub(super) fn idle(&self, now: Instant) -> Duration {
        let used = self.used.load(Relaxed);
        Duration::from_nanos(self.common.nanos(now).saturating_sub(used))
    }

    pub(super) fn is_over(&self, now: Instant) -> bool {
        self.state().is_over(&self.common.limits, now)
    }

    /// Allows the player behind another relay to send here.
    pub(super) fn allow(&self, other: &Arc<Self>, registered: Route, now: Instant) {
        let mut state = self.state();
        state
            .senders
            .allow(other.port, other.clone(), registered, now);
        let hold = self.common.limits.address_hold;
        state.senders.claim(other.port, now, hold);
    }

    /// Returns the link that has been unused for longest, if that is the idle time or more.
    pub(super) fn idlest_link(&self, now: Instant) -> Option<Arc<Self>> {
        let state = self.state();
        let idle = self.common.limits.idle_timeout;
        state.senders.idlest(idle, now).cloned()
    }

    pub(super) fn is_linked_with(&self, port: u16) -> bool {
        self.state().senders.contains(port)
    }

    pub(super) fn links(&self) -> usize {
        self.state().senders.len()
    }

    pub(super) fn unlink(&self, port: u16) {
        let removed = self.state().senders.remove(port);
        // Outside of the lock: this may drop the other relay.
        drop(removed);
    }

    /// Notes that the player behind another relay has a new registered address.
    pub(super) fn relocate(&self, port: u16, registered: Route, now: Instant) {
        let hold = self.common.limits.address_hold;
        (self.state().senders).relocate(port, registered, now, hold);
    }

    /// Ends all links, and returns the relays that were linked.
    pub(super) fn close(&self) -> Vec<Arc<Self>> {
        self.state().senders.clear()
    }

    /// Returns the relays that this one is linked with.
    pub(super) fn linked(&self) -> Vec<Arc<Self>> {
        self.state().senders.relays().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State<S>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<S> State<S> {
    fn is_over(&self, limits: &RelayLimits, now: Instant) -> bool {
        now.saturating_duration_since(self.opened) >= limits.max_lifetime
    }

    /// Counts bytes that the relay's player sends, or copies that are sent to reach it.
    fn count(&mut self, length: u64, common: &Common, now: Instant) -> Result<(), Dropped> {
        let lifetime_traffic = self.lifetime_traffic.saturating_add(length);
        if self.is_over(&common.limits, now) {
            return Err(Dropped::LifetimeOver);
        }
        if lifetime_traffic > common.limits.max_lifetime_traffic {
            return Err(Dropped::LifetimeTrafficUsed);
        }
        let now = common.nanos(now);
        if !self.sent.has_room(length, common.individual, now) {
            return Err(Dropped::IndividualTraffic);
        }
        if !common.sent.try_count(length, common.global, now) {
            return Err(Dropped::GlobalTraffic);
        }
        self.sent.count(length, common.individual, now);
        self.lifetime_traffic = lifetime_traffic;
        Ok(())
    }
}
