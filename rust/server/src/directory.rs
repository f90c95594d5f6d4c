//! Who is connected, and how to reach them.

use std::{
    collections::HashMap,
    hash::RandomState,
    net::{IpAddr, Ipv6Addr, SocketAddrV4},
    sync::{Arc, Mutex, MutexGuard, PoisonError, atomic::Ordering::Relaxed},
    time::Instant,
};

use noray_protocol::{
    server::{
        host_table::{
            AddressRegistration, ConnectionId, Endpoint, HostTable, Introduction, RegisterError,
        },
        relay_table::{OpenError, Route},
    },
    wire::{
        command::{RefusalReason, ServerCommand},
        id::{OpenId, PrivateId},
    },
};

use crate::{
    config::Config,
    counters::Counters,
    defaults::{ID_TRIES, IDLE_ADDRESSES},
    ids::{OpenIdForm, random_text},
    outbox::Outbox,
    relays::Relays,
    throttle::Throttle,
};

/// Why a connection is refused.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum AdmitError {
    #[error("the server has as many connections as it may have")]
    ServerFull,
    #[error("the address has as many connections as one address may have")]
    AddressFull,
}

/// Why a player gets no identity.
#[derive(Debug, thiserror::Error)]
pub(crate) enum IdentityError {
    #[error("the connection has as many identities as it may have")]
    TooMany,
    #[error("all drawn ids are in use: OpenIDs have too few characters or words")]
    NoFreeId,
    #[error("the system gives no random bytes: {0}")]
    Random(#[from] getrandom::Error),
}

/// All connections and players, behind one lock. It is held for look-ups and never across I/O; the
/// relays' lock may be taken under it.
#[derive(Debug)]
pub(crate) struct Directory {
    max_connections: usize,
    max_per_address: usize,
    outbound_queue: usize,
    open_id: OpenIdForm,
    private_id: IdForm,
    address_rates: AddressRates,
    counters: Arc<Counters>,
    relays: Arc<Relays>,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    hosts: HostTable<RandomState>,
    connections: HashMap<ConnectionId, Connection>,
    /// Addresses with connections, and those whose limits are still in use.
    per_address: HashMap<IpAddr, Address>,
    next_id: u64,
}

/// What all connections of one network address share.
#[derive(Debug)]
struct Address {
    connections: usize,
    limits: Arc<AddressLimits>,
}

/// How many times a second all connections of one address together may do something.
#[derive(Clone, Copy, Debug)]
struct AddressRates {
    lines: u32,
    connects: u32,
    registrations: u32,
}

/// What all connections of one address may do together.
#[derive(Debug)]
pub(crate) struct AddressLimits {
    pub(crate) lines: Mutex<Throttle>,
    pub(crate) connects: Mutex<Throttle>,
    pub(crate) registrations: Mutex<Throttle>,
}

impl AddressLimits {
    fn new(rates: AddressRates, now: Instant) -> Self {
        let throttle = |per_second| Mutex::new(Throttle::new(per_second, now));
        Self {
            lines: throttle(rates.lines),
            connects: throttle(rates.connects),
            registrations: throttle(rates.registrations),
        }
    }

    fn is_untouched(&self, now: Instant) -> bool {
        let is_full = |throttle: &Mutex<Throttle>| lock(throttle).is_full(now);
        is_full(&self.lines) && is_full(&self.connects) && is_full(&self.registrations)
    }
}

/// Locks a limit that connections share.
pub(crate) fn lock(throttle: &Mutex<Throttle>) -> MutexGuard<'_, Throttle> {
    throttle.lock().unwrap_or_else(PoisonError::into_inner)
}

#[derive(Debug)]
struct Connection {
    outbox: Arc<Outbox>,
    /// The address of this machine that the player connected to.
    local: IpAddr,
}

/// What PrivateIDs look like.
#[derive(Debug)]
struct IdForm {
    length: usize,
    charset: Vec<char>,
}

impl IdForm {
    fn draw(&self) -> Result<String, getrandom::Error> {
        random_text(&self.charset, self.length)
    }

    /// Returns whether [`Self::draw`] could have drawn this text.
    fn fits(&self, text: &str) -> bool {
        text.chars().count() == self.length && text.chars().all(|c| self.charset.contains(&c))
    }
}

impl Directory {
    pub(crate) fn new(config: &Config, counters: Arc<Counters>, relays: Arc<Relays>) -> Self {
        Self {
            max_connections: config.max_connections,
            max_per_address: config.max_connections_per_address,
            outbound_queue: config.max_outbound_queue.as_usize(),
            open_id: OpenIdForm::new(config),
            private_id: IdForm {
                length: config.private_id_length,
                charset: config.private_id_charset.chars().collect(),
            },
            address_rates: AddressRates {
                lines: config.max_lines_per_second_per_address,
                connects: config.max_connects_per_second_per_address,
                registrations: config.max_registrations_per_second_per_address,
            },
            counters,
            relays,
            state: Mutex::new(State {
                hosts: HostTable::new(config.max_hosts_per_connection, RandomState::new()),
                connections: HashMap::new(),
                per_address: HashMap::new(),
                next_id: 0,
            }),
        }
    }

