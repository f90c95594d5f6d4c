//! A host whose router would have forgotten it.

use std::thread;
use std::time::Duration;

use anyhow::Result;

use super::case::join;
use crate::defaults;
use crate::nat::kinds::ServerKind;
use crate::nat::outcome::PathKind;
use crate::nat::routers;
use crate::nat::target::{DIRECT, Target};
use crate::nat::world::World;

/// How long the host is idle.
const IDLE: Duration = Duration::from_secs(300);

pub(crate) fn play(world: &World) -> Result<String> {
    let server = world.server(ServerKind::Ours)?;
    let home = world
        .network
        .home("idle", routers::HOME_CHANGING_PORTS, None, 1)?;
    let mut host = world.host("idle", home.player(0)?, &server, 4)?;
    thread::sleep(IDLE);
    let mut joining = world.player_behind(routers::HOME, "idle-join")?;
    let answer = host.player.must("oid", defaults::STEP)?;
    let target = Target::By(PathKind::Direct, DIRECT);
    let outcome = join(&mut joining, &server, answer.word("oid")?, "", target)?;
    joining.quit()?;
    host.player.quit()?;
    Ok(outcome.to_string())
}
