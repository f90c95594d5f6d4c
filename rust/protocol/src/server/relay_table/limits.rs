//! How long and how much one may relay.

use std::time::Duration;

/// What a packet counts in addition to its payload, in bytes: its IPv4 and UDP headers. Otherwise
/// tiny packets would cost their sender nothing and the server a lot.
pub const PACKET_OVERHEAD: u64 = 28;

/// How long and how much players may relay. `noray-server` has the defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// How long a relay may carry nothing, in either direction, before it is closed.
    pub idle_timeout: Duration,
    /// How much traffic may come at once, as the time for which that is the limit.
    pub traffic_interval: Duration,
    /// How much one player may send, in bytes a second.
    pub max_individual_traffic: u64,
    /// How much all players together may send, in bytes a second.
    pub max_global_traffic: u64,
    /// How long after it opened a relay forwards what its player sends.
    pub max_lifetime: Duration,
    /// How many bytes of its player a relay forwards in its life.
    pub max_lifetime_traffic: u64,
    /// How long after its last packet an address counts as in use.
    pub address_hold: Duration,
    /// How many players a player may be linked with.
    pub max_links: usize,
}
