//! Steps of the host table: players register, show a PrivateID, ask for others, move and leave.
//!
//! An input is a script: a byte for each step, and bytes for its choices.

use std::{
    hash::{BuildHasherDefault, DefaultHasher},
    net::{Ipv4Addr, SocketAddrV4},
};

use noray_protocol::{
    server::host_table::{
        AddressRegistration, ConnectionId, Endpoint, HostTable, PlayerId, RegisterError,
    },
    wire::{
        command::RefusalReason,
        id::{OpenId, PrivateId},
    },
};

use crate::input::Input;

/// Few, so that steps concern each other.
const CONNECTIONS: u8 = 4;
const IDS: u8 = 6;
/// A text that every PrivateID here contains.
const SECRET: &str = "tell-nobody";

/// Checks an input.
///
/// # Panics
/// If the table does not do what the rules say, or shows a PrivateID.
pub fn check(data: &[u8]) {
    let mut input = Input::new(data);
    let max_per_connection = usize::from(input.below(4));
    let mut table = HostTable::new(
        max_per_connection,
        BuildHasherDefault::<DefaultHasher>::new(),
    );
    let mut rules = Rules {
        max_per_connection,
        ..Rules::default()
    };
    while let Some(step) = input.byte() {
        let connection = ConnectionId(input.below(CONNECTIONS).into());
        match step % 8 {
            0 => {
                let (open, private) = (input.below(IDS), input.below(IDS));
                let result = table.register(connection, open_id(open), private_id(private));
                assert_eq!(result, rules.register(connection, open, private));
            }
            1 => {
                let (private, from) = (input.below(IDS), address(&mut input));
                let result = table.register_address(&secret(private), from);
                assert_eq!(result, rules.register_address(&secret(private), from));
            }
            2 => {
                let datagram = datagram(&mut input);
                let from = address(&mut input);
                if let Ok(text) = std::str::from_utf8(&datagram) {
                    let result = table.register_address(text, from);
                    assert_eq!(result, rules.register_address(text, from));
                }
            }
            3 | 4 => {
                let host = input.below(IDS);
                let introduced = table.introduce(connection, &open_id(host));
                let introduced = introduced.map(|both| [both.player, both.host]);
                assert_eq!(introduced, rules.introduce(connection, host));
            }
            5 => {
                let gone = table.disconnect(connection);
                assert_eq!(gone, rules.disconnect(connection));
            }
            6 => {
                let (open, private) = (input.below(IDS), input.below(IDS));
                let moved = table.move_to(connection, &open_id(open), &private_id(private));
                assert_eq!(moved, rules.move_to(connection, open, private));
            }
            // As a server gives back an identity whose old connection may be gone.
            _ => {
                let number = input.below(IDS);
                let moved = table.move_to(connection, &open_id(number), &private_id(number));
                assert_eq!(moved, rules.move_to(connection, number, number));
                if !moved {
                    let result = table.register(connection, open_id(number), private_id(number));
                    assert_eq!(result, rules.register(connection, number, number));
                }
            }
        }
        assert_eq!(table.len(), rules.players.len());
        assert_eq!(table.is_empty(), rules.players.is_empty());
    }
    assert!(
        !format!("{table:?}").contains(SECRET),
        "a PrivateID can be printed"
    );
    // Nobody is left: all ids are free again.
    for connection in 0..CONNECTIONS {
        table.disconnect(ConnectionId(connection.into()));
    }
    assert!(table.is_empty());
    for number in 0..IDS.min(u8::try_from(max_per_connection).unwrap_or(IDS)) {
        let connection = ConnectionId(0);
        let free = table.register(connection, open_id(number), private_id(number));
        assert_eq!(free, Ok(()));
    }
}

fn open_id(number: u8) -> OpenId {
    OpenId::new(&format!("host-{number}")).expect("an OpenID")
}

fn secret(number: u8) -> String {
    // One is as long as a datagram allows, and one is not ASCII.
    match number {
        0 => format!(
            "{SECRET}{}",
            "0".repeat(noray_protocol::defaults::MAX_PRIVATE_ID - SECRET.len())
        ),
        1 => format!("{SECRET}-é🦀"),
        _ => format!("{SECRET}-{number}"),
    }
}

