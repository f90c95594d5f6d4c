//! Players of netfox.noray with ours, in each role; first of all with each other, for what is to be
//! reached.

use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use crate::defaults::{self, FRAMES};
use crate::nat::kinds::{Flow, Location, ServerKind};
use crate::nat::network::Machine;
use crate::nat::outcome::Outcome;
use crate::nat::players::Player;
use crate::nat::world::World;

/// How much longer a join may take than between two players of netfox.noray: a few frames.
const MARGIN: Duration = Duration::from_millis(500);

pub(crate) fn play(
    world: &World,
    kind: ServerKind,
    pair: &str,
    host: Location,
    joining: Location,
) -> Result<String> {
    let server = world.server(kind)?;
    let home = world.network.location(host, &format!("n-{pair}"))?;
    let other = world.network.location(joining, &format!("n-{pair}-join"))?;
    let mut shown = Vec::new();
    let mut with_itself: Option<Outcome> = None;
    let is_in = |outcome: &Outcome| outcome.path.is_ok();
    for (who, hosts, joins) in [
        ("netfox with itself", Addon::Netfox, Addon::Netfox),
        ("ours hosts", Addon::Ours, Addon::Netfox),
        ("ours joins", Addon::Netfox, Addon::Ours),
    ] {
        let name = format!("n-{pair}-{}", shown.len());
        let mut hosting = hosts.start(world, &format!("{name}-host"), home.player(0)?)?;
        let mut player = joins.start(world, &format!("{name}-join"), other.player(0)?)?;
        let answer = hosting.must(&format!("host {server} 4"), defaults::HOST)?;
        let oid = answer.word("oid")?;
        let answer = player.ask(&format!("join {server} {oid}"), defaults::PLAIN_JOIN)?;
        let outcome = Outcome::read(&answer)?;
        shown.push(format!("{who}: {outcome}"));
        // Our server lets everyone in.
        let can = kind == ServerKind::Ours || with_itself.as_ref().is_some_and(is_in);
        if can && let Err(why) = &outcome.path {
            bail!("{}; {why}", shown.join("; "));
        }
        let is_late = |target: &Outcome| is_in(target) && outcome.time > target.time + MARGIN;
        ensure!(
            !(is_in(&outcome) && with_itself.as_ref().is_some_and(is_late)),
            "{}: later",
            shown.join("; ")
        );
        with_itself.get_or_insert(outcome);
        for (addon, player) in [(joins, player), (hosts, hosting)] {
            // What netfox.noray prints is its own matter.
            if addon == Addon::Ours {
                player.quit()?;
            }
        }
    }
    Ok(shown.join("; "))
}

/// Whose addon a player's game has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Addon {
    Ours,
    Netfox,
}

impl Addon {
    fn start(self, world: &World, name: &str, machine: &Machine) -> Result<Player> {
        if self == Self::Ours {
            return world.player(name, machine);
        }
        let project = world.netfox.as_ref().context("there is no netfox")?;
        let mut player = world.start(name, machine, project, Flow::Plain, FRAMES)?;
        player.ready()?;
        Ok(player)
    }
}
