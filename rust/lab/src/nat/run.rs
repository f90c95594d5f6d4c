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
use crate::nat::cases::{self, Case, Moment};
use crate::nat::cell::{Cell, Column};
use crate::nat::kinds::{Flow, Location, ServerKind};
use crate::nat::lab_server::LabServer;
use crate::nat::matrix::{LOSS, Matrix};
use crate::nat::namespaces::Namespaces;
use crate::nat::network::Network;
use crate::nat::outcome::seconds;
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
    if let Some(checkout) = others.netfox.as_deref().filter(|_| plan.has(Moment::Last)) {
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
        godot,
        our_server: our_server.clone(),
        servers: BTreeMap::new(),
        hosts: BTreeMap::new(),
        joining: BTreeMap::new(),
        project,
        netfox,
        control: folder.join("control"),
        logs,
    };
    let mut programs = vec![(ServerKind::Ours, our_server)];
    if let Some(folder) = others.noray.clone() {
        programs.push((ServerKind::Public, ServerProgram::Public(folder)));
    }
    for (number, (kind, program)) in programs.into_iter().enumerate() {
        let server = LabServer::start(&network, network.server(number)?, &program, &[])?;
        world.servers.insert(kind, server);
    }
    for location in Location::ALL {
        if plan.cells.iter().any(|cell| cell.host == location) {
            let home = network.location(location, &format!("host-{}", location.key()))?;
            world.hosts.insert(location, home);
        }
        if plan.cells.iter().any(|cell| cell.joining == location) {
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
    servers: Vec<ServerKind>,
    routers: Vec<(&'static str, Router)>,
    cells: Vec<Cell>,
    cases: Vec<Case>,
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
        let mut cases = cases::ours(&servers);
        match (&others.netfox, servers.last()) {
            // What players of netfox.noray meet at today is the public server.
            (Some(_), Some(&server)) => cases.extend(cases::with_netfox(server)),
            _ => {
                let why = "no checkout of netfox was named (--netfox DIR)";
                results.skip("natlab::netfox", why);
            }
        }
        cases.retain(|case| results.wants(&case.name));
        let columns = Column::ALL.into_iter();
        let columns = columns.filter(|column| servers.contains(&column.server));
        let cells = columns.flat_map(Column::cells);
        let mut routers = routers::ALL.to_vec();
        routers.retain(|(name, _)| results.wants(&router_test(name)));
        Self {
            routers,
            cells: cells.filter(|cell| results.wants(&cell.name())).collect(),
            cases,
            servers,
        }
    }

    fn is_empty(&self) -> bool {
        self.routers.is_empty() && self.cells.is_empty() && self.cases.is_empty()
    }

    fn cases(&self, moment: Moment) -> impl Iterator<Item = &Case> {
        self.cases.iter().filter(move |case| case.moment == moment)
    }

    fn has(&self, moment: Moment) -> bool {
        self.cases(moment).next().is_some()
    }

    fn play(&self, world: &World, results: &Results) {
        thread::scope(|scope| {
            let begin = |moment| {
                for case in self.cases(moment) {
                    scope.spawn(|| case.play(world, results));
                }
            };
            begin(Moment::First);
            for &(name, router) in &self.routers {
                scope.spawn(move || {
                    let behaves = router_check::check(world.network, name, router);
                    results.test(&router_test(name), behaves);
                });
            }

            for case in self.cases(Moment::Quiet) {
                case.play(world, results);
            }
            let matrices = self.open_and_play_without_loss(world, results);
            begin(Moment::Long);
            play_with_loss(world, results, &matrices);
            for matrix in matrices {
                matrix.close(results);
            }

            begin(Moment::Last);
            for &server in &self.servers {
                scope.spawn(move || {
                    if let Some(matrix) = self.open(world, results, server, Flow::Plain) {
                        matrix.play(world, results, false, true);
                        matrix.close(results);
                    }
                });
            }
        });
    }

    fn open_and_play_without_loss(&self, world: &World, results: &Results) -> Vec<Matrix> {
        let mut matrices = Vec::new();
        for &server in &self.servers {
            let Some(matrix) = self.open(world, results, server, Flow::Calls) else {
                continue;
            };
            if let Some(longest) = matrix.warm_up() {
                let title =
                    format!("a game's first join, connecting and registering included ({server})");
                results.remark(&title, &format!("{} at most", seconds(longest)));
            }
            matrix.play(world, results, false, false);
            matrices.push(matrix);
        }
        matrices
    }

    /// Starts the players of cells, if there are any; where that fails, all of the cells do.
    fn open(
        &self,
        world: &World,
        results: &Results,
        server: ServerKind,
        flow: Flow,
    ) -> Option<Matrix> {
        let mut cells = self.cells.clone();
        cells.retain(|cell| cell.column.server == server && cell.column.flow == flow);
        if cells.is_empty() {
            return None;
        }
        let opened = Matrix::open(world, server, flow, &cells);
        if let Err(error) = &opened {
            for cell in cells {
                results.cell(cell, Err(anyhow!("{error:#}")));
            }
        }
        opened.ok()
    }
}

fn play_with_loss(world: &World, results: &Results, matrices: &[Matrix]) {
    let lose = |percent, addresses: &[Ipv4Addr]| {
        if let Err(error) = world.network.lose(percent, addresses) {
            results.test("natlab::loss", Err(error));
        }
    };
    let homes = world.hosts.values().chain(world.joining.values());
    lose(LOSS, &homes.map(|home| home.outside).collect::<Vec<_>>());
    thread::scope(|scope| {
        for matrix in matrices {
            scope.spawn(|| matrix.play(world, results, true, true));
        }
    });
    lose(0, &[]);
}

fn router_test(name: &str) -> String {
    format!("natlab::routers::{name}")
}
