//! What the matrix cannot show: homes of two, long silence, a server that dies, ways that come
//! and go, crowds, floods, and players of netfox.

use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};

use super::World;
use super::board::Board;
use super::flood::Flood;
use super::goals::{self, Goal, Outcome, Route, Verdict, seconds};
use super::matrix::FRAMES;
use super::places::{Place, Site};
use super::players::{Asked, PathKind, Player};
use super::proc::{self, Holdings};
use super::routers::{self, Router};
use super::servers::LabServer;
use super::topology::Machine;
use crate::defaults;

/// How long the host is idle.
const IDLE: Duration = Duration::from_secs(300);

/// Numbered reliable calls a second, each way, while ways change under a game.
const CALLS: u32 = 20;

/// How long a game may take to notice that a better way has opened, or that its way is gone.
const MOVE: Duration = Duration::from_secs(15);

/// How long a game goes on by the direct way before that is shut: longer than the server keeps
/// an idle relay (30 s, looked at every 30 s), which must then be asked for anew.
const DIRECT_STAY: Duration = Duration::from_secs(65);

/// How long each other part of a game lasts.
const PLAY: Duration = Duration::from_secs(3);

/// How long the server stays dead.
const OUTAGE: Duration = Duration::from_secs(8);

/// From the server's return until a new player gets in: the host's pauses grow to 30 s.
const RETURN: Duration = Duration::from_secs(45);

/// Between two tries to join.
const PAUSE: Duration = Duration::from_millis(500);

/// How many players join in the same second, and how long the last may take.
const CROWD: u32 = 64;
const CROWD_TARGET: Duration = Duration::from_secs(5);

/// Frames a second of each player of the crowd: 64 games share the machine.
const CROWD_FRAMES: u32 = 30;

/// How many joins one player makes one after another.
const MANY: u32 = 2000;

/// From which join on memory must be flat, in bytes of growth until the last join.
const SETTLED: u32 = 500;
const GROWTH: u64 = 4 * 1024 * 1024;

/// Garbage for each open port, in datagrams a second.
const GARBAGE: u32 = 10_000;

/// A little more is tried: the machine is busy.
const SENT: u32 = GARBAGE / 10 * 11;

type Play = dyn Fn(&World) -> Result<String> + Send + Sync;

/// A special case.
pub(super) struct Case {
    /// Its name as a test.
    pub name: String,
    title: String,
    goal: String,
    play: Box<Play>,
}

impl Case {
    fn new(
        name: String,
        title: &str,
        goal: &str,
        play: impl Fn(&World) -> Result<String> + Send + Sync + 'static,
    ) -> Self {
        Self {
            name: format!("natlab::{name}"),
            title: title.to_owned(),
            goal: goal.to_owned(),
            play: Box::new(play),
        }
    }

    /// Plays it.
    pub(super) fn play(&self, world: &World, board: &Board) {
        board.case(&self.name, &self.title, &self.goal, (self.play)(world));
    }
}

/// Those that take as long as nothing else does: they begin first.
pub(super) fn longest() -> Vec<Case> {
    vec![Case::new(
        "idle_host".to_owned(),
        "host idle for 5 minutes, its router forgets after 30 s and changes ports",
        "direct, 0.30 s",
        idle_host,
    )]
}

/// Those that take long and bear company.
pub(super) fn long(sites: &[Site]) -> Vec<Case> {
    let mut cases: Vec<Case> = sites
        .iter()
        .map(|&site| {
            Case::new(
                format!("{}::path_changes", site.key()),
                &format!("a relayed game, the router opens, and shuts again ({site})"),
                "direct, then relay; nobody drops, no call is lost",
                move |world| path_changes(world, site),
            )
        })
        .collect();
    cases.push(Case::new(
        "server_restarts".to_owned(),
        "the server is killed in mid-game and started again",
        "nobody drops, no call is lost, a new player joins",
        server_restarts,
    ));
    cases.push(Case::new(
        "many_joins".to_owned(),
        "2,000 joins one after another, 10,000 garbage datagrams a second on every open port",
        "memory flat, nobody disturbed",
        many_joins,
    ));
    cases
}

