//! Players in the server's own home.

use std::net::{IpAddr, SocketAddr};

/// Returns the outside address of a player that plays in the server's own home: the server knows it
/// by its inside address, which leads nowhere from elsewhere. Both are behind the router at whose
/// address the server is reached, and most routers keep the port.
pub(super) fn outside_address(announced: SocketAddr, server: IpAddr) -> Option<SocketAddr> {
    let is_elsewhere = is_inside(announced.ip()) && !is_inside(server);
    is_elsewhere.then(|| SocketAddr::new(server, announced.port()))
}

/// Whether an address has a meaning only in one network: RFC 1918, RFC 6598, RFC 3927, and the
/// loopback address.
fn is_inside(ip: IpAddr) -> bool {
    match ip.to_canonical() {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private()
                || ip.is_link_local()
                || ip.is_loopback()
                || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_loopback() || ip.is_unicast_link_local() || ip.is_unique_local(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_inside_address_of_a_server_outside_has_another() {
        let outside = |announced: &str, server: &str| {
            let announced = announced.parse().expect("an address");
            outside_address(announced, server.parse().expect("an IP address"))
        };
        let own = |announced| outside(announced, "203.0.113.1");
        for inside in ["192.168.1.3:5000", "100.64.0.3:5000", "127.0.0.1:5000"] {
            assert_eq!(own(inside), "203.0.113.1:5000".parse().ok(), "{inside}");
        }
        assert_eq!(own("198.51.100.7:5000"), None);
        assert_eq!(outside("192.168.1.3:5000", "192.168.1.2"), None);
        assert_eq!(outside("127.0.0.1:5000", "127.0.0.1"), None);
    }
}
