//! Runs the soak.

use std::rc::Rc;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use tokio::runtime::Builder;
use tokio::task::LocalSet;

use super::Options;
use super::judge::{self, Course, Evidence};
use super::players::{self, Crowd};
use super::watched::Watched;
use crate::cargo::Profile;
use crate::defaults;
use crate::process;
use crate::server::Server;

/// Lets them play, prints a table, and fails when something is not as it should be.
pub(crate) fn run(options: Options) -> Result<()> {
    if options.nice {
        rustix::process::nice(defaults::SOAK_NICE).context("cannot be nice")?;
    }
    process::allow_many_files()?;
    let program = match options.server {
        Some(program) => program,
        None => Server::build(Profile::Release)?,
    };
    let pairs = options.players.div_ceil(2);
    let time = Duration::from_secs(60) * options.minutes;
    let server = Watched::start(&program, 2 * pairs)?;
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let crowd = Rc::new(Crowd::new(&server, Instant::now() + time));
    let course = LocalSet::new().block_on(&runtime, soak(&server, crowd.clone(), pairs, time))?;
    // What the players' tasks hold of it is gone with them.
    drop(runtime);
    let log = server.stop()?;
    let problems = judge::judge(&Evidence {
        course: &course,
        counts: &crowd.counts(),
        leaks: crowd.private_ids().found_in(&log),
        time,
        pairs,
    });
    println!("\n{}", crowd.counts());
    if !problems.is_empty() {
        bail!("{}", problems.join("\n"));
    }
    println!("all as it should be");
    Ok(())
}

/// Players come and go until the time is over; then everything they left behind must go too.
async fn soak(server: &Watched, crowd: Rc<Crowd>, pairs: u32, time: Duration) -> Result<Course> {
    let mut course = Course::begin(server.sample().await?);
    println!("{}", judge::TABLE_HEAD);
    let playing: Vec<_> = (0..pairs)
        .map(|number| {
            // They come within some seconds, not at once.
            let wait = defaults::SOAK_ARRIVAL * number / pairs;
            tokio::task::spawn_local(players::pair(crowd.clone(), number, wait))
        })
        .collect();
    let minutes = time.as_secs() / 60;
    for minute in 1..=minutes {
        for _ in 0..60 / defaults::SOAK_SAMPLE.as_secs() {
            tokio::time::sleep(defaults::SOAK_SAMPLE).await;
            course.add(server.sample().await?);
        }
        println!("{}", course.row(minute, &crowd.counts()));
    }
    for pair in playing {
        pair.await.context("a player's task ended badly")?;
    }
    let until = Instant::now() + defaults::SOAK_EMPTY;
    loop {
        let sample = server.sample().await?;
        let is_empty = course.is_as_at_start(&sample);
        course.end(sample);
        if is_empty || Instant::now() > until {
            return Ok(course);
        }
        tokio::time::sleep(Duration::from_secs(1)).await;
    }
}
