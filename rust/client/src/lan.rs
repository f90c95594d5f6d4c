//! Finding a host on the local network, by multicast DNS (RFC 6762, RFC 6763).
//!
//! ```text
//! LanAdvert      a host: answers for one service while it is held
//! ├─ responder   mdns-sd and its one thread
//! └─ watch task  ends a responder that holds too much, and starts a new one
//! LanSearch      a joining player: asks for that service while it is held;
//!                two sockets, no thread
//! ```
//!
//! The service is `HASH._noray._udp.local.`, HASH from the OpenID: whoever has the
//! OpenID can ask for it, and whoever listens learns nothing to join with.
//!
//! The search is the one-shot query of RFC 6762, section 5.1, from a port of its
//! own. A responder answers it by unicast and at once (section 6.7), while an answer
//! by multicast waits for up to 120 ms, comes once a second at most (section 6), so
//! that the second player to ask gets none, and is not repeated by Wi-Fi when lost.

use std::collections::{HashSet, VecDeque};
use std::fmt::Write as _;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use if_addrs::Interface;
use mdns_sd::{
    DaemonEvent, IfKind, IfPredicate, Metrics, Receiver, RecvError, RecvTimeoutError,
    ServiceDaemon, ServiceInfo,
};
use noray_protocol::wire::id::OpenId;
use sha2::{Digest, Sha256};
use simple_dns::rdata::RData;
use simple_dns::{CLASS, Name, Packet, PacketFlag, Question, TYPE};
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::net::UdpSocket;
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

/// The service's type and domain.
const SERVICE_TYPE: &str = "_noray._udp.local.";

/// Keeps the hash apart from any other hash of an OpenID.
const NAME_DOMAIN: &[u8] = b"noray: name on the local network, 1\0";

/// Hexadecimal digits of the hash in a name: 128 bits, and a DNS label holds 63.
const NAME_DIGITS: usize = 32;

/// Port and groups of multicast DNS: RFC 6762, section 3.
const MDNS_PORT: u16 = 5353;
const MDNS_GROUP_V4: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const MDNS_GROUP_V6: Ipv6Addr = Ipv6Addr::new(0xff02, 0, 0, 0, 0, 0, 0, 0xfb);

/// Addresses that one search gives at most: a host with a cable, Wi-Fi and a few
/// virtual networks, each with IPv4 and IPv6.
const MAX_ADDRESSES: usize = 16;

/// Interfaces that one query goes out by at most, per IP version.
const MAX_INTERFACES: usize = 16;

/// Records that an answer may have: two, and an address or two per interface.
const MAX_RECORDS: usize = 64;

/// Largest answer that is read: an Ethernet frame.
const MAX_ANSWER: usize = 1500;

/// Pause before the first repeat of a query: Wi-Fi loses a multicast frame for good.
const FIRST_REPEAT: Duration = Duration::from_millis(250);

/// Pause before the second repeat; it doubles from there, up to the last: the
/// back-off of RFC 6762, section 5.2.
const SECOND_REPEAT: Duration = Duration::from_secs(1);
const LAST_REPEAT: Duration = Duration::from_secs(60);

/// How often the responder is looked at. Short, since what a hostile neighbour can
/// make it hold grows by hundreds of megabytes a second.
const WATCH_INTERVAL: Duration = Duration::from_millis(250);

/// How long the responder may take to say how much it holds: a millisecond, unless a
/// flood leaves it no time.
const WATCH_TIMEOUT: Duration = Duration::from_millis(250);

/// Pause before a flooded responder is started anew.
const FLOOD_PAUSE: Duration = Duration::from_secs(10);

/// Records of others that the responder may hold before it is ended. It needs none;
/// a busy network's are some hundreds.
const MAX_HELD_RECORDS: i64 = 10_000;

/// Longest wait for the responder's goodbye and the end of its thread, which take
/// a millisecond.
const SHUTDOWN_TIMEOUT: Duration = Duration::from_millis(500);

/// Time for the last steps of that thread, which nobody can wait for.
const THREAD_EXIT: Duration = Duration::from_millis(1);

