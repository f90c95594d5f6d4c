//! Binds sockets and sets them up, without waiting.

use std::{
    collections::BTreeSet,
    io,
    net::{IpAddr, SocketAddr, SocketAddrV4, TcpListener, UdpSocket},
    sync::{Mutex, PoisonError},
    time::Duration,
};

use socket_pktinfo::PktInfoUdpSocket;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

use crate::defaults::{ACCEPT_BACKLOG, CONNECTION_BUFFER, KEEPALIVE_RETRIES};

/// Returns a listening, non-blocking TCP socket.
///
/// # Errors
/// The system refuses.
pub(crate) fn listen_tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    // On Unix a restarted server gets its port back at once. On Windows this option would let two
    // servers share a port, and restarts do not need it.
    #[cfg(unix)]
    optional("SO_REUSEADDR", socket.set_reuse_address(true));
    if let IpAddr::V6(ip) = address.ip() {
        let only_v6 = !ip.is_unspecified();
        optional("IPV6_V6ONLY", socket.set_only_v6(only_v6));
    }
    // Accepted connections inherit the sizes.
    optional("SO_RCVBUF", socket.set_recv_buffer_size(CONNECTION_BUFFER));
    optional("SO_SNDBUF", socket.set_send_buffer_size(CONNECTION_BUFFER));
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(ACCEPT_BACKLOG)?;
    Ok(socket.into())
}

/// Returns a bound, non-blocking UDP socket. On a socket that is bound to all addresses, the system
/// tells to which of them each datagram came, if it can.
///
/// # Errors
/// The system refuses.
pub(crate) fn bind_udp(address: SocketAddrV4) -> io::Result<UdpSocket> {
    let socket = if address.ip().is_unspecified() {
        bind_to_all(address)?
    } else {
        UdpSocket::bind(address)?
    };
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn bind_to_all(address: SocketAddrV4) -> io::Result<UdpSocket> {
    match PktInfoUdpSocket::new(Domain::IPV4) {
        Ok(socket) => {
            socket.bind(&address.into())?;
            socket.try_clone_std()
        }
        Err(error) => {
            let socket = UdpSocket::bind(address)?;
            // So it was the option that failed.
            optional("IP_PKTINFO", Err(error));
            Ok(socket)
        }
    }
}

/// Asks the system to hold this many bytes of datagrams until we read them; it may hold fewer.
pub(crate) fn enlarge_receive_buffer(socket: &UdpSocket, bytes: usize) {
    let set = SockRef::from(socket).set_recv_buffer_size(bytes);
    optional("SO_RCVBUF", set);
}

/// Sets up an accepted connection: lines leave at once, and the connection fails once the player's
/// machine has been gone for the time `vanished`. Without these options it works all the same.
pub(crate) fn prepare_connection(stream: &tokio::net::TcpStream, vanished: Duration) {
    optional("TCP_NODELAY", stream.set_nodelay(true));
    let socket = SockRef::from(stream);
    let keepalive = TcpKeepalive::new()
        .with_time(vanished / 2)
        .with_interval(vanished / 2 / KEEPALIVE_RETRIES)
        .with_retries(KEEPALIVE_RETRIES);
    optional("TCP keepalive", socket.set_tcp_keepalive(&keepalive));
    // Linux sends no keepalives while data is unacknowledged, and repeats the data for a quarter of
    // an hour.
    #[cfg(any(target_os = "linux", target_os = "android"))]
    optional(
        "TCP_USER_TIMEOUT",
        socket.set_tcp_user_timeout(Some(vanished)),
    );
}

/// Notes that the system refused a socket option that the server can do without: in the log, once
/// for each option.
fn optional(option: &'static str, set: io::Result<()>) {
    static TOLD: Mutex<BTreeSet<&str>> = Mutex::new(BTreeSet::new());
    if let Err(error) = set {
        let mut told = TOLD.lock().unwrap_or_else(PoisonError::into_inner);
        if told.insert(option) {
            tracing::warn!(option, %error, "the system refuses a socket option; the server does without it");
        }
    }
}

/// Sends a datagram, or drops it if it cannot leave right now, as networks do.
///
/// Bypasses tokio's readiness, which tokio does not know yet for a socket's first datagram.
pub(crate) fn send_datagram(socket: &tokio::net::UdpSocket, payload: &[u8], to: SocketAddrV4) {
    if let Err(error) = SockRef::from(socket).send_to(payload, &to.into()) {
        tracing::trace!(%to, %error, "datagram not sent");
    }
}

/// Returns whether the system says that a socket is none any more, or does not listen: it was shut
/// down, or its descriptor closed. Some systems do so to applications that sleep.
pub(crate) fn is_sockets_end(error: &io::Error) -> bool {
    /// `EBADF`: the descriptor is closed.
    const NO_DESCRIPTOR: i32 = 9;
    /// `ENOTSOCK` of Linux, of the BSDs (Apple's among them), and Windows' `WSAENOTSOCK`.
    const NO_SOCKET: [i32; 3] = [88, 38, 10038];
    let is_code = |code| code == NO_DESCRIPTOR && cfg!(unix) || NO_SOCKET.contains(&code);
    matches!(
        error.kind(),
        io::ErrorKind::BrokenPipe | io::ErrorKind::NotConnected | io::ErrorKind::InvalidInput
    ) || error.raw_os_error().is_some_and(is_code)
}

/// Returns whether a datagram from this address has a single sender, who can be answered.
pub(crate) fn is_answerable(address: SocketAddrV4) -> bool {
    let ip = address.ip();
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !ip.is_broadcast()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::defaults::VANISHED_TIMEOUT;

    #[tokio::test]
    async fn connections_leave_at_once_and_are_watched() {
        let listener = listen_tcp("127.0.0.1:0".parse().unwrap()).unwrap();
        let listener = tokio::net::TcpListener::from_std(listener).unwrap();
        let address = listener.local_addr().unwrap();
        let _player = tokio::net::TcpStream::connect(address).await.unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        prepare_connection(&stream, VANISHED_TIMEOUT);
        assert!(stream.nodelay().unwrap());
        let socket = SockRef::from(&stream);
        assert!(socket.keepalive().unwrap());
        #[cfg(target_os = "linux")]
        {
            let asked =
                socket.tcp_keepalive_interval().unwrap() * socket.tcp_keepalive_retries().unwrap();
            let noticed = socket.tcp_keepalive_time().unwrap() + asked;
            assert_eq!(noticed, VANISHED_TIMEOUT);
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(VANISHED_TIMEOUT));
        }
    }

    #[test]
    fn senders_who_cannot_be_answered_are_told_apart() {
        let is_one = |address: &str| is_answerable(address.parse().unwrap());
        assert!(is_one("127.0.0.1:1"));
        assert!(is_one("192.168.1.255:65535"));
        for address in ["1.2.3.4:0", "0.0.0.0:1", "224.0.0.1:1", "255.255.255.255:1"] {
            assert!(!is_one(address), "{address}");
        }
    }
}
