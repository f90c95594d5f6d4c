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

type Play = dyn Fn(&World) -> Result<String> + Send + Sync;

/// Something to play that is no join of the matrix.
pub(crate) struct Case {
    /// Its name as a test.
    pub(crate) name: String,
    title: String,
    target: String,
    play: Box<Play>,
}

impl Case {
    pub(crate) fn new(
        name: &str,
        title: &str,
        target: &str,
        play: impl Fn(&World) -> Result<String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: format!("natlab::{name}"),
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

/// Lets two players end at once, the second one's game being the first one's.
pub(crate) fn quit_both(mut host: Player, mut joined: Player) -> Result<()> {
    joined.begin_to_quit();
    host.begin_to_quit();
    joined.quit()?;
    host.quit()
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
    let at_host = host.must("count", defaults::STEP)?;
    let at_joined = joined.must("count", defaults::STEP)?;
    for (name, answer) in [("host", &at_host), ("joined player", &at_joined)] {
        ensure!(answer.number("lost")? == 0.0, "{name}: the other was lost");
        ensure!(
            answer.number("wrong")? == 0.0,
            "{name}: calls are missing or out of order"
        );
    }
    for (from, to, sender, receiver) in [
        ("host", "joined player", &at_host, &at_joined),
        ("joined player", "host", &at_joined, &at_host),
    ] {
        let (sent, received) = (sender.number("sent")?, receiver.number("received")?);
        ensure!(sent > 0.0, "the {from} sent nothing");
        ensure!(
            sent == received,
            "of {sent} calls of the {from} {received} came to the {to}"
        );
    }
    Ok(at_host.number("sent")? + at_joined.number("sent")?)
}
