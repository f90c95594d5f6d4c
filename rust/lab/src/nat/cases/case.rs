//! A case, and what several of them do.

use std::thread;
use std::time::Duration;

use anyhow::{Result, bail, ensure};

use crate::defaults;
use crate::nat::outcome::Outcome;
use crate::nat::players::Player;
use crate::nat::results::Results;
use crate::nat::target::{Target, Verdict};
use crate::nat::world::World;

/// Numbered reliable calls a second, each way, while paths change under a game.
const CALLS: u32 = 20;

/// How long a part of a game lasts in which nothing happens.
pub(crate) const PLAY: Duration = Duration::from_secs(3);

/// When a case is played.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Moment {
    /// From the beginning on: it takes as long as nothing else does.
    First,
    /// By itself: it wants quiet around it.
    Quiet,
    /// Beside the joins with loss: it takes long and bears company.
    Long,
    /// At the end.
    Last,
}

type Play = dyn Fn(&World) -> Result<String> + Send + Sync;

/// Something to play that is no join of the matrix.
pub(crate) struct Case {
    /// Its name as a test.
    pub(crate) name: String,
    pub(crate) moment: Moment,
    title: String,
    target: String,
    play: Box<Play>,
}

impl Case {
    pub(crate) fn new(
        moment: Moment,
        name: &str,
        title: &str,
        target: &str,
        play: impl Fn(&World) -> Result<String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: format!("natlab::{name}"),
            moment,
            title: title.to_owned(),
            target: target.to_owned(),
            play: Box::new(play),
        }
    }

    /// Plays it.
    pub(crate) fn play(&self, world: &World, results: &Results) {
        results.case(&self.name, &self.title, &self.target, (self.play)(world));
    }
}

/// Lets a player join, and fails where the target is missed.
pub(crate) fn join(
    player: &mut Player,
    server: &str,
    oid: &str,
    options: &str,
    target: Target,
) -> Result<Outcome> {
    let command = format!("join {server} {oid} {options}");
    let answer = player.ask(command.trim_end(), defaults::JOIN)?;
    let outcome = Outcome::read(&answer)?;
    match target.judge(&outcome) {
        Verdict::Missed(why) => bail!("{outcome}; {why}"),
        _ => Ok(outcome),
    }
}

/// Lets two players call each other all the time.
pub(crate) fn begin_calls(host: &mut Player, joined: &mut Player) -> Result<()> {
    for player in [host, joined] {
        player.must(&format!("calls {CALLS}"), defaults::STEP)?;
    }
    Ok(())
}

/// Ends the calls and returns how many there were. Fails when one was lost, doubled or out of
/// order, or a player was lost.
pub(crate) fn check_calls(host: &mut Player, joined: &mut Player) -> Result<f64> {
    for player in [&mut *host, &mut *joined] {
        player.must("calls 0", defaults::STEP)?;
    }
    // The last ones are under way.
    thread::sleep(Duration::from_secs(1));
    let at_host = Calls::of(host)?;
    let at_joined = Calls::of(joined)?;
    for (name, own, other) in [
        ("host", &at_host, &at_joined),
        ("joined player", &at_joined, &at_host),
    ] {
        ensure!(own.undisturbed, "{name}: a player or calls were lost");
        let (sent, received) = (own.sent, other.received);
        ensure!(sent > 0.0, "the {name} sent nothing");
        ensure!(
            sent == received,
            "of {sent} calls of the {name} {received} came to the other"
        );
    }
    Ok(at_host.sent + at_joined.sent)
}

/// What a player counted.
pub(crate) struct Calls {
    sent: f64,
    received: f64,
    /// Whether no player was lost and no call is missing, doubled or out of order.
    pub(crate) undisturbed: bool,
}

impl Calls {
    /// Asks a player.
    pub(crate) fn of(player: &mut Player) -> Result<Self> {
        let count = player.must("count", defaults::STEP)?;
        Ok(Self {
            sent: count.number("sent")?,
            received: count.number("received")?,
            undisturbed: count.number("lost")? == 0.0 && count.number("wrong")? == 0.0,
        })
    }
}