/// Those that want quiet around them.
pub(super) fn quiet(sites: &[Site]) -> Vec<Case> {
    let homes = [
        (
            "lan",
            "one home, no hairpin",
            routers::HOME,
            true,
            Route::Lan,
            goals::DIRECT,
        ),
        (
            "without_lan",
            "one home, no hairpin, LAN off",
            routers::HOME,
            false,
            Route::Relay,
            goals::RELAY,
        ),
        (
            "hairpin",
            "one home, hairpin",
            routers::HOME_HAIRPIN,
            true,
            Route::Lan,
            goals::DIRECT,
        ),
        (
            "hairpin_without_lan",
            "one home, hairpin, LAN off",
            routers::HOME_HAIRPIN,
            false,
            Route::Direct,
            goals::DIRECT,
        ),
    ];
    let mut cases = Vec::new();
    for &site in sites {
        for (name, title, router, lan, route, limit) in homes {
            let goal = Goal::By(route, limit);
            cases.push(Case::new(
                format!("{}::one_home_{name}", site.key()),
                &format!("{title} ({site})"),
                &goal.to_string(),
                move |world| {
                    one_home(
                        world,
                        site,
                        &format!("{}-{name}", site.key()),
                        router,
                        lan,
                        goal,
                    )
                },
            ));
        }
    }
    cases.push(Case::new(
        "crowd".to_owned(),
        "64 players join one host in the same second",
        "all in, 5.00 s",
        crowd,
    ));
    cases
}

/// A player who hosts, and the OpenID to join by.
struct Host {
    player: Player,
    oid: String,
}

impl Host {
    fn start(world: &World, name: &str, machine: &Machine, server: &str, max: u32) -> Result<Self> {
        let mut player = start(world, &format!("{name}-host"), machine, FRAMES)?;
        let answer = player.must(&format!("host {server} {max}"), defaults::LAB_HOST)?;
        let oid = answer.word("oid")?.to_owned();
        Ok(Self { player, oid })
    }
}

fn start(world: &World, name: &str, machine: &Machine, frames: u32) -> Result<Player> {
    let mut player = world
        .players
        .start(name, machine, &world.project, PathKind::Call, frames)?;
    player.ready()?;
    Ok(player)
}

/// Joins and fails where the goal is missed. Returns what it came to.
fn join(
    player: &mut Player,
    server: &str,
    oid: &str,
    options: &str,
    goal: Goal,
) -> Result<Outcome> {
    let command = format!("join {server} {oid} {options}");
    let answer = player.ask(command.trim_end(), defaults::LAB_JOIN)?;
    let outcome = Outcome::read(&answer)?;
    match goal.judge(&outcome) {
        Verdict::Missed(why) => bail!("{outcome}; {why}"),
        _ => Ok(outcome),
    }
}

fn machine(home: &super::topology::Home, number: usize) -> Result<&Machine> {
    home.players
        .get(number)
        .context("the home has too few machines")
}

fn one_home(
    world: &World,
    site: Site,
    name: &str,
    router: Router,
    lan: bool,
    goal: Goal,
) -> Result<String> {
    let server = world.server(site)?;
    let home = world.lab.home(&format!("h-{name}"), router, None, 2)?;
    let mut host = Host::start(world, name, machine(&home, 0)?, &server, 4)?;
    let mut joining = start(world, &format!("{name}-join"), machine(&home, 1)?, FRAMES)?;
    let option = if lan { "" } else { "lan=false" };
    let outcome = join(&mut joining, &server, &host.oid, option, goal)?;
    joining.begin_to_quit();
    host.player.begin_to_quit();
    joining.quit()?;
    host.player.quit()?;
    Ok(outcome.to_string())
}

fn idle_host(world: &World) -> Result<String> {
    let server = world.server(Site::Ours)?;
    let home = world
        .lab
        .home("idle", routers::HOME_CHANGING_PORTS, None, 1)?;
    let other = world.lab.home("idle-join", routers::HOME, None, 1)?;
    let mut host = Host::start(world, "idle", machine(&home, 0)?, &server, 4)?;
    thread::sleep(IDLE);
    let mut joining = start(world, "idle-join", machine(&other, 0)?, FRAMES)?;
    let oid = host.player.must("oid", defaults::LAB_STEP)?;
    host.oid = oid.word("oid")?.to_owned();
    let goal = Goal::By(Route::Direct, goals::DIRECT);
    let outcome = join(&mut joining, &server, &host.oid, "", goal)?;
    joining.quit()?;
    host.player.quit()?;
    Ok(outcome.to_string())
}

