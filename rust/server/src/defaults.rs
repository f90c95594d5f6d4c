//! The server's defaults, limits and times, each with its reason.
//!
//! What the public server has as well has the public server's value, so that a
//! game meets the same limits on both.

use std::{ops::RangeInclusive, time::Duration};

use crate::values::TimeSpan;

pub use noray_protocol::defaults::{COMMAND_PORT, MAX_OPEN_ID, MAX_PRIVATE_ID, REGISTRAR_PORT};

const KIB: u64 = 1024;

// As the public server has them.

/// TCP port of the metrics.
pub const HTTP_PORT: u16 = 8891;

/// Characters of an OpenID: at 64 kinds of character nobody guesses one.
pub const OPEN_ID_LENGTH: usize = 21;

/// Words of an OpenID that is made of words.
pub const OPEN_ID_WORD_COUNT: usize = 3;

/// Characters of a PrivateID.
pub const PRIVATE_ID_LENGTH: usize = 128;

/// The characters that ids are made of: safe in an URL and in a line.
pub const ID_CHARSET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/// UDP ports for relays, one for each relayed player.
pub const RELAY_PORTS: RangeInclusive<u16> = 49152..=51200;

/// A relay that nothing goes through for so long is closed.
pub const RELAY_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause between two searches for idle relays.
pub const RELAY_CLEANUP_INTERVAL: Duration = Duration::from_secs(30);

/// Bytes a second that one player may send through its relay.
pub const MAX_INDIVIDUAL_TRAFFIC: u64 = 128 * KIB;

/// Bytes a second that all players may send through relays.
pub const MAX_GLOBAL_TRAFFIC: u64 = KIB * KIB * KIB;

/// The slice of time in which traffic is counted.
pub const TRAFFIC_INTERVAL: Duration = Duration::from_millis(100);

/// How long a relay lives: longer than any session.
pub const MAX_LIFETIME_DURATION: Duration = Duration::from_secs(4 * 60 * 60);

/// Bytes that one player may send in its relay's life.
pub const MAX_LIFETIME_TRAFFIC: u64 = 4 * KIB * KIB * KIB;

// Our own.

/// Connections at one time. Each is a descriptor and a few kilobytes.
pub const MAX_CONNECTIONS: usize = 10_000;

/// Connections from one IPv4 address or one IPv6 /64 network at one time: many
/// players share the address of a mobile network, yet no single address may take
/// every place.
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = 1000;

/// Longest line that a player may send, in bytes. Real ones have less than 50; an
/// OpenID may have 1,024.
pub const MAX_LINE_LENGTH: usize = 4096;

/// Lines a second of one connection that are read; the rest waits its turn. A game
/// needs a handful in a minute.
pub const MAX_LINES_PER_SECOND: u32 = 100;

/// `connect` and `connect-relay` a second of one connection that are answered; each
/// one makes another player's game act.
pub const MAX_CONNECTS_PER_SECOND: u32 = 10;

/// Lines a second of all connections from one address together: as many as 50 of its
/// connections may send at most, and many thousands as players really do.
pub const MAX_LINES_PER_SECOND_PER_ADDRESS: u32 = 5000;

/// `connect` and `connect-relay` a second of all connections from one address together.
pub const MAX_CONNECTS_PER_SECOND_PER_ADDRESS: u32 = 500;

/// `register-host` a second of all connections from one address together; more wait. All
/// the connections that an address may have can so come back within a second.
pub const MAX_REGISTRATIONS_PER_SECOND_PER_ADDRESS: u32 = 500;

/// Identities of one connection. A game needs one for each local port.
pub const MAX_HOSTS_PER_CONNECTION: usize = 16;

/// Bytes that wait for one connection to read them. A player who joins costs its
/// host less than 50.
pub const MAX_OUTBOUND_QUEUE: usize = 64 * 1024;

/// How long a connection may stay without `register-host`. A game may connect in
/// its menu and register when the player has chosen what to play.
pub const UNREGISTERED_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// How long a player may take to read what was written to it before its connection
/// counts as dead: mobile networks pause for some seconds.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a player's machine may be silent, asked and not answering, before its connection
/// counts as dead: a phone that is carried through a tunnel is back by then.
pub const VANISHED_TIMEOUT: Duration = Duration::from_secs(120);

/// How long the binary waits at its end for games that go through its relays. A match is longer:
/// this is for the last seconds of one.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

// Not to be configured.

/// The bursts that the limits a second allow, in seconds' worth.
pub const BURST_SECONDS: f64 = 3.0;

/// Bytes of input that count as one more line, so that endless lines and garbage
/// cost a sender as much as lines do.
pub const BYTES_PER_LINE: f64 = 1024.0;

/// Bytes that are read from a connection at once.
pub const READ_CHUNK: usize = 4096;

