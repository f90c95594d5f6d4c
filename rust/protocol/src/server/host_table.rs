//! Who is on a server: the players, their ids and their registered addresses.

#![expect(
    clippy::disallowed_types,
    reason = "the one hash map is only looked up, with a hasher that comes in as an argument"
)]

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, btree_map, hash_map},
    hash::BuildHasher,
    net::SocketAddrV4,
};

use crate::wire::{
    command::RefusalReason,
    id::{OpenId, PrivateId},
};

/// A connection to the server; unique as long as the server runs.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct ConnectionId(pub u64);

/// A player on the server, from when it gets an identity until it leaves; never given twice.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct PlayerId(pub u64);

/// Why a player gets no further identity.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum RegisterError {
    /// The OpenID or the PrivateID belongs to another player; try fresh ones.
    #[error("the id is in use")]
    IdInUse,
    /// The connection has as many identities as one connection may have.
    #[error("the connection has too many identities")]
    TooMany,
}

/// What a datagram with a PrivateID did.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum AddressRegistration {
    /// It registered the player's first address.
    First(PlayerId),
    /// It repeated the registered address.
    Repeat,
    /// It replaced the registered address: the one that was proven last counts.
    Moved(PlayerId),
    /// No player has this PrivateID.
    UnknownPrivateId,
}

/// One of two players who are to be connected.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Endpoint {
    /// The player.
    pub player: PlayerId,
    /// The connection on which the player is told of the other.
    pub connection: ConnectionId,
    /// The player's registered address.
    pub registered: SocketAddrV4,
}

/// Two players who may be told of each other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Introduction {
    /// The player that asked.
    pub player: Endpoint,
    /// The host that was asked for.
    pub host: Endpoint,
}

#[derive(Debug)]
struct Player {
    id: PlayerId,
    connection: ConnectionId,
    private_id: PrivateId,
    registered: Option<SocketAddrV4>,
}

/// The players of a server.
///
/// A player lives as long as its connection. A connection that registers more than once has several
/// players, all of them live; it makes its requests as the first one.
#[derive(Debug)]
pub struct HostTable<H> {
    max_per_connection: usize,
    players: BTreeMap<OpenId, Player>,
    /// Hashed, because comparing a PrivateID takes a time that tells how much of it was guessed.
    by_private_id: HashMap<PrivateId, OpenId, H>,
    /// In the order of registration; never an empty list.
    by_connection: BTreeMap<ConnectionId, Vec<OpenId>>,
    /// The connections whose players have said that they host no game.
    shut: BTreeSet<ConnectionId>,
    next_id: u64,
}

impl<H: BuildHasher> HostTable<H> {
    /// Returns an empty table that allows `max_per_connection` players on one connection. `hasher`
    /// has random keys, so that nobody can choose PrivateIDs that collide.
    #[must_use]
    pub fn new(max_per_connection: usize, hasher: H) -> Self {
        Self {
            max_per_connection,
            players: BTreeMap::new(),
            by_private_id: HashMap::with_hasher(hasher),
            by_connection: BTreeMap::new(),
            shut: BTreeSet::new(),
            next_id: 0,
        }
    }

    /// Adds a player, with ids that the caller drew at random.
    ///
    /// # Errors
    /// See [`RegisterError`]; then the table is unchanged.
    pub fn register(
        &mut self,
        connection: ConnectionId,
        open_id: OpenId,
        private_id: PrivateId,
    ) -> Result<(), RegisterError> {
        let own = self.by_connection.get(&connection).map_or(0, Vec::len);
        if own >= self.max_per_connection {
            return Err(RegisterError::TooMany);
        }
        if self.players.contains_key(&open_id) {
            return Err(RegisterError::IdInUse);
        }
        let hash_map::Entry::Vacant(entry) = self.by_private_id.entry(private_id.clone()) else {
            return Err(RegisterError::IdInUse);
        };
        entry.insert(open_id.clone());
        self.by_connection
            .entry(connection)
            .or_default()
            .push(open_id.clone());
        self.players.insert(
            open_id,
            Player {
                id: PlayerId(self.next_id),
                connection,
                private_id,
                registered: None,
            },
        );
        self.next_id += 1;
        Ok(())
    }

