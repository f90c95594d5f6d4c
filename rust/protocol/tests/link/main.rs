//! The link in a simulated network, in simulated time.
//!
//! ```text
//! world      players, routers and a server on an internet with loss, delay, doubles
//! ├─ home    the kinds of places that players are at
//! ├─ router  mappings, filters, time-outs
//! ├─ server  registrar, announcements, relays: 1.4, 2.x, a newer 2.x, ours
//! ├─ ours    a player with a link; never lets it spin
//! ├─ old     today's player
//! └─ game    what they play: the way in is like ENet's
//! pair       a host and a player who joins it
//! table      one link, with what goes in made by hand
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
mod moving;
mod neighbours;
#[expect(dead_code, reason = "its network is of two sides only")]
#[path = "../handshake/network.rs"]
mod network;
mod old;
#[path = "../handshake/old_client.rs"]
mod old_client;
mod old_players;
mod ours;
mod pace;
mod pair;
mod router;
mod same_ip_address;
mod same_seed;
mod server;
mod strangers;
mod table;
mod world;
