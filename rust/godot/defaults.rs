//! Limits and times of the extension, each with its reason.

use std::time::Duration;

/// Longest wait for the background threads when the extension is unloaded. They end at once, unless
/// the system is looking up a name, which nothing can cut short.
pub(crate) const STOP_TIMEOUT: Duration = Duration::from_millis(500);

/// Longest wait for a stopped server's ports when it is started again at once. They are free within
/// microseconds; a busy machine must not hold a frame.
pub(crate) const RESTART_TIMEOUT: Duration = Duration::from_millis(100);

/// Threads of the background runtime: one player and a small local server.
pub(crate) const RUNTIME_THREADS: usize = 1;

/// Most events that reach the game in one frame, so that a server that floods cannot hold a frame.
pub(crate) const EVENTS_PER_FRAME: usize = 256;

/// Most packets of one handshake that are read in one frame; the same for players.
pub(crate) const PACKETS_PER_FRAME: usize = 256;

/// Most log lines that wait for the next frame.
pub(crate) const LOG_LINES: usize = 1024;

/// How often a script that awaits is woken, and awaits again, while the game quits.
pub(crate) const LAST_CALLS: usize = 16;

/// Free ports that are tried for one ENet client.
pub(crate) const PORT_ATTEMPTS: usize = 8;

/// Longest wait for ENet's goodbyes to leave the link when the game quits. They do within
/// microseconds; a game that closed its peer just before has sent them already.
pub(crate) const GOODBYE_TIMEOUT: Duration = Duration::from_millis(50);

/// Pause between two looks at that.
pub(crate) const GOODBYE_LOOK: Duration = Duration::from_millis(1);

/// Ends of calls that are kept for scripts that await them later. Most calls that no script awaits
/// are never awaited, so only the latest count.
pub(crate) const UNHEARD_ENDS: usize = 16;

/// How long the result of such a call is kept: an ENet peer that nobody takes has a game of its own.
pub(crate) const UNHEARD_RESULT: Duration = Duration::from_secs(10);