    /// Moves a player that comes back to its new connection. Returns whether the player was still
    /// here: then its old connection broke without anybody noticing.
    ///
    /// The player keeps its address and its relay until it registers again.
    pub fn move_to(
        &mut self,
        connection: ConnectionId,
        open_id: &OpenId,
        private_id: &PrivateId,
    ) -> bool {
        let own = self.by_connection.get(&connection).map_or(0, Vec::len);
        let player = self.players.get_mut(open_id);
        let Some(player) = player.filter(|player| player.private_id == *private_id) else {
            return false;
        };
        let before = std::mem::replace(&mut player.connection, connection);
        if before == connection || own >= self.max_per_connection {
            player.connection = before;
            return before == connection;
        }
        if let btree_map::Entry::Occupied(mut entry) = self.by_connection.entry(before) {
            entry.get_mut().retain(|own| own != open_id);
            if entry.get().is_empty() {
                entry.remove();
            }
        }
        let open_ids = self.by_connection.entry(connection).or_default();
        open_ids.push(open_id.clone());
        true
    }

    /// Registers `from` as the address of the player with this PrivateID.
    ///
    /// The newest address counts, since only the player knows the PrivateID: its router may have
    /// been restarted, or its machine may have changed networks. (The public server keeps the first
    /// one.)
    pub fn register_address(
        &mut self,
        private_id: &str,
        from: SocketAddrV4,
    ) -> AddressRegistration {
        let player = PrivateId::new(private_id)
            .and_then(|private_id| self.by_private_id.get(&private_id))
            .and_then(|open_id| self.players.get_mut(open_id));
        let Some(player) = player else {
            return AddressRegistration::UnknownPrivateId;
        };
        match player.registered.replace(from) {
            None => AddressRegistration::First(player.id),
            Some(before) if before == from => AddressRegistration::Repeat,
            Some(_) => AddressRegistration::Moved(player.id),
        }
    }

    /// Notes whether the players of a connection can be asked for; until it is called, they can.
    pub fn set_open(&mut self, connection: ConnectionId, is_open: bool) {
        if is_open {
            self.shut.remove(&connection);
        } else {
            self.shut.insert(connection);
        }
    }

    /// Returns whom to tell what when `connection` asks for `host`.
    ///
    /// # Errors
    /// The reason to refuse. The host is checked before the player that asks, as on the public
    /// server.
    pub fn introduce(
        &self,
        connection: ConnectionId,
        host: &OpenId,
    ) -> Result<Introduction, RefusalReason> {
        let host = self.players.get(host).ok_or(RefusalReason::UnknownHost)?;
        if self.shut.contains(&host.connection) {
            return Err(RefusalReason::UnknownHost);
        }
        let host_address = host.registered.ok_or(RefusalReason::HostUnregistered)?;
        let player = self
            .by_connection
            .get(&connection)
            .and_then(|open_ids| self.players.get(open_ids.first()?))
            .ok_or(RefusalReason::NoIdentity)?;
        let registered = player.registered.ok_or(RefusalReason::PlayerUnregistered)?;
        Ok(Introduction {
            player: Endpoint {
                player: player.id,
                connection,
                registered,
            },
            host: Endpoint {
                player: host.id,
                connection: host.connection,
                registered: host_address,
            },
        })
    }

    /// Removes all players of a connection and returns them.
    pub fn disconnect(&mut self, connection: ConnectionId) -> Vec<PlayerId> {
        self.shut.remove(&connection);
        let open_ids = self.by_connection.remove(&connection).unwrap_or_default();
        let players = open_ids.iter().filter_map(|open_id| {
            let player = self.players.remove(open_id)?;
            self.by_private_id.remove(&player.private_id);
            Some(player.id)
        });
        players.collect()
    }

