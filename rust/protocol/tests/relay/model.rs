//! Random steps against a simple model.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddrV4,
    time::Duration,
};

use noray_protocol::server::{host_table::PlayerId, relay_table::OpenError};
use proptest::prelude::*;

use crate::table::{ASIDE, HOLD, IDLE, World, at, limits};

const PORTS: [u16; 5] = [1, 2, 3, 4, 5];

#[derive(Clone, Debug)]
enum Step {
    Wait(u64),
    Register(u8, u8, u16),
    Disown(u8),
    Meet(u8, u8),
    SetAside(u8),
    Close(u16),
    GiveBack(u16),
    Send(u8, u16, u16),
    Expire,
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        2 => (1..40_000u64).prop_map(Step::Wait),
        3 => (1..7u8, 1..4u8, 1..6u16).prop_map(|(n, r, p)| Step::Register(n, r, p)),
        1 => (1..7u8).prop_map(Step::Disown),
        5 => (1..7u8, 1..7u8).prop_map(|(a, b)| Step::Meet(a, b)),
        1 => (1..7u8).prop_map(Step::SetAside),
        1 => (1..7u16).prop_map(Step::Close),
        3 => (1..7u16).prop_map(Step::GiveBack),
        12 => (1..4u8, 1..8u16, 1..7u16).prop_map(|(r, p, to)| Step::Send(r, p, to)),
        1 => Just(Step::Expire),
    ]
}

#[derive(Clone, Debug)]
struct ModelRelay {
    port: u16,
    owner: Option<u8>,
    registered: SocketAddrV4,
    used: Duration,
    /// By port: when the registered address behind it was last heard here.
    links: BTreeMap<u16, Option<Duration>>,
    /// The addresses that were once taken for somebody's.
    learned: BTreeSet<SocketAddrV4>,
}

/// The ports and links, searched from the front.
#[derive(Default)]
struct Model {
    free: Vec<u16>,
    taken: Vec<u16>,
    aside: Vec<(Duration, u16)>,
    relays: Vec<ModelRelay>,
    players: BTreeMap<u8, SocketAddrV4>,
    /// The newest relay that was left behind at each address.
    orphans: BTreeMap<SocketAddrV4, u16>,
}

impl Model {
    fn relay(&mut self, port: u16) -> Option<&mut ModelRelay> {
        self.relays.iter_mut().find(|relay| relay.port == port)
    }

    fn reserve(&mut self, player: u8, now: Duration) -> Result<u16, OpenError> {
        let registered = *self.players.get(&player).ok_or(OpenError::Unregistered)?;
        let own = self.relays.iter().find(|relay| relay.owner == Some(player));
        let own = own.map(|relay| relay.port);
        let own = own.or(self.orphans.get(&registered).copied());
        if let Some(port) = own {
            self.orphans.retain(|_, orphan| *orphan != port);
            let relay = self.relay(port).unwrap();
            relay.owner = Some(player);
            relay.used = now;
            return Ok(port);
        }
        let (due, aside) = self.aside.iter().partition(|aside| aside.0 <= now);
        self.aside = aside;
        self.free.extend(due.into_iter().map(|aside| aside.1));
        if self.free.is_empty() {
            return Err(OpenError::Full);
        }
        let port = self.free.remove(0);
        self.taken.push(port);
        Ok(port)
    }

    fn open(&mut self, player: u8, now: Duration) -> Result<u16, OpenError> {
        let port = self.reserve(player, now)?;
        if self.relay(port).is_none() {
            self.taken.retain(|taken| *taken != port);
            self.relays.push(ModelRelay {
                port,
                owner: Some(player),
                registered: self.players[&player],
                used: now,
                links: BTreeMap::new(),
                learned: BTreeSet::new(),
            });
        }
        Ok(port)
    }