/// Places that players of netfox.noray and ours share.
const MIXED: [(Place, Place); 5] = [
    (Place::Home, Place::Home),
    (Place::Public, Place::Symmetric),
    (Place::Symmetric, Place::Public),
    (Place::Home, Place::RelayOnly),
    (Place::RelayOnly, Place::Home),
];

/// Places whose players meet by a relay that knows symmetric routers: at our server.
const BY_OUR_RELAY: [(Place, Place); 3] = [
    (Place::Symmetric, Place::Symmetric),
    (Place::Symmetric, Place::Home),
    (Place::Home, Place::Symmetric),
];

/// How much longer a join may take than between two players of netfox.noray: a few frames.
const MIXED_MARGIN: Duration = Duration::from_millis(500);

/// Players of netfox.noray with ours, in each role; first of all with each other, for what is to
/// be reached.
pub(super) fn with_netfox(site: Site) -> Vec<Case> {
    MIXED
        .into_iter()
        .map(|(host, joining)| {
            let pair = format!("{}_hosts_{}_joins", host.key(), joining.key());
            Case::new(
                format!("netfox::{pair}"),
                &format!("with a netfox.noray player: {host} hosts, {joining} joins ({site})"),
                "as two netfox.noray players, or better",
                move |world| mixed(world, site, &pair, host, joining),
            )
        })
        .collect()
}

/// Players of netfox.noray whom only our server relays, with each other and with ours.
pub(super) fn with_netfox_by_our_relay() -> Vec<Case> {
    BY_OUR_RELAY
        .into_iter()
        .map(|(host, joining)| {
            let pair = format!("{}_hosts_{}_joins", host.key(), joining.key());
            let site = Site::Ours;
            Case::new(
                format!("netfox::{}::{pair}", site.key()),
                &format!("netfox.noray players by relay: {host} hosts, {joining} joins ({site})"),
                "all are in",
                move |world| mixed(world, site, &pair, host, joining),
            )
        })
        .collect()
}

fn mixed(world: &World, site: Site, pair: &str, host: Place, joining: Place) -> Result<String> {
    let server = world.server(site)?;
    let home = host.make(world.lab, &format!("n-{pair}"))?;
    let other = joining.make(world.lab, &format!("n-{pair}-join"))?;
    let mut shown = Vec::new();
    let mut today = None;
    for (who, hosts, joins) in [
        ("netfox with itself", Game::Netfox, Game::Netfox),
        ("ours hosts", Game::Ours, Game::Netfox),
        ("ours joins", Game::Netfox, Game::Ours),
    ] {
        let name = format!("n-{pair}-{}", shown.len());
        let mut hosting = hosts.start(world, &format!("{name}-host"), machine(&home, 0)?)?;
        let mut player = joins.start(world, &format!("{name}-join"), machine(&other, 0)?)?;
        let answer = hosting.must(&format!("host {server} 4"), defaults::LAB_HOST)?;
        let oid = answer.word("oid")?;
        let answer = player.ask(&format!("join {server} {oid}"), defaults::LAB_PLAIN_JOIN)?;
        let outcome = Outcome::read(&answer)?;
        shown.push(format!("{who}: {outcome}"));
        // Our server lets everyone in.
        let can = site == Site::Ours || matches!(today, Some(Outcome::Joined { .. }));
        match (&today, &outcome) {
            (_, Outcome::Failed { why, .. }) if can => bail!("{}; {why}", shown.join("; ")),
            (None, _) => today = Some(outcome),
            (Some(Outcome::Joined { time: today, .. }), Outcome::Joined { time, .. }) => {
                ensure!(
                    *time <= *today + MIXED_MARGIN,
                    "{}: later",
                    shown.join("; ")
                );
            }
            _ => {}
        }
        for (game, player) in [(joins, player), (hosts, hosting)] {
            // What netfox.noray prints is its own matter.
            if game == Game::Ours {
                player.quit()?;
            }
        }
    }
    Ok(shown.join("; "))
}