/// Why the local network cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum LanError {
    /// No port to advertise: 0 is none.
    #[error("port 0 cannot be advertised")]
    Port,
    /// The responder does not start.
    #[error("cannot answer on the local network: {0}")]
    Responder(#[from] mdns_sd::Error),
    /// No socket for the search, neither IPv4 nor IPv6.
    #[error("no socket for the local network: {0}")]
    Socket(#[source] io::Error),
    /// The system has no random number for the query.
    #[error("no random number: {0}")]
    Random(#[from] getrandom::Error),
    /// The query cannot be written.
    #[error("cannot write the query: {0}")]
    Query(#[from] simple_dns::SimpleDnsError),
}

/// Announces a host on the local network while it is held. Dropping it says goodbye
/// and ends the thread, which takes a few milliseconds, [`SHUTDOWN_TIMEOUT`] at most.
///
/// Only private addresses of this machine are announced, and only to their own
/// network.
#[derive(Debug)]
pub(crate) struct LanAdvert {
    responder: SharedResponder,
    watch: AbortOnDropHandle<()>,
}

/// Empty only between two responders.
type SharedResponder = Arc<Mutex<Option<Responder>>>;

impl LanAdvert {
    /// Announces that the host of this OpenID listens on this UDP port of every
    /// address of this machine.
    ///
    /// # Errors
    /// [`LanError::Port`] and [`LanError::Responder`]. A machine without a network is
    /// no error: networks that come later are used.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(crate) fn start(oid: &OpenId, port: u16) -> Result<Self, LanError> {
        if port == 0 {
            return Err(LanError::Port);
        }
        let name = hashed_name(oid);
        let responder = Arc::new(Mutex::new(Some(Responder::start(&name, port)?)));
        let watch = tokio::spawn(watch(responder.clone(), name, port));
        Ok(Self {
            responder,
            watch: AbortOnDropHandle::new(watch),
        })
    }
}

impl Drop for LanAdvert {
    fn drop(&mut self) {
        self.watch.abort();
        // One that the watch puts in after this goes with the watch.
        let responder = lock(&self.responder).take();
        drop(responder);
    }
}

fn lock(responder: &SharedResponder) -> std::sync::MutexGuard<'_, Option<Responder>> {
    responder.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Looks after the responder: the library keeps what others on the network say, with
/// no limit, and says nothing when its thread has died.
async fn watch(responder: SharedResponder, name: String, port: u16) {
    loop {
        tokio::time::sleep(WATCH_INTERVAL).await;
        let asked = lock(&responder)
            .as_ref()
            .and_then(|responder| responder.daemon.get_metrics().ok());
        let counts = match asked {
            Some(metrics) => tokio::time::timeout(WATCH_TIMEOUT, metrics.recv_async()).await,
            None => Ok(Err(RecvError::Disconnected)),
        };
        if matches!(&counts, Ok(Ok(counts)) if held_records(counts) <= MAX_HELD_RECORDS) {
            continue;
        }
        debug!("no answers on the local network for a while: flooded, or the thread died");
        let old = lock(&responder).take();
        // Its end may take a while in a flood.
        let _ = tokio::task::spawn_blocking(move || drop(old)).await;
        tokio::time::sleep(FLOOD_PAUSE).await;
        match Responder::start(&name, port) {
            Ok(new) => *lock(&responder) = Some(new),
            Err(error) => debug!(%error, "no answers on the local network"),
        }
    }
}

/// Records of others that the responder holds.
fn held_records(counts: &Metrics) -> i64 {
    const KINDS: [&str; 6] = [
        "cached-ptr",
        "cached-srv",
        "cached-addr",
        "cached-txt",
        "cached-nsec",
        "cached-subtype",
    ];
    KINDS.iter().filter_map(|kind| counts.get(*kind)).sum()
}

/// The library's thread, answering for one service.
struct Responder {
    daemon: ServiceDaemon,
    /// Its other end is dropped with the thread's last belongings.
    ended: Receiver<DaemonEvent>,
}

impl std::fmt::Debug for Responder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Responder").finish_non_exhaustive()
    }
}

