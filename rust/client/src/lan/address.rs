//! Which addresses count as local.

use std::net::IpAddr;

/// Whether only a local network has this address: private (RFC 1918), shared by carriers and
/// virtual networks (RFC 6598), link-local (RFC 3927, RFC 4291) or unique local (RFC 4193).
///
/// A public address never counts, not even in one's own network: where players have public
/// addresses no router changes them, and the direct path is as short.
pub(super) fn is_local(ip: IpAddr) -> bool {
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, ..] = ip.octets();
            ip.is_private() || ip.is_link_local() || (a == 100 && b & 0xc0 == 64)
        }
        IpAddr::V6(ip) => ip.is_unicast_link_local() || ip.is_unique_local(),
    }
}