/// Whose game a player runs.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Game {
    Ours,
    Netfox,
}

impl Game {
    fn start(self, world: &World, name: &str, machine: &Machine) -> Result<Player> {
        let (project, way) = match self {
            Self::Ours => (&world.project, PathKind::Call),
            Self::Netfox => (
                world.netfox.as_ref().context("there is no netfox")?,
                PathKind::Plain,
            ),
        };
        let mut player = world.players.start(name, machine, project, way, FRAMES)?;
        player.ready()?;
        Ok(player)
    }
}

/// What two players who call each other all the time have counted. Fails when a call was lost,
/// doubled or out of order, or a player was.
fn check_calls(host: &mut Player, joined: &mut Player) -> Result<f64> {
    for player in [&mut *host, &mut *joined] {
        player.must("calls 0", defaults::LAB_STEP)?;
    }
    // The last ones are under way.
    thread::sleep(Duration::from_secs(1));
    let at_host = host.must("count", defaults::LAB_STEP)?;
    let at_other = joined.must("count", defaults::LAB_STEP)?;
    for (name, answer) in [("host", &at_host), ("joined player", &at_other)] {
        ensure!(answer.number("lost")? == 0.0, "{name}: the other was lost");
        ensure!(
            answer.number("wrong")? == 0.0,
            "{name}: calls are missing or out of order"
        );
    }
    for (from, to, sender, receiver) in [
        ("host", "joined player", &at_host, &at_other),
        ("joined player", "host", &at_other, &at_host),
    ] {
        let (sent, received) = (sender.number("sent")?, receiver.number("received")?);
        ensure!(sent > 0.0, "the {from} sent nothing");
        ensure!(
            sent == received,
            "of {sent} calls of the {from} {received} came to the {to}"
        );
    }
    Ok(at_host.number("sent")? + at_other.number("sent")?)
}

fn path_changes(world: &World, site: Site) -> Result<String> {
    let server = world.server(site)?;
    let name = format!("path-{}", site.key());
    let home = world.lab.home(&name, routers::RELAY_ONLY, None, 1)?;
    let other = world
        .lab
        .home(&format!("{name}-join"), routers::HOME, None, 1)?;
    let mut host = Host::start(world, &name, machine(&home, 0)?, &server, 4)?;
    let mut joined = start(world, &format!("{name}-join"), machine(&other, 0)?, FRAMES)?;
    let by_relay = Goal::ByAnyTime(Route::Relay);
    join(&mut joined, &server, &host.oid, "", by_relay)?;
    for player in [&mut host.player, &mut joined] {
        player.must(&format!("calls {CALLS}"), defaults::LAB_STEP)?;
    }
    thread::sleep(PLAY);

    let mut moves = Vec::new();
    for (shut, route, stay) in [(false, "direct", DIRECT_STAY), (true, "relay", PLAY)] {
        let from = [host.player.told(), joined.told()];
        let changed = Instant::now();
        world.lab.shut(&home, shut)?;
        let id = joined.event(&format!("path 1 {route}"), from[1], MOVE);
        id.with_context(|| format!("the game does not move to {route}"))?;
        let moved = changed.elapsed();
        // The host names the other by its id.
        host.player
            .event_that(from[0], MOVE, |line| {
                line.starts_with("path ") && line.ends_with(route)
            })
            .with_context(|| format!("the host does not move to {route}"))?;
        moves.push(format!("{route} after {}", seconds(moved)));
        thread::sleep(stay);
        let described = joined.must("connection 1", defaults::LAB_STEP)?;
        ensure!(
            described.word("path")? == route,
            "it stays on {route} for a moment only"
        );
    }
    let calls = check_calls(&mut host.player, &mut joined)?;
    joined.quit()?;
    host.player.quit()?;
    Ok(format!("{}; {calls} calls", moves.join(", ")))
}