    fn close(&mut self, port: u16) -> bool {
        let before = self.relays.len();
        self.relays.retain(|relay| relay.port != port);
        let was_open = self.relays.len() < before;
        if was_open {
            self.taken.push(port);
            self.orphans.retain(|_, orphan| *orphan != port);
            for relay in &mut self.relays {
                relay.links.remove(&port);
            }
        }
        was_open
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn agrees_with_the_rules(steps in proptest::collection::vec(step(), 1..200)) {
        let mut world = World::with_ports(&PORTS, limits());
        let start = world.now;
        let mut model = Model { free: PORTS.to_vec(), ..Model::default() };
        for step in steps {
            let now = world.now - start;
            match step {
                Step::Wait(millis) => world.wait(Duration::from_millis(millis)),
                Step::Register(number, router, port) => {
                    world.register(number, at(router, port));
                    model.players.insert(number, at(router, port));
                    let own = model.relays.iter_mut().find(|r| r.owner == Some(number));
                    if let Some((own, before)) = own.map(|relay| {
                        let before = relay.registered;
                        relay.registered = at(router, port);
                        (relay.port, before)
                    }) && before != at(router, port) {
                        for relay in &mut model.relays {
                            relay.links.entry(own).and_modify(|heard| *heard = None);
                        }
                    }
                }
                Step::Disown(number) => {
                    world.table.disown(PlayerId(number.into()));
                    model.players.remove(&number);
                    let own = model.relays.iter_mut().find(|r| r.owner == Some(number));
                    if let Some(relay) = own {
                        relay.owner = None;
                        model.orphans.insert(relay.registered, relay.port);
                    }
                }
                Step::Meet(one, other) => {
                    let both_registered = [one, other]
                        .iter()
                        .all(|number| model.players.contains_key(number));
                    if both_registered {
                        let real = world.meet(one, other);
                        let ports = model
                            .open(one, now)
                            .and_then(|port| Ok([port, model.open(other, now)?]));
                        prop_assert_eq!(real, ports);
                        if let Ok([one, other]) = ports {
                            model.relay(one).unwrap().links.entry(other).or_default();
                            model.relay(other).unwrap().links.entry(one).or_default();
                        }
                    }
                }
                Step::SetAside(number) => {
                    let reserved = world.table.reserve(PlayerId(number.into()), world.now);
                    let expected = model.reserve(number, now);
                    prop_assert_eq!(reserved.is_ok(), expected.is_ok());
                    if let Ok(port) = expected {
                        world.table.set_aside(port, world.now);
                        if model.relay(port).is_none() {
                            model.taken.retain(|taken| *taken != port);
                            model.aside.push((now + ASIDE, port));
                        }
                    }
                }
                Step::Close(port) => prop_assert_eq!(world.close(port), model.close(port)),
                Step::GiveBack(port) => {
                    world.table.give_back(port);
                    if model.taken.contains(&port) {
                        model.taken.retain(|taken| *taken != port);
                        model.free.push(port);
                    }
                }
                Step::Send(router, port, to) => {
                    prop_assert_eq!(world.relays.contains_key(&to), model.relay(to).is_some());
                    if model.relay(to).is_none() {
                        continue;
                    }
                    check_packet(&world, &mut model, at(router, port), to, now)?;
                }
                Step::Expire => {
                    let mut closed = world.expire();
                    closed.sort_unstable();
                    let mut idle: Vec<_> = model
                        .relays
                        .iter()
                        .filter(|relay| now - relay.used >= IDLE)
                        .map(|relay| relay.port)
                        .collect();
                    idle.sort_unstable();
                    prop_assert_eq!(&closed, &idle);
                    for port in idle {
                        model.close(port);
                    }
                }
            }
            prop_assert_eq!(world.table.len(), model.relays.len());
            let elsewhere = model.free.len() + model.taken.len() + model.aside.len();
            prop_assert_eq!(elsewhere + world.table.len(), PORTS.len());
        }
    }
}

/// Sends a packet and checks what became of it against the module's rules.
fn check_packet(
    world: &World,
    model: &mut Model,
    from: SocketAddrV4,
    to: u16,
    now: Duration,
) -> Result<(), TestCaseError> {
    let sent = world.send(from, to);
    let receiver = model.relay(to).unwrap().clone();
    let linked: Vec<_> = model
        .relays
        .iter()
        .filter(|relay| receiver.links.contains_key(&relay.port))
        .cloned()
        .collect();
    let proven: Vec<_> = linked.iter().filter(|r| r.registered == from).collect();
    let Ok((sender, destinations)) = sent else {
        prop_assert!(proven.is_empty(), "a proven address was dropped");
        return Ok(());
    };
    let sender = linked.iter().find(|relay| relay.port == sender);
    let Some(sender) = sender else {
        return Err(TestCaseError::fail(
            "sent by somebody who was not asked for",
        ));
    };
    prop_assert_eq!(sender.registered.ip(), from.ip());
    if !proven.is_empty() {
        prop_assert!(proven.iter().any(|relay| relay.port == sender.port));
    } else {
        let is_anybodys = model.players.values().any(|address| *address == from);
        prop_assert!(receiver.learned.contains(&from) || !is_anybodys);
        let heard = receiver.links[&sender.port];
        prop_assert!(heard.is_none_or(|heard| now - heard >= HOLD));
    }
    // The receiver is answered at its own network only, and at its proven address alone
    // while it is heard from there.
    prop_assert!(
        destinations
            .iter()
            .all(|to| to.ip() == receiver.registered.ip())
    );
    prop_assert!(destinations.len() <= 3);
    let heard = sender.links[&receiver.port];
    if heard.is_some_and(|heard| now - heard < HOLD) {
        prop_assert_eq!(destinations, [receiver.registered]);
    }
    for port in [to, sender.port] {
        model.relay(port).unwrap().used = now;
    }
    let receiver = model.relay(to).unwrap();
    receiver.learned.insert(from);
    if sender.registered == from {
        receiver.links.insert(sender.port, Some(now));
    }
    Ok(())
}
