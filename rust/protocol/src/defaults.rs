//! Ports, limits and times of the protocol, each with its reason.

use std::time::Duration;

/// TCP port of a noray server's commands.
pub const COMMAND_PORT: u16 = 8890;

/// UDP port of a noray server's registrar.
pub const REGISTRAR_PORT: u16 = 8809;

/// Longest line that is read, in bytes. Servers of generation 2 read about as much; real lines are
/// shorter than 200 bytes.
pub const MAX_LINE: usize = 16 * 1024;

/// Longest OpenID, in bytes. By default servers give 21 characters or three words; a kibibyte
/// leaves room for any sane configuration.
pub const MAX_OPEN_ID: usize = 1024;

/// Longest PrivateID, in bytes: it has to fit into one unfragmented datagram.
pub const MAX_PRIVATE_ID: usize = 1200;

/// How long a handshake tries, as netfox.noray does. Both sides must try at the same time, so this
/// covers the delay that a slow server adds between them.
pub const HANDSHAKE_TIMEOUT: Duration = Duration::from_secs(8);

/// Pause between repeated handshake datagrams, as in netfox.noray.
pub const HANDSHAKE_INTERVAL: Duration = Duration::from_millis(100);

/// Pause between the first repeats of the side that cannot read: about a frame. The other side
/// often opens its socket just after the first datagram arrived, and would otherwise wait for the
/// next one.
pub const HANDSHAKE_EARLY_INTERVAL: Duration = Duration::from_millis(15);

/// How many repeats follow so soon: those of the first 100 ms.
pub const HANDSHAKE_EARLY_REPEATS: u32 = 6;

/// How many times the side that finishes a handshake sends its last datagram. With a fifth of all
/// datagrams lost, the other side misses all of them once in 625.
pub const HANDSHAKE_LAST_PACKETS: u32 = 4;

/// How many datagrams a link still answers after it has finished a plain handshake: the other side,
/// which sends ten a second, may have missed the last ones. Without a limit, two sides that have
/// both finished would go on for ever.
pub const HANDSHAKE_LATE_ANSWERS: u32 = 16;

/// Most connect requests that may await an answer at one time. A game has a handful in flight; more
/// is a bug of the game.
pub const MAX_REQUESTS_IN_FLIGHT: usize = 256;

/// How long a connect request waits for the answer of a server without `echo`: many times a slow
/// round trip of half a second.
pub const ANSWER_TIMEOUT: Duration = Duration::from_secs(5);

/// How long a join that is out of time must have waited for the server's answer to call the server
/// silent: twice a slow round trip.
pub const SERVER_PATIENCE: Duration = Duration::from_secs(1);

/// Stands for a time-out that ends beyond what an `Instant` can name: nobody waits for a year.
pub const LONGEST_WAIT: Duration = Duration::from_secs(365 * 24 * 3600);

/// Pause between checks to one address while a path is being opened. RFC 8445, section 14.3, sets a
/// lower bound for repeated checks. Half of netfox.noray's pause, since checks and plain handshake
/// datagrams take turns until it is known which of them the peer speaks.
pub const CHECK_INTERVAL: Duration = Duration::from_millis(50);

/// Pause between any two checks of one session: `Ta` of RFC 8445, section 14.2.
pub const CHECK_PACE: Duration = Duration::from_millis(20);

/// How long checks go out every [`CHECK_INTERVAL`]; after that half as often.
pub const CHECK_EARLY: Duration = Duration::from_secs(1);

/// How long a path is tried, as in netfox.noray: the peer learns of it within a fraction of that.
pub const CHECK_WINDOW: Duration = HANDSHAKE_TIMEOUT;

/// How long a joining player tries a relay. The server is known to answer, so a relay opens at once
/// or not at all.
pub const RELAY_WINDOW: Duration = Duration::from_secs(5);

/// Pause between checks of the active path: short enough to notice within [`PATH_TIMEOUT`] that it
/// closed, and little beside a game's own traffic.
pub const ACTIVE_CHECK_INTERVAL: Duration = Duration::from_millis(500);

/// Pause between checks of a path in reserve. Below the 30 s after which routers forget a mapping
/// and servers close a relay.
pub const RESERVE_CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// How long an answer may take before the path is checked more often: the round trip of a slow
/// mobile network.
pub const SUSPECT_AFTER: Duration = Duration::from_millis(300);

/// Pause between checks of a path whose answer is late.
pub const SUSPECT_INTERVAL: Duration = Duration::from_millis(100);