impl Responder {
    fn start(name: &str, port: u16) -> Result<Self, LanError> {
        let daemon = ServiceDaemon::new()?;
        let ended = daemon.monitor()?;
        let responder = Self { daemon, ended };
        // An address that anyone on the internet can reach must not answer: it
        // would answer a stranger with more than was asked.
        let elsewhere = IfPredicate::new(|interface| !is_local(interface.ip()));
        responder
            .daemon
            .disable_interface(IfKind::Predicate(elsewhere))?;
        let mut service = ServiceInfo::new(
            SERVICE_TYPE,
            name,
            // Not the machine's own name: that says who plays, and two hosts on one
            // machine would quarrel over it.
            &format!("noray-{name}.local."),
            (),
            port,
            None,
        )?
        .enable_addr_auto();
        // Nobody else has this name, so the 750 ms of asking around would only make
        // the host late.
        service.set_requires_probe(false);
        responder.daemon.register(service)?;
        Ok(responder)
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        // The library says goodbye for its services as it ends.
        if self.daemon.shutdown().is_err() {
            return;
        }
        let deadline = Instant::now() + SHUTDOWN_TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.ended.recv_timeout(left) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    std::thread::sleep(THREAD_EXIT);
                    break;
                }
                Err(RecvTimeoutError::Timeout) => {
                    debug!("the thread for the local network is late to end");
                    break;
                }
            }
        }
    }
}

/// Looks for a host on the local network while it is held.
///
/// Asks at once, after 0.25 s, 1.25 s, 3.25 s and so on, and only while
/// [`LanSearch::next`] is awaited.
#[derive(Debug)]
pub(crate) struct LanSearch {
    sockets: Sockets,
    query: Query,
    next_query: tokio::time::Instant,
    pause: Duration,
    /// All addresses of the host so far.
    found: HashSet<SocketAddr>,
    /// Those that have not been given yet.
    waiting: VecDeque<SocketAddr>,
}

impl LanSearch {
    /// Asks the local networks for the host of this OpenID.
    ///
    /// # Errors
    /// [`LanError::Socket`], [`LanError::Random`] and [`LanError::Query`]. A machine
    /// without a network is no error: networks that come later are asked.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time.
    pub(crate) fn start(oid: &OpenId) -> Result<Self, LanError> {
        let search = Self {
            sockets: Sockets::open().map_err(LanError::Socket)?,
            query: Query::new(&hashed_name(oid))?,
            next_query: tokio::time::Instant::now() + FIRST_REPEAT,
            pause: SECOND_REPEAT,
            found: HashSet::new(),
            waiting: VecDeque::new(),
        };
        search.sockets.send(&search.query.datagram);
        Ok(search)
    }

    /// The next address of the host, each one once, [`MAX_ADDRESSES`] in all; waits
    /// forever when there is none. Nothing is lost when the wait is given up.
    ///
    /// What a neighbour on the network claims: it is the host only when it proves so.
    pub(crate) async fn next(&mut self) -> SocketAddr {
        loop {
            if let Some(address) = self.waiting.pop_front() {
                return address;
            }
            if self.found.len() >= MAX_ADDRESSES {
                std::future::pending::<()>().await;
            }
            tokio::select! {
                () = tokio::time::sleep_until(self.next_query) => {
                    self.sockets.send(&self.query.datagram);
                    self.next_query = tokio::time::Instant::now() + self.pause;
                    self.pause = (self.pause * 2).min(LAST_REPEAT);
                }
                (answer, from) = self.sockets.receive() => {
                    for address in self.query.addresses(&answer, from) {
                        if self.found.len() < MAX_ADDRESSES && self.found.insert(address) {
                            debug!(%address, "the host is on the local network");
                            self.waiting.push_back(address);
                        }
                    }
                }
            }
        }
    }
}

/// What is asked: the SRV record of one service, which brings the addresses along.
#[derive(Debug)]
struct Query {
    id: u16,
    /// The service's full name.
    service: String,
    datagram: Vec<u8>,
}

impl Query {
    fn new(name: &str) -> Result<Self, LanError> {
        let random = getrandom::u32()?.to_be_bytes();
        let id = u16::from_be_bytes([random[0], random[1]]);
        let service = format!("{name}.{SERVICE_TYPE}");
        let mut packet = Packet::new_query(id);
        packet.questions.push(Question::new(
            Name::new(&service)?,
            TYPE::SRV.into(),
            CLASS::IN.into(),
            false,
        ));
        let datagram = packet.build_bytes_vec()?;
        Ok(Self {
            id,
            service,
            datagram,
        })
    }

    /// The addresses in an answer, without those that no local host has. None when
    /// the datagram is no answer to this query.
    fn addresses(&self, datagram: &[u8], from: SocketAddr) -> Vec<SocketAddr> {
        self.read(datagram, from).unwrap_or_default()
    }