    /// Returns how many players there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.players.len()
    }

    /// Whether there is no player.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.players.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use std::{
        hash::{BuildHasherDefault, DefaultHasher},
        net::Ipv4Addr,
    };

    use proptest::prelude::*;

    use super::*;

    const MAX_PER_CONNECTION: usize = 3;

    type Table = HostTable<BuildHasherDefault<DefaultHasher>>;

    fn table(max_per_connection: usize) -> Table {
        HostTable::new(max_per_connection, BuildHasherDefault::new())
    }

    fn open_id(number: u8) -> OpenId {
        OpenId::new(&format!("oid{number}")).unwrap()
    }

    fn secret(number: u8) -> String {
        format!("pid{number}")
    }

    fn private_id(number: u8) -> PrivateId {
        PrivateId::new(secret(number)).unwrap()
    }

    fn address(port: u16) -> SocketAddrV4 {
        SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)
    }

    /// The same rules, as a list that is searched from the front.
    #[derive(Default)]
    struct Model {
        players: Vec<ModelPlayer>,
        registered: u64,
    }

    struct ModelPlayer {
        id: PlayerId,
        connection: u64,
        open_id: u8,
        private_id: u8,
        registered: Option<u16>,
    }

    impl Model {
        fn register(
            &mut self,
            connection: u64,
            open_id: u8,
            private_id: u8,
        ) -> Result<(), RegisterError> {
            let own = self
                .players
                .iter()
                .filter(|p| p.connection == connection)
                .count();
            if own >= MAX_PER_CONNECTION {
                return Err(RegisterError::TooMany);
            }
            let taken = |p: &ModelPlayer| p.open_id == open_id || p.private_id == private_id;
            if self.players.iter().any(taken) {
                return Err(RegisterError::IdInUse);
            }
            let id = PlayerId(self.registered);
            self.registered += 1;
            self.players.push(ModelPlayer {
                id,
                connection,
                open_id,
                private_id,
                registered: None,
            });
            Ok(())
        }

        fn register_address(&mut self, private_id: u8, port: u16) -> AddressRegistration {
            match self.players.iter_mut().find(|p| p.private_id == private_id) {
                None => AddressRegistration::UnknownPrivateId,
                Some(player) => match player.registered.replace(port) {
                    None => AddressRegistration::First(player.id),
                    Some(before) if before == port => AddressRegistration::Repeat,
                    Some(_) => AddressRegistration::Moved(player.id),
                },
            }
        }

        /// Returns the connection and port of the host, then of the player that asks.
        fn introduce(
            &self,
            connection: u64,
            open_id: u8,
        ) -> Result<[(u64, u16); 2], RefusalReason> {
            let Some(host) = self.players.iter().find(|p| p.open_id == open_id) else {
                return Err(RefusalReason::UnknownHost);
            };
            let Some(host_port) = host.registered else {
                return Err(RefusalReason::HostUnregistered);
            };
            let Some(player) = self.players.iter().find(|p| p.connection == connection) else {
                return Err(RefusalReason::NoIdentity);
            };
            let Some(port) = player.registered else {
                return Err(RefusalReason::PlayerUnregistered);
            };
            Ok([(host.connection, host_port), (connection, port)])
        }

        fn disconnect(&mut self, connection: u64) -> Vec<PlayerId> {
            let gone = |p: &mut ModelPlayer| p.connection == connection;
            self.players.extract_if(.., gone).map(|p| p.id).collect()
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        Register(u64, u8, u8),
        RegisterRemote(u8, u16),
        Introduce(u64, u8),
        Disconnect(u64),
    }

    fn step() -> impl Strategy<Value = Step> {
        prop_oneof![
            4 => (0..4u64, 0..8u8, 0..8u8).prop_map(|(c, o, p)| Step::Register(c, o, p)),
            4 => (0..8u8, 1..5u16).prop_map(|(p, a)| Step::RegisterRemote(p, a)),
            4 => (0..4u64, 0..8u8).prop_map(|(c, o)| Step::Introduce(c, o)),
            1 => (0..4u64).prop_map(Step::Disconnect),
        ]
    }

    proptest! {
        #[test]
        fn agrees_with_the_model(steps in proptest::collection::vec(step(), 1..120)) {
            let mut table = table(MAX_PER_CONNECTION);
            let mut model = Model::default();
            for step in steps {
                match step {
                    Step::Register(connection, oid, pid) => prop_assert_eq!(
                        table.register(ConnectionId(connection), open_id(oid), private_id(pid)),
                        model.register(connection, oid, pid)
                    ),
                    Step::RegisterRemote(pid, port) => prop_assert_eq!(
                        table.register_address(&secret(pid), address(port)),
                        model.register_address(pid, port)
                    ),
                    Step::Introduce(connection, oid) => {
                        let endpoint = |endpoint: Endpoint| {
                            (endpoint.connection.0, endpoint.registered.port())
                        };
                        prop_assert_eq!(
                            table
                                .introduce(ConnectionId(connection), &open_id(oid))
                                .map(|both| [endpoint(both.host), endpoint(both.player)]),
                            model.introduce(connection, oid)
                        );
                    }
                    Step::Disconnect(connection) => prop_assert_eq!(
                        table.disconnect(ConnectionId(connection)),
                        model.disconnect(connection)
                    ),
                }
                prop_assert_eq!(table.len(), model.players.len());
                prop_assert_eq!(table.is_empty(), model.players.is_empty());
                // Nothing may stay behind when a player has left.
                prop_assert_eq!(table.by_private_id.len(), table.players.len());
                prop_assert_eq!(
                    table.by_connection.values().map(Vec::len).sum::<usize>(),
                    table.players.len()
                );
                prop_assert!(table.by_connection.values().all(|own| !own.is_empty()));
            }
        }
    }

    #[test]
    fn the_newest_address_counts() {
        let mut table = table(1);
        let connection = ConnectionId(1);
        table
            .register(connection, open_id(1), private_id(1))
            .unwrap();
        let register = |table: &mut Table, port| table.register_address("pid1", address(port));
        let first = register(&mut table, 7);
        assert_eq!(register(&mut table, 7), AddressRegistration::Repeat);
        let met = table.introduce(connection, &open_id(1)).unwrap();
        assert_eq!(met.player.registered, address(7));
        assert_eq!(met.player, met.host, "a player may ask for itself");
        assert_eq!(first, AddressRegistration::First(met.player.player));
        let moved = AddressRegistration::Moved(met.player.player);
        assert_eq!(register(&mut table, 8), moved);
        let met = table.introduce(connection, &open_id(1)).unwrap();
        assert_eq!(met.host.registered, address(8));
    }

    #[test]
    fn who_hosts_no_game_cannot_be_asked_for_and_leaves_nothing_behind() {
        let mut table = table(1);
        for number in [1, 2] {
            let connection = ConnectionId(number.into());
            let registered = table.register(connection, open_id(number), private_id(number));
            registered.unwrap();
            table.register_address(&secret(number), address(number.into()));
        }
        let ask = |table: &Table| table.introduce(ConnectionId(2), &open_id(1)).map(drop);
        assert_eq!(ask(&table), Ok(()));
        table.set_open(ConnectionId(1), false);
        assert_eq!(ask(&table), Err(RefusalReason::UnknownHost));
        // It can ask for others all the same, and others can be asked for.
        assert!(table.introduce(ConnectionId(1), &open_id(2)).is_ok());
        // What the broken connection said does not count for the new one.
        assert!(table.move_to(ConnectionId(3), &open_id(1), &private_id(1)));
        assert_eq!(ask(&table), Ok(()));
        table.set_open(ConnectionId(3), false);
        table.set_open(ConnectionId(3), true);
        assert_eq!(ask(&table), Ok(()));
        table.disconnect(ConnectionId(1));
        assert!(table.shut.is_empty());
    }

    #[test]
    fn no_text_but_a_private_id_registers() {
        let mut table = table(1);
        table
            .register(ConnectionId(1), open_id(1), private_id(1))
            .unwrap();
        for text in [
            "",
            " ",
            "pid",
            "pid1 ",
            "pid1\n",
            "oid1",
            &"x".repeat(70_000),
        ] {
            assert_eq!(
                table.register_address(text, address(1)),
                AddressRegistration::UnknownPrivateId,
            );
        }
    }

    #[test]
    fn a_table_does_not_print_private_ids() {
        let mut table = table(1);
        table
            .register(ConnectionId(1), open_id(1), private_id(1))
            .unwrap();
        assert!(!format!("{table:?}").contains("pid1"));
    }
}
