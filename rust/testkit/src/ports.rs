//! Ports that nobody has.

use std::net::{Ipv4Addr, TcpListener, UdpSocket};
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};

/// The range that ports are taken from: below those that systems hand out by themselves, one of
/// which could be some connection's before a server has it.
const FIRST: u16 = 12_000;
const COUNT: u16 = 20_000;

/// Returns `count` ports of 127.0.0.1 that are free for UDP and for TCP, in ascending order. No two
/// calls in a process return the same port.
pub fn free_ports(count: usize) -> Vec<u16> {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Several test processes may run at once.
    let start = (std::process::id() % 100) as u16 * (COUNT / 100);
    let mut ports: Vec<u16> = (0..COUNT)
        .map(|_| FIRST + (start + NEXT.fetch_add(1, Relaxed) % COUNT) % COUNT)
        .filter(|&port| is_free(port))
        .take(count)
        .collect();
    assert_eq!(ports.len(), count, "too few ports are free");
    ports.sort_unstable();
    ports
}

/// Returns one port of [`free_ports`].
pub fn free_port() -> u16 {
    free_ports(1)[0]
}

/// Returns ports as the setting `NORAY_UDP_RELAY_PORTS` takes them.
pub fn relay_setting(ports: &[u16]) -> String {
    let ports: Vec<String> = ports.iter().map(u16::to_string).collect();
    ports.join(",")
}

fn is_free(port: u16) -> bool {
    let address = (Ipv4Addr::LOCALHOST, port);
    UdpSocket::bind(address).is_ok() && TcpListener::bind(address).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn free_ports_are_free_and_given_once() {
        let ports = free_ports(4);
        let _taken = UdpSocket::bind((Ipv4Addr::LOCALHOST, ports[2])).unwrap();
        assert!(!is_free(ports[2]) && is_free(ports[0]));
        assert!(free_ports(4).iter().all(|port| !ports.contains(port)));
        assert_eq!(relay_setting(&[1, 2]), "1,2");
    }
}
