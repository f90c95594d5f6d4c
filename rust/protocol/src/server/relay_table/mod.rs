//! Which packet goes where: the relays of a server, their ports and their limits.
//!
//! Each relayed player has a port of the server that stands for it. Two players who asked for each
//! other are *linked*: what one sends to the other's port leaves from its own port, so that the
//! other sees one address for it and can answer there.
//!
//! ```text
//! table     the ports, and whose they are; asked when relays open, link and close
//! relay     one open port; asked for each packet that comes to it
//! route     a player's address, and the server's at which that player finds it
//! senders   who may send to a relay, from which addresses, and where each is answered
//! meter     how much a player has sent
//! limits    how much one may send, and for how long
//! ```
//!
//! # Whose packet it is
//! A player proves one address, at the registrar, with its PrivateID. Behind a router that gives
//! each destination another port (a symmetric NAT), its packets to a relay come from yet another
//! address, which nobody announced. So each relay port learns, for each player that is linked with
//! its own:
//!
//! - What comes from a player's *registered* address is that player's.
//! - What comes from an unknown port of a linked player's registered IP address is taken for that
//!   player's, and the port is *learned*. (An address that another player has registered, linked or
//!   not, is not unknown.) If several players have that IP address, the packet belongs to the one
//!   that was asked for and not heard since, in the order of requests; otherwise to the one that
//!   stopped sending last, whose router must have given it another port.
//! - Everything else is dropped: other IP addresses, and players who are not linked, relayed or
//!   not.
//!
//! A player is answered where it was heard, from the port and the address that it sent to: its
//! router lets that in and nothing else.
//!
//! # The threat
//! A learned port is a guess. The sender could be somebody else at the same IP address: another
//! player in the house, or a stranger behind the same provider's NAT, by chance (an old game that
//! still sends) or to take the relay over.
//!
//! - While packets come from the registered address, nothing else is learned, and their arrival
//!   ends every guess: the proven address always keeps its own.
//! - No guess displaces another one that is in use. Two are kept, and the player is answered at
//!   both, and at the registered address if that was heard as well, until one has been silent for
//!   the idle time. The copies count for the player who gets them, not for the sender. They are at
//!   most three packets for one, to one IP address.
//! - So the worst that a stranger on the same IP address can do is to read and send along with a
//!   player whose packets never come from its registered address, and only after finding the port.
//!   It cannot cut the player off, short of a flood from ever new ports. The protocol has no key to
//!   tell the two apart; games that care must encrypt, as over any relay.
//! - Only the PrivateID moves the registered address, and the newest proven one counts. Two players
//!   may prove one address, through a forged sender or because a router reassigned it: the newer
//!   one gets it, unless the other one is using it at that moment.
//! - A relay has nothing to do with an earlier one on its port: links and learned addresses end
//!   with the relay.

mod limits;
mod meter;
mod relay;
mod route;
mod senders;
mod table;

pub use limits::{PACKET_OVERHEAD, RelayLimits};
pub use relay::{Dropped, Forward, Relay};
pub use route::Route;
pub use senders::Destinations;
pub use table::{OpenError, RelayTable, Reservation};