fn server_restarts(world: &World) -> Result<String> {
    let machine_of_server = world
        .lab
        .servers()
        .get(super::SERVER_TO_KILL)
        .context("there is no machine for it")?;
    let tools = world.lab.tools();
    let server = LabServer::start(tools, machine_of_server, &world.ours)?;
    let address = server.address();
    let homes = ["restart", "restart-1", "restart-2"]
        .map(|name| world.lab.home(name, routers::HOME, None, 1));
    let [home, first, second] = homes;
    let (home, first, second) = (home?, first?, second?);
    let mut host = Host::start(world, "restart", machine(&home, 0)?, &address, 4)?;
    let mut joined = start(world, "restart-1", machine(&first, 0)?, FRAMES)?;
    let direct = Goal::ByAnyTime(Route::Direct);
    join(&mut joined, &address, &host.oid, "", direct)?;
    for player in [&mut host.player, &mut joined] {
        player.must(&format!("calls {CALLS}"), defaults::LAB_STEP)?;
    }
    thread::sleep(PLAY);

    let mut late = start(world, "restart-2", machine(&second, 0)?, FRAMES)?;

    server.kill();
    thread::sleep(OUTAGE);
    let server = LabServer::start(tools, machine_of_server, &world.ours)?;
    let back = Instant::now();
    // The host may come back with a new OpenID or with its old one, which leads nowhere until
    // then: a player tries until it is in.
    let (outcome, after) = loop {
        let oid = host.player.must("oid", defaults::LAB_STEP)?;
        let command = format!("join {address} {} timeout=6.0", oid.word("oid")?);
        let tried = back.elapsed();
        let outcome = Outcome::read(&late.ask(&command, defaults::LAB_JOIN)?)?;
        match outcome {
            Outcome::Joined { .. } => break (outcome, tried),
            Outcome::Failed { why, .. } if tried > RETURN => bail!("no new player gets in: {why}"),
            Outcome::Failed { .. } => thread::sleep(PAUSE),
        }
    };
    let direct = Goal::By(Route::Direct, goals::DIRECT);
    if let Verdict::Missed(why) = direct.judge(&outcome) {
        bail!("new player: {outcome}; {why}");
    }
    late.must("leave", defaults::LAB_STEP)?;
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

fn crowd(world: &World) -> Result<String> {
    let server = world.server(Site::Ours)?;
    let home = world.lab.home("crowd", routers::HOME, None, 1)?;
    let mut host = Host::start(world, "crowd", machine(&home, 0)?, &server, CROWD)?;
    let mut others = Vec::new();
    for (number, router) in [
        routers::HOME,
        routers::HOME_CHANGING_PORTS,
        routers::FULL_CONE,
        routers::HOME_HAIRPIN,
    ]
    .into_iter()
    .enumerate()
    {
        others.push(
            world
                .lab
                .home(&format!("crowd-{number}"), router, None, 4)?,
        );
    }
    let machines: Vec<&Machine> = others.iter().flat_map(|home| &home.players).collect();
    let mut players = Vec::new();
    for (number, machine) in (0..CROWD).zip(machines.iter().cycle()) {
        players.push(world.players.start(
            &format!("crowd-join-{number}"),
            machine,
            &world.project,
            PathKind::Call,
            CROWD_FRAMES,
        )?);
    }
    for player in &mut players {
        player.ready()?;
    }
    let command = format!("join {server} {}", host.oid);
    let asked = players
        .iter_mut()
        .map(|player| player.tell(&command))
        .collect::<Result<Vec<Asked>>>()?;
    let mut times = Vec::new();
    let mut failed = Vec::new();
    for (player, asked) in players.iter_mut().zip(&asked) {
        match Outcome::read(&player.answer(asked, defaults::LAB_JOIN)?)? {
            Outcome::Joined { time, .. } => times.push(time),
            Outcome::Failed { why, .. } => failed.push(why),
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
    ensure!(last <= CROWD_TARGET, "{shown}");
    let count = host.player.must("count", defaults::LAB_STEP)?;
    ensure!(
        count.number("players")? == f64::from(CROWD),
        "the host has {} players",
        count.word("players")?
    );
    let memory = proc::holdings(host.player.process())?.memory / (1024 * 1024);
    // The host first: Godot complains when it is to tell one leaving player of another.
    host.player.quit()?;
    for player in &mut players {
        player.begin_to_quit();
    }
    for player in players {
        player.quit()?;
    }
    Ok(format!("{shown}; the host has {memory} MiB"))
}

fn many_joins(world: &World) -> Result<String> {
    let tools = world.lab.tools();
    let machine_of_server = world
        .lab
        .servers()
        .get(super::PATIENT_SERVER)
        .context("there is no machine for it")?;
    // No player asks so often, which a server takes for abuse.
    let patience = [
        ("NORAY_MAX_CONNECTS_PER_SECOND", "1000"),
        ("NORAY_MAX_CONNECTS_PER_SECOND_PER_ADDRESS", "1000"),
    ];
    let running = LabServer::start_with(tools, machine_of_server, &world.ours, &patience)?;
    let server = running.address();
    let homes =
        ["many", "many-1", "many-2"].map(|name| world.lab.home(name, routers::HOME, None, 1));
    let [home, first, second] = homes;
    let (home, first, second) = (home?, first?, second?);
    let mut host = Host::start(world, "many", machine(&home, 0)?, &server, 8)?;
    let mut watcher = start(world, "many-watch", machine(&first, 0)?, FRAMES)?;
    // A game that shows 240 frames a second: joining must not be what the time goes into.
    let mut joining = start(world, "many-join", machine(&second, 0)?, 240)?;
    join(&mut watcher, &server, &host.oid, "", Goal::Anything)?;
    for player in [&mut host.player, &mut watcher] {
        player.must(&format!("calls {CALLS}"), defaults::LAB_STEP)?;
    }
    let floods = [
        Flood::start(tools, machine(&home, 0)?, host.player.process(), SENT)?,
        Flood::start(tools, machine(&second, 0)?, joining.process(), SENT)?,
    ];
    let asked = joining.tell(&format!("joins {server} {} {MANY}", host.oid))?;
    let mut settled: Option<[Holdings; 2]> = None;
    let from = joining.told();
    for done in (100..=MANY).step_by(100) {
        let event = joining.event(&format!("joins {done}"), from, defaults::LAB_HUNDRED_JOINS);
        if event.is_err() {
            // Its answer tells why, if it has one.
            break;
        }
        let now = [host.player.process(), joining.process()].map(proc::holdings);
        let [at_host, at_other] = now;
        if done == SETTLED {
            settled = Some([at_host?, at_other?]);
        }
    }
    let answer = joining.answer(&asked, defaults::LAB_HUNDRED_JOINS)?;
    ensure!(
        answer.ok,
        "after {} joins: {}",
        answer.word("round").unwrap_or("?"),
        answer.text()
    );
    let now = [
        proc::holdings(host.player.process())?,
        proc::holdings(joining.process())?,
    ];
    let mut sent = Vec::new();
    for flood in floods {
        sent.push(flood.stop()?);
    }
    let settled = settled.context("it made too few joins")?;
    let mut grown = Vec::new();
    for ((name, before), after) in ["host", "joining player"].iter().zip(settled).zip(now) {
        let growth = after.memory.saturating_sub(before.memory);
        ensure!(growth <= GROWTH, "the {name} grew by {} KiB", growth / 1024);
        ensure!(
            after.files <= before.files + 4 && after.threads <= before.threads,
            "the {name} keeps files or threads: {before:?}, then {after:?}"
        );
        grown.push(format!(
            "{name} {:+} KiB",
            after.memory as i64 / 1024 - before.memory as i64 / 1024
        ));
    }
    // Calls to the joining player were under way when it left; the watcher's count.
    watcher.must("calls 0", defaults::LAB_STEP)?;
    let count = watcher.must("count", defaults::LAB_STEP)?;
    let at_host = host.player.must("count", defaults::LAB_STEP)?;
    for answer in [&count, &at_host] {
        ensure!(
            answer.number("wrong")? == 0.0 && answer.number("lost")? == 0.0,
            "a player was disturbed"
        );
    }
    let millis = |key| Ok::<_, anyhow::Error>(answer.number(key)? / 1000.0);
    let shown = format!(
        "join: {:.0} ms at the median, {:.0} ms at the 99th percentile; {}; {} datagrams a second to each of {} and {} ports",
        millis("median")?,
        millis("p99")?,
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
