//! The server's defaults, limits and times, each with its reason.
//!
//! Settings that the public server has too have its values, so that a game meets the same limits on
//! both.

use std::{ops::RangeInclusive, time::Duration};

use crate::setting_values::TimeSpan;

pub use noray_protocol::defaults::{COMMAND_PORT, MAX_OPEN_ID, MAX_PRIVATE_ID, REGISTRAR_PORT};

const KIB: u64 = 1024;

// The public server's settings.

/// TCP port of the program's metrics.
pub const HTTP_PORT: u16 = 8891;

/// Characters of an OpenID: 21 of 64 kinds have 126 bits, which nobody guesses.
pub const OPEN_ID_LENGTH: usize = 21;

/// Words of an OpenID that consists of words.
pub const OPEN_ID_WORD_COUNT: usize = 3;

/// Characters of a PrivateID.
pub const PRIVATE_ID_LENGTH: usize = 128;

/// Characters of ids: safe in a URL and in a line.
pub const ID_CHARSET: &str = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";

/// UDP ports for relays, one for each relayed player.
pub const RELAY_PORTS: RangeInclusive<u16> = 49152..=51200;

/// A relay that carries no packet for this time is closed.
pub const RELAY_TIMEOUT: Duration = Duration::from_secs(30);

/// Pause between two searches for idle relays.
pub const RELAY_CLEANUP_INTERVAL: Duration = Duration::from_secs(30);

/// Bytes a second that one player may send through its relay.
pub const MAX_INDIVIDUAL_TRAFFIC: u64 = 128 * KIB;

/// Bytes a second that all players may send through relays.
pub const MAX_GLOBAL_TRAFFIC: u64 = KIB * KIB * KIB;

/// A player's limit, and that of all together, may be used up at once for this time. ENet sends up
/// to 64 KiB at once, and repeats what was dropped after ever longer pauses: with a second's worth
/// neither its bursts nor its pauses cost it bandwidth. (The public server counts in slices of
/// 100 ms, a fifth of such a burst.)
pub const TRAFFIC_INTERVAL: Duration = Duration::from_secs(1);

/// How long a relay forwards: longer than people play without a break.
pub const MAX_LIFETIME_DURATION: Duration = Duration::from_secs(4 * 60 * 60);

/// Bytes that one player may send in its relay's life.
pub const MAX_LIFETIME_TRAFFIC: u64 = 4 * KIB * KIB * KIB;

// Our own settings.

/// Connections at one time. Each costs a descriptor and a few kilobytes.
pub const MAX_CONNECTIONS: usize = 10_000;

/// Connections from one IPv4 address or one IPv6 /64 network at one time: many players share the
/// address of a mobile network, but no address may take all connections.
pub const MAX_CONNECTIONS_PER_ADDRESS: usize = 1000;

/// Longest line that a player may send, in bytes. Usual ones have fewer than 50; an OpenID may have
/// 1,024.
pub const MAX_LINE_LENGTH: usize = 4096;

/// Lines a second that the server reads from one connection. A game sends a handful a minute.
pub const MAX_LINES_PER_SECOND: u32 = 100;

/// `connect` and `connect-relay` a second that the server answers on one connection. Each makes
/// another player's game act.
pub const MAX_CONNECTS_PER_SECOND: u32 = 10;

/// Lines a second from all connections of one address together: the most that 50 connections may
/// send, and what many thousands of players do send.
pub const MAX_LINES_PER_SECOND_PER_ADDRESS: u32 = 5000;

/// `connect` and `connect-relay` a second on all connections of one address together: the most that
/// 50 connections may send.
pub const MAX_CONNECTS_PER_SECOND_PER_ADDRESS: u32 = 500;

/// `register-host` a second on all connections of one address together. With bursts, all connections
/// that an address may have can come back within a second.
pub const MAX_REGISTRATIONS_PER_SECOND_PER_ADDRESS: u32 = 500;

/// Identities of one connection. A game needs one for each of its ports.
pub const MAX_HOSTS_PER_CONNECTION: usize = 16;

/// Bytes that may wait for one player to read them. A joining player costs its host fewer than 50.
pub const MAX_OUTBOUND_QUEUE: usize = 64 * 1024;

/// How long a connection may stay without `register-host`. A game may connect in its menu and
/// register once the player has chosen what to play.
pub const UNREGISTERED_TIMEOUT: Duration = Duration::from_secs(10 * 60);

/// How long a player may leave what the server wrote unread before its connection counts as dead:
/// mobile networks pause for some seconds.
pub const WRITE_TIMEOUT: Duration = Duration::from_secs(20);

/// How long a player's machine may leave keepalives unanswered before its connection counts as dead:
/// a phone in a tunnel is back by then.
pub const VANISHED_TIMEOUT: Duration = Duration::from_secs(120);

/// How long the program, asked to stop, waits for games that go through its relays: enough for the
/// last seconds of a game, not for a whole one.
pub const DRAIN_TIMEOUT: Duration = Duration::from_secs(10);

// Constants that are no settings.

/// How many seconds' worth of a limit a second may come in one burst.
pub const BURST_SECONDS: f64 = 3.0;

/// Bytes of input that count as one more line, so that endless lines and garbage cost a sender as
/// much as lines.
pub const BYTES_PER_LINE: f64 = 1024.0;

