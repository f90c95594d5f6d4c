//! Time-outs and limits of a player's side, each with its reason.

use std::time::Duration;

/// Longest wait for a server to accept, name look-up included. A player waits no
/// longer before a screen that does nothing; a slow mobile network needs 3 s.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// Pause before the next address is tried while the last one has not answered:
/// the 'Connection Attempt Delay' of RFC 8305, section 5.
pub const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Addresses of one name that are tried at most; with [`ATTEMPT_DELAY`] all of
/// them begin well within [`CONNECT_TIMEOUT`].
pub const MAX_ADDRESSES: usize = 16;

/// Silence after which the system probes the connection. Below the 30 s for
/// which the least patient routers keep an idle mapping.
pub const KEEPALIVE_IDLE: Duration = Duration::from_secs(20);

/// Pause between unanswered probes.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(5);

/// Unanswered probes after which the connection counts as dead: with the above,
/// a vanished server is noticed after 35 s.
pub const KEEPALIVE_RETRIES: u32 = 3;

/// How long a command may stay unsent or unacknowledged before the connection
/// counts as dead.
pub const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Commands that may wait to be sent; a game sends a handful.
pub const COMMAND_QUEUE: usize = 256;

/// Events that may wait for the game's next frame. More than a busy host gets in
/// one; a game that stalls longer makes the server wait.
pub const EVENT_QUEUE: usize = 256;

/// Bytes read at one time: far more than a frame's worth of lines.
pub const READ_CHUNK: usize = 4096;

/// How long a registration waits for the registrar, as today's clients do.
pub const REGISTER_TIMEOUT: Duration = Duration::from_secs(8);

/// Pause between repeats of a registration, as today's clients do.
pub const REGISTER_INTERVAL: Duration = Duration::from_millis(100);

/// Shortest pause between repeats of a registration, whatever a game asks for: a
/// registrar needs no more than 50 datagrams a second of one player.
pub const MIN_REGISTER_INTERVAL: Duration = Duration::from_millis(20);
