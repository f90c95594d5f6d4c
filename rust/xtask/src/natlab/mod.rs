//! The lab: players in network namespaces behind real Linux NATs, with real Godots as players.
//!
//! Homes and routers stand around a world with noray servers in it. In most homes one player
//! hosts or joins for the whole run, so that a cell of the matrix takes no longer than a join.

mod board;
mod cases;
pub(crate) mod flood;
mod goals;
mod matrix;
mod places;
mod players;
mod probe;
mod proc;
mod routers;
mod servers;
mod tools;
mod topology;

pub(crate) use self::tools::is_root;

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::thread;

use anyhow::{Context, Result, anyhow};

use self::board::Board;
use self::cases::Case;
use self::matrix::{Cell, LOSS, Stage};
use self::places::{Place, Site};
use self::players::{PathKind, Players};
use self::routers::Router;
use self::servers::{Kind, LabServer};
use self::tools::Tools;
use self::topology::{Home, Lab, Machine};
use crate::cargo::Profile;
use crate::godot::{self, Godot};
use crate::report::Report;
use crate::scenario::{self, Others};
use crate::{addon, files, paths};

/// Which of the machines for servers has the one that is killed.
const SERVER_TO_KILL: usize = 2;

/// Which has the one that lets a player join as often as it likes.
const PATIENT_SERVER: usize = 3;

/// How many machines for servers there are.
const SERVERS: usize = 4;

/// What all players and cases use.
struct World<'a> {
    lab: &'a Lab,
    players: Players<'a>,
    servers: BTreeMap<Site, LabServer>,
    hosts: BTreeMap<Place, Home>,
    joining: BTreeMap<Place, Home>,
    ours: Kind,
    /// The players' game with our addon.
    project: PathBuf,
    /// The same with netfox.noray.
    netfox: Option<PathBuf>,
    logs: PathBuf,
}

impl World<'_> {
    /// A server's address, as players name it.
    fn server(&self, site: Site) -> Result<String> {
        self.servers
            .get(&site)
            .map(LabServer::address)
            .with_context(|| format!("the {site} does not run"))
    }

    /// The machine of the player that hosts in a kind of place, or that joins from there.
    fn machine(&self, place: Place, hosts: bool) -> Result<Machine> {
        let homes = if hosts { &self.hosts } else { &self.joining };
        homes
            .get(&place)
            .and_then(|home| home.players.first())
            .cloned()
            .with_context(|| format!("there is no place: {place}"))
    }
}

/// Plays the matrix and the special cases, and prints the tables and the sum. Returns whether
/// all goals were reached.
pub(crate) fn run(filter: Option<String>, others: &Others) -> Result<bool> {
    let mut report = Report::new(filter);
    let tools = match Tools::find() {
        Ok(tools) => tools,
        Err(error) => {
            report.skip_all("natlab", &format!("{error:#}"));
            return Ok(report.finish());
        }
    };
    let godot = godot::find()?;
    println!("Godot {}", godot.version);
    addon::run(Profile::Debug, &[])?;
    play(&tools, &godot, others, &mut report)?;
    Ok(report.finish())
}

/// The same as part of the tests, with the addon that they use.
pub(crate) fn test(godot: &Godot, others: &Others, report: &mut Report) {
    let played = match Tools::find() {
        Ok(tools) => play(&tools, godot, others, report),
        Err(error) => {
            report.skip_all("natlab", &format!("{error:#}"));
            return;
        }
    };
    if let Err(error) = played {
        println!("FAILED natlab: {error:#}");
        report.add(0, 1, 0);
    }
}

