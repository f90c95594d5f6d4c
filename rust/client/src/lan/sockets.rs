//! The sockets that ask every local network.

use std::{
    future::pending,
    io,
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6},
};

use if_addrs::Interface;
use socket2::{Domain, Protocol, SockRef, Socket, Type};
use tokio::{net::UdpSocket, time::sleep};
use tracing::debug;

use super::address::is_local;
use crate::defaults::{
    ERROR_PAUSE, MAX_LAN_ANSWER, MAX_LAN_INTERFACES, MDNS_GROUP_V4, MDNS_GROUP_V6, MDNS_PORT,
};

/// One socket for each IP version, each on a free port.
#[derive(Debug)]
pub(super) struct Sockets {
    v4: Option<UdpSocket>,
    v6: Option<UdpSocket>,
}

impl Sockets {
    /// Opens both sockets, or the one that the system gives.
    pub(super) fn open() -> io::Result<Self> {
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

    /// Sends a query into each local network. Only logs failures: a network may be gone, and the
    /// query is repeated.
    pub(super) fn send(&self, datagram: &[u8]) {
        let interfaces = if_addrs::get_if_addrs().unwrap_or_else(|error| {
            debug!(%error, "local networks not listed");
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
                debug!(%ip, %error, "local network not asked");
            }
        }
    }

    /// Waits for the next datagram. Closes a socket that fails for good.
    pub(super) async fn receive(&mut self) -> (Vec<u8>, SocketAddr) {
        loop {
            let (mut v4, mut v6) = ([0; MAX_LAN_ANSWER], [0; MAX_LAN_ANSWER]);
            let (received, is_v4) = tokio::select! {
                received = receive(self.v4.as_ref(), &mut v4) => (received, true),
                received = receive(self.v6.as_ref(), &mut v6) => (received, false),
            };
            match received {
                Ok((length, from)) => {
                    let buffer = if is_v4 { &v4 } else { &v6 };
                    return (buffer[..length].to_vec(), from);
                }
                // So Windows reports what became of an earlier datagram, and one that is too long.
                Err(error) if is_temporary(&error) => sleep(ERROR_PAUSE).await,
                Err(error) => {
                    debug!(%error, is_v4, "socket for the local network failed");
                    *(if is_v4 { &mut self.v4 } else { &mut self.v6 }) = None;
                }
            }
        }
    }
}

fn open(domain: Domain, any: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(domain, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_nonblocking(true)?;
    let hops = if domain == Domain::IPV6 {
        socket.set_only_v6(true)?;
        socket.set_multicast_hops_v6(255)
    } else {
        socket.set_multicast_ttl_v4(255)
    };
    // RFC 6762, section 11: a responder may ignore what did not arrive with 255. Others answer.
    if let Err(error) = hops {
        debug!(%error, "queries for the local network keep their default hop limit");
    }
    socket.bind(&any.into())?;
    UdpSocket::from_std(socket.into())
}

async fn receive(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await,
        None => pending().await,
    }
}

/// Whether the socket still works after this error.
fn is_temporary(error: &io::Error) -> bool {
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

/// Returns the local networks to ask, each once for an IP version: the interface's index, and an
/// address of this machine there.
fn networks(interfaces: &[Interface]) -> Vec<(u32, IpAddr)> {
    let mut networks: Vec<(u32, IpAddr)> = Vec::new();
    for interface in interfaces {
        let (index, ip) = (interface.index.unwrap_or(0), interface.ip());
        let same_version = |network: &&(u32, IpAddr)| network.1.is_ipv4() == ip.is_ipv4();
        let is_known = networks
            .iter()
            .filter(same_version)
            .any(|network| network.0 == index);
        let is_full = networks.iter().filter(same_version).count() >= MAX_LAN_INTERFACES;
        if interface.is_oper_up() && !interface.is_p2p() && is_local(ip) && !is_known && !is_full {
            networks.push((index, ip));
        }
    }
    networks
}

#[cfg(test)]
mod tests {
    use super::*;

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
        assert_eq!(networks(&many).len(), MAX_LAN_INTERFACES);
    }
}
