//! Times and limits, with the reason for each.

use std::time::Duration;

/// How much the soak yields the processor to others: tests that run beside it measure time.
pub(crate) const NICE: i32 = 5;

/// The time in which the players come at first.
pub(crate) const ARRIVAL: Duration = Duration::from_secs(15);

/// From one burst of a player to its next. Games send many times as often: 1,250 packets a second
/// in all are few enough that no buffer fills up, and that player and server, built for debugging,
/// leave seven eighths of a core to the other tests.
pub(crate) const BURST_INTERVAL: Duration = Duration::from_millis(800);

/// Packets in a burst.
pub(crate) const BURST: u32 = 2;

/// The shortest game. Short, so that many players come and go, and longer than a relay lives
/// without packets.
pub(crate) const SHORTEST_GAME: Duration = Duration::from_secs(30);
/// The longest game; see [`SHORTEST_GAME`].
pub(crate) const LONGEST_GAME: Duration = Duration::from_secs(90);

/// From leaving to coming back, at least.
pub(crate) const SHORTEST_ABSENCE: Duration = Duration::from_secs(1);
/// From leaving to coming back, at most.
pub(crate) const LONGEST_ABSENCE: Duration = Duration::from_secs(10);

/// How long the server may take to answer. It takes milliseconds, but other tests delay it and the
/// players.
pub(crate) const ANSWER: Duration = Duration::from_secs(20);

/// From one look at the server to the next; a minute must be a multiple of it.
pub(crate) const OBSERVATION_INTERVAL: Duration = Duration::from_secs(5);

/// From the last player's leaving until the server must hold nothing of the players: relays live
/// for 30 s without packets, and the server looks for such relays every 30 s.
pub(crate) const EMPTY: Duration = Duration::from_secs(80);

/// The first port of the relays: below those that systems and other tests use.
pub(crate) const FIRST_RELAY_PORT: u16 = 9000;
