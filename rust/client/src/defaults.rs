//! Times and limits of a player's side, each with its reason.

use std::{
    net::{Ipv4Addr, Ipv6Addr},
    time::Duration,
};

// The connection

/// Longest wait for a server to accept, including the name look-up. Nobody looks longer at a screen
/// on which nothing happens; a slow mobile network needs 3 s.
pub const CONNECT_TIMEOUT: Duration = Duration::from_secs(8);

/// Pause before the next address is tried while the last one has not answered: the 'Connection
/// Attempt Delay' of RFC 8305, section 5.
pub(crate) const ATTEMPT_DELAY: Duration = Duration::from_millis(250);

/// Most addresses of one name that are tried. With [`ATTEMPT_DELAY`] all of them are begun well
/// within [`CONNECT_TIMEOUT`].
pub(crate) const MAX_ADDRESSES: usize = 16;

/// Silence after which the system probes the connection. Less than 30 s, for which the least patient
/// routers keep an idle mapping.
pub(crate) const TCP_KEEPALIVE_IDLE: Duration = Duration::from_secs(20);

/// Pause between probes that are not answered.
pub(crate) const TCP_PROBE_INTERVAL: Duration = Duration::from_secs(5);

/// Unanswered probes after which the connection counts as dead: with the two above, 35 s after the
/// server vanished.
pub(crate) const TCP_PROBE_RETRIES: u32 = 3;

/// Longest time for the system to take a command before the connection counts as dead.
pub(crate) const SEND_TIMEOUT: Duration = Duration::from_secs(10);

/// Most commands that wait to be sent. A game sends a handful.
pub(crate) const COMMAND_QUEUE: usize = 256;

/// Most events that wait for the game's next frame: more than a busy host gets in one. When a game
/// stalls longer, the server waits.
pub(crate) const EVENT_QUEUE: usize = 256;

/// Bytes that one read takes: far more than the lines of one frame.
pub(crate) const READ_CHUNK: usize = 4096;

/// First pause before a lost connection is made again; each further pause is twice as long.
pub(crate) const RECONNECT_PAUSE: Duration = Duration::from_millis(500);

/// Longest such pause: a player can be joined again soon after the server is back.
pub(crate) const MAX_RECONNECT_PAUSE: Duration = Duration::from_secs(30);

/// Shortest pause between repeats of a registration, whatever a game asks for: a registrar needs no
/// more than 50 datagrams a second from one player.
pub(crate) const MIN_REGISTER_INTERVAL: Duration = Duration::from_millis(20);

// The link

/// Most commands that wait for the link: what a server can announce in a moment.
pub(crate) const LINK_COMMAND_QUEUE: usize = 1024;

/// Most events of the link that wait for the game's next frame: a few for each peer that ENet can
/// have.
pub(crate) const LINK_EVENT_QUEUE: usize = 8192;

/// Most messages of the link that wait for its connection: the requests of a few joins.
pub(crate) const LINK_MESSAGE_QUEUE: usize = 64;

/// Longest datagram that is received from a peer, in bytes. ENet's are 4096 bytes at most, and only
/// the loopback interface lets longer ones through.
pub(crate) const MAX_DATAGRAM: usize = 8192;

/// Size of the receive buffer that is requested from the system, in bytes; it may grant less. At
/// its default size, small datagrams of a flood fill it while a busy machine keeps the link waiting
/// for 30 ms, and the game's datagrams are lost.
pub(crate) const RECEIVE_BUFFER: usize = 1 << 20;

/// Longest datagram that is received from ENet, in bytes: ENet's own limit.
pub(crate) const ENET_DATAGRAM: usize = 4096;

/// How long a game counts as opening: ENet's connect, the answers, and their first repeats.
pub(crate) const ENET_OPENING: Duration = Duration::from_secs(4);

/// Longest datagram of an opening, in bytes: ENet's own are shorter, a game's level is longer.
pub(crate) const ENET_OPENING_BYTES: usize = 256;