    /// Admits a connection from `peer` to our address `local`, if there is room.
    ///
    /// # Errors
    /// See [`AdmitError`].
    pub(crate) fn admit(
        self: &Arc<Self>,
        peer: IpAddr,
        local: IpAddr,
    ) -> Result<Member, AdmitError> {
        let address = network_of(peer);
        let outbox = Arc::new(Outbox::new(self.outbound_queue));
        let mut state = self.state();
        if state.connections.len() >= self.max_connections {
            return Err(AdmitError::ServerFull);
        }
        let now = Instant::now();
        state.forget_idle_addresses(now);
        let from_address = state.per_address.entry(address).or_insert_with(|| Address {
            connections: 0,
            limits: Arc::new(AddressLimits::new(self.address_rates, now)),
        });
        if from_address.connections >= self.max_per_address {
            return Err(AdmitError::AddressFull);
        }
        from_address.connections += 1;
        let limits = from_address.limits.clone();
        let id = ConnectionId(state.next_id);
        state.next_id += 1;
        let connection = Connection {
            outbox: outbox.clone(),
            local: local.to_canonical(),
        };
        state.connections.insert(id, connection);
        self.counters
            .connections
            .store(state.connections.len(), Relaxed);
        Ok(Member {
            id,
            address,
            limits,
            outbox,
            directory: self.clone(),
        })
    }

    /// Returns the server's counters.
    pub(crate) fn counters(&self) -> &Counters {
        &self.counters
    }

    /// Notes the external address of the player with this PrivateID, and tells its relay, with the
    /// server's address at which the player found the registrar.
    pub(crate) fn register_address(&self, private_id: &str, from: Route) -> AddressRegistration {
        let mut state = self.state();
        let registration = state.hosts.register_address(private_id, from.player);
        if let AddressRegistration::First(player) | AddressRegistration::Moved(player) =
            registration
        {
            // Under the lock, so that relays learn addresses in the order in which they were proven.
            self.relays.register(player, from);
        }
        self.counters.registration(&registration);
        registration
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// Forgets addresses without connections and with unused limits, once there are many. A limit in
    /// use must outlive its connections: else a player would reset it by connecting anew.
    fn forget_idle_addresses(&mut self, now: Instant) {
        if self.per_address.len() > 2 * self.connections.len() + IDLE_ADDRESSES {
            self.per_address
                .retain(|_, address| address.connections > 0 || !address.limits.is_untouched(now));
        }
    }
}

/// A connection's entry in the directory. Dropping it removes the entry, its identities and its
/// claim to relays.
#[derive(Debug)]
pub(crate) struct Member {
    id: ConnectionId,
    address: IpAddr,
    limits: Arc<AddressLimits>,
    outbox: Arc<Outbox>,
    directory: Arc<Directory>,
}

impl Member {
    /// Returns what waits to be written to this connection.
    pub(crate) fn outbox(&self) -> &Outbox {
        &self.outbox
    }

    /// Returns the limits that all connections of this one's address share.
    pub(crate) fn address_limits(&self) -> &AddressLimits {
        &self.limits
    }

    /// Gives the player a new identity.
    ///
    /// # Errors
    /// See [`IdentityError`].
    pub(crate) fn register(&self) -> Result<(OpenId, PrivateId), IdentityError> {
        for _ in 0..ID_TRIES {
            let private_id = PrivateId::new(self.directory.private_id.draw()?);
            // `Config::check` made sure that ids fit.
            let Some(private_id) = private_id else {
                return Err(IdentityError::NoFreeId);
            };
            let Ok(open_id) = OpenId::new(&self.directory.open_id.of(&private_id)) else {
                return Err(IdentityError::NoFreeId);
            };
            match self.enter(&open_id, &private_id) {
                Ok(()) => return Ok((open_id, private_id)),
                Err(RegisterError::TooMany) => return Err(IdentityError::TooMany),
                Err(RegisterError::IdInUse) => {}
            }
        }
        Err(IdentityError::NoFreeId)
    }

    /// Gives the player an identity back. Returns whether the player proved that it is its own, and
    /// may have one more.
    pub(crate) fn resume(&self, open_id: &OpenId, private_id: &PrivateId) -> bool {
        let form = &self.directory.private_id;
        if !form.fits(private_id.reveal())
            || self.directory.open_id.of(private_id) != open_id.as_str()
        {
            return false;
        }
        // The server may not have noticed yet that the old connection is broken.
        let moved = (self.directory.state().hosts).move_to(self.id, open_id, private_id);
        moved || self.enter(open_id, private_id).is_ok()
    }

