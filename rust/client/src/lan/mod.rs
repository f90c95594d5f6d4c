//! A host in the local network, by multicast DNS (RFC 6762, RFC 6763).
//!
//! ```text
//! LanAdvert      a host: answers for one service while it is held
//! └─ responder   mdns-sd and its one thread; replaced when it holds too much
//! LanSearch      a joining player: asks for that service while it is held
//! ├─ query       the datagram that asks, and what an answer to it says
//! └─ sockets     one for each IP version, into every local network
//! ```
//!
//! The service is `HASH._noray._udp.local.`, with a hash of the OpenID: whoever has the OpenID can
//! ask for it, and whoever listens learns nothing to join with.
//!
//! The search is the one-shot query of RFC 6762, section 5.1, from a port of its own. A responder
//! answers it by unicast and at once (section 6.7). An answer by multicast, which mdns-sd's own
//! search gets, waits for up to 120 ms, comes once a second at most (section 6), so that a second
//! player who asks gets none, and is not repeated by Wi-Fi when it is lost.

mod address;
mod advert;
mod name;
mod query;
mod responder;
mod search;
mod sockets;

pub(crate) use advert::LanAdvert;
pub(crate) use search::LanSearch;
