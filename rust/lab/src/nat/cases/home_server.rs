//! A server, a host and a player in one home, behind one outside address, and a player elsewhere.

use anyhow::{Result, ensure};

use super::case::{Case, Moment, join};
use crate::defaults;
use crate::nat::lab_server::LabServer;
use crate::nat::outcome::PathKind;
use crate::nat::players::quit_all;
use crate::nat::routers::{self, FORWARDED_RELAYS, Forwarding, HOME, Router};
use crate::nat::target::{DIRECT, RELAY, Target};
use crate::nat::world::World;

/// The home, where the other player is, and how that one is to come in.
#[derive(Clone, Copy)]
struct Scene {
    home: Router,
    forwarding: Forwarding,
    elsewhere: Router,
    target: Target,
}

/// Returns a case for each way in which a home's router forwards ports, and for the relay.
pub(super) fn cases() -> Vec<Case> {
    let direct = Scene {
        home: HOME,
        forwarding: Forwarding {
            relays: true,
            hairpin: false,
        },
        elsewhere: HOME,
        target: Target::By(PathKind::Direct, DIRECT),
    };
    let hairpin = Forwarding {
        relays: true,
        hairpin: true,
    };
    let without_relays = Forwarding {
        relays: false,
        hairpin: false,
    };
    let relayed = Scene {
        target: Target::By(PathKind::Relay, RELAY),
        ..direct
    };
    let scenes = [
        ("forwarded", "ports forwarded, no hairpin", direct),
        (
            "hairpin",
            "ports forwarded, hairpin",
            Scene {
                forwarding: hairpin,
                ..direct
            },
        ),
        (
            "without_relays",
            "the relays' ports not forwarded",
            Scene {
                forwarding: without_relays,
                ..direct
            },
        ),
        (
            "changing_ports",
            "its router changes ports",
            Scene {
                home: routers::HOME_CHANGING_PORTS,
                ..relayed
            },
        ),
        (
            "symmetric_elsewhere",
            "the other's router is symmetric",
            Scene {
                elsewhere: routers::SYMMETRIC,
                ..relayed
            },
        ),
    ];
    let case = |(name, title, scene): (&'static str, &str, Scene)| {
        Case::new(
            Moment::Quiet,
            &format!("home_server::{name}"),
            &format!("server, host and a player in one home, another elsewhere: {title}"),
            &format!("inside LAN; elsewhere {}", scene.target),
            move |world| play(world, name, scene),
        )
    };
    scenes.into_iter().map(case).collect()
}

fn play(world: &World, name: &str, scene: Scene) -> Result<String> {
    let network = world.network;
    let home = network.home(&format!("hs-{name}"), scene.home, None, 3)?;
    let machine = home.player(0)?;
    network.forward(&home, scene.forwarding, machine)?;
    let relays = [("NORAY_UDP_RELAY_PORTS", FORWARDED_RELAYS)];
    let server = LabServer::start(network, machine, &world.our_server, &relays)?;
    // Without a hairpin, the outside address leads nowhere from within.
    let inside_address = if scene.forwarding.hairpin {
        home.outside
    } else {
        machine.address
    };
    let inside_address = inside_address.to_string();
    let host = world.host(&format!("hs-{name}"), home.player(1)?, &inside_address, 4)?;
    let mut inside = world.player(&format!("hs-{name}-in"), home.player(2)?)?;
    // The server announces the address that is found in the local network: either can be first.
    let within = join(
        &mut inside,
        &inside_address,
        &host.oid,
        "",
        Target::In(DIRECT),
    )?;

    let mut outside = world.player_behind(scene.elsewhere, &format!("hs-{name}-out"))?;
    let address = home.outside.to_string();
    let elsewhere = join(&mut outside, &address, &host.oid, "", scene.target)?;
    let path = inside.must("connection 1", defaults::STEP)?;
    ensure!(
        path.word("path")? == "lan",
        "inside it goes {}",
        path.word("path")?
    );
    // The host first: Godot complains when it is to tell one leaving player of another.
    host.player.quit()?;
    quit_all(vec![outside, inside])?;
    server.stop()?;
    Ok(format!("inside {within}; elsewhere {elsewhere}"))
}