/// Bytes that the server reads from a connection at once.
pub const READ_CHUNK: usize = 4096;

/// What [`VANISHED_TIMEOUT`] may be: systems count keepalives in whole seconds, up to 32,767.
pub const VANISHED_TIMEOUTS: RangeInclusive<TimeSpan> =
    TimeSpan(Duration::from_secs(8))..=TimeSpan(Duration::from_secs(12 * 60 * 60));

/// Keepalives that go unanswered in the second half of [`VANISHED_TIMEOUT`] before a connection
/// fails. The first one is sent after a minute by default: home routers forget the mapping of a
/// silent connection after several.
pub const KEEPALIVE_RETRIES: u32 = 4;

/// Connections that may wait to be accepted, so that thousands can come in one second.
pub const ACCEPT_BACKLOG: i32 = 4096;

/// Pause after accepting failed because descriptors or memory ran out: some come back when a player
/// leaves.
pub const ACCEPT_PAUSE: Duration = Duration::from_millis(200);

/// Pause before a dead socket is bound anew once more, when the system refused that.
pub const REBIND_PAUSE: Duration = Duration::from_millis(200);

/// Pause after a UDP socket failed to receive.
pub const RECEIVE_PAUSE: Duration = Duration::from_millis(10);

/// Calls to receive from one UDP port before other tasks have their turn. Each receives up to 32
/// datagrams, where the system can.
pub const BATCHES_PER_TURN: usize = 2;

/// Datagrams that one call sends: the most that Linux takes.
pub const MAX_RUN: usize = 64;

/// Longest datagram that is sent together with others, in bytes. Systems cut no datagrams longer than
/// the network carries, which is at least 1,280 bytes with headers (RFC 8200, section 5).
pub const MAX_RUN_LENGTH: usize = 1200;

/// Bytes of datagrams that the system may hold for a relay: a burst of some hundred datagrams.
pub const RELAY_BUFFER: usize = 256 * 1024;

/// Largest datagram there is, in bytes.
pub const MAX_DATAGRAM: usize = 65_535;

/// Bytes that the system may hold for a connection in each direction. Systems hold megabytes by
/// default: a flooder would fill them, the server would go on reading them at the limited rate long
/// after the flooder left, and a player who does not read would cost as much.
pub const CONNECTION_BUFFER: usize = 32 * 1024;

/// Bytes of datagrams that the system may hold for the registrar: thousands of
/// PrivateIDs.
pub const REGISTRAR_BUFFER: usize = 1024 * 1024;

/// Refusals that the registrar sends a second, to all senders together: enough for players with an
/// old PrivateID, too few for an attack with forged senders.
pub const MAX_REFUSALS_PER_SECOND: u32 = 1000;

/// How long after its last packet a relayed player's address counts as in use, so that no other
/// replaces it. ENet sends at least twice a second, the handshake ten times: with a fifth of all
/// packets lost, four in a row are lost once in 600.
pub const ADDRESS_HOLD: Duration = Duration::from_secs(2);

/// Players that one relay may link its player with: at 128 KiB/s, more would have less than 512
/// bytes a second each.
pub const MAX_LINKS: usize = 256;

/// How long the server leaves a relay port alone that another program holds.
pub const PORT_RETRY: Duration = Duration::from_secs(60);

/// How late a timer may be. A later one means that the whole process stood still, as on a machine
/// that sleeps. It is also how long the server then takes to notice what came in meanwhile.
pub const STANDSTILL: Duration = Duration::from_secs(1);

/// How long to wait until an expired relay's socket is closed, which takes microseconds.
pub const PORT_CLOSE_WAIT: Duration = Duration::from_millis(20);

/// Addresses without connections that the server remembers before it forgets those with unused
/// limits.
pub const IDLE_ADDRESSES: usize = 1024;

/// Tries to draw an id that is free. With ids of sensible length, the first one is.
pub const ID_TRIES: usize = 32;

/// After this time without a packet, no game goes through a relay any more: ENet sends at least
/// twice a second.
pub const QUIET_RELAYS: Duration = Duration::from_secs(2);

/// Words that an OpenID may have. With the longest words it still is no longer than
/// [`MAX_OPEN_ID`].
pub const MAX_OPEN_ID_WORDS: usize = 32;

/// HTTP connections at one time from all addresses but this machine's own: a handful of programs ask
/// for metrics.
pub const MAX_HTTP_CONNECTIONS: usize = 64;

/// HTTP connections from one address at one time. It is this machine's only limit, so that its health
/// check gets through whatever comes from elsewhere.
pub const MAX_HTTP_CONNECTIONS_PER_ADDRESS: usize = 8;

/// Pause between two accepted HTTP connections, so that a flood costs a small part of one core.
pub const HTTP_ACCEPT_INTERVAL: Duration = Duration::from_millis(1);

/// How long one HTTP connection may take, for a request and its answer.
pub const HTTP_TIMEOUT: Duration = Duration::from_secs(5);

/// Bytes that an HTTP request's head may have: more than any program sends.
pub const HTTP_BUFFER: usize = 8192;

/// How long metrics are served before they are gathered anew. Gathering counts the process's
/// descriptors, which takes milliseconds with thousands of players.
pub const METRICS_AGE: Duration = Duration::from_millis(500);

/// How long the program waits for its connections to end before it exits anyway.
pub const STOP_TIMEOUT: Duration = Duration::from_secs(5);