    fn read(&self, datagram: &[u8], from: SocketAddr) -> Option<Vec<SocketAddr>> {
        // RFC 6762, section 6.7: from the port of multicast DNS, with the query's id.
        if from.port() != MDNS_PORT || !is_local(from.ip()) {
            return None;
        }
        // The parser makes room for what the header claims.
        let (id, counts) = datagram.get(..12)?.split_at(4);
        let records: usize = counts
            .chunks_exact(2)
            .map(|count| usize::from(u16::from_be_bytes([count[0], count[1]])))
            .sum();
        if id[..2] != self.id.to_be_bytes() || records > MAX_RECORDS {
            return None;
        }
        let answer = Packet::parse(datagram).ok()?;
        if !answer.has_flags(PacketFlag::RESPONSE) {
            return None;
        }

        let service = Name::new(&self.service).ok()?;
        let records = || answer.answers.iter().chain(&answer.additional_records);
        let (host, port) = records().find_map(|record| match &record.rdata {
            RData::SRV(srv) if record.name == service && srv.port != 0 => {
                Some((&srv.target, srv.port))
            }
            _ => None,
        })?;
        let addresses = records()
            .filter(|record| record.name == *host)
            .filter_map(|record| match &record.rdata {
                RData::A(a) => Some(IpAddr::V4(Ipv4Addr::from(a.address))),
                RData::AAAA(aaaa) => Some(IpAddr::V6(Ipv6Addr::from(aaaa.address))),
                _ => None,
            })
            .filter(|ip| is_local(*ip))
            .filter_map(|ip| socket_address(ip, port, from));
        Some(addresses.collect())
    }
}

/// The address with its port, and with the network that a link-local IPv6 address
/// is on: the one that the answer came from. None when that is unknown.
fn socket_address(ip: IpAddr, port: u16, answered_from: SocketAddr) -> Option<SocketAddr> {
    match (ip, answered_from) {
        (IpAddr::V6(ip), SocketAddr::V6(from)) if ip.is_unicast_link_local() => {
            (from.scope_id() != 0).then(|| SocketAddrV6::new(ip, port, 0, from.scope_id()).into())
        }
        (IpAddr::V6(ip), _) if ip.is_unicast_link_local() => None,
        _ => Some(SocketAddr::new(ip, port)),
    }
}

/// One socket per IP version, each on a free port.
#[derive(Debug)]
struct Sockets {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
}

impl Sockets {
    /// At least one of the two.
    fn open() -> io::Result<Self> {
        let v4 = open(Domain::IPV4, (Ipv4Addr::UNSPECIFIED, 0).into());
        let v6 = open(Domain::IPV6, (Ipv6Addr::UNSPECIFIED, 0).into());
        match (v4, v6) {
            (Err(error), Err(_)) => Err(error),
            (v4, v6) => Ok(Self {
                v4: v4.ok(),
                v6: v6.ok(),
            }),
        }
    }

    /// Sends the query into each local network. Failures are logged only: a network
    /// may be gone, and the next repeat comes.
    fn send(&self, datagram: &[u8]) {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
            debug!(%error, "cannot list the networks");
            Vec::new()
        });
        for (index, ip) in networks(&interfaces) {
            let sent = match (ip, &self.v4, &self.v6) {
                (IpAddr::V4(ip), Some(socket), _) => {
                    let group = SocketAddrV4::new(MDNS_GROUP_V4, MDNS_PORT);
                    let socket = SockRef::from(socket);
                    socket
                        .set_multicast_if_v4(&ip)
                        .and_then(|()| socket.send_to(datagram, &group.into()))
                }
                (IpAddr::V6(_), _, Some(socket)) => {
                    let group = SocketAddrV6::new(MDNS_GROUP_V6, MDNS_PORT, 0, index);
                    let socket = SockRef::from(socket);
                    socket
                        .set_multicast_if_v6(index)
                        .and_then(|()| socket.send_to(datagram, &group.into()))
                }
                _ => continue,
            };
            if let Err(error) = sent {
                debug!(%ip, %error, "cannot ask a local network");
            }
        }
    }

    /// The next datagram. A socket that fails for good is let go.
    async fn receive(&mut self) -> (Vec<u8>, SocketAddr) {
        loop {
            let (mut v4, mut v6) = ([0; MAX_ANSWER], [0; MAX_ANSWER]);
            let (received, is_v4) = tokio::select! {
                received = receive(self.v4.as_ref(), &mut v4) => (received, true),
                received = receive(self.v6.as_ref(), &mut v6) => (received, false),
            };
            match received {
                Ok((length, from)) => {
                    let buffer = if is_v4 { &v4 } else { &v6 };
                    return (buffer[..length].to_vec(), from);
                }
                // Windows reports an earlier datagram's fate, and one too large, this way.
                Err(error) if is_passing(&error) => {}
                Err(error) => {
                    debug!(%error, is_v4, "cannot listen to the local network");
                    *(if is_v4 { &mut self.v4 } else { &mut self.v6 }) = None;
                }
            }
        }
    }
}