fn private_id(number: u8) -> PrivateId {
    PrivateId::new(secret(number)).expect("a PrivateID")
}

fn address(input: &mut Input<'_>) -> SocketAddrV4 {
    SocketAddrV4::new(
        Ipv4Addr::new(10, 0, 0, input.below(3)),
        input.below(4).into(),
    )
}

/// Returns a PrivateID with something missing, added or changed, or any other text.
fn datagram(input: &mut Input<'_>) -> Vec<u8> {
    let mut datagram = secret(input.below(IDS)).into_bytes();
    let kept = usize::from(input.byte().unwrap_or_default());
    if kept < 255 {
        datagram.truncate(kept);
    }
    let length = input.below(16);
    datagram.extend_from_slice(input.bytes(length.into()));
    datagram
}

struct Player {
    id: PlayerId,
    connection: ConnectionId,
    open: u8,
    private: u8,
    registered: Option<SocketAddrV4>,
}

/// The table's rules, as a list that is searched from the front: players that came to a connection
/// first stand before those that came later.
#[derive(Default)]
struct Rules {
    max_per_connection: usize,
    players: Vec<Player>,
    ever: u64,
}

impl Rules {
    fn has_room(&self, connection: ConnectionId) -> bool {
        let own = self
            .players
            .iter()
            .filter(|player| player.connection == connection);
        own.count() < self.max_per_connection
    }

    fn register(
        &mut self,
        connection: ConnectionId,
        open: u8,
        private: u8,
    ) -> Result<(), RegisterError> {
        if !self.has_room(connection) {
            return Err(RegisterError::TooMany);
        }
        if self
            .players
            .iter()
            .any(|player| player.open == open || player.private == private)
        {
            return Err(RegisterError::IdInUse);
        }
        let id = PlayerId(self.ever);
        self.ever += 1;
        self.players.push(Player {
            id,
            connection,
            open,
            private,
            registered: None,
        });
        Ok(())
    }

    fn register_address(&mut self, shown: &str, from: SocketAddrV4) -> AddressRegistration {
        let Some(player) = self
            .players
            .iter_mut()
            .find(|player| secret(player.private) == shown)
        else {
            return AddressRegistration::UnknownPrivateId;
        };
        match player.registered.replace(from) {
            None => AddressRegistration::First(player.id),
            Some(before) if before == from => AddressRegistration::Repeat,
            Some(_) => AddressRegistration::Moved(player.id),
        }
    }

    /// Returns the player that asks, then the host.
    fn introduce(
        &self,
        connection: ConnectionId,
        host: u8,
    ) -> Result<[Endpoint; 2], RefusalReason> {
        let endpoint = |player: Option<&Player>, missing, unregistered| {
            let player = player.ok_or(missing)?;
            let registered = player.registered.ok_or(unregistered)?;
            Ok(Endpoint {
                player: player.id,
                connection: player.connection,
                registered,
            })
        };
        let host = endpoint(
            self.players.iter().find(|player| player.open == host),
            RefusalReason::UnknownHost,
            RefusalReason::HostUnregistered,
        )?;
        let player = endpoint(
            self.players
                .iter()
                .find(|player| player.connection == connection),
            RefusalReason::NoIdentity,
            RefusalReason::PlayerUnregistered,
        )?;
        Ok([player, host])
    }

    fn move_to(&mut self, connection: ConnectionId, open: u8, private: u8) -> bool {
        let is_meant = |player: &Player| player.open == open && player.private == private;
        let Some(at) = self.players.iter().position(is_meant) else {
            return false;
        };
        if self.players[at].connection == connection {
            return true;
        }
        if !self.has_room(connection) {
            return false;
        }
        let player = self.players.remove(at);
        self.players.push(Player {
            connection,
            ..player
        });
        true
    }

    fn disconnect(&mut self, connection: ConnectionId) -> Vec<PlayerId> {
        let gone = self
            .players
            .extract_if(.., |player| player.connection == connection);
        gone.map(|player| player.id).collect()
    }
}
