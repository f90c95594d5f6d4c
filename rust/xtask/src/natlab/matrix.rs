//! Every kind of place to host from, with every kind to join from.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::Duration;

use anyhow::{Result, anyhow};

use super::board::Board;
use super::goals::{Goal, Outcome, Verdict};
use super::places::{Place, Site};
use super::players::{PathKind, Player};
use super::{World, lock};
use crate::{defaults, files};

/// Percent of packets that get lost in the lossy half of the matrix.
pub(super) const LOSS: u8 = 20;

/// How often each player's game looks: what most games have.
pub(super) const FRAMES: u32 = 60;

/// After which `join` is to give up, in seconds: twice what the slowest goal allows.
const JOIN_TIMEOUT: f32 = 6.0;

/// From the end of one join to the next, so that both games have seen the end.
const PAUSE: Duration = Duration::from_millis(100);

/// One join.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Cell {
    pub site: Site,
    pub way: PathKind,
    pub host: Place,
    pub joining: Place,
    pub lossy: bool,
}

impl Cell {
    /// Its name as a test.
    pub(super) fn name(&self) -> String {
        let way = match self.way {
            PathKind::Call => "",
            PathKind::Plain => "plain_flow::",
        };
        let loss = if self.lossy { "::loss" } else { "" };
        format!(
            "natlab::{}::{way}{}_hosts_{}_joins{loss}",
            self.site.key(),
            self.host.key(),
            self.joining.key()
        )
    }

    /// What it is to come to.
    pub(super) fn goal(&self) -> Goal {
        Goal::of_cell(self.site, self.way, self.host, self.joining, self.lossy)
    }

    /// From telling a player to join to its answer.
    fn limit(&self) -> Duration {
        match self.way {
            PathKind::Call => defaults::LAB_JOIN,
            PathKind::Plain => defaults::LAB_PLAIN_JOIN,
        }
    }
}

/// All cells of a kind.
pub(super) fn cells(site: Site, way: PathKind, lossy: bool) -> impl Iterator<Item = Cell> {
    Place::ALL.into_iter().flat_map(move |host| {
        Place::ALL.into_iter().map(move |joining| Cell {
            site,
            way,
            host,
            joining,
            lossy,
        })
    })
}

/// Players of one kind, one in each place that hosts and in each that joins, at one server.
pub(super) struct Stage {
    site: Site,
    way: PathKind,
    server: String,
    hosts: BTreeMap<Place, Mutex<Host>>,
    joining: BTreeMap<Place, Mutex<Player>>,
}

struct Host {
    player: Player,
    oid: String,
}

impl Stage {
    /// Starts the players that `cells` need, all at once, and lets the hosts host.
    pub(super) fn open(world: &World, site: Site, way: PathKind, cells: &[Cell]) -> Result<Self> {
        let server = world.server(site)?;
        let start = |places: &dyn Fn(&Cell) -> Place, hosts: bool| {
            let mut started = BTreeMap::new();
            for place in cells.iter().map(places) {
                if started.contains_key(&place) {
                    continue;
                }
                let side = if hosts { "host" } else { "join" };
                let name = format!("{}-{way:?}-{side}-{}", site.key(), place.key());
                let machine = world.machine(place, hosts)?;
                let player = world
                    .players
                    .start(&name, &machine, &world.project, way, FRAMES)?;
                started.insert(place, player);
            }
            Ok::<_, anyhow::Error>(started)
        };
        let mut hosts = start(&|cell| cell.host, true)?;
        let mut joining = start(&|cell| cell.joining, false)?;
        for player in hosts.values_mut().chain(joining.values_mut()) {
            player.ready()?;
        }
        let mut hosting = BTreeMap::new();
        for (place, mut player) in hosts {
            let answer = player.must(&format!("host {server} 32"), defaults::LAB_HOST)?;
            let oid = answer.word("oid")?.to_owned();
            hosting.insert(place, Mutex::new(Host { player, oid }));
        }
        Ok(Self {
            site,
            way,
            server,
            hosts: hosting,
            joining: joining
                .into_iter()
                .map(|(place, player)| (place, Mutex::new(player)))
                .collect(),
        })
    }

    /// Lets every player that joins do so once before it counts: connecting to the server and
    /// registering is part of a game's first join only. Returns the longest one.
    pub(super) fn warm_up(&self) -> Option<Duration> {
        let host = self
            .hosts
            .iter()
            .min_by_key(|(place, _)| **place)
            .map(|(_, host)| host)?;
        let oid = lock(host).oid.clone();
        let mut longest = None;
        for player in self.joining.values() {
            let mut player = lock(player);
            let outcome = self.join(&mut player, &oid, defaults::LAB_PLAIN_JOIN);
            if let Ok(Outcome::Joined { time, .. }) = outcome {
                longest = longest.max(Some(time));
            }
        }
        longest
    }