/// What the filter leaves to be played.
struct Program {
    routers: Vec<(&'static str, Router)>,
    quiet: BTreeMap<Site, Vec<Cell>>,
    lossy: BTreeMap<Site, Vec<Cell>>,
    plain: BTreeMap<Site, Vec<Cell>>,
    longest: Vec<Case>,
    long: Vec<Case>,
    still: Vec<Case>,
    mixed: Vec<Case>,
}

impl Program {
    /// What can be played with what there is; the rest is skipped.
    fn choose(board: &Board, others: &Others) -> Self {
        let mut sites = vec![Site::Ours];
        if others.noray.is_some() {
            sites.push(Site::Public);
        } else {
            board.skip(
                "natlab::public_server",
                "no copy of the public server was named (--noray DIR)",
            );
        }
        let cells = |way, lossy| -> BTreeMap<Site, Vec<Cell>> {
            sites
                .iter()
                .map(|&site| {
                    let wanted = matrix::cells(site, way, lossy)
                        .filter(|cell| board.wants(&cell.name()))
                        .collect();
                    (site, wanted)
                })
                .collect()
        };
        let wanted = |mut cases: Vec<Case>| {
            cases.retain(|case| board.wants(&case.name));
            cases
        };
        // The last one: the public server is what players of netfox.noray meet at today.
        let mixed = match (&others.netfox, sites.last()) {
            (Some(_), Some(&site)) => {
                let mut mixed = wanted(cases::with_netfox(site));
                mixed.extend(wanted(cases::with_netfox_by_our_relay()));
                mixed
            }
            _ => {
                let why = "no checkout of netfox was named (--netfox DIR)";
                board.skip("natlab::netfox", why);
                Vec::new()
            }
        };
        Self {
            routers: routers::ALL
                .into_iter()
                .filter(|(name, _)| board.wants(&router_test(name)))
                .collect(),
            quiet: cells(PathKind::Call, false),
            lossy: cells(PathKind::Call, true),
            plain: cells(PathKind::Plain, false),
            longest: wanted(cases::longest()),
            long: wanted(cases::long(&sites)),
            still: wanted(cases::quiet(&sites)),
            mixed,
        }
    }

    /// All cells of the matrix.
    fn cells(&self) -> impl Iterator<Item = &Cell> {
        [&self.quiet, &self.lossy, &self.plain]
            .into_iter()
            .flat_map(BTreeMap::values)
            .flatten()
    }

