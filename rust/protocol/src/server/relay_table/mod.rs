//! Which packet goes where: the relays of a server, their ports and their limits.
//!
//! Each relayed player has a port of its own on the server that stands for it. Two
//! players who asked for each other are *linked*: what one sends to the other's port
//! leaves from its own port, so that the other sees one address for it and can answer
//! there.
//!
//! ```text
//! RelayTable   the ports, and whose they are; asked when relays open, link and close
//! └─ Relay     one open port; asked for each packet that comes to it
//!    ├─ senders   who may send to it, from which addresses, and where each is answered
//!    └─ meter     what its player may send
//! ```
//!
//! # Whose packet it is
//! A player proves one address, at the registrar, with its PrivateID. A router that
//! gives each destination another port (a symmetric NAT) makes its packets to a relay
//! come from yet another one, which nobody announced. So each relay port learns, for each
//! player linked with its own:
//!
//! - What comes from a player's *registered* address is that player's.
//! - What comes from an unknown port of a linked player's registered IP address is taken
//!   for that player's, and the port is *learned*. (Unless it is some other player's
//!   registered address, linked or not: that is not unknown.) When several players have that IP
//!   address, it is the one's that was asked for and not heard since, in the order of
//!   requests; else the one's that stopped sending last, whose router must have given it
//!   another port.
//! - All else is dropped: other IP addresses, and players who are not linked, relayed
//!   or not.
//!
//! A player is answered where it was heard, seen from the port that answers: its router
//! lets that in and nothing else.
//!
//! # The threat
//! A learned port is a guess. Whoever sends from the same IP address could be somebody
//! else: another player in the house, or a stranger behind the same provider's NAT, by
//! chance (an old game that still sends) or to take the relay over.
//!
//! - While packets come from the registered address, nothing else is learned, and their
//!   coming ends every guess: the proven address always has its own.
//! - No guess drives out another one that is in use: two are kept, and the player is
//!   answered at each of them, and at the registered address if that was heard as well,
//!   until one has been silent for the idle time. The copies count for the player who
//!   gets them, not for the one who sends, and are three packets for one at the most, to
//!   one IP address.
//! - A stranger on the same IP address can so at worst read along and send along with a
//!   player whose packets never come from its registered address, and only after
//!   finding the port. It cannot cut the player off, short of a flood with ever new
//!   ports. The protocol has no key to tell the two apart; games that care must encrypt,
//!   as over any relay.
//! - Only the PrivateID moves the registered address, and the newest one proven counts.
//!   Two players may prove one address, by a forged sender or because a router gave it
//!   anew: the newer one gets it, unless the other one is using it at that moment.
//! - A relay on a port says nothing about an earlier one there: links and learned
//!   addresses end with it.

mod limits;
mod meter;
mod relay;
mod senders;
mod table;

pub use limits::{PACKET_OVERHEAD, RelayLimits};
pub use relay::{Dropped, Forward, Relay};
pub use senders::Destinations;
pub use table::{OpenError, RelayTable, Reservation};