    /// Plays cells, a few at once if they may: never two of one host or of one joining player.
    pub(super) fn play(&self, world: &World, board: &Board, cells: &[Cell], at_once: bool) {
        let index = |place: Place| Place::ALL.iter().position(|&other| other == place);
        let count = Place::ALL.len();
        for round in 0..count {
            let of_round = cells.iter().filter(|cell| {
                let (host, joining) = (index(cell.host), index(cell.joining));
                host.zip(joining)
                    .is_some_and(|(host, joining)| (host + count - joining) % count == round)
            });
            if at_once {
                thread::scope(|scope| {
                    for cell in of_round {
                        scope.spawn(|| self.play_one(world, board, cell));
                    }
                });
            } else {
                for cell in of_round {
                    self.play_one(world, board, cell);
                }
            }
        }
    }

    fn play_one(&self, world: &World, board: &Board, cell: &Cell) {
        let (Some(host), Some(player)) =
            (self.hosts.get(&cell.host), self.joining.get(&cell.joining))
        else {
            board.cell(
                *cell,
                cell.goal(),
                Err(anyhow!("its players were not started")),
            );
            return;
        };
        let (host, mut player) = (lock(host), lock(player));
        let logs = [&host.player, &*player].map(Player::log_position);
        let reached = |outcome: &Result<Outcome>| {
            (outcome.as_ref())
                .is_ok_and(|outcome| matches!(cell.goal().judge(outcome), Verdict::Reached))
        };
        let mut outcome = self.join(&mut player, &host.oid, cell.limit());
        // A fifth is lost each way, and dice decide: about one such join in a hundred is late. Two in a
        // row are no accident.
        if cell.lossy && !reached(&outcome) {
            if let Ok(first) = &outcome {
                println!("   {}: {first}, and once more", cell.name());
            }
            outcome = self.join(&mut player, &host.oid, cell.limit());
        }
        let outcome = match outcome {
            Ok(outcome) if matches!(cell.goal().judge(&outcome), Verdict::Reached) => Ok(outcome),
            Ok(outcome) => {
                keep_logs(world, cell, [&host.player, &player], logs);
                Ok(outcome)
            }
            Err(error) => {
                keep_logs(world, cell, [&host.player, &player], logs);
                Err(error)
            }
        };
        board.cell(*cell, cell.goal(), outcome);
    }

    fn join(&self, player: &mut Player, oid: &str, limit: Duration) -> Result<Outcome> {
        let command = format!("join {} {oid} timeout={JOIN_TIMEOUT:.1}", self.server);
        let answer = player.ask(&command, limit)?;
        let outcome = Outcome::read(&answer)?;
        if let Outcome::Joined { .. } = outcome {
            player.must("leave", defaults::LAB_STEP)?;
        }
        thread::sleep(PAUSE);
        Ok(outcome)
    }

    /// Lets all players end, and counts as a test that none of their logs holds an error.
    pub(super) fn close(self, board: &Board) {
        let way = match self.way {
            PathKind::Call => "",
            PathKind::Plain => "plain_flow::",
        };
        let name = format!("natlab::{}::{way}logs_hold_no_error", self.site.key());
        let mut players: Vec<Player> = self
            .joining
            .into_values()
            .map(into_inner)
            .chain(self.hosts.into_values().map(|host| into_inner(host).player))
            .collect();
        for player in &mut players {
            player.begin_to_quit();
        }
        let problems: Vec<String> = players
            .into_iter()
            .map(Player::quit)
            .filter_map(Result::err)
            .map(|error| format!("{error:#}"))
            .collect();
        board.test(
            &name,
            if problems.is_empty() {
                Ok(())
            } else {
                Err(anyhow!("{}", problems.join("\n")))
            },
        );
    }
}

/// Writes both logs of a cell that missed its goal to a file.
fn keep_logs(world: &World, cell: &Cell, players: [&Player; 2], from: [usize; 2]) {
    let mut text = String::new();
    for (player, from) in players.into_iter().zip(from) {
        text.push_str(&format!("== {}\n", player.name()));
        for line in player.log_from(from) {
            text.push_str(&line);
            text.push('\n');
        }
    }
    let file = world
        .logs
        .join(format!("{}.log", cell.name().replace("::", "-")));
    if let Err(error) = files::write(&file, text.as_bytes()) {
        eprintln!("{error:#}");
    }
}

fn into_inner<T>(mutex: Mutex<T>) -> T {
    mutex
        .into_inner()
        .unwrap_or_else(std::sync::PoisonError::into_inner)
}