    fn is_empty(&self) -> bool {
        let cases = [&self.longest, &self.long, &self.still, &self.mixed];
        self.routers.is_empty()
            && self.cells().next().is_none()
            && cases.into_iter().all(Vec::is_empty)
    }
}

fn router_test(name: &str) -> String {
    format!("natlab::routers::{name}")
}

fn play(tools: &Tools, godot: &Godot, others: &Others, report: &mut Report) -> Result<()> {
    let board = Board::new(report);
    let program = Program::choose(&board, others);
    if program.is_empty() {
        return Ok(());
    }
    let folder = paths::target()?.join("natlab");
    let _lock = files::Lock::wait(&folder.join("lock"))?;
    let project = stage(godot, &folder.join("game"), None)?;
    let netfox = match &others.netfox {
        Some(checkout) if !program.mixed.is_empty() => Some(stage(
            godot,
            &folder.join("game-netfox"),
            Some(checkout.as_path()),
        )?),
        _ => None,
    };
    let ours = Kind::ours()?;
    let logs = folder.join("logs");
    files::remove_folder(&logs)?;
    files::create_folder(&logs)?;

    let lab = Lab::new(tools, SERVERS)?;
    let mut servers = BTreeMap::new();
    let kinds = [
        (Site::Ours, Some(ours.clone())),
        (Site::Public, others.noray.clone().map(Kind::Public)),
    ];
    for ((site, kind), machine) in kinds.into_iter().zip(lab.servers()) {
        if let Some(kind) = kind {
            servers.insert(site, LabServer::start(tools, machine, &kind)?);
        }
    }
    let mut world = World {
        lab: &lab,
        players: Players {
            godot,
            tools,
            folder: folder.join("control"),
            logs: logs.clone(),
        },
        servers,
        hosts: BTreeMap::new(),
        joining: BTreeMap::new(),
        ours,
        project,
        netfox,
        logs,
    };
    for place in Place::ALL {
        if program.cells().any(|cell| cell.host == place) {
            let home = place.make(&lab, &format!("host-{}", place.key()))?;
            world.hosts.insert(place, home);
        }
        if program.cells().any(|cell| cell.joining == place) {
            let home = place.make(&lab, &format!("join-{}", place.key()))?;
            world.joining.insert(place, home);
        }
    }
    play_all(&world, &board, &program);

    board.print();
    for (site, server) in world.servers {
        board.test(
            &format!("natlab::{}::server_runs_to_the_end", site.key()),
            server.stop(),
        );
    }
    Ok(())
}

/// What takes longest begins first; what is measured in fractions of a second has the machine
/// for itself.
fn play_all(world: &World, board: &Board, program: &Program) {
    let Program {
        routers,
        quiet,
        lossy,
        plain,
        longest,
        long,
        still,
        mixed,
    } = program;
    thread::scope(|scope| {
        for case in longest {
            scope.spawn(|| case.play(world, board));
        }
        for &(name, router) in routers {
            scope.spawn(move || {
                let behaves = probe::check(world.lab, name, router);
                board.test(&router_test(name), behaves);
            });
        }

        for case in still {
            case.play(world, board);
        }
        let stages: Vec<_> = quiet
            .iter()
            .filter_map(|(&site, cells)| {
                let lossy = lossy.get(&site).map_or(&[][..], Vec::as_slice);
                let all: Vec<Cell> = cells.iter().chain(lossy).copied().collect();
                if all.is_empty() {
                    return None;
                }
                match Stage::open(world, site, PathKind::Call, &all) {
                    Ok(stage) => {
                        if let Some(longest) = stage.warm_up() {
                            board.remark(
                                &format!("a game's first join, connecting and registering included ({site})"),
                                &format!("{} at most", goals::seconds(longest)),
                            );
                        }
                        stage.play(world, board, cells, false);
                        Some((site, stage))
                    }
                    Err(error) => {
                        not_opened(board, &all, &error);
                        None
                    }
                }
            })
            .collect();
        for case in long {
            scope.spawn(|| case.play(world, board));
        }
        let homes: Vec<Ipv4Addr> = world
            .hosts
            .values()
            .chain(world.joining.values())
            .map(|home| home.outside)
            .collect();
        if let Err(error) = world.lab.lose(LOSS, &homes) {
            board.test("natlab::loss", Err(error));
        }
        thread::scope(|scope| {
            for (site, stage) in &stages {
                if let Some(cells) = lossy.get(site) {
                    scope.spawn(|| stage.play(world, board, cells, true));
                }
            }
        });
        if let Err(error) = world.lab.lose(0, &[]) {
            board.test("natlab::loss", Err(error));
        }
        for (_, stage) in stages {
            stage.close(board);
        }

        for case in mixed {
            scope.spawn(|| case.play(world, board));
        }
        for (&site, cells) in plain {
            if cells.is_empty() {
                continue;
            }
            scope.spawn(
                move || match Stage::open(world, site, PathKind::Plain, cells) {
                    Ok(stage) => {
                        stage.play(world, board, cells, true);
                        stage.close(board);
                    }
                    Err(error) => not_opened(board, cells, &error),
                },
            );
        }
    });
}

fn not_opened(board: &Board, cells: &[Cell], error: &anyhow::Error) {
    for cell in cells {
        board.cell(*cell, cell.goal(), Err(anyhow!("{error:#}")));
    }
}

/// Makes the players' game anew, with our addon or that of a checkout of netfox, and imports it.
fn stage(godot: &Godot, folder: &Path, netfox: Option<&Path>) -> Result<PathBuf> {
    scenario::stage(godot, "natlab", folder, netfox)?;
    Ok(folder.to_path_buf())
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