    fn enter(&self, open_id: &OpenId, private_id: &PrivateId) -> Result<(), RegisterError> {
        let mut state = self.directory.state();
        (state.hosts).register(self.id, open_id.clone(), private_id.clone())?;
        let players = state.hosts.len();
        self.directory.counters.players.store(players, Relaxed);
        Ok(())
    }

    /// Notes whether others can ask for this connection's players.
    pub(crate) fn set_open(&self, is_open: bool) {
        self.directory.state().hosts.set_open(self.id, is_open);
    }

    /// Returns whom to tell what when this connection asks for `host`.
    ///
    /// # Errors
    /// The two cannot be introduced, for a reason that the player is told.
    pub(crate) fn introduce(&self, host: &OpenId) -> Result<Introduction, RefusalReason> {
        self.directory.state().hosts.introduce(self.id, host)
    }

    /// Opens and links the relays of an introduction. Returns their ports, the player's first.
    ///
    /// # Errors
    /// No relay is free.
    pub(crate) async fn relay(
        &self,
        introduction: &Introduction,
    ) -> Result<[u16; 2], RefusalReason> {
        let players = [introduction.player.player, introduction.host.player];
        let ports = self.directory.relays.open_pair(players).await;
        ports.map_err(|error| match error {
            OpenError::Full => RefusalReason::RelaysFull,
            // The player who asks is here.
            OpenError::Unregistered => RefusalReason::UnknownHost,
        })
    }

    /// Returns where the two players of an introduction find each other: the player's address for the
    /// host, and the host's for the player.
    pub(crate) fn addresses(&self, introduction: &Introduction) -> [SocketAddrV4; 2] {
        let state = self.directory.state();
        let [player, host] = [&introduction.player, &introduction.host];
        let seen_by = |whose: &Endpoint, reader: &Endpoint| {
            let connection = state.connections.get(&reader.connection);
            let local = connection.map(|connection| connection.local);
            address_for(whose.registered, reader.registered, local)
        };
        [seen_by(player, host), seen_by(host, player)]
    }

    /// Tells both players, first the one who asked.
    ///
    /// # Errors
    /// One of them does not read. A host does not pay for that with its connection: it did not ask.
    pub(crate) fn tell(
        &self,
        introduction: &Introduction,
        to_player: &ServerCommand,
        to_host: &ServerCommand,
    ) -> Result<(), RefusalReason> {
        let state = self.directory.state();
        let host = &state
            .connections
            .get(&introduction.host.connection)
            .ok_or(RefusalReason::UnknownHost)?
            .outbox;
        if host.is_crowded() {
            return Err(RefusalReason::TooManyRequests);
        }
        // What is not crowded has room for two short lines.
        self.outbox
            .push(&to_player.to_line())
            .and_then(|()| host.push(&to_host.to_line()))
            .map_err(|_| RefusalReason::TooManyRequests)
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        let mut state = self.directory.state();
        state.connections.remove(&self.id);
        let players = state.hosts.disconnect(self.id);
        self.directory.relays.disown(&players);
        if let Some(from_address) = state.per_address.get_mut(&self.address) {
            from_address.connections -= 1;
        }
        let counters = &self.directory.counters;
        counters.connections.store(state.connections.len(), Relaxed);
        counters.players.store(state.hosts.len(), Relaxed);
    }
}

/// Returns what counts as one address: an IPv4 address, or the /64 network of an IPv6 address, all
/// of which a single home has (RFC 6177).
fn network_of(peer: IpAddr) -> IpAddr {
    match peer.to_canonical() {
        IpAddr::V4(address) => address.into(),
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// Returns the address at which `reader` finds the player at `whose`.
///
/// A player on the server's own machine, such as a host whose game runs the server, has registered
/// a loopback address, which means nothing elsewhere. Others find it where they found the server,
/// at `local`.
fn address_for(whose: SocketAddrV4, reader: SocketAddrV4, local: Option<IpAddr>) -> SocketAddrV4 {
    match local {
        Some(IpAddr::V4(local))
            if whose.ip().is_loopback() && !reader.ip().is_loopback() && !local.is_loopback() =>
        {
            SocketAddrV4::new(local, whose.port())
        }
        _ => whose,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A host with the server in its game was announced to the players in its network
    /// as 127.0.0.1.
    #[test]
    fn a_player_beside_the_server_is_found_where_the_server_is() {
        let address = |text: &str| text.parse::<SocketAddrV4>().unwrap();
        let (host, player) = (address("127.0.0.1:5000"), address("192.0.2.7:6000"));
        let local = |text: &str| Some(text.parse::<IpAddr>().unwrap());
        let found = address_for(host, player, local("192.0.2.1"));
        assert_eq!(found, address("192.0.2.1:5000"));
        assert_eq!(address_for(player, host, local("127.0.0.1")), player);
        let other = address("127.0.0.1:7000");
        assert_eq!(address_for(host, other, local("127.0.0.1")), host);
        assert_eq!(address_for(host, player, None), host);
    }
}
