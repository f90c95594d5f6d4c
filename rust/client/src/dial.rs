//! From a server's name to a TCP connection.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::Duration,
};

use socket2::{SockRef, TcpKeepalive};
use tokio::{
    net::{TcpStream, lookup_host},
    task::JoinSet,
    time::{Instant, sleep_until, timeout},
};
use tracing::debug;

use crate::defaults::{
    ATTEMPT_DELAY, MAX_ADDRESSES, TCP_KEEPALIVE_IDLE, TCP_PROBE_INTERVAL, TCP_PROBE_RETRIES,
};

/// Why no server was reached.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// The name has no address.
    #[error("{host}: no address found")]
    NotFound {
        /// The name that was looked up.
        host: String,
    },
    /// No address accepted.
    #[error("{host}, port {port}: {source}")]
    Unreachable {
        /// The server's name.
        host: String,
        /// The server's port.
        port: u16,
        /// How the last address failed.
        source: io::Error,
    },
    /// No address accepted or refused in time.
    #[error("{host}, port {port}: no answer within {} s", .after.as_secs_f32())]
    TimedOut {
        /// The server's name.
        host: String,
        /// The server's port.
        port: u16,
        /// The time that was allowed.
        after: Duration,
    },
}

/// Connects to the first of a server's addresses that accepts. Returns the address of its UDP ports
/// too, with the port of the commands.
pub(crate) async fn dial(
    host: &str,
    port: u16,
    limit: Duration,
) -> Result<(TcpStream, SocketAddr), DialError> {
    let attempt = async {
        let addresses = resolve(host, port).await?;
        debug!(host, ?addresses, "resolved");
        let (stream, address) =
            connect(addresses)
                .await
                .map_err(|source| DialError::Unreachable {
                    host: host.to_owned(),
                    port,
                    source,
                })?;
        tune(&stream);
        Ok((stream, address))
    };
    timeout(limit, attempt).await.unwrap_or_else(|_| {
        Err(DialError::TimedOut {
            host: host.to_owned(),
            port,
            after: limit,
        })
    })
}

/// Returns the addresses of a name, IPv4 first: on every server there is, a player's UDP address is
/// IPv4.
async fn resolve(host: &str, port: u16) -> Result<Vec<SocketAddr>, DialError> {
    let not_found = |error: Option<io::Error>| {
        debug!(host, ?error, "no address found");
        DialError::NotFound {
            host: host.to_owned(),
        }
    };
    let name = host.trim_start_matches('[').trim_end_matches(']');
    let mut addresses: Vec<_> = lookup_host((name, port))
        .await
        .map_err(|error| not_found(Some(error)))?
        .collect();
    addresses.sort_by_key(SocketAddr::is_ipv6);
    addresses.dedup();
    addresses.truncate(MAX_ADDRESSES);
    if addresses.is_empty() {
        return Err(not_found(None));
    }
    Ok(addresses)
}

/// Connects to the first of these addresses that accepts, and returns the address for UDP.
async fn connect(addresses: Vec<SocketAddr>) -> io::Result<(TcpStream, SocketAddr)> {
    let (stream, accepted) = race(addresses.clone()).await?;
    let address = SocketAddr::new(udp_ip(accepted.ip(), &addresses), accepted.port());
    debug!(%accepted, udp = %address.ip(), "server accepted");
    Ok((stream, address))
}

/// Returns where the registrar and the relays of a server are that accepted at `accepted`. On every
/// server there is they have IPv4 alone, so the name's IPv4 address is theirs too.
fn udp_ip(accepted: IpAddr, addresses: &[SocketAddr]) -> IpAddr {
    let accepted = accepted.to_canonical();
    if accepted.is_ipv4() {
        return accepted;
    }
    let v4 = addresses.iter().map(|address| address.ip().to_canonical());
    let v4 = v4.into_iter().find(IpAddr::is_ipv4);
    let here = accepted
        .is_loopback()
        .then_some(IpAddr::V4(Ipv4Addr::LOCALHOST));
    v4.or(here).unwrap_or(accepted)
}

