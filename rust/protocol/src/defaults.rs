//! Ports, limits and times of the protocol, each with its reason.

use std::time::Duration;

/// TCP port of a noray server's commands.
pub const COMMAND_PORT: u16 = 8890;

/// UDP port of a noray server's registrar.
pub const REGISTRAR_PORT: u16 = 8809;

/// Longest line that is read, in bytes. Servers of generation 2 read about as
/// much; real lines have less than 200.
pub const MAX_LINE: usize = 16 * 1024;

/// Longest OpenID, in bytes. Servers give 21 characters or three words by
/// default; a kibibyte leaves room for any sane configuration.
pub const MAX_OPEN_ID: usize = 1024;

/// Longest PrivateID, in bytes: it has to fit one unfragmented datagram.
pub const MAX_PRIVATE_ID: usize = 1200;

/// How long a handshake tries, as today's clients do. Both sides must try at
/// the same time, so it covers what a slow server adds between them.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(8);

/// Pause between repeated handshake packets, as today's clients do.
pub const HANDSHAKE_INTERVAL: Duration = Duration::from_millis(100);

/// Pause between the first repeats of the side that cannot read: about a frame. The
/// other side often opens its socket just after the first packet came, and would
/// else wait for the next one.
pub const HANDSHAKE_EARLY_INTERVAL: Duration = Duration::from_millis(15);

/// How many repeats come so soon: those of the first 100 ms.
pub const HANDSHAKE_EARLY_REPEATS: u32 = 6;

/// How often the side that finishes a handshake sends its last packet: with a
/// fifth of all packets lost, the other side misses all of them once in 625.
pub const HANDSHAKE_LAST_PACKETS: u32 = 4;

/// Connect requests that may wait for an answer at one time. A game has a
/// handful in flight; more is a game's bug.
pub const MAX_REQUESTS_IN_FLIGHT: usize = 256;

/// How long a connect request waits for an answer of a server that has no
/// `echo`: many times a slow round trip of half a second.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Stands for a time-out that ends beyond what an `Instant` can name: nobody
/// waits for a year.
pub const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);
