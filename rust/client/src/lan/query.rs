//! The query for a host, and what an answer says. RFC 1035 has the format of both.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV6};

use simple_dns::{
    CLASS, Name, Packet, PacketFlag, Question, SimpleDnsError, TYPE, header_buffer, rdata::RData,
};

use super::{address::is_local, name::SERVICE_TYPE};
use crate::defaults::{MAX_LAN_RECORDS, MDNS_PORT};

/// A question for the SRV record of one service, whose answer brings the addresses along.
#[derive(Debug)]
pub(super) struct Query {
    id: u16,
    /// The service's full name.
    service: String,
    datagram: Vec<u8>,
}

impl Query {
    /// Asks for the service of this name. The `id` is a random number that answers repeat.
    pub(super) fn new(name: &str, id: u16) -> Result<Self, SimpleDnsError> {
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

    /// The datagram that asks.
    pub(super) fn datagram(&self) -> &[u8] {
        &self.datagram
    }

    /// Returns the addresses that an answer names, without those that no local host has. There
    /// are none when the datagram is no answer to this query.
    pub(super) fn addresses(&self, datagram: &[u8], from: SocketAddr) -> Vec<SocketAddr> {
        self.read(datagram, from).unwrap_or_default()
    }

    fn read(&self, datagram: &[u8], from: SocketAddr) -> Option<Vec<SocketAddr>> {
        // RFC 6762, section 6.7: answers come from the port of multicast DNS.
        if from.port() != MDNS_PORT || !is_local(from.ip()) || !self.may_be_answer(datagram).ok()? {
            return None;
        }
        let answer = Packet::parse(datagram).ok()?;
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

    /// Whether the header is that of an answer to this query. The parser makes room for as many
    /// records as the header claims, so these are limited before it sees them.
    fn may_be_answer(&self, datagram: &[u8]) -> Result<bool, SimpleDnsError> {
        let counts = [
            header_buffer::questions(datagram)?,
            header_buffer::answers(datagram)?,
            header_buffer::name_servers(datagram)?,
            header_buffer::additional_records(datagram)?,
        ];
        let records: usize = counts.into_iter().map(usize::from).sum();
        // RFC 6762, section 6.7: an answer repeats the query's id.
        Ok(header_buffer::id(datagram)? == self.id
            && header_buffer::has_flags(datagram, PacketFlag::RESPONSE)?
            && records <= MAX_LAN_RECORDS)
    }
}

/// Returns the address with its port, and for a link-local IPv6 address with the network that it is
/// in, which is the one that the answer came from. `None` when that is unknown.
fn socket_address(ip: IpAddr, port: u16, answered_from: SocketAddr) -> Option<SocketAddr> {
    match (ip, answered_from) {
        (IpAddr::V6(ip), SocketAddr::V6(from)) if ip.is_unicast_link_local() => {
            (from.scope_id() != 0).then(|| SocketAddrV6::new(ip, port, 0, from.scope_id()).into())
        }
        (IpAddr::V6(ip), _) if ip.is_unicast_link_local() => None,
        _ => Some(SocketAddr::new(ip, port)),
    }
}

#[cfg(test)]
mod tests {
    use noray_protocol::wire::id::OpenId;
    use simple_dns::{
        ResourceRecord,
        rdata::{A, AAAA, SRV},
    };

    use super::*;
    use crate::lan::name::{NAME_DIGITS, hashed_name};

    fn oid(text: &str) -> OpenId {
        OpenId::new(text).expect("a good OpenID")
    }

    fn query() -> Query {
        Query::new(&hashed_name(&oid("V1StGXR8_Z5jdHi6B-myT")), ID).expect("a query")
    }

    const ID: u16 = 0xbeef;

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
        assert!(Query::new(&hashed_name(&oid(&longest)), ID).is_ok());
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
        let most = answer(
            &query,
            &query.service,
            7777,
            &["10.1.2.3"; MAX_LAN_RECORDS - 1],
        );
        assert!(!query.addresses(&most, FROM).is_empty());
        let more = answer(&query, &query.service, 7777, &["10.1.2.3"; MAX_LAN_RECORDS]);
        assert_eq!(query.addresses(&more, FROM), []);
    }
}
