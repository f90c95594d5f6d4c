//! A server that is killed during a game and started again.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::case::{PLAY, begin_calls, check_calls, join};
use crate::defaults;
use crate::nat::outcome::{Outcome, PathKind, seconds};
use crate::nat::routers::HOME;
use crate::nat::target::{DIRECT, Target, Verdict};
use crate::nat::world::{SERVER_TO_KILL, World};

/// How long the server stays dead.
const OUTAGE: Duration = Duration::from_secs(8);

/// From the server's return until a new player gets in: the host's pauses grow to 30 s.
const RETURN: Duration = Duration::from_secs(45);

/// Between two tries to join.
const PAUSE: Duration = Duration::from_millis(500);

pub(crate) fn play(world: &World) -> Result<String> {
    let server = world.start_our_server(SERVER_TO_KILL, &[])?;
    let address = server.address();
    let home = world.network.home("restart", HOME, None, 1)?;
    let mut host = world.host("restart", home.player(0)?, &address, 4)?;
    let mut joined = world.player_behind(HOME, "restart-1")?;
    let direct = Target::ByAnyTime(PathKind::Direct);
    join(&mut joined, &address, &host.oid, "", direct)?;
    begin_calls(&mut host.player, &mut joined)?;
    thread::sleep(PLAY);
    let mut late = world.player_behind(HOME, "restart-2")?;

    server.kill();
    thread::sleep(OUTAGE);
    let server = world.start_our_server(SERVER_TO_KILL, &[])?;
    let back = Instant::now();
    // The host may come back with a new OpenID or with its old one, which leads nowhere until
    // then: a player tries until it is in.
    let (outcome, after) = loop {
        let oid = host.player.must("oid", defaults::STEP)?;
        let command = format!("join {address} {} timeout=6.0", oid.word("oid")?);
        let tried = back.elapsed();
        let outcome = Outcome::read(&late.ask(&command, defaults::JOIN)?)?;
        match &outcome.path {
            Ok(_) => break (outcome, tried),
            Err(why) if tried > RETURN => bail!("no new player gets in: {why}"),
            Err(_) => thread::sleep(PAUSE),
        }
    };
    let direct = Target::By(PathKind::Direct, DIRECT);
    if let Verdict::Missed(why) = direct.judge(&outcome) {
        bail!("new player: {outcome}; {why}");
    }
    late.must("leave", defaults::STEP)?;
    thread::sleep(PLAY);
    let calls = check_calls(&mut host.player, &mut joined)?;
    // The dead server is worth a warning to all who were there.
    for player in [late, joined, host.player] {
        player.quit_despite(Some("WARNING: Noray: "))?;
    }
    server.stop()?;
    Ok(format!(
        "{calls} calls; new player, {} after the start: {outcome}",
        seconds(after)
    ))
}
