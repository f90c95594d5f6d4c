//! Limits and times of the extension, each with its reason.

use std::time::Duration;

/// Longest wait for the background threads when the extension is unloaded. They
/// end at once, unless the system is looking up a name, which nothing can cut
/// short.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_millis(500);

/// Longest wait for a stopped server's ports when it is started again at once. They
/// are free within microseconds; a busy machine must not hold a frame.
pub(crate) const RESTART_TIMEOUT: Duration = Duration::from_millis(100);

/// Threads of the background runtime: one player and a small local server.
pub(crate) const RUNTIME_THREADS: usize = 1;

/// Events that reach the game in one frame at most, so that a server that floods
/// cannot hold a frame.
pub(crate) const EVENTS_PER_FRAME: usize = 256;

/// Packets of one handshake that are read in one frame at most; the same for
/// players.
pub(crate) const PACKETS_PER_FRAME: usize = 256;

/// Addresses that are kept of those that the server announced: all that a busy
/// host can be in handshakes with.
pub(crate) const ANNOUNCED_ADDRESSES: usize = 64;

/// Log lines that may wait for the next frame.
pub(crate) const LOG_LINES: usize = 1024;

/// Longest time that a game may ask for, in seconds; more is a mistake.
pub(crate) const MAX_SECONDS: f64 = 24.0 * 60.0 * 60.0;

/// How often a script that awaits is woken, and awaits again, while the game quits.
pub(crate) const LAST_CALLS: usize = 16;

/// Longest wait of `host` and `join` when the game names none. Twice what the slowest way takes,
/// a relay on a bad line, and no longer than a player looks at a progress bar.
pub(crate) const MEETING_TIMEOUT: Duration = Duration::from_secs(15);

/// Most players that a host can take: ENet's limit.
pub(crate) const MOST_CLIENTS: i32 = 4095;

/// Most channels that a game may ask for: ENet has 255, and Godot keeps two of them.
pub(crate) const MAX_CHANNELS: i32 = 253;

/// Most bytes a second that a game may name: what an ENet of Godot's can be told.
pub(crate) const MAX_BANDWIDTH: i32 = i32::MAX;

/// Longest wait for the game of a host that is reached. It answers within one of its frames and a
/// round trip, unless it is full.
pub(crate) const ENTER_TIMEOUT: Duration = Duration::from_secs(5);

/// Pause between two looks at the peers that the game holds: a peer that it let go of still takes
/// players in for that long.
pub(crate) const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Free ports that are tried for one ENet client.
pub(crate) const PORT_ATTEMPTS: usize = 8;

/// Pause between the datagrams that keep a router's mapping: RFC 8445's Tr, half of the 30 s after
/// which the least patient routers forget.
pub(crate) const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Longest wait for ENet's goodbyes to leave the link when the game quits. They do within
/// microseconds; one that closed its peer just before has sent them already.
pub(crate) const GOODBYE_TIMEOUT: Duration = Duration::from_millis(50);

/// Pause between two looks at that.
pub(crate) const GOODBYE_LOOK: Duration = Duration::from_millis(1);
