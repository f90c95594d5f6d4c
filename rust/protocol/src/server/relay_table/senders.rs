//! Who may send to a relay port, and where each sender is answered.

use std::{
    collections::{BTreeMap, btree_map::Entry},
    net::{Ipv4Addr, SocketAddrV4},
    time::{Duration, Instant},
};

use super::{limits::RelayLimits, route::Route};
use crate::address_key::AddressKey;

/// The players that are linked with the player behind one relay port, each with the addresses from
/// which its packets to this port come.
///
/// `R` is a player's own relay.
#[derive(Debug)]
pub(super) struct Senders<R> {
    /// By the port of the sender's own relay.
    by_port: BTreeMap<u16, Sender<R>>,
    /// Whose an address is, registered or learned. Holds nothing else.
    by_address: BTreeMap<AddressKey, u16>,
    /// By registered IP address, in the order of the first request. No list is empty.
    by_ip: BTreeMap<Ipv4Addr, Vec<u16>>,
}

#[derive(Debug)]
struct Sender<R> {
    relay: R,
    registered: SocketAddrV4,
    /// At which of the server's addresses it registered, or last sent to from the registered one.
    registered_at: Option<Ipv4Addr>,
    /// When one of the two players last asked for the other.
    asked: Instant,
    /// When something last came from the registered address.
    registered_heard: Option<Instant>,
    /// Further addresses that something came from, the older one first.
    learned: [Option<Learned>; 2],
}

#[derive(Clone, Copy, Debug)]
struct Learned {
    address: SocketAddrV4,
    /// To which of the server's addresses it last sent.
    at: Option<Ipv4Addr>,
    heard: Instant,
}

impl Learned {
    fn route(&self) -> Route {
        Route {
            player: self.address,
            server: self.at,
        }
    }
}

/// Where a player is answered: at one address, and at up to two more while it is not clear which
/// one is right.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Destinations {
    /// The first address.
    pub first: Route,
    /// The addresses that copies go to.
    pub copies: [Option<Route>; 2],
}

impl Destinations {
    /// Returns destinations with one address only.
    #[must_use]
    pub fn one(route: Route) -> Self {
        Self {
            first: route,
            copies: [None; 2],
        }
    }
}

impl<R> Default for Senders<R> {
    fn default() -> Self {
        Self {
            by_port: BTreeMap::new(),
            by_address: BTreeMap::new(),
            by_ip: BTreeMap::new(),
        }
    }
}

impl<R> Senders<R> {
    pub(super) fn len(&self) -> usize {
        self.by_port.len()
    }

    pub(super) fn contains(&self, port: u16) -> bool {
        self.by_port.contains_key(&port)
    }

    /// Allows the player with the relay on `port` to send here, or notes that it was asked for
    /// again.
    pub(super) fn allow(&mut self, port: u16, relay: R, registered: Route, now: Instant) {
        match self.by_port.entry(port) {
            Entry::Occupied(mut entry) => entry.get_mut().asked = now,
            Entry::Vacant(entry) => {
                entry.insert(Sender {
                    relay,
                    registered: registered.player,
                    registered_at: registered.server,
                    asked: now,
                    registered_heard: None,
                    learned: [None; 2],
                });
                let ip = *registered.player.ip();
                self.by_ip.entry(ip).or_default().push(port);
            }
        }
    }

    /// Assigns the player's registered address to it. Takes it from a previous owner, unless that
    /// owner is using it now.
    pub(super) fn claim(&mut self, port: u16, now: Instant, hold: Duration) {
        let Some(address) = self.by_port.get(&port).map(|sender| sender.registered) else {
            return;
        };
        let before = self.by_address.get(&address.into()).copied();
        if let Some(other) = before.filter(|other| *other != port)
            && let Some(other) = self.by_port.get_mut(&other)
        {
            if other.registered == address && is_within(other.registered_heard, hold, now) {
                return;
            }
            other.forget(address);
        }
        self.by_address.insert(address.into(), port);
    }

