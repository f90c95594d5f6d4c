//! Runs the soak.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use noray_testkit::interrupt::end_all_when_interrupted;
use noray_testkit::player::AcceptsPlayers as _;
use noray_testkit::process_info::allow_many_files;
use noray_testkit::server::{ServerPorts, ServerProcess, ServerProgram};
use tokio::runtime::Builder;
use tokio::task::{LocalSet, spawn_blocking, spawn_local};

use crate::defaults;
use crate::observations::{Observation, Observations, TABLE_HEAD, observe};
use crate::options::Options;
use crate::players::{Crowd, play_as_pair};
use crate::rules::{self, Evidence};

/// Lets players play, prints a row a minute, and fails with all that is not as it must be.
pub(crate) fn run(options: &Options) -> Result<()> {
    end_all_when_interrupted()?;
    if options.nice {
        rustix::process::nice(defaults::NICE).context("cannot be nice")?;
    }
    allow_many_files()?;
    let pairs = options.players.div_ceil(2);
    let time = Duration::from_secs(60) * options.minutes;
    let server = start_server(options, 2 * pairs)?;
    let relay_ports = &server.ports.relays;
    let crowd = Rc::new(Crowd {
        commands: server.commands(),
        registrar: server.registrar(),
        relay_ports: relay_ports[0]..relay_ports[0] + relay_ports.len() as u16,
        until: Instant::now() + time,
        tally: RefCell::default(),
    });
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let playing = play(&server, crowd.clone(), pairs, time);
    let observations = LocalSet::new().block_on(&runtime, playing);
    // Ends the players' tasks.
    drop(runtime);
    // If the server ended, that says more than what failed without it.
    let log = server.stop()?;
    let observations = observations?;
    let tally = crowd.tally.borrow();
    let problems = rules::check(&Evidence {
        observations: &observations,
        tally: &tally,
        leaks: tally.secrets.count_in(&log),
        time,
        pairs,
    });
    println!("\n{tally}");
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    println!("all as it should be");
    Ok(())
}

/// Starts a server with its default limits, except those of one address, which all players share.
fn start_server(options: &Options, players: u32) -> Result<ServerProcess> {
    let first = defaults::FIRST_RELAY_PORT;
    let relays = u16::try_from(2 * players).context("too many players")?;
    let end = first.checked_add(relays).context("too many players")?;
    let ports = ServerPorts {
        relays: (first..end).collect(),
        ..ServerPorts::free(0)
    };
    let program = ServerProgram::Ours(options.server.clone());
    let mut command = program.command();
    for (limit, count) in [
        ("max-connections-per-address", 2 * players),
        ("max-lines-per-second-per-address", 50 * players),
        ("max-connects-per-second-per-address", 2 * players),
        ("max-registrations-per-second-per-address", 2 * players),
    ] {
        command.arg(format!("--{limit}={count}"));
    }
    // The level that says most of players.
    command.arg("--loglevel=debug");
    let mut server = ServerProcess::launch_command(&mut command, ports, true)?;
    // Not by a connection, which would count as a player's.
    server.wait_for_log("metrics on ")?;
    Ok(server)
}

/// Lets players come and go until the time is over, then waits until the server holds nothing of
/// them.
async fn play(
    server: &ServerProcess,
    crowd: Rc<Crowd>,
    pairs: u32,
    time: Duration,
) -> Result<Observations> {
    let mut observations = Observations::begin(look_at(server).await?);
    println!("{TABLE_HEAD}");
    let playing: Vec<_> = (0..pairs)
        .map(|pair| {
            // Not all at once.
            let delay = defaults::ARRIVAL * pair / pairs;
            spawn_local(play_as_pair(crowd.clone(), pair, delay))
        })
        .collect();
    for minute in 1..=time.as_secs() / 60 {
        for _ in 0..60 / defaults::OBSERVATION_INTERVAL.as_secs() {
            tokio::time::sleep(defaults::OBSERVATION_INTERVAL).await;
            observations.all.push(look_at(server).await?);
        }
        println!("{}", observations.row(minute, &crowd.tally.borrow()));
    }
    for pair in playing {
        pair.await.context("a player's task panicked")?;
    }
    let until = Instant::now() + defaults::EMPTY;
    loop {
        let now = look_at(server).await?;
        let is_over = observations.is_as_at_start(&now) || Instant::now() > until;
        observations.end = Some(now);
        if is_over {
            return Ok(observations);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}

/// Looks at the server while the players play on.
async fn look_at(server: &ServerProcess) -> Result<Observation> {
    let (process, http) = (server.child.id(), server.http());
    spawn_blocking(move || observe(process, http)).await?
}