/// What [`VANISHED_TIMEOUT`] may be: systems count in seconds, up to 32,767 of them.
pub const VANISHED_TIMEOUTS: RangeInclusive<TimeSpan> =
    TimeSpan(Duration::from_secs(8))..=TimeSpan(Duration::from_secs(12 * 60 * 60));

/// Questions whether a silent player's machine is still there, in the second half of
/// [`VANISHED_TIMEOUT`]. The first one comes after a minute by default: home routers forget a
/// silent connection after some.
pub const KEEPALIVE_RETRIES: u32 = 4;

/// Connections that wait to be accepted, so that thousands can come in one second.
pub const ACCEPT_BACKLOG: i32 = 4096;

/// Pause after a connection could not be accepted, because descriptors or memory
/// ran out: some come back when a player leaves.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Pause after a UDP socket failed to receive.
pub const RECEIVE_PAUSE: Duration = Duration::from_millis(10);

/// Datagrams that are taken from one socket before others have their turn.
pub const DATAGRAMS_PER_TURN: usize = 64;

/// Calls to receive from one relay port before others have their turn; each takes up to
/// 32 datagrams, where the system can.
pub const BATCHES_PER_TURN: usize = 2;

/// Datagrams that are sent with one call: the most that Linux takes.
pub const MAX_RUN: usize = 64;

/// Longest datagram that is sent together with others, in bytes: a system refuses to cut
/// longer ones than a network carries, which is 1,280 bytes or more, headers included.
pub const MAX_RUN_LENGTH: usize = 1200;

/// Bytes of datagrams that the system may hold for a relay: a burst of some hundred.
pub const RELAY_BUFFER: usize = 256 * 1024;

/// Largest datagram there is, in bytes.
pub const MAX_DATAGRAM: usize = 65_535;

/// Bytes that the system may hold for a connection, of what was sent and of what is to be read.
/// Systems hold megabytes by default, which a flooder fills, and which are still read at its slow
/// pace when it has gone; and megabytes for each player who does not read.
pub const CONNECTION_BUFFER: usize = 32 * 1024;

/// Bytes of datagrams that the system may hold for the registrar: thousands of
/// PrivateIDs.
pub const REGISTRAR_BUFFER: usize = 1024 * 1024;

/// Refused registrations that the registrar answers a second, all senders together:
/// enough for lost players, too few to shoot at someone through it.
pub const MAX_REFUSALS_PER_SECOND: u32 = 1000;

/// How long after its last packet a relayed player's address counts as in use, so that
/// no other is taken for it. ENet sends twice a second or more, the handshake ten times:
/// with a fifth of all packets lost, all of four are lost once in 600.
pub const ADDRESS_HOLD: Duration = Duration::from_secs(2);

/// Players that one relayed player may be linked with: at 128 KiB/s, more would be left
/// with less than 512 bytes a second each.
pub const MAX_LINKS: usize = 256;

/// How long a relay port that another program has is left alone.
pub const PORT_RETRY: Duration = Duration::from_secs(60);

/// By how much a wait may take longer; more means that the whole process stood still, as on a
/// machine that sleeps. Also how long what came in meanwhile may take to be noticed.
pub const STANDSTILL: Duration = Duration::from_secs(1);

/// How long an expired relay's socket may take to close; it takes microseconds.
pub const PORT_CLOSE_WAIT: Duration = Duration::from_millis(20);

/// Addresses without connections whose limits are remembered in any case.
pub const IDLE_ADDRESSES: usize = 1024;

/// Tries for an id that nobody has. With ids of sane length the first one is.
pub const ID_TRIES: usize = 32;

/// No packet for so long means that no game goes through a relay. ENet sends twice a second or
/// more.
pub const QUIET_RELAYS: Duration = Duration::from_secs(2);

/// Words that an OpenID may have: with the longest ones it fits a line.
pub const MAX_OPEN_ID_WORDS: usize = 32;

/// HTTP connections at one time, all addresses but this machine's own together: a handful of
/// programs ask for metrics.
pub const MAX_HTTP_CONNECTIONS: usize = 64;

/// HTTP connections from one address at one time; this machine's own is one as well, so that its
/// health check has its place whatever comes from elsewhere.
pub const MAX_HTTP_CONNECTIONS_PER_ADDRESS: usize = 8;

/// Pause between two accepted HTTP connections: a flood costs a small part of one core.
pub const HTTP_ACCEPT_INTERVAL: Duration = Duration::from_millis(1);

/// How long one HTTP connection may take: a request and its answer.
pub const HTTP_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes of an HTTP request's head that are read: more than any program sends.
pub const HTTP_BUFFER: usize = 8192;

/// How long metrics are served before they are gathered anew: the system is asked for each open
/// descriptor, which takes milliseconds with thousands of players.
pub const METRICS_AGE: Duration = Duration::from_millis(500);

/// How long the binary waits for its connections to end before it exits anyway.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(5);
