//! Addresses as keys of ordered maps.

use std::net::{SocketAddr, SocketAddrV4};

/// An address as numbers, which compare faster than the address: maps are searched for each datagram.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) struct AddressKey {
    /// For IPv4 all of the address, so that one comparison decides.
    first: u64,
    ip: u128,
    flow: u32,
}

impl From<SocketAddrV4> for AddressKey {
    fn from(address: SocketAddrV4) -> Self {
        Self {
            first: u64::from(address.ip().to_bits()) << 16 | u64::from(address.port()),
            ip: 0,
            flow: 0,
        }
    }
}

impl From<SocketAddr> for AddressKey {
    fn from(address: SocketAddr) -> Self {
        match address {
            SocketAddr::V4(address) => address.into(),
            SocketAddr::V6(address) => Self {
                first: 1 << 63 | u64::from(address.scope_id()) << 16 | u64::from(address.port()),
                ip: address.ip().to_bits(),
                flow: address.flowinfo(),
            },
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, net::SocketAddrV6};

    use super::*;

    /// Fails when two addresses have the same key.
    #[test]
    fn every_address_has_a_key_of_its_own() {
        let mut addresses: Vec<SocketAddr> = vec![
            "[::]:1".parse().unwrap(),
            "[::ffff:10.0.0.1]:1".parse().unwrap(),
        ];
        for text in [
            "0.0.0.0:0",
            "0.0.0.1:0",
            "0.0.0.0:1",
            "10.0.0.1:1",
            "255.255.255.255:65535",
        ] {
            addresses.push(text.parse().unwrap());
        }
        for (flow, scope) in [(0, 0), (1, 0), (0, 1), (u32::MAX, u32::MAX)] {
            let ip = "fe80::1".parse().unwrap();
            addresses.push(SocketAddrV6::new(ip, 1, flow, scope).into());
        }
        let keys: BTreeSet<AddressKey> = addresses.iter().copied().map(AddressKey::from).collect();
        assert_eq!(keys.len(), addresses.len());
    }
}