    /// Notes a player's new registered address. Packets from the old address still belong to the
    /// player if they come from the same router.
    pub(super) fn relocate(&mut self, port: u16, registered: Route, now: Instant, hold: Duration) {
        let Some(sender) = self.by_port.get_mut(&port) else {
            return;
        };
        let old_at = std::mem::replace(&mut sender.registered_at, registered.server);
        let registered = registered.player;
        let old = std::mem::replace(&mut sender.registered, registered);
        if old == registered {
            return;
        }
        let old_heard = sender.registered_heard.take();
        let known = sender.learned.iter().flatten();
        sender.registered_heard = known
            .filter(|learned| learned.address == registered)
            .map(|learned| learned.heard)
            .next();
        sender.forget(registered);
        let is_same_ip = old.ip() == registered.ip();
        let mut gone = vec![old];
        if !is_same_ip {
            let learned = sender.learned.iter_mut().filter_map(Option::take);
            gone.extend(learned.map(|learned| learned.address));
        }
        for address in gone {
            self.release(address, port);
        }
        if !is_same_ip {
            self.leave_ip(*old.ip(), port);
            self.by_ip.entry(*registered.ip()).or_default().push(port);
        } else if let Some(heard) = old_heard
            && !self.by_address.contains_key(&old.into())
        {
            let old = Learned {
                address: old,
                at: old_at,
                heard,
            };
            self.learn(port, old, hold);
        }
        self.claim(port, now, hold);
    }

    /// Forbids a player to send here, and returns its relay.
    pub(super) fn remove(&mut self, port: u16) -> Option<R> {
        let sender = self.by_port.remove(&port)?;
        self.release(sender.registered, port);
        for learned in sender.learned.iter().flatten() {
            self.release(learned.address, port);
        }
        self.leave_ip(*sender.registered.ip(), port);
        Some(sender.relay)
    }

    /// Forbids everybody to send here, and returns the relays of those who could.
    pub(super) fn clear(&mut self) -> Vec<R> {
        self.by_address.clear();
        self.by_ip.clear();
        let senders = std::mem::take(&mut self.by_port);
        senders.into_values().map(|sender| sender.relay).collect()
    }

    /// Returns the relays of all players who may send here.
    pub(super) fn relays(&self) -> impl Iterator<Item = &R> {
        self.by_port.values().map(|sender| &sender.relay)
    }

    /// Returns the player that was heard or asked for least recently, if that is `idle` ago.
    pub(super) fn idlest(&self, idle: Duration, now: Instant) -> Option<&R> {
        let used = |sender: &Sender<R>| sender.last_heard().max(Some(sender.asked));
        let idlest = self.by_port.values().min_by_key(|sender| used(sender))?;
        (!is_within(used(idlest), idle, now)).then_some(&idlest.relay)
    }

    /// Returns the player whose packet came from this address, and learns the address. An unknown
    /// address belongs to somebody only if it `may_be_learned`.
    pub(super) fn sender_of(
        &mut self,
        from: Route,
        now: Instant,
        limits: &RelayLimits,
        may_be_learned: impl FnOnce() -> bool,
    ) -> Option<&R> {
        let port = match self.by_address.get(&from.player.into()) {
            Some(port) => *port,
            // `may_be_learned` comes last because it is the slower search: most strangers fail the
            // look-up by IP address.
            None if self.by_ip.contains_key(from.player.ip()) && may_be_learned() => {
                self.guess(from, now, limits)?
            }
            None => return None,
        };
        let sender = self.by_port.get_mut(&port)?;
        if sender.registered == from.player {
            sender.registered_at = from.server.or(sender.registered_at);
            sender.registered_heard = Some(now);
            // The proven address is in use, so the learned ones belong to somebody else.
            for learned in &mut sender.learned {
                if let Some(wrong) = learned.take() {
                    self.by_address.remove(&wrong.address.into());
                }
            }
        } else {
            let learned = sender.learned.iter_mut().flatten();
            for learned in learned.filter(|learned| learned.address == from.player) {
                learned.at = from.server.or(learned.at);
                learned.heard = now;
            }
        }
        Some(&sender.relay)
    }

    /// Returns where the player with the relay on `port` is answered.
    pub(super) fn destinations(
        &self,
        port: u16,
        now: Instant,
        limits: &RelayLimits,
    ) -> Option<Destinations> {
        let sender = self.by_port.get(&port)?;
        if let [None, None] = sender.learned {
            return Some(Destinations::one(sender.registered_route()));
        }
        let recent = |heard| is_within(heard, limits.idle_timeout, now);
        let learned = sender.learned.iter().flatten();
        let mut routes = std::iter::once((sender.registered_route(), sender.registered_heard))
            .chain(learned.map(|learned| (learned.route(), Some(learned.heard))))
            .filter(|(_, heard)| recent(*heard))
            .map(|(route, _)| route);
        Some(match routes.next() {
            Some(first) => Destinations {
                first,
                copies: [routes.next(), routes.next()],
            },
            None => Destinations::one(sender.last_route()),
        })
    }

