//! A server, a host and players behind one router: the server knows the host by its inside address.

use std::{net::SocketAddr, time::Duration};

use noray_protocol::{
    player::link::{JoinConfig, Link, ServerKind},
    wire::{
        check::{PathKind, SessionId},
        id::{OpenId, PrivateId},
    },
};

use crate::single_link::SingleLink;

const INSIDE: ([u8; 4], u16) = ([192, 168, 1, 3], 5000);

/// Returns to which addresses a link sends when the server at `server` announces the inside one.
fn targets(mut single: SingleLink, server: [u8; 4]) -> Vec<SocketAddr> {
    let registrar = SocketAddr::from((server, 8809));
    let pid = PrivateId::new("secret").expect("a PrivateID");
    single.link.register(single.now, registrar, pid);
    single.link.receive(single.now, registrar, b"OK");
    single.link.set_server(single.now, Some(ServerKind::Ours));
    single
        .link
        .announced(single.now, PathKind::Direct, INSIDE.into());
    single.wait(Duration::from_millis(300));
    let mut targets: Vec<_> = single.own.iter().map(|sent| sent.to).collect();
    targets.retain(|to| *to != registrar);
    targets.sort();
    targets.dedup();
    targets
}

fn joining() -> SingleLink {
    let mut single = SingleLink::hosting();
    single.link = Link::new([7; 16]);
    single.link.join(
        single.now,
        JoinConfig {
            oid: OpenId::new("the-host").expect("an OpenID"),
            session: SessionId([1; 8]),
            timeout: Duration::from_secs(15),
            force_relay: false,
        },
    );
    single
}

/// The inside address leads nowhere from elsewhere, and only a relay was left.
#[test]
fn a_host_in_the_servers_home_is_not_out_of_reach_from_elsewhere() {
    let outside = SocketAddr::from(([203, 0, 113, 1], INSIDE.1));
    for single in [joining(), SingleLink::hosting()] {
        assert_eq!(targets(single, [203, 0, 113, 1]), [INSIDE.into(), outside]);
    }
    for single in [joining(), SingleLink::hosting()] {
        assert_eq!(targets(single, [192, 168, 1, 2]), [INSIDE.into()], "within");
    }
}