fn open(domain: Domain, any: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    // 255 as RFC 6762, section 11, has it: responders may ignore what was forwarded.
    if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
        socket.set_multicast_hops_v6(255)?;
    } else {
        socket.set_multicast_ttl_v4(255)?;
    }
    socket.bind(&any.into())?;
    UdpSocket::from_std(socket.into())
}

async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await,
        None => std::future::pending().await,
    }
}

/// Whether a socket goes on after this error.
fn is_passing(error: &io::Error) -> bool {
    const WSAEMSGSIZE: i32 = 10040;
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionReset
            | io::ErrorKind::ConnectionRefused
            | io::ErrorKind::HostUnreachable
            | io::ErrorKind::NetworkUnreachable
            | io::ErrorKind::NetworkDown
            | io::ErrorKind::Interrupted
    ) || (cfg!(windows) && error.raw_os_error() == Some(WSAEMSGSIZE))
}

/// The local networks to ask, each once per IP version: the interface's index, and
/// an address of this machine there.
fn networks(interfaces: &[Interface]) -> Vec<(u32, IpAddr)> {
    let mut networks: Vec<(u32, IpAddr)> = Vec::new();
    for interface in interfaces {
        let (index, ip) = (interface.index.unwrap_or(0), interface.ip());
        let same_version = |network: &&(u32, IpAddr)| network.1.is_ipv4() == ip.is_ipv4();
        let is_known = networks
            .iter()
            .filter(same_version)
            .any(|network| network.0 == index);
        let is_full = networks.iter().filter(same_version).count() >= MAX_INTERFACES;
        if interface.is_oper_up() && !interface.is_p2p() && is_local(ip) && !is_known && !is_full {
            networks.push((index, ip));
        }
    }
    networks
}

/// Whether the address is one that only a local network has: private (RFC 1918),
/// shared by carriers and virtual networks (RFC 6598), link-local (RFC 3927, RFC
/// 4291) or unique local (RFC 4193).
///
/// Public addresses never count, on one's own network neither: where players have
/// them no router changes addresses, and the direct way is as short.
fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.is_unique_local(),
    }
}

/// What stands for an OpenID on the network: the first [`NAME_DIGITS`] digits of a
/// hash, which nobody turns back.
fn hashed_name(oid: &OpenId) -> String {
    let mut hash = Sha256::new();
    hash.update(NAME_DOMAIN);
    hash.update(oid.as_str().as_bytes());
    let mut name = String::with_capacity(2 * 32);
    for byte in hash.finalize() {
        // Writing to a String never fails.
        let _ = write!(name, "{byte:02x}");
    }
    name.truncate(NAME_DIGITS);
    name
}

#[cfg(test)]
mod tests {
    use super::*;
    use simple_dns::ResourceRecord;
    use simple_dns::rdata::{A, AAAA, SRV};

    fn oid(text: &str) -> OpenId {
        OpenId::new(text).expect("a good OpenID")
    }

    fn query() -> Query {
        Query::new(&hashed_name(&oid("V1StGXR8_Z5jdHi6B-myT"))).expect("a query")
    }