/// Tries the addresses in order, each when the one before it has failed or [`ATTEMPT_DELAY`] has
/// passed (RFC 8305, section 5), and returns the first that accepts.
async fn race(addresses: Vec<SocketAddr>) -> io::Result<(TcpStream, SocketAddr)> {
    let mut waiting = addresses.into_iter();
    let mut attempts = JoinSet::new();
    let mut next_attempt = Instant::now();
    let mut last_error = io::Error::from(io::ErrorKind::AddrNotAvailable);
    loop {
        if Instant::now() >= next_attempt || attempts.is_empty() {
            match waiting.next() {
                Some(address) => {
                    attempts.spawn(async move {
                        let stream = TcpStream::connect(address).await?;
                        io::Result::Ok((stream, address))
                    });
                    next_attempt = Instant::now() + ATTEMPT_DELAY;
                }
                None if attempts.is_empty() => return Err(last_error),
                None => {}
            }
        }
        tokio::select! {
            Some(result) = attempts.join_next() => match result.map_err(io::Error::other).flatten() {
                Ok(connected) => return Ok(connected),
                Err(error) => {
                    last_error = error;
                    next_attempt = Instant::now();
                }
            },
            () = sleep_until(next_attempt), if waiting.len() > 0 => {}
        }
    }
}

