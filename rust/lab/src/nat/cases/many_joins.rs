//! One player who joins again and again, under garbage on every port.

use anyhow::{Context, Result, ensure};
use noray_testkit::process_info::ProcessInfo;

use super::case::{Calls, begin_calls, join};
use crate::defaults;
use crate::nat::garbage::Garbage;
use crate::nat::kinds::Flow;
use crate::nat::routers::HOME;
use crate::nat::target::Target;
use crate::nat::world::{PATIENT_SERVER, World};

/// How many joins one player makes one after another.
const JOINS: u32 = 2000;

/// From which join on memory must be flat, and by how many KiB it may grow until the last join.
const SETTLED: u32 = 500;
const GROWTH: i64 = 4 * 1024;

/// Garbage for each open port, in datagrams a second; a little more is tried, since the machine is
/// busy.
const GARBAGE: u32 = 10_000;
const SENT: u32 = GARBAGE / 10 * 11;

/// No player asks so often, which a server takes for abuse.
const PATIENCE: [(&str, &str); 2] = [
    ("NORAY_MAX_CONNECTS_PER_SECOND", "1000"),
    ("NORAY_MAX_CONNECTS_PER_SECOND_PER_ADDRESS", "1000"),
];

pub(crate) fn play(world: &World) -> Result<String> {
    let running = world.start_our_server(PATIENT_SERVER, &PATIENCE)?;
    let server = running.address();
    let home = world.network.home("many", HOME, None, 1)?;
    let other = world.network.home("many-join", HOME, None, 1)?;
    let mut host = world.host("many", home.player(0)?, &server, 8)?;
    let mut watcher = world.player_behind(HOME, "many-watch")?;
    // A game that shows 240 frames a second: joining must not be what the time goes into.
    let machine = other.player(0)?;
    let mut joining = world.start("many-join", machine, &world.project, Flow::Calls, 240)?;
    joining.ready()?;
    join(&mut watcher, &server, &host.oid, "", Target::Anything)?;
    begin_calls(&mut host.player, &mut watcher)?;
    let processes = [host.player.process.id(), joining.process.id()];
    let mut garbage = Vec::new();
    for (home, process) in [&home, &other].into_iter().zip(processes) {
        let namespaces = world.network.namespaces();
        garbage.push(Garbage::start(namespaces, home.player(0)?, process, SENT)?);
    }
    let asked = joining.tell(&format!("joins {server} {} {JOINS}", host.oid))?;
    let mut settled = None;
    let from = joining.reported();
    for done in (100..=JOINS).step_by(100) {
        let is_done = |line: &str| line.starts_with(&format!("joins {done}"));
        if joining
            .event(from, defaults::HUNDRED_JOINS, is_done)
            .is_err()
        {
            // Its answer says why, if it has one.
            break;
        }
        if done == SETTLED {
            settled = Some([Holdings::of(processes[0])?, Holdings::of(processes[1])?]);
        }
    }
    let answer = joining.answer(&asked, defaults::HUNDRED_JOINS)?;
    ensure!(
        answer.ok,
        "after {} joins: {}",
        answer.word("round").unwrap_or("?"),
        answer.text()
    );
    let now = [Holdings::of(processes[0])?, Holdings::of(processes[1])?];
    let mut sent = Vec::new();
    for garbage in garbage {
        sent.push(garbage.stop()?);
    }
    let settled = settled.context("it made too few joins")?;
    let mut grown = Vec::new();
    for ((name, before), after) in ["host", "joining player"].iter().zip(settled).zip(now) {
        let growth = (after.memory as i64 - before.memory as i64) / 1024;
        ensure!(growth <= GROWTH, "the {name} grew by {growth} KiB");
        ensure!(
            after.files <= before.files + 4 && after.threads <= before.threads,
            "the {name} keeps files or threads: {before:?}, then {after:?}"
        );
        grown.push(format!("{name} {growth:+} KiB"));
    }
    // Calls to the joining player were under way when it left; the watcher's count.
    watcher.must("calls 0", defaults::STEP)?;
    for player in [&mut watcher, &mut host.player] {
        ensure!(Calls::of(player)?.undisturbed, "a player was disturbed");
    }
    let shown = format!(
        "join: {:.0} ms at the median, {:.0} ms at the 99th percentile; {}; {} datagrams a second to each of {} and {} ports",
        answer.number("median")? / 1000.0,
        answer.number("p99")? / 1000.0,
        grown.join(", "),
        sent[0].0.min(sent[1].0),
        sent[0].1,
        sent[1].1,
    );
    for player in [joining, watcher, host.player] {
        player.quit()?;
    }
    running.stop()?;
    ensure!(
        sent.iter()
            .all(|(rate, _)| *rate >= u64::from(GARBAGE) * 9 / 10),
        "too little garbage was sent: {shown}"
    );
    Ok(shown)
}

/// What a process holds: memory of its own in bytes, files and sockets, threads.
#[derive(Debug)]
struct Holdings {
    memory: u64,
    files: usize,
    threads: usize,
}

impl Holdings {
    fn of(process: u32) -> Result<Self> {
        let process = ProcessInfo::of(process)?;
        Ok(Self {
            memory: process.private_memory()?,
            files: process.descriptors()?,
            threads: process.thread_names()?.len(),
        })
    }
}
