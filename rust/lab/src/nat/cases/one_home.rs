//! Two players in one home.

use anyhow::Result;

use super::case::join;
use crate::nat::kinds::ServerKind;
use crate::nat::players::quit_all;
use crate::nat::routers::Router;
use crate::nat::target::Target;
use crate::nat::world::World;

pub(crate) fn play(
    world: &World,
    kind: ServerKind,
    name: &str,
    router: Router,
    lan: bool,
    target: Target,
) -> Result<String> {
    let server = world.server(kind)?;
    let name = format!("{}-{name}", kind.key());
    let home = world.network.home(&format!("h-{name}"), router, None, 2)?;
    let host = world.host(&name, home.player(0)?, &server, 4)?;
    let mut joining = world.player(&format!("{name}-join"), home.player(1)?)?;
    let options = if lan { "" } else { "lan=false" };
    let outcome = join(&mut joining, &server, &host.oid, options, target)?;
    quit_all(vec![joining, host.player])?;
    Ok(outcome.to_string())
}
