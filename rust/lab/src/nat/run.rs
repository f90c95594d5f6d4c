//! Chooses what is played, and plays it in an order that lets long cases begin first and what is
//! measured in fractions of a second have the machine for itself.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::thread;

use anyhow::{Result, anyhow};
use noray_testkit::game::{self, Others};
use noray_testkit::godot::Godot;
use noray_testkit::report::Report;
use noray_testkit::server::ServerProgram;
use noray_testkit::{files, paths};

use crate::games::template;
use crate::nat::cases::{self, Case};
use crate::nat::cell::Cell;
use crate::nat::kinds::{Flow, Location, ServerKind};
use crate::nat::lab_server::LabServer;
use crate::nat::matrix::{LOSS, Matrix};
use crate::nat::namespaces::Namespaces;
use crate::nat::network::Network;
use crate::nat::outcome::seconds;
use crate::nat::players::Players;
use crate::nat::results::Results;
use crate::nat::router_check;
use crate::nat::routers::{self, Router};
use crate::nat::world::{SERVERS, World};

/// Plays the matrix and the other cases, and prints the tables.
pub(crate) fn run(
    namespaces: Namespaces,
    godot: &Godot,
    our_server: ServerProgram,
    others: &Others,
    report: &mut Report,
) -> Result<()> {
    let results = Results::new(report);
    let plan = Plan::choose(&results, others);
    if plan.is_empty() {
        return Ok(());
    }
    let folder = paths::target()?.join("natlab");
    let _lock = files::lock(&folder.join("lock"))?;
    let (project, template) = (folder.join("game"), template("natlab"));
    game::stage(godot, &template, &project, None)?;
    let mut netfox = None;
    if let Some(checkout) = others.netfox.as_deref().filter(|_| !plan.mixed.is_empty()) {
        let project = folder.join("game-netfox");
        game::stage(godot, &template, &project, Some(checkout))?;
        netfox = Some(project);
    }
    let logs = folder.join("logs");
    files::remove_folder(&logs)?;
    files::create_folder(&logs)?;

    let network = Network::new(&namespaces, SERVERS)?;
    let mut world = World {
        network: &network,
        players: Players {
            godot,
            namespaces: &namespaces,
            folder: folder.join("control"),
            logs: logs.clone(),
        },
        servers: BTreeMap::new(),
        hosts: BTreeMap::new(),
        joining: BTreeMap::new(),
        our_server: our_server.clone(),
        project,
        netfox,
        logs,
    };
    let public_server = others.noray.clone().map(ServerProgram::Public);
    let programs = [
        (ServerKind::Ours, Some(our_server)),
        (ServerKind::Public, public_server),
    ];
    for (number, (kind, program)) in programs.into_iter().enumerate() {
        if let Some(program) = program {
            let machine = network.server(number)?;
            let server = LabServer::start(&namespaces, machine, &program, &[])?;
            world.servers.insert(kind, server);
        }
    }
    for location in Location::ALL {
        if plan.cells().any(|cell| cell.host == location) {
            let home = network.location(location, &format!("host-{}", location.key()))?;
            world.hosts.insert(location, home);
        }
        if plan.cells().any(|cell| cell.joining == location) {
            let home = network.location(location, &format!("join-{}", location.key()))?;
            world.joining.insert(location, home);
        }
    }
    plan.play(&world, &results);

    results.print();
    for (kind, server) in world.servers {
        let name = format!("natlab::{}::server_runs_to_the_end", kind.key());
        results.test(&name, server.stop());
    }
    Ok(())
}

/// What the filter leaves to be played.
struct Plan {
    routers: Vec<(&'static str, Router)>,
    cells: BTreeMap<ServerKind, Vec<Cell>>,
    lossy_cells: BTreeMap<ServerKind, Vec<Cell>>,
    plain_cells: BTreeMap<ServerKind, Vec<Cell>>,
    longest: Vec<Case>,
    long: Vec<Case>,
    quiet: Vec<Case>,
    mixed: Vec<Case>,
}

impl Plan {
    /// Chooses what can be played with what there is; the rest is skipped.
    fn choose(results: &Results, others: &Others) -> Self {
        let mut servers = vec![ServerKind::Ours];
        if others.noray.is_some() {
            servers.push(ServerKind::Public);
        } else {
            let why = "no copy of the public server was named (--noray DIR)";
            results.skip("natlab::public_server", why);
        }
        // What players of netfox.noray meet at today is the public server.
        let mut mixed = Vec::new();
        match (&others.netfox, servers.last()) {
            (Some(_), Some(&server)) => mixed = cases::with_netfox(server),
            _ => {
                let why = "no checkout of netfox was named (--netfox DIR)";
                results.skip("natlab::netfox", why);
            }
        }
        let cells = |flow, lossy| -> BTreeMap<ServerKind, Vec<Cell>> {
            let cells = servers.iter().map(|&server| {
                let mut cells: Vec<Cell> = Cell::all(server, flow, lossy).collect();
                cells.retain(|cell| results.wants(&cell.name()));
                (server, cells)
            });
            cells.filter(|(_, cells)| !cells.is_empty()).collect()
        };
        let wanted = |mut cases: Vec<Case>| {
            cases.retain(|case| results.wants(&case.name));
            cases
        };
        let mut routers = routers::ALL.to_vec();
        routers.retain(|(name, _)| results.wants(&router_test(name)));
        Self {
            routers,
            cells: cells(Flow::Calls, false),
            lossy_cells: cells(Flow::Calls, true),
            plain_cells: cells(Flow::Plain, false),
            longest: wanted(cases::longest()),
            long: wanted(cases::long(&servers)),
            quiet: wanted(cases::quiet(&servers)),
            mixed: wanted(mixed),
        }
    }

