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
pub const TCP_KEEPALIVE_IDLE: Duration = Duration::from_secs(20);

/// Pause between unanswered probes.
pub const TCP_PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// Unanswered probes after which the connection counts as dead: with the above,
/// a vanished server is noticed after 35 s.
pub const TCP_PROBE_RETRIES: u32 = 3;

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

/// Shortest pause between repeats of a registration, whatever a game asks for: a
/// registrar needs no more than 50 datagrams a second of one player.
pub const MIN_REGISTER_INTERVAL: Duration = Duration::from_millis(20);

/// Commands that may wait for the link: what a server can announce in a moment.
pub const LINK_COMMAND_QUEUE: usize = 1024;

/// Events of the link that may wait for the game's next frame: a few for each of the players that
/// ENet can hold.
pub const LINK_EVENT_QUEUE: usize = 8192;

/// What the link and its connection may have to say to each other at one time.
pub const LINK_MESSAGE_QUEUE: usize = 64;

/// Longest datagram that is taken from outside. ENet's are 4096 bytes at most, and the loopback
/// interface alone lets longer ones through.
pub const MAX_DATAGRAM: usize = 8192;

/// What the system is asked to hold of datagrams that have come in, in bytes; it gives what it
/// allows. A flood of small ones fills its default while a busy machine lets the link wait for
/// 30 ms, and the game's are lost with it.
pub const RECEIVE_BUFFER: usize = 1 << 20;

/// Longest datagram that is taken from ENet, which is its own limit.
pub const ENET_DATAGRAM: usize = 4096;

/// How long a game counts as beginning: ENet's connect, the answers, and their first repeats.
pub const ENET_OPENING: Duration = Duration::from_secs(4);

/// Longest datagram of those, in bytes: ENet's own, and not a game's level.
pub const ENET_OPENING_BYTES: usize = 256;

/// How many of them at most.
pub const ENET_OPENING_DATAGRAMS: u32 = 64;

/// How often each of those is repeated at once: with a fifth of all packets lost, 1 in 125 of them
/// does not arrive then.
pub const ENET_OPENING_REPEATS: u32 = 2;

/// Datagrams that the link takes in before it looks at anything else, so that a flood cannot hold
/// it.
pub const DATAGRAMS_PER_TURN: usize = 64;

/// How often the link looks whom the game still talks to: far more often than it gives up on
/// anyone.
pub const USE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long the link sleeps when nothing is due.
pub const IDLE_WAKE: Duration = Duration::from_secs(3600);

/// How long a host is looked for in the local network: multicast DNS asks three times in that.
pub const LAN_SEARCH: Duration = Duration::from_secs(5);

/// First pause before a lost connection is made again, while a game goes on; doubled each time.
pub const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Longest such pause.
pub const MAX_RECONNECT_PAUSE: Duration = Duration::from_secs(30);

/// Pause after the system refused to give what came in: an error that stays must not take a whole
/// thread.
pub const ERROR_PAUSE: Duration = Duration::from_millis(5);