/// How long a peer may answer nothing before it counts as silent: sooner than its paths are closed,
/// so that a game can tell its player.
pub const SILENT_AFTER: Duration = Duration::from_secs(1);

/// How many questions must go unanswered in that time, since a game that was suspended asked fewer.
/// While an answer is late, some nine are asked: with a fifth of all datagrams lost in each
/// direction, all of them go unanswered once in 10,000.
pub const SILENT_QUESTIONS: u32 = 6;

/// How long a path may go without an answer before it is closed. With a fifth of all datagrams lost
/// in each direction, all of the dozen checks in that time go unanswered once in 200,000.
pub const PATH_TIMEOUT: Duration = Duration::from_millis(1500);

/// How many checks must go unanswered before a path counts as closed, however long that takes: a
/// game that was suspended comes back to a path that it did not check meanwhile.
pub const MIN_UNANSWERED: u32 = 3;

/// Head start of the direct paths before the server is asked for a relay, which costs its owner
/// traffic. Most direct paths open within a third of it.
pub const RELAY_HEAD_START: Duration = Duration::from_millis(800);

/// How long a host that has answered only plain handshake datagrams may still turn out to speak
/// checks: its first answer can be lost.
pub const PLAIN_PEER_GRACE: Duration = Duration::from_millis(250);

/// Pause before the server is asked again for a direct path while a relay carries the game. Doubles
/// each time, up to [`MAX_REASK_INTERVAL`].
pub const REASK_INTERVAL: Duration = Duration::from_secs(5);

/// Longest such pause: routers seldom change, and each request makes both players send.
pub const MAX_REASK_INTERVAL: Duration = Duration::from_secs(60);

/// Pause before the server is asked again for any path while none works: long enough for one to
/// open, and short enough to find a host that returns to a restarted server before ENet gives up,
/// which takes at least 5 s.
pub const LOST_REASK_INTERVAL: Duration = Duration::from_secs(1);

/// Most paths to one peer: to its own addresses, those that its datagrams come from, and relays.
pub const MAX_PATHS: usize = 12;

/// Most candidates for which a host opens its router at one time: more than it has places, since
/// players come from several addresses.
pub const MAX_CANDIDATES: usize = 1024;

/// Most sessions of a host without a working path: they cost memory, and one real address can begin
/// many.
pub const MAX_CLOSED_SESSIONS: usize = 256;

/// How long, at least, a question may be answered that the link does not remember.
pub const COOKIE_TIME: Duration = Duration::from_secs(10);

/// How long a session is kept that carries no game.
pub const UNUSED_SESSION_TIMEOUT: Duration = Duration::from_secs(15);

/// How long a peer is kept to which the game sends nothing: ENet gives up after half of that, and a
/// game that was suspended comes back within it.
pub const SILENT_GAME_TIMEOUT: Duration = Duration::from_secs(60);

/// How long a peer is kept after the game has released it: time for ENet's last packets.
pub const LINGER: Duration = Duration::from_secs(1);

/// How many ports behind an announced relay may be the next that a server of generation 2 opens,
/// for a player whose address it does not know.
pub const NEIGHBOUR_PORTS: u16 = 4;

/// Datagrams to each of those ports: they open our own router, and reach nobody if the port is
/// unused.
pub const NEIGHBOUR_DATAGRAMS: u32 = 3;

/// Pause between keepalives to the registrar: `Tr` of RFC 8445, section 11. Routers keep an idle
/// mapping for 30 s or more.
pub const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(15);

/// Pause before an unanswered keepalive is repeated.
pub const KEEPALIVE_RETRY: Duration = Duration::from_secs(1);

/// Pause between keepalives while UDP does not get out: short enough for a waiting player, and
/// little for a server that is down.
pub const KEEPALIVE_LOST_INTERVAL: Duration = Duration::from_secs(5);

/// How many keepalives must go unanswered before UDP counts as not getting out.
pub const KEEPALIVE_RETRIES: u32 = 5;

/// How long a registration waits for the registrar, as in netfox.noray.
pub const REGISTER_TIMEOUT: Duration = Duration::from_secs(8);

/// Pause between repeats of a registration, as in netfox.noray.
pub const REGISTER_INTERVAL: Duration = Duration::from_millis(100);

/// How long a socket may give nothing but errors before it counts as dead: soon enough that no peer
/// notices.
pub const DEAD_SOCKET_AFTER: Duration = Duration::from_millis(250);
