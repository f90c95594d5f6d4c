//! A game whose router opens, so that it moves to the direct path, and shuts again.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

use super::case::{PLAY, begin_calls, check_calls, join};
use crate::defaults;
use crate::nat::kinds::ServerKind;
use crate::nat::outcome::{PathKind, seconds};
use crate::nat::routers;
use crate::nat::target::Target;
use crate::nat::world::World;

/// How long a game may take to notice that a better path has opened, or that its path is gone.
const MOVE: Duration = Duration::from_secs(15);

/// How long a game stays on the direct path before that is shut: longer than the server keeps an
/// idle relay (30 s, looked at every 30 s), which must then be asked for anew.
const DIRECT_STAY: Duration = Duration::from_secs(65);

pub(crate) fn play(world: &World, kind: ServerKind) -> Result<String> {
    let server = world.server(kind)?;
    let (network, name) = (world.network, format!("path-{}", kind.key()));
    let home = network.home(&name, routers::RELAY_ONLY, None, 1)?;
    let mut host = world.host(&name, home.player(0)?, &server, 4)?;
    let mut joined = world.player_behind(routers::HOME, &format!("{name}-join"))?;
    let by_relay = Target::ByAnyTime(PathKind::Relay);
    join(&mut joined, &server, &host.oid, "", by_relay)?;
    begin_calls(&mut host.player, &mut joined)?;
    thread::sleep(PLAY);

    let mut moves = Vec::new();
    for (shut, path, stay) in [(false, "direct", DIRECT_STAY), (true, "relay", PLAY)] {
        let from = [host.player.reported(), joined.reported()];
        let changed = Instant::now();
        network.shut(&home, shut)?;
        let moved = joined.event(from[1], MOVE, |line| {
            line.starts_with(&format!("path 1 {path}"))
        });
        moved.with_context(|| format!("the game does not move to {path}"))?;
        moves.push(format!("{path} after {}", seconds(changed.elapsed())));
        // The host names the other by its id.
        let is_move = |line: &str| line.starts_with("path ") && line.ends_with(path);
        let moved = host.player.event(from[0], MOVE, is_move);
        moved.with_context(|| format!("the host does not move to {path}"))?;
        thread::sleep(stay);
        let described = joined.must("connection 1", defaults::STEP)?;
        ensure!(
            described.word("path")? == path,
            "it stays on {path} for a moment only"
        );
    }
    let calls = check_calls(&mut host.player, &mut joined)?;
    joined.quit()?;
    host.player.quit()?;
    Ok(format!("{}; {calls} calls", moves.join(", ")))
}