/// Makes commands leave at once, and keeps an idle connection alive in the routers on its way. A
/// system that refuses one of these options still connects.
fn tune(stream: &TcpStream) {
    let keepalive = TcpKeepalive::new()
        .with_time(TCP_KEEPALIVE_IDLE)
        .with_interval(TCP_PROBE_INTERVAL)
        .with_retries(TCP_PROBE_RETRIES);
    let socket = SockRef::from(stream);
    // Each for itself: a system that refuses one may take the other.
    for set in [
        stream.set_nodelay(true),
        socket.set_tcp_keepalive(&keepalive),
    ] {
        if let Err(error) = set {
            debug!(%error, "TCP option refused");
        }
    }
    #[cfg(any(target_os = "linux", target_os = "android"))]
    if let Err(error) = socket.set_tcp_user_timeout(Some(
        TCP_KEEPALIVE_IDLE + TCP_PROBE_INTERVAL * TCP_PROBE_RETRIES,
    )) {
        debug!(%error, "TCP user time-out refused");
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use socket2::{Domain, Socket, Type};
    use tokio::net::TcpListener;

    use super::*;

    /// Returns an address that neither accepts nor refuses, since its queue is full.
    fn stalled() -> (Socket, Vec<Socket>, SocketAddr) {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        listener
            .bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())
            .unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap();
        let waiting = (0..4)
            .map(|_| {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                socket.set_nonblocking(true).unwrap();
                let _ = socket.connect(&address);
                socket
            })
            .collect();
        (listener, waiting, address.as_socket().unwrap())
    }

    async fn closed() -> SocketAddr {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        listener.local_addr().unwrap()
    }

    #[tokio::test]
    async fn a_refusing_address_is_passed_at_once() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let open = listener.local_addr().unwrap();
        let (stream, _) = race(vec![closed().await, closed().await, open])
            .await
            .unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
    }

    /// A dead first address used to cost the whole time-out.
    #[tokio::test]
    async fn a_stalled_address_costs_the_attempt_delay_alone() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let open = listener.local_addr().unwrap();
        let (_listener, _waiting, dead) = stalled();
        let begun = Instant::now();
        let (stream, _) = race(vec![dead, open]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        assert!(begun.elapsed() >= ATTEMPT_DELAY);
    }

    #[tokio::test]
    async fn the_whole_is_bounded() {
        let (_listener, _waiting, dead) = stalled();
        let limit = Duration::from_millis(300);
        let error = dial("127.0.0.1", dead.port(), limit).await.unwrap_err();
        assert!(matches!(error, DialError::TimedOut { .. }), "{error:?}");
    }

    #[tokio::test]
    async fn ipv4_comes_first() {
        let addresses = resolve("localhost", 1).await.unwrap();
        let families: Vec<_> = addresses.iter().map(SocketAddr::is_ipv6).collect();
        assert!(families.is_sorted(), "{addresses:?}");
        assert_eq!(resolve("[::1]", 1).await.unwrap().len(), 1);
    }

    /// The registrar has IPv4 alone: registration used to time out.
    #[tokio::test]
    async fn a_lost_ipv4_attempt_does_not_lose_the_registrar() {
        let Ok(listener) = TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).await else {
            return; // this machine has no IPv6
        };
        let open = listener.local_addr().unwrap();
        let (_listener, _waiting, dead) = stalled();
        let (stream, address) = connect(vec![dead, open]).await.unwrap();
        assert_eq!(stream.peer_addr().unwrap(), open);
        assert_eq!(address, SocketAddr::new(dead.ip(), open.port()));
    }

    #[test]
    fn the_registrar_has_ipv4_wherever_the_name_has() {
        let udp = |accepted: &str, addresses: &[&str]| {
            let port = |ip: &&str| SocketAddr::new(ip.parse().unwrap(), 8890);
            let addresses: Vec<_> = addresses.iter().map(port).collect();
            udp_ip(accepted.parse().unwrap(), &addresses).to_string()
        };
        let both = ["192.0.2.1", "192.0.2.2", "2001:db8::1"];
        assert_eq!(udp("2001:db8::1", &both), "192.0.2.1");
        assert_eq!(udp("192.0.2.2", &both), "192.0.2.2");
        assert_eq!(udp("2001:db8::1", &["2001:db8::1"]), "2001:db8::1");
        assert_eq!(udp("::ffff:192.0.2.1", &["::ffff:192.0.2.1"]), "192.0.2.1");
        assert_eq!(udp("::1", &["::1"]), "127.0.0.1");
    }

    #[tokio::test]
    async fn a_connection_is_kept_alive_and_undelayed() {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (stream, _) = dial("127.0.0.1", port, ATTEMPT_DELAY * 20).await.unwrap();
        assert!(stream.nodelay().unwrap());
        assert!(SockRef::from(&stream).keepalive().unwrap());
    }

    /// Without the first option, the connection was not kept alive either.
    #[cfg(all(target_os = "linux", target_arch = "x86_64"))]
    #[test]
    fn a_refused_option_costs_neither_the_connection_nor_the_other_options() {
        use seccompiler::{
            BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition,
            SeccompFilter, SeccompRule, TargetArch, apply_filter,
        };
        const SETSOCKOPT: i64 = 54;
        const IPPROTO_TCP: u64 = 6;
        const TCP_NODELAY: u64 = 1;
        const ENOPROTOOPT: u32 = 92;
        let is = |argument, value| {
            let (length, equal) = (SeccompCmpArgLen::Dword, SeccompCmpOp::Eq);
            SeccompCondition::new(argument, length, equal, value).unwrap()
        };
        let nodelay = SeccompRule::new(vec![is(1, IPPROTO_TCP), is(2, TCP_NODELAY)]).unwrap();
        let filter = SeccompFilter::new(
            [(SETSOCKOPT, vec![nodelay])].into(),
            SeccompAction::Allow,
            SeccompAction::Errno(ENOPROTOOPT),
            TargetArch::x86_64,
        );
        let filter: BpfProgram = filter.unwrap().try_into().unwrap();
        // The filter holds for this thread alone.
        apply_filter(&filter).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        runtime.unwrap().block_on(async {
            let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let port = listener.local_addr().unwrap().port();
            let (stream, _) = dial("127.0.0.1", port, ATTEMPT_DELAY * 20).await.unwrap();
            assert!(!stream.nodelay().unwrap());
            assert!(SockRef::from(&stream).keepalive().unwrap());
        });
    }
}