    const FROM: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(192, 168, 0, 7)), MDNS_PORT);

    fn from_link_local(scope: u32) -> SocketAddr {
        let ip = "fe80::7".parse().expect("an address");
        SocketAddrV6::new(ip, MDNS_PORT, 0, scope).into()
    }

    /// A host's answer, as a responder that knows the service would give it.
    fn answer(query: &Query, service: &str, port: u16, ips: &[&str]) -> Vec<u8> {
        let host = Name::new("some-host.local").expect("a name");
        let record =
            |name: &Name<'static>, rdata| ResourceRecord::new(name.clone(), CLASS::IN, 10, rdata);
        let service = Name::new(service).expect("a name").into_owned();
        let mut packet = Packet::new_reply(query.id);
        let srv = SRV {
            priority: 0,
            weight: 0,
            port,
            target: host.clone(),
        };
        packet.answers.push(record(&service, RData::SRV(srv)));
        for ip in ips {
            let rdata = match ip.parse().expect("an address") {
                IpAddr::V4(ip) => RData::A(A::from(ip)),
                IpAddr::V6(ip) => RData::AAAA(AAAA::from(ip)),
            };
            packet.additional_records.push(record(&host, rdata));
        }
        packet.build_bytes_vec_compressed().expect("an answer")
    }

    fn addresses(text: &[&str]) -> Vec<SocketAddr> {
        text.iter()
            .map(|address| address.parse().expect("an address"))
            .collect()
    }

    #[test]
    fn the_name_is_a_hash_and_never_shows_the_open_id() {
        let name = hashed_name(&oid("V1StGXR8_Z5jdHi6B-myT"));
        assert_eq!(name.len(), NAME_DIGITS);
        assert!(name.bytes().all(|b| b.is_ascii_hexdigit()));
        assert_eq!(name, hashed_name(&oid("V1StGXR8_Z5jdHi6B-myT")));
        assert_ne!(name, hashed_name(&oid("V1StGXR8_Z5jdHi6B-myU")));
        // Both players' versions must agree on it, so a change must be meant.
        assert_eq!(name, "55d68ce5d38ff354034060f31680ebd4");

        let query = query();
        let sent = String::from_utf8_lossy(&query.datagram).to_lowercase();
        assert!(sent.contains(&name));
        assert!(!sent.contains("v1stgxr8"));
        assert!(!format!("{query:?}").contains("V1StGXR8"));
    }

    #[test]
    fn an_open_id_that_no_name_could_hold_gives_a_query_too() {
        let longest = "é.".repeat(60);
        assert!(Query::new(&hashed_name(&oid(&longest))).is_ok());
    }

    #[test]
    fn the_addresses_of_the_asked_host_are_given() {
        let query = query();
        let ips = [
            "192.168.0.7",
            "10.1.2.3",
            "100.64.0.1",
            "169.254.9.9",
            "fd00::7",
        ];
        let datagram = answer(&query, &query.service, 7777, &ips);
        assert_eq!(
            query.addresses(&datagram, FROM),
            addresses(&[
                "192.168.0.7:7777",
                "10.1.2.3:7777",
                "100.64.0.1:7777",
                "169.254.9.9:7777",
                "[fd00::7]:7777",
            ])
        );
    }

    #[test]
    fn a_service_is_known_by_its_name_in_any_case() {
        let query = query();
        let datagram = answer(&query, &query.service.to_uppercase(), 7777, &["10.1.2.3"]);
        assert_eq!(query.addresses(&datagram, FROM).len(), 1);
    }

    #[test]
    fn a_link_local_address_is_on_the_network_that_answered() {
        let query = query();
        let datagram = answer(&query, &query.service, 7777, &["fe80::7"]);
        let found = query.addresses(&datagram, from_link_local(3));
        let ip = "fe80::7".parse().expect("an address");
        assert_eq!(found, [SocketAddrV6::new(ip, 7777, 0, 3).into()]);
        // Without the network it could go anywhere.
        assert!(query.addresses(&datagram, FROM).is_empty());
        assert!(query.addresses(&datagram, from_link_local(0)).is_empty());
    }

    #[test]
    fn addresses_that_no_local_host_has_are_dropped() {
        let query = query();
        let lies = [
            "0.0.0.0",
            "8.8.8.8",
            "127.0.0.1",
            "224.0.0.251",
            "255.255.255.255",
            "100.63.255.255",
            "100.128.0.0",
            "172.32.0.1",
            "::",
            "::1",
            "ff02::fb",
            "2001:db8::1",
            "::ffff:10.0.0.1",
        ];
        let datagram = answer(&query, &query.service, 7777, &lies);
        assert_eq!(query.addresses(&datagram, from_link_local(3)), []);
    }

    #[test]
    fn what_is_no_answer_to_the_query_is_ignored() {
        let query = query();
        let good = answer(&query, &query.service, 7777, &["10.1.2.3"]);
        assert_eq!(query.addresses(&good, FROM).len(), 1);

        let no_port = answer(&query, &query.service, 0, &["10.1.2.3"]);
        assert_eq!(query.addresses(&no_port, FROM), []);
        let other = answer(&query, "other._noray._udp.local", 7777, &["10.1.2.3"]);
        assert_eq!(query.addresses(&other, FROM), []);

        let stranger = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(8, 8, 8, 8)), MDNS_PORT);
        assert_eq!(query.addresses(&good, stranger), []);
        let other_port = SocketAddr::new(FROM.ip(), 5354);
        assert_eq!(query.addresses(&good, other_port), []);

        let mut other_id = good.clone();
        other_id[1] ^= 1;
        assert_eq!(query.addresses(&other_id, FROM), []);
        let mut a_query = good.clone();
        a_query[2] &= 0x7f;
        assert_eq!(query.addresses(&a_query, FROM), []);
    }

    #[test]
    fn broken_answers_are_ignored() {
        let query = query();
        let good = answer(&query, &query.service, 7777, &["10.1.2.3", "fd00::7"]);
        for length in 0..good.len() {
            assert_eq!(query.addresses(&good[..length], FROM), []);
        }
        for place in 0..good.len() {
            for byte in [0, 0x3f, 0xc0, 0xff] {
                let mut broken = good.clone();
                broken[place] = byte;
                let found = query.addresses(&broken, FROM);
                assert!(found.iter().all(|address| is_local(address.ip())));
            }
        }
    }

    #[test]
    fn an_answer_with_too_many_records_is_ignored() {
        let query = query();
        let most = answer(&query, &query.service, 7777, &["10.1.2.3"; MAX_RECORDS - 1]);
        assert!(!query.addresses(&most, FROM).is_empty());
        let more = answer(&query, &query.service, 7777, &["10.1.2.3"; MAX_RECORDS]);
        assert_eq!(query.addresses(&more, FROM), []);
    }

    #[tokio::test]
    async fn an_advert_needs_a_port() {
        let error = LanAdvert::start(&oid("host"), 0).expect_err("no port");
        assert_eq!(error.to_string(), "port 0 cannot be advertised");
    }

    #[test]
    fn the_records_of_others_are_counted() {
        let counts: Metrics = [("cached-srv", 3), ("cached-txt", 4), ("respond", 100)]
            .map(|(name, count)| (name.to_owned(), count))
            .into();
        assert_eq!(held_records(&counts), 7);
    }

    #[test]
    fn each_local_network_is_asked_once() {
        let interface = |name: &str, index, ip: &str| Interface {
            name: name.to_owned(),
            addr: match ip.parse().expect("an address") {
                IpAddr::V4(ip) => if_addrs::IfAddr::V4(if_addrs::Ifv4Addr {
                    ip,
                    netmask: Ipv4Addr::new(255, 255, 255, 0),
                    prefixlen: 24,
                    broadcast: None,
                }),
                IpAddr::V6(ip) => if_addrs::IfAddr::V6(if_addrs::Ifv6Addr {
                    ip,
                    netmask: Ipv6Addr::UNSPECIFIED,
                    prefixlen: 64,
                    broadcast: None,
                }),
            },
            index: Some(index),
            oper_status: if_addrs::IfOperStatus::Up,
            is_p2p: false,
            #[cfg(windows)]
            adapter_name: String::new(),
        };
        let mut interfaces = vec![
            interface("lo", 1, "127.0.0.1"),
            interface("eth0", 2, "192.168.0.7"),
            interface("eth0", 2, "192.168.1.7"),
            interface("eth0", 2, "fe80::7"),
            interface("eth0", 2, "fd00::7"),
            interface("wan", 3, "8.8.8.8"),
            interface("tun", 4, "10.0.0.7"),
            interface("off", 5, "10.0.1.7"),
        ];
        interfaces[6].is_p2p = true;
        interfaces[7].oper_status = if_addrs::IfOperStatus::Down;
        let expected = ["192.168.0.7", "fe80::7"].map(|ip| (2, ip.parse().expect("an address")));
        assert_eq!(networks(&interfaces), expected);

        let many: Vec<Interface> = (1..=99)
            .map(|index| interface("veth", index, "10.0.0.7"))
            .collect();
        assert_eq!(networks(&many).len(), MAX_INTERFACES);
    }
}
