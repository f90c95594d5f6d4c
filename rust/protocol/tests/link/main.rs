//! The link in a simulated network, in simulated time.
//!
//! ```text
//! simulation        players, routers and a server on an internet with loss, delay and doubles
//! ├─ home           where players are: behind which routers
//! ├─ router         mappings, filters, time-outs
//! ├─ server         registrar, announcements, relays: 1.4, 2.x, a newer 2.x, ours
//! ├─ our_player     a player with a link, which must never spin
//! ├─ netfox_player  a player of netfox.noray
//! └─ game           what they play: it begins like ENet's
//! pair              a host and a player that joins it
//! single_link       a link without a network: each test makes what goes in
//! ```

#![expect(
    clippy::disallowed_methods,
    reason = "a test begins at the present instant"
)]

mod dice;
mod endings;
mod floods;
mod game;
mod home;
mod joining;
mod keepalive;
mod loss;
mod matrix;
mod neighbour_ports;
#[path = "../handshake/netfox_client.rs"]
mod netfox_client;
mod netfox_player;
mod netfox_players;
#[expect(dead_code, reason = "its network is of two sides only")]
#[path = "../handshake/network.rs"]
mod network;
mod our_player;
mod pair;
mod path_changes;
mod router;
mod same_ip_address;
mod same_seed;
mod server;
mod shared_home;
mod simulation;
mod single_link;
mod strangers;
mod traffic;