/// Most datagrams of an opening.
pub(crate) const ENET_OPENING_DATAGRAMS: u32 = 64;

/// How often each of those is repeated at once. With a fifth of all packets lost, 1 in 125 then does
/// not arrive.
pub(crate) const ENET_OPENING_REPEATS: u32 = 2;

/// Most datagrams that the link receives before it does anything else, so that a flood cannot
/// occupy it.
pub(crate) const DATAGRAMS_PER_TURN: usize = 64;

/// How often the link looks which peers the game still talks to: far more often than it gives up on
/// any.
pub(crate) const USE_CHECK_INTERVAL: Duration = Duration::from_secs(1);

/// How long the link sleeps when nothing is due.
pub(crate) const IDLE_WAKE: Duration = Duration::from_secs(3600);

/// Pause after a failed receive: an error that persists must not occupy a whole thread.
pub(crate) const ERROR_PAUSE: Duration = Duration::from_millis(5);

/// Most errors that the link takes from its socket in a row before it pauses. Some systems report an
/// earlier datagram that was refused, once for each.
pub(crate) const RECEIVE_ERRORS_PER_TURN: u32 = 8;

/// Pause before the link asks again for a socket that the system did not give.
pub(crate) const REBIND_PAUSE: Duration = Duration::from_secs(1);

// The local network

/// How long a host is looked for in the local network: the query goes out four times in that.
pub(crate) const LAN_SEARCH: Duration = Duration::from_secs(5);

/// Port of multicast DNS: RFC 6762, section 3.
pub(crate) const MDNS_PORT: u16 = 5353;

/// Group of multicast DNS for IPv4: RFC 6762, section 3.
pub(crate) const MDNS_GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);

/// Group of multicast DNS for IPv6: RFC 6762, section 3.
pub(crate) const MDNS_GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// Most addresses that one search returns: a host with a cable, Wi-Fi and a few virtual networks,
/// each with IPv4 and IPv6.
pub(crate) const MAX_LAN_ADDRESSES: usize = 16;

/// Most interfaces by which one query leaves, for each IP version.
pub(crate) const MAX_LAN_INTERFACES: usize = 16;

/// Most records of an answer: two, and an address or two for each interface.
pub(crate) const MAX_LAN_RECORDS: usize = 64;

/// Longest answer that is read, in bytes: an Ethernet frame.
pub(crate) const MAX_LAN_ANSWER: usize = 1500;

/// Pause before the first repeat of a query: Wi-Fi does not repeat a lost multicast frame.
pub(crate) const LAN_FIRST_REPEAT: Duration = Duration::from_millis(250);

/// Pause before the second repeat. Each further pause is twice as long, as RFC 6762, section 5.2,
/// demands.
pub(crate) const LAN_SECOND_REPEAT: Duration = Duration::from_secs(1);

/// Longest pause between repeats.
pub(crate) const LAN_LONGEST_REPEAT: Duration = Duration::from_secs(60);

/// How often the responder is checked. A hostile neighbour can make it hold hundreds of megabytes
/// more each second.
pub(crate) const LAN_WATCH_INTERVAL: Duration = Duration::from_millis(250);

/// Longest wait for the responder to say how much it holds: it takes a millisecond, unless a flood
/// leaves it no time.
pub(crate) const LAN_METRICS_TIMEOUT: Duration = Duration::from_millis(250);

/// Pause before a flooded responder is replaced.
pub(crate) const LAN_FLOOD_PAUSE: Duration = Duration::from_secs(10);

/// Most records of others that the responder may hold. It needs none; in a busy network there are
/// some hundreds.
pub(crate) const MAX_LAN_HELD_RECORDS: i64 = 10_000;

/// Longest wait for the responder's goodbye and the end of its thread, which take a millisecond.
pub(crate) const LAN_SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Time for the last steps of that thread, which nobody can wait for.
pub(crate) const LAN_THREAD_EXIT: Duration = Duration::from_millis(1);
