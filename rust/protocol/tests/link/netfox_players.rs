//! netfox.noray's players on either side.

use std::time::Duration;

use noray_protocol::wire::check::PathKind;

use crate::{
    home::Home,
    pair::{Clients, Pair},
    server::Kind,
    simulation::Internet,
};

/// Fails when a player of ours on one side reaches less than two players of netfox.noray do, or
/// later.
#[test]
fn at_least_what_two_netfox_players_reach() {
    let (mut gained, mut old_reach) = (0, 0);
    for kind in Kind::ALL {
        for host in Home::ALL {
            for joining in Home::ALL {
                let meet =
                    |clients| Pair::of(clients, kind, [host, joining], Internet::GOOD, 1).meet();
                let old = meet(Clients::Old);
                old_reach += u32::from(old.time.is_some());
                for clients in [Clients::OldHost, Clients::OldJoining] {
                    let new = meet(clients);
                    let cell = format!("{kind:?} {host:?} {joining:?} {clients:?}");
                    if old.time.is_some() {
                        assert!(
                            new.time.is_some(),
                            "{cell}: two netfox.noray players: {old:?}"
                        );
                        // Ours says what it knows, where a netfox.noray host claims that all is
                        // well: then netfox.noray tries the handshake for all of its time before it
                        // takes the relay.
                        let more = match new.path_kind {
                            Some(PathKind::Relay) => Duration::from_millis(8200),
                            _ => Duration::from_millis(200),
                        };
                        let limit = old.time.map(|old| old + more);
                        assert!(new.time <= limit, "{cell}: {new:?} {old:?}");
                    } else if new.time.is_some() {
                        gained += 1;
                    }
                }
            }
        }
    }
    println!(
        "two netfox.noray players reach {old_reach} of 196 cells; with one of ours, {gained} more of 392"
    );
}