    /// Returns whose an unknown address probably is, and learns it.
    fn guess(&mut self, from: Route, now: Instant, limits: &RelayLimits) -> Option<u16> {
        let ports = self.by_ip.get(from.player.ip())?;
        let is_only_one = ports.len() == 1;
        let senders = ports
            .iter()
            .filter_map(|port| Some((*port, self.by_port.get(port)?)));
        let likely = senders
            .filter_map(|(port, sender)| Some((sender.guess(is_only_one, now, limits)?, port)));
        // The first of equals, in the order of requests.
        let (_, port) = likely.min_by_key(|(guess, _)| *guess)?;
        let new = Learned {
            address: from.player,
            at: from.server,
            heard: now,
        };
        self.learn(port, new, limits.address_hold);
        Some(port)
    }

    fn learn(&mut self, port: u16, new: Learned, hold: Duration) {
        let Some(sender) = self.by_port.get_mut(&port) else {
            return;
        };
        if let Some(forgotten) = sender.learn(new, hold) {
            self.by_address.remove(&forgotten.into());
        }
        self.by_address.insert(new.address.into(), port);
    }

    /// Takes an address from a player, unless it belongs to another one.
    fn release(&mut self, address: SocketAddrV4, port: u16) {
        if self.by_address.get(&address.into()) != Some(&port) {
            return;
        }
        self.by_address.remove(&address.into());
        // Another player may have registered the same address.
        let same_ip = self.by_ip.get(address.ip()).into_iter().flatten();
        let heir = same_ip
            .copied()
            .filter(|other| *other != port)
            .find(|other| {
                self.by_port
                    .get(other)
                    .is_some_and(|other| other.registered == address)
            });
        if let Some(heir) = heir {
            self.by_address.insert(address.into(), heir);
        }
    }

    fn leave_ip(&mut self, ip: Ipv4Addr, port: u16) {
        if let Entry::Occupied(mut entry) = self.by_ip.entry(ip) {
            entry.get_mut().retain(|other| *other != port);
            if entry.get().is_empty() {
                entry.remove();
            }
        }
    }
}

/// Why an unknown address may be a player's. The likeliest reason compares as the least.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum Guess {
    /// The player was just asked for, and nothing has come from it since.
    Expected,
    /// The player stopped sending this long ago: its router gave it another port. The player that
    /// stopped last is the likeliest.
    Moved(Duration),
    /// The player was asked for long ago, and nothing ever came from it.
    NeverHeard,
    /// The player sends from elsewhere, but the address can be nobody else's.
    OnlyOne,
}

impl<R> Sender<R> {
    fn guess(&self, is_only_one: bool, now: Instant, limits: &RelayLimits) -> Option<Guess> {
        let hold = limits.address_hold;
        if is_within(self.registered_heard, hold, now) {
            // The player is known to be elsewhere.
            return None;
        }
        let heard = self.last_heard();
        if heard < Some(self.asked) && is_within(Some(self.asked), limits.idle_timeout, now) {
            return Some(Guess::Expected);
        }
        match heard {
            None => Some(Guess::NeverHeard),
            Some(_) if is_within(heard, hold, now) => is_only_one.then_some(Guess::OnlyOne),
            Some(heard) => Some(Guess::Moved(now.saturating_duration_since(heard))),
        }
    }

    fn last_heard(&self) -> Option<Instant> {
        let learned = self.learned.iter().flatten();
        let learned = learned.map(|learned| learned.heard).max();
        self.registered_heard.max(learned)
    }

    fn registered_route(&self) -> Route {
        Route {
            player: self.registered,
            server: self.registered_at,
        }
    }

    /// Returns where something last came from, or the registered address.
    fn last_route(&self) -> Route {
        let learned = self.learned.iter().flatten();
        let last = learned.max_by_key(|learned| learned.heard);
        last.filter(|last| Some(last.heard) > self.registered_heard)
            .map_or(self.registered_route(), Learned::route)
    }

