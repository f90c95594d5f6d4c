//! All cases.

use super::case::{Case, Moment};
use super::{
    crowd, home_server, idle_host, many_joins, netfox_players, one_home, path_changes,
    server_restarts,
};
use crate::nat::kinds::{Location, ServerKind};
use crate::nat::outcome::PathKind;
use crate::nat::routers;
use crate::nat::target::{DIRECT, RELAY, Target};

/// Returns all but those with players of netfox.
pub(crate) fn ours(servers: &[ServerKind]) -> Vec<Case> {
    let lan = Target::By(PathKind::Lan, DIRECT);
    let direct = Target::By(PathKind::Direct, DIRECT);
    let relay = Target::By(PathKind::Relay, RELAY);
    let (plain, hairpin) = (routers::HOME, routers::HOME_HAIRPIN);
    // Name, title, router, whether the LAN may be used, and what it comes to.
    let homes = [
        ("lan", "no hairpin", plain, true, lan),
        ("without_lan", "no hairpin, LAN off", plain, false, relay),
        ("hairpin", "hairpin", hairpin, true, lan),
        (
            "hairpin_without_lan",
            "hairpin, LAN off",
            hairpin,
            false,
            direct,
        ),
    ];
    let mut cases = Vec::new();
    for &server in servers {
        for (name, title, router, lan, target) in homes {
            cases.push(Case::new(
                Moment::Quiet,
                &format!("{}::one_home_{name}", server.key()),
                &format!("one home, {title} ({server})"),
                &target.to_string(),
                move |world| one_home::play(world, server, name, router, lan, target),
            ));
        }
    }
    cases.extend(home_server::cases());
    for &server in servers {
        cases.push(Case::new(
            Moment::Long,
            &format!("{}::path_changes", server.key()),
            &format!("a relayed game, the router opens, and shuts again ({server})"),
            "direct, then relay; nobody drops, no call is lost",
            move |world| path_changes::play(world, server),
        ));
    }
    cases.extend([
        Case::new(
            Moment::First,
            "idle_host",
            "host idle for 5 minutes, its router forgets after 30 s and changes ports",
            "direct, 0.30 s",
            idle_host::play,
        ),
        Case::new(
            Moment::Quiet,
            "crowd",
            "64 players join one host in the same second",
            "all in, 5.00 s",
            crowd::play,
        ),
        Case::new(
            Moment::Long,
            "server_restarts",
            "the server is killed in mid-game and started again",
            "nobody drops, no call is lost, a new player joins",
            server_restarts::play,
        ),
        Case::new(
            Moment::Long,
            "many_joins",
            "2,000 joins one after another, 10,000 garbage datagrams a second on every open port",
            "memory flat, nobody disturbed",
            many_joins::play,
        ),
    ]);
    cases
}

/// Where players of netfox.noray and ours are, host first.
const MIXED: [(Location, Location); 5] = [
    (Location::Home, Location::Home),
    (Location::Public, Location::Symmetric),
    (Location::Symmetric, Location::Public),
    (Location::Home, Location::RelayOnly),
    (Location::RelayOnly, Location::Home),
];

/// Where players meet by a relay that knows symmetric routers: at our server.
const BY_OUR_RELAY: [(Location, Location); 3] = [
    (Location::Symmetric, Location::Symmetric),
    (Location::Symmetric, Location::Home),
    (Location::Home, Location::Symmetric),
];

/// Returns players of netfox.noray with ours, in each role; and those whom only our server relays.
pub(crate) fn with_netfox(server: ServerKind) -> Vec<Case> {
    let mixed = MIXED.into_iter().map(|(host, joining)| {
        let pair = format!("{}_hosts_{}_joins", host.key(), joining.key());
        Case::new(
            Moment::Last,
            &format!("netfox::{pair}"),
            &format!("with a netfox.noray player: {host} hosts, {joining} joins ({server})"),
            "as two netfox.noray players, or better",
            move |world| netfox_players::play(world, server, &pair, host, joining),
        )
    });
    let by_our_relay = BY_OUR_RELAY.into_iter().map(|(host, joining)| {
        let pair = format!("{}_hosts_{}_joins", host.key(), joining.key());
        let server = ServerKind::Ours;
        Case::new(
            Moment::Last,
            &format!("netfox::{}::{pair}", server.key()),
            &format!("netfox.noray players by relay: {host} hosts, {joining} joins ({server})"),
            "all are in",
            move |world| netfox_players::play(world, server, &pair, host, joining),
        )
    });
    mixed.chain(by_our_relay).collect()
}
