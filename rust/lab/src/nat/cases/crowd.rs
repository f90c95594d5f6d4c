//! Many players who join one host in the same second.

use std::time::Duration;

use anyhow::{Result, bail, ensure};
use noray_testkit::process_info::ProcessInfo;

use crate::defaults;
use crate::nat::kinds::{Flow, ServerKind};
use crate::nat::outcome::{Outcome, seconds};
use crate::nat::players::{Asked, quit_all};
use crate::nat::routers;
use crate::nat::world::World;

/// How many players join, and how long the last may take.
const CROWD: u32 = 64;
const TARGET: Duration = Duration::from_secs(5);

/// Frames a second of each: 64 games share the machine.
const FRAMES: u32 = 30;

pub(crate) fn play(world: &World) -> Result<String> {
    let server = world.server(ServerKind::Ours)?;
    let home = world.network.home("crowd", routers::HOME, None, 1)?;
    let mut host = world.host("crowd", home.player(0)?, &server, CROWD)?;
    let kinds = [
        routers::HOME,
        routers::HOME_CHANGING_PORTS,
        routers::FULL_CONE,
        routers::HOME_HAIRPIN,
    ];
    let mut machines = Vec::new();
    for (number, router) in kinds.into_iter().enumerate() {
        let name = format!("crowd-{number}");
        machines.extend(world.network.home(&name, router, None, 4)?.players);
    }
    let mut players = Vec::new();
    for (number, machine) in (0..CROWD).zip(machines.iter().cycle()) {
        let name = format!("crowd-join-{number}");
        players.push(world.start(&name, machine, &world.project, Flow::Calls, FRAMES)?);
    }
    for player in &mut players {
        player.ready()?;
    }
    let command = format!("join {server} {}", host.oid);
    let asked = players.iter_mut().map(|player| player.tell(&command));
    let asked = asked.collect::<Result<Vec<Asked>>>()?;
    let mut times = Vec::new();
    let mut failed = Vec::new();
    for (player, asked) in players.iter_mut().zip(&asked) {
        let outcome = Outcome::read(&player.answer(asked, defaults::JOIN)?)?;
        match outcome.path {
            Ok(_) => times.push(outcome.time),
            Err(why) => failed.push(why),
        }
    }
    times.sort();
    let last = times.last().copied().unwrap_or_default();
    let middle = times.get(times.len() / 2).copied().unwrap_or_default();
    let shown = format!(
        "{} in, the middle one after {}, the last after {}",
        times.len(),
        seconds(middle),
        seconds(last)
    );
    if let Some(why) = failed.first() {
        bail!("{shown}; {} not in: {why}", failed.len());
    }
    ensure!(last <= TARGET, "{shown}");
    let count = host.player.must("count", defaults::STEP)?;
    ensure!(
        count.number("players")? == f64::from(CROWD),
        "the host has {} players",
        count.word("players")?
    );
    let memory = ProcessInfo::of(host.player.process.id())?.private_memory()? / (1024 * 1024);
    // The host first: Godot complains when it is to tell one leaving player of another.
    host.player.quit()?;
    quit_all(players)?;
    Ok(format!("{shown}; the host has {memory} MiB"))
}
