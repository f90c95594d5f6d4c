//! How long and how much one may relay.

use std::time::Duration;

/// What a packet counts beyond its payload, in bytes: its IPv4 and UDP headers. Else
/// tiny packets would cost their sender nothing and the server a lot.
pub const PACKET_OVERHEAD: u64 = 28;

/// How long and how much one may relay. The defaults are in `noray-server`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RelayLimits {
    /// A relay that nothing went through for so long is closed, both ways counted.
    pub idle_timeout: Duration,
    /// The slice of time in which traffic is counted.
    pub traffic_interval: Duration,
    /// What one player may send, in bytes a second.
    pub max_individual_traffic: u64,
    /// What all players together may send, in bytes a second.
    pub max_global_traffic: u64,
    /// How long after its opening a relay forwards what its player sends.
    pub max_lifetime: Duration,
    /// How many bytes of its player's a relay forwards in its life.
    pub max_lifetime_traffic: u64,
    /// How long after its last packet an address counts as in use.
    pub address_hold: Duration,
    /// How many players one player may be linked with.
    pub max_links: usize,
}