    /// Returns all cells of the matrix.
    fn cells(&self) -> impl Iterator<Item = &Cell> {
        let kinds = [&self.cells, &self.lossy_cells, &self.plain_cells];
        kinds.into_iter().flat_map(BTreeMap::values).flatten()
    }

    fn is_empty(&self) -> bool {
        let cases = [&self.longest, &self.long, &self.quiet, &self.mixed];
        let no_cases = cases.into_iter().all(Vec::is_empty);
        no_cases && self.routers.is_empty() && self.cells().next().is_none()
    }

    fn play(&self, world: &World, results: &Results) {
        thread::scope(|scope| {
            for case in &self.longest {
                scope.spawn(|| case.play(world, results));
            }
            for &(name, router) in &self.routers {
                scope.spawn(move || {
                    let behaves = router_check::check(world.network, name, router);
                    results.test(&router_test(name), behaves);
                });
            }

            for case in &self.quiet {
                case.play(world, results);
            }
            let matrices = self.open_and_play_without_loss(world, results);
            for case in &self.long {
                scope.spawn(|| case.play(world, results));
            }
            self.play_with_loss(world, results, &matrices);
            for (_, matrix) in matrices {
                matrix.close(results);
            }

            for case in &self.mixed {
                scope.spawn(|| case.play(world, results));
            }
            for (&server, cells) in &self.plain_cells {
                scope.spawn(move || {
                    if let Some(matrix) = open(world, results, server, Flow::Plain, cells) {
                        matrix.play(world, results, cells, true);
                        matrix.close(results);
                    }
                });
            }
        });
    }

    fn open_and_play_without_loss(
        &self,
        world: &World,
        results: &Results,
    ) -> Vec<(ServerKind, Matrix)> {
        let mut matrices = Vec::new();
        for server in [ServerKind::Ours, ServerKind::Public] {
            let cells = of_server(&self.cells, server);
            let all = [cells, of_server(&self.lossy_cells, server)].concat();
            if all.is_empty() {
                continue;
            }
            let Some(matrix) = open(world, results, server, Flow::Calls, &all) else {
                continue;
            };
            if let Some(longest) = matrix.warm_up() {
                let title =
                    format!("a game's first join, connecting and registering included ({server})");
                results.remark(&title, &format!("{} at most", seconds(longest)));
            }
            matrix.play(world, results, cells, false);
            matrices.push((server, matrix));
        }
        matrices
    }

    fn play_with_loss(&self, world: &World, results: &Results, matrices: &[(ServerKind, Matrix)]) {
        let homes = world.hosts.values().chain(world.joining.values());
        let homes: Vec<Ipv4Addr> = homes.map(|home| home.outside).collect();
        if let Err(error) = world.network.lose(LOSS, &homes) {
            results.test("natlab::loss", Err(error));
        }
        thread::scope(|scope| {
            for (server, matrix) in matrices {
                let cells = of_server(&self.lossy_cells, *server);
                scope.spawn(|| matrix.play(world, results, cells, true));
            }
        });
        if let Err(error) = world.network.lose(0, &[]) {
            results.test("natlab::loss", Err(error));
        }
    }
}

fn of_server(cells: &BTreeMap<ServerKind, Vec<Cell>>, server: ServerKind) -> &[Cell] {
    cells.get(&server).map_or(&[], Vec::as_slice)
}

/// Starts the players of cells; where that fails, all of them do.
fn open(
    world: &World,
    results: &Results,
    server: ServerKind,
    flow: Flow,
    cells: &[Cell],
) -> Option<Matrix> {
    match Matrix::open(world, server, flow, cells) {
        Ok(matrix) => Some(matrix),
        Err(error) => {
            for cell in cells {
                results.cell(*cell, Err(anyhow!("{error:#}")));
            }
            None
        }
    }
}

fn router_test(name: &str) -> String {
    format!("natlab::routers::{name}")
}
