//! Every kind of location to host from, with every kind to join from.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result};
use noray_testkit::files;
use noray_testkit::interrupt::lock;

use crate::defaults::{self, FRAMES};
use crate::nat::cell::Cell;
use crate::nat::kinds::{Flow, Location, ServerKind};
use crate::nat::network::Home;
use crate::nat::outcome::Outcome;
use crate::nat::players::{Player, quit_all};
use crate::nat::results::Results;
use crate::nat::world::{Host, World};

/// Percent of packets that get lost in the lossy half of the matrix.
pub(crate) const LOSS: u8 = 20;

/// After which `join` is to give up, in seconds: twice what the slowest target allows.
const JOIN_TIMEOUT: f32 = 6.0;

/// From the end of one join to the next, so that both games have seen the end.
const PAUSE: Duration = Duration::from_millis(100);

/// Players of one flow at one server: one in each location that hosts and in each that joins.
pub(crate) struct Matrix {
    kind: ServerKind,
    flow: Flow,
    cells: Vec<Cell>,
    server: String,
    hosts: BTreeMap<Location, Mutex<Host>>,
    joining: BTreeMap<Location, Mutex<Player>>,
}

impl Matrix {
    /// Starts the players that `cells` need, all at once, and lets the hosts host.
    pub(crate) fn open(
        world: &World,
        kind: ServerKind,
        flow: Flow,
        cells: &[Cell],
    ) -> Result<Self> {
        let start = |side: &str, homes: &BTreeMap<Location, Home>, of: fn(&Cell) -> Location| {
            let mut started = BTreeMap::new();
            for location in cells.iter().map(of) {
                if let Entry::Vacant(entry) = started.entry(location) {
                    let name = format!("{}-{flow:?}-{side}-{}", kind.key(), location.key());
                    let home = homes.get(&location).context("the location was not made")?;
                    let project = &world.project;
                    entry.insert(world.start(&name, home.player(0)?, project, flow, FRAMES)?);
                }
            }
            Ok::<_, anyhow::Error>(started)
        };
        let mut players = start("host", &world.hosts, |cell| cell.host)?;
        let mut joining = start("join", &world.joining, |cell| cell.joining)?;
        for player in players.values_mut().chain(joining.values_mut()) {
            player.ready()?;
        }
        let server = world.server(kind)?;
        let mut hosts = BTreeMap::new();
        for (location, player) in players {
            hosts.insert(location, Mutex::new(Host::begin(player, &server, 32)?));
        }
        let joining = joining.into_iter();
        let joining = joining.map(|(location, player)| (location, Mutex::new(player)));
        Ok(Self {
            kind,
            flow,
            cells: cells.to_vec(),
            server,
            hosts,
            joining: joining.collect(),
        })
    }

    /// Lets every player that joins do so once before it counts: connecting to the server and
    /// registering is part of a game's first join only. Returns how long the longest one took.
    pub(crate) fn warm_up(&self) -> Option<Duration> {
        let oid = lock(self.hosts.values().next()?).oid.clone();
        let mut longest = None;
        for player in self.joining.values() {
            let outcome = self.join(&mut lock(player), &oid, defaults::PLAIN_JOIN);
            let joined = outcome.ok().filter(|outcome| outcome.path.is_ok());
            longest = longest.max(joined.map(|outcome| outcome.time));
        }
        longest
    }

    /// Plays the cells with or without loss, a few at once if they may: never two of one host or of
    /// one joining player.
    pub(crate) fn play(&self, world: &World, results: &Results, lossy: bool, at_once: bool) {
        let count = Location::ALL.len();
        for round in 0..count {
            let of_round = self.cells.iter().filter(|cell| {
                let distance = cell.host as usize + count - cell.joining as usize;
                cell.column.lossy == lossy && distance % count == round
            });
            thread::scope(|scope| {
                for cell in of_round {
                    let play = || results.cell(*cell, self.play_one(world, cell));
                    if at_once {
                        scope.spawn(play);
                    } else {
                        play();
                    }
                }
            });
        }
    }

    fn play_one(&self, world: &World, cell: &Cell) -> Result<Outcome> {
        let players = self
            .hosts
            .get(&cell.host)
            .zip(self.joining.get(&cell.joining));
        let (host, player) = players.context("its players were not started")?;
        let (host, mut player) = (lock(host), lock(player));
        let logs = [&host.player, &*player].map(|player| player.process.line_count());
        let limit = match self.flow {
            Flow::Calls => defaults::JOIN,
            Flow::Plain => defaults::PLAIN_JOIN,
        };
        let is_reached = |outcome: &Result<Outcome>| {
            let outcome = outcome.as_ref();
            outcome.is_ok_and(|outcome| cell.target().is_reached_by(outcome))
        };
        let mut outcome = self.join(&mut player, &host.oid, limit);
        // A fifth of the packets is lost each way, at random: about one such join in a hundred is
        // late, and two in a row are no accident.
        if cell.column.lossy && !is_reached(&outcome) {
            if let Ok(first) = &outcome {
                println!("   {}: {first}, and once more", cell.name());
            }
            outcome = self.join(&mut player, &host.oid, limit);
        }
        if !is_reached(&outcome) {
            keep_logs(world, cell, [&host.player, &player], logs);
        }
        outcome
    }

    fn join(&self, player: &mut Player, oid: &str, limit: Duration) -> Result<Outcome> {
        let command = format!("join {} {oid} timeout={JOIN_TIMEOUT:.1}", self.server);
        let outcome = Outcome::read(&player.ask(&command, limit)?)?;
        if outcome.path.is_ok() {
            player.must("leave", defaults::STEP)?;
        }
        thread::sleep(PAUSE);
        Ok(outcome)
    }

    /// Lets all players end, and counts as a test that none of their logs holds an error.
    pub(crate) fn close(self, results: &Results) {
        let name = format!(
            "natlab::{}::{}logs_hold_no_error",
            self.kind.key(),
            self.flow.prefix()
        );
        let hosts = self.hosts.into_values().map(|host| into_inner(host).player);
        let joining = self.joining.into_values().map(into_inner);
        results.test(&name, quit_all(joining.chain(hosts).collect()));
    }
}

/// Writes both logs of a cell that missed its target to a file.
fn keep_logs(world: &World, cell: &Cell, players: [&Player; 2], from: [usize; 2]) {
    let logs = players.into_iter().zip(from).map(|(player, from)| {
        let lines = player.process.lines_from(from).join("\n");
        format!("== {}\n{lines}\n", player.process.name())
    });
    let text: String = logs.collect();
    let name = cell.name().replace("::", "-");
    let file = world.logs.join(format!("{name}.log"));
    if let Err(error) = files::write(&file, text.as_bytes()) {
        eprintln!("{error:#}");
    }
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}
