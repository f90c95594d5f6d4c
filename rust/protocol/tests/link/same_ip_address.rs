//! Two hosts that are tried at ports of one IP address, as two relays of one server are.

use std::time::{Duration, Instant};

use noray_protocol::{
    player::link::{JoinConfig, Link, LinkEvent, ServerKind},
    wire::{
        check::{Check, Key, Note, PathKind, SessionId, Side, UnprovenCheck},
        handshake_status::Status,
        id::OpenId,
    },
};

use crate::single_link::at;

fn join(link: &mut Link, now: Instant, oid: &OpenId, session: SessionId) {
    let config = JoinConfig {
        oid: oid.clone(),
        session,
        timeout: Duration::from_secs(60),
        force_relay: false,
    };
    link.join(now, config);
}

/// Used to fail by chance, as the order of a hash map decided: a host that was just being joined
/// took the handshake of another host, which was tried at this very address.
#[test]
fn a_handshake_belongs_to_the_peer_that_is_tried_there() {
    let [first, second] = ["first-host", "second-host"].map(|oid| OpenId::new(oid).unwrap());
    let [first_session, second_session] = [1, 2].map(|number| SessionId([number; 8]));
    let now = Instant::now();
    // Often enough that chance would show.
    for secret in 0..40 {
        let mut link = Link::new([secret; 16]);
        link.set_server(now, Some(ServerKind::Ours));

        // The first host is joined, and is then also tried by its relay.
        join(&mut link, now, &first, first_session);
        let direct = at(1, 1000);
        link.announced(now, PathKind::Direct, direct);
        let key = Key::new(&first);
        let says = |link: &mut Link, status, question, answer| {
            let check = Check {
                status,
                note: Note::None,
                kind: PathKind::Direct,
                session: first_session,
                question,
                answer,
            };
            link.receive(now, direct, &check.encode(&key, Side::Hosting));
            let reply = link.transmits().next_back().map(|sent| sent.bytes);
            reply.and_then(|bytes| UnprovenCheck::parse(&bytes)?.prove(&key, Side::Joining))
        };
        let reply = says(&mut link, Status::default(), 1, 0).expect("a question");
        says(&mut link, Status::BLIND, 0, reply.question);
        let events: Vec<_> = std::iter::from_fn(|| link.next_event()).collect();
        let is_joined = |event: &LinkEvent| matches!(event, LinkEvent::Joined(_));
        assert!(events.iter().any(is_joined), "{events:?}");
        let first_relay = at(2, 50_001);
        link.announced(now, PathKind::Relay, first_relay);

        // The second one is tried by its relay on the same server.
        join(&mut link, now, &second, second_session);
        link.announced(now, PathKind::Relay, at(2, 50_002));
        link.transmits().for_each(drop);

        // The first one speaks checks, so its handshake is not answered.
        link.receive(now, first_relay, &Status::default().packet());
        assert_eq!(link.transmits().count(), 0, "the second host took it");
    }
}