    /// Adds an address, and returns the one that it replaces: one that is silent, or the newer one,
    /// so that a later address never displaces an earlier one.
    fn learn(&mut self, new: Learned, hold: Duration) -> Option<SocketAddrV4> {
        let heard = new.heard;
        let new = Some(new);
        let [older, newer] = self.learned;
        let (Some(older), Some(newer)) = (older, newer) else {
            self.learned = [older.or(newer), None];
            let free = self.learned.iter_mut().find(|learned| learned.is_none());
            if let Some(free) = free {
                *free = new;
            }
            return None;
        };
        let older_is_silent = !is_within(Some(older.heard), hold, heard);
        if older_is_silent && older.heard <= newer.heard {
            self.learned = [Some(newer), new];
            Some(older.address)
        } else {
            self.learned = [Some(older), new];
            Some(newer.address)
        }
    }

    fn forget(&mut self, address: SocketAddrV4) {
        for learned in &mut self.learned {
            if learned.is_some_and(|learned| learned.address == address) {
                *learned = None;
            }
        }
    }
}

fn is_within(then: Option<Instant>, time: Duration, now: Instant) -> bool {
    then.is_some_and(|then| now.saturating_duration_since(then) < time)
}

#[cfg(test)]
#[expect(
    clippy::disallowed_methods,
    reason = "a test begins at the present instant"
)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn limits() -> RelayLimits {
        RelayLimits {
            idle_timeout: Duration::from_secs(30),
            traffic_interval: Duration::from_millis(100),
            max_individual_traffic: 1,
            max_global_traffic: 1,
            max_lifetime: Duration::MAX,
            max_lifetime_traffic: u64::MAX,
            address_hold: Duration::from_secs(2),
            max_links: 4,
        }
    }

    fn at(router: u8, port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, router), port)
    }

    #[derive(Clone, Debug)]
    enum Step {
        Wait(u64),
        Allow(u16, u8, u16),
        Relocate(u16, u8, u16),
        Remove(u16),
        Receive(u8, u16),
        Clear,
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            20 => (1..4000u64).prop_map(Step::Wait),
            40 => (1..5u16, 1..3u8, 1..6u16).prop_map(|(p, r, a)| Step::Allow(p, r, a)),
            40 => (1..5u16, 1..3u8, 1..6u16).prop_map(|(p, r, a)| Step::Relocate(p, r, a)),
            20 => (1..5u16).prop_map(Step::Remove),
            100 => (1..3u8, 1..12u16).prop_map(|(r, a)| Step::Receive(r, a)),
            1 => Just(Step::Clear),
        ]
    }

    proptest! {
        /// An address that is left behind would be somebody's forever.
        #[test]
        fn knows_each_address_once_and_forgets_with_the_player(
            steps in proptest::collection::vec(step(), 1..200)
        ) {
            let limits = limits();
            let hold = limits.address_hold;
            let mut now = Instant::now();
            let mut senders = Senders::default();
            for step in steps {
                match step {
                    Step::Wait(millis) => now += Duration::from_millis(millis),
                    Step::Allow(port, router, address) => {
                        senders.allow(port, port, at(router, address).into(), now);
                        senders.claim(port, now, hold);
                    }
                    Step::Relocate(port, router, address) => {
                        senders.relocate(port, at(router, address).into(), now, hold);
                    }
                    Step::Remove(port) => {
                        senders.remove(port);
                    }
                    Step::Receive(router, address) => {
                        senders.sender_of(at(router, address).into(), now, &limits, || true);
                    }
                    Step::Clear => {
                        senders.clear();
                    }
                }
                let mut known = BTreeMap::new();
                for (port, sender) in &senders.by_port {
                    for learned in sender.learned.iter().flatten() {
                        prop_assert_eq!(learned.address.ip(), sender.registered.ip());
                        prop_assert!(known.insert(learned.address.into(), *port).is_none());
                    }
                }
                for (port, sender) in &senders.by_port {
                    // Of several who proved it, one has it.
                    let has = senders.by_address.get(&sender.registered.into()).copied();
                    let has = has.and_then(|port| senders.by_port.get(&port));
                    prop_assert!(has.is_some_and(|has| has.registered == sender.registered));
                    if senders.by_address.get(&sender.registered.into()) == Some(port) {
                        prop_assert!(known.insert(sender.registered.into(), *port).is_none());
                    }
                    let same_ip = &senders.by_ip[sender.registered.ip()];
                    prop_assert_eq!(same_ip.iter().filter(|other| *other == port).count(), 1);
                }
                prop_assert_eq!(&known, &senders.by_address);
                let listed: usize = senders.by_ip.values().map(Vec::len).sum();
                prop_assert_eq!(listed, senders.len());
                prop_assert!(senders.by_ip.values().all(|ports| !ports.is_empty()));
            }
        }
    }
}
