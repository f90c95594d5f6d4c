//! Time-outs of games and players, with the reason for each.

use std::time::Duration;

/// One step of a game (registering, connecting, an RPC). The longest honest one is the old client's
/// host side, whose handshake always runs for 8 s.
pub(crate) const GAME_STEP: Duration = Duration::from_secs(40);

/// How long a host with the old addon stays after its player has left: its handshake cannot be
/// ended early and lasts 8 s.
pub(crate) const OLD_HOST_LINGERS: Duration = Duration::from_secs(10);

/// From a player's process to its first frame: a second by itself, several when dozens start at
/// once.
pub(crate) const PLAYER_START: Duration = Duration::from_secs(60);

/// What a player does by itself, in a frame or two.
pub(crate) const STEP: Duration = Duration::from_secs(15);

/// From telling a player to host until it does: connecting and registering.
pub(crate) const HOST: Duration = Duration::from_secs(30);

/// From telling a player to join to its answer, by `join()`: 15 s of its own and 5 s for the host's
/// answer, or a crowd's.
pub(crate) const JOIN: Duration = Duration::from_secs(40);

/// The same by the guide's plain flow: two handshakes of 8 s and two of ENet's attempts, of 6 s.
pub(crate) const PLAIN_JOIN: Duration = Duration::from_secs(60);

/// A hundred joins in a row: at a second each something is wrong, at two it hangs.
pub(crate) const HUNDRED_JOINS: Duration = Duration::from_secs(200);

/// How often a player's game looks, in frames a second: what most games have.
pub(crate) const FRAMES: u32 = 60;
