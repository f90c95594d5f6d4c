//! Every kind of location to host from, with every kind to join from.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};
use noray_testkit::files;
use noray_testkit::interrupt::lock;

use crate::defaults::{self, FRAMES};
use crate::nat::cell::Cell;
use crate::nat::kinds::{Flow, Location, ServerKind};
use crate::nat::network::Home;
use crate::nat::outcome::Outcome;
use crate::nat::players::Player;
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
        let server = world.server(kind)?;
        let start = |side: &str, homes: &BTreeMap<Location, Home>, of: fn(&Cell) -> Location| {
            let mut started = BTreeMap::new();
            for location in cells.iter().map(of) {
                if started.contains_key(&location) {
                    continue;
                }
                let name = format!("{}-{flow:?}-{side}-{}", kind.key(), location.key());
                let home = homes.get(&location).context("the location was not made")?;
                let machine = home.player(0)?;
                let project = &world.project;
                let player = world.players.start(&name, machine, project, flow, FRAMES)?;
                started.insert(location, player);
            }
            Ok::<_, anyhow::Error>(started)
        };
        let mut hosts = start("host", &world.hosts, |cell| cell.host)?;
        let mut joining = start("join", &world.joining, |cell| cell.joining)?;
        for player in hosts.values_mut().chain(joining.values_mut()) {
            player.ready()?;
        }
        let hosts = hosts.into_iter().map(|(location, player)| {
            Ok((location, Mutex::new(Host::begin(player, &server, 32)?)))
        });
        let hosts = hosts.collect::<Result<_>>()?;
        let joining = joining.into_iter();
        Ok(Self {
            kind,
            flow,
            server,
            hosts,
            joining: joining
                .map(|(location, player)| (location, Mutex::new(player)))
                .collect(),
        })
    }

    /// Lets every player that joins do so once before it counts: connecting to the server and
    /// registering is part of a game's first join only. Returns how long the longest one took.
    pub(crate) fn warm_up(&self) -> Option<Duration> {
        let oid = lock(self.hosts.values().next()?).oid.clone();
        let mut longest = None;
        for player in self.joining.values() {
            let outcome = self.join(&mut lock(player), &oid, defaults::PLAIN_JOIN);
            if let Ok(Outcome::Joined { time, .. }) = outcome {
                longest = longest.max(Some(time));
            }
        }
        longest
    }

    /// Plays cells, a few at once if they may: never two of one host or of one joining player.
    pub(crate) fn play(&self, world: &World, results: &Results, cells: &[Cell], at_once: bool) {
        let index = |location: Location| location as usize;
        let count = Location::ALL.len();
        for round in 0..count {
            let of_round = cells
                .iter()
                .filter(|cell| (index(cell.host) + count - index(cell.joining)) % count == round);
            if at_once {
                thread::scope(|scope| {
                    for cell in of_round {
                        scope.spawn(|| results.cell(*cell, self.play_one(world, cell)));
                    }
                });
            } else {
                for cell in of_round {
                    results.cell(*cell, self.play_one(world, cell));
                }
            }
        }
    }

    fn play_one(&self, world: &World, cell: &Cell) -> Result<Outcome> {
        let players = self
            .hosts
            .get(&cell.host)
            .zip(self.joining.get(&cell.joining));
        let (host, player) = players.context("its players were not started")?;
        let (host, mut player) = (lock(host), lock(player));
        let logs = [&host.player, &*player].map(Player::log_position);
        let limit = match cell.flow {
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
        if cell.lossy && !is_reached(&outcome) {
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
        if let Outcome::Joined { .. } = outcome {
            player.must("leave", defaults::STEP)?;
        }
        thread::sleep(PAUSE);
        Ok(outcome)
    }

    /// Lets all players end, and counts as a test that none of their logs holds an error.
    pub(crate) fn close(self, results: &Results) {
        let (kind, flow) = (self.kind.key(), self.flow.prefix());
        let hosts = self.hosts.into_values().map(|host| into_inner(host).player);
        let joining = self.joining.into_values().map(into_inner);
        let mut players: Vec<Player> = joining.chain(hosts).collect();
        for player in &mut players {
            player.begin_to_quit();
        }
        let problems: Vec<String> = players
            .into_iter()
            .filter_map(|player| player.quit().err())
            .map(|error| format!("{error:#}"))
            .collect();
        let result = match problems.is_empty() {
            true => Ok(()),
            false => Err(anyhow!("{}", problems.join("\n"))),
        };
        results.test(&format!("natlab::{kind}::{flow}logs_hold_no_error"), result);
    }
}

/// Writes both logs of a cell that missed its target to a file.
fn keep_logs(world: &World, cell: &Cell, players: [&Player; 2], from: [usize; 2]) {
    let mut text = String::new();
    for (player, from) in players.into_iter().zip(from) {
        text.push_str(&format!("== {}\n", player.name()));
        for line in player.log_from(from) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    let name = cell.name().replace("::", "-");
    let file = world.logs.join(format!("{name}.log"));
    if let Err(error) = files::write(&file, text.as_bytes()) {
        eprintln!("{error:#}");
    }
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex.into_inner().unwrap_or_else(PoisonError::into_inner)
}
