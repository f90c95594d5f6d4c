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
