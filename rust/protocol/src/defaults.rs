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

/// How many packets a link that has finished a plain handshake still answers: the other side, which
/// sends ten a second, may have missed the last ones. Two that have both finished would go on for
/// ever.
pub const HANDSHAKE_LATE_ANSWERS: u32 = 16;

/// Connect requests that may wait for an answer at one time. A game has a
/// handful in flight; more is a game's bug.
pub const MAX_REQUESTS_IN_FLIGHT: usize = 256;

/// How long a connect request waits for an answer of a server that has no
/// `echo`: many times a slow round trip of half a second.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// Stands for a time-out that ends beyond what an `Instant` can name: nobody
/// waits for a year.
pub const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Pause between checks to one address while a way is being opened. RFC 8445, section 14.3, bounds
/// a repeated check from below; half of today's clients' pause, since checks and plain handshake
/// datagrams take turns until it is known which the other side speaks.
pub const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Pause between checks of one session to any address: `Ta` of RFC 8445, section 14.2.
pub const CHECK_PACE: Duration = Duration::from_millis(20);

/// How long checks go out each [`CHECK_INTERVAL`]; then half as often.
pub const CHECK_EARLY: Duration = Duration::from_secs(1);

/// How long a way is tried, as today's clients do: the other side hears of it within a fraction of
/// that.
pub const CHECK_WINDOW: Duration = HANDSHAKE_TIMEOUT;

/// How long a joining player tries a relay. It is a way to a server that is known to answer, so it
/// opens at once or not at all.
pub const RELAY_WINDOW: Duration = Duration::from_secs(5);

/// Pause between checks of the way that carries the game: enough to see it die within
/// [`PATH_TIMEOUT`], and little beside a game's own traffic.
pub const ACTIVE_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Pause between checks of a way that is kept in reserve. Below the 30 s after which routers forget
/// a mapping and servers free a relay.
pub const RESERVE_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// How long an answer may take before the way is checked more often. A slow mobile network's round
/// trip.
pub const SUSPECT_AFTER: Duration = Duration::from_millis(300);

/// Pause between checks of a way whose answer is late.
pub const SUSPECT_INTERVAL: Duration = Duration::from_millis(100);

/// A way without an answer for so long is closed. With a fifth of all packets lost each way, all of
/// the dozen checks in that time go unanswered once in 200,000.
pub const PATH_TIMEOUT: Duration = Duration::from_millis(1500);

/// Checks that must have gone unanswered before a way counts as closed, however long that takes:
/// a game that was stopped for a while comes back to a way that it did not check.
pub const MIN_UNANSWERED: u32 = 3;

/// Head start of the direct ways before the server is asked for a relay, which costs its owner
/// traffic. Most direct ways open within a third of it.
pub const RELAY_HEAD_START: Duration = Duration::from_millis(800);

/// How long a host that has answered with plain handshake datagrams alone may yet turn out to
/// speak checks: its first answer can be lost.
pub const PLAIN_PEER_GRACE: Duration = Duration::from_millis(250);

/// Pause before the server is asked again for a direct way while a relay carries the game; doubled
/// each time up to [`MAX_REASK_INTERVAL`].
pub const REASK_INTERVAL: Duration = Duration::from_secs(5);

/// Longest such pause: routers change seldom, and each request makes both players send.
pub const MAX_REASK_INTERVAL: Duration = Duration::from_secs(60);

/// Pause before the server is asked again for any way while none works: time for one to open, and
/// often enough to find a host that comes back to a restarted server before ENet gives up, which
/// takes it 5 s at the least.
pub const LOST_REASK_INTERVAL: Duration = Duration::from_secs(1);

/// How long a whole `join` may take when the game does not say.
pub const JOIN_TIMEOUT: Duration = Duration::from_secs(15);

/// Addresses that are tried for one other player: its own, the ones that its datagrams come from,
/// and relays.
pub const MAX_PATHS: usize = 12;

/// Announced players that a host opens its router for at one time: more than it has places, for
/// players who knock at several addresses.
pub const MAX_CANDIDATES: usize = 1024;

/// Sessions of one host that no way works for at the moment: they cost memory, and one real address
/// can begin many.
pub const MAX_CLOSED_SESSIONS: usize = 256;

/// How long a question that was put without remembering it may be answered, at least.
pub const COOKIE_TIME: Duration = Duration::from_secs(10);

/// How long a session that no game was carried on is kept.
pub const UNUSED_SESSION_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a player's entry is kept to whom the game sends nothing: ENet gives up on a player after
/// half of that, and a game that was stopped meanwhile comes back within it.
pub const SILENT_GAME_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a player's entry stays after the game has let go of it: time for ENet's last packets.
pub const LINGER: Duration = Duration::from_secs(1);

/// Relay ports behind an announced one that may be the next that a server of generation 2 opens,
/// for a player whose address it does not know.
pub const NEIGHBOUR_PORTS: u16 = 4;

/// Datagrams to each of those: they open our own router, and reach nobody when the port is unused.
pub const NEIGHBOUR_DATAGRAMS: u32 = 3;

/// Silence towards the registrar after which it is sent a datagram: `Tr` of RFC 8445, section 11.
/// Routers keep an idle mapping for 30 s or more.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Pause before a keepalive that was not answered is repeated.
pub const KEEPALIVE_RETRY: Duration = Duration::from_secs(1);

/// Pause between keepalives while UDP does not get out: soon enough for a player who waits, and
/// little for a server that is down.
pub const KEEPALIVE_LOST_INTERVAL: Duration = Duration::from_secs(5);

/// Unanswered keepalives after which UDP counts as not getting out.
pub const KEEPALIVE_RETRIES: u32 = 5;

/// How long a registration waits for the registrar, as today's clients do.
pub const REGISTER_TIMEOUT: Duration = Duration::from_secs(8);

/// Pause between repeats of a registration, as today's clients do.
pub const REGISTER_INTERVAL: Duration = Duration::from_millis(100);
