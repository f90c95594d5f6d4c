//! The link between players: one UDP socket that speaks and hears, for as long as the game lasts.
//!
//! ```text
//! link          all other players: what goes in and out
//! strangers     who may come in, and which address is whose
//! joining       the ways to a host, tried side by side
//! peer          one other player: the paths to it, and which of them carries the game
//! path          one address: its checks, whether it works, how well
//! registration  the registrar, and keepalives to it
//! cookies       questions to strangers that nothing has to be remembered for
//! ```
//!
//! # Ways in
//!
//! A host answers two kinds of strangers: whoever proves by a check that it knows the host's
//! OpenID, from any address; and whoever speaks the plain handshake from an IP address that the
//! server announced within the last [`CHECK_WINDOW`](crate::defaults::CHECK_WINDOW). The port may
//! be another than the announced one: behind a symmetric NAT, and on a public server's relay, it is.
//! Nothing else is answered or passed on. Each datagram of a stranger is answered by at most one
//! of the same size or less, so that nobody can be flooded by way of us. The answer to a check holds
//! a question that depends on the address; only when that comes back is the address remembered, sent
//! anything else, or its game let in.
//!
//! # Which way
//!
//! All known addresses are checked side by side. Those that answer carry the game: the best kind
//! first, the older one of two equals. A path whose answers stay away is closed, and the next best
//! takes over; so a path that is kept in reserve is checked now and then as well. Each side chooses
//! for what it sends, and takes the game's datagrams from every address that has proven itself.
//!
//! A player that knows the plain handshake alone stays at the address that it has: its ENet would
//! take another one for another player.

mod cookies;
mod joining;
#[expect(clippy::module_inception)]
mod link;
mod path;
mod peer;
mod registration;
mod strangers;
mod transmit;

pub use link::{
    ActivePath, HostConfig, JoinConfig, JoinError, JoinProgress, Link, LinkEvent, PeerId,
    ServerKind,
};
pub use path::Quality;
pub use registration::{ACCEPTED, RegistrationFailure};
pub use transmit::Transmit;
