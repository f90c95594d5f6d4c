//! Games of two processes, written from the guide, that meet at a server and talk.
//!
//! Each game is staged fresh in `target/games/<name>` from the template `games/guide` and an
//! addon: ours, or, when a checkout is named, the GDScript one that today's games use.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};

use crate::cargo::Profile;
use crate::godot::Godot;
use crate::process::Game;
use crate::report::Report;
use crate::server::Server;
use crate::{addon, defaults, engine, files, paths};

/// What there is to play with beside our own.
#[derive(Default)]
pub(crate) struct Others {
    /// A checkout of netfox, with `addons/netfox.noray`.
    pub netfox: Option<PathBuf>,
    /// An installed copy of the public server.
    pub noray: Option<PathBuf>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Addon {
    Ours,
    Netfox,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum PathKind {
    Direct,
    Relay,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Place {
    Ours,
    Public,
}

struct Scenario {
    place: Place,
    host: Addon,
    client: Addon,
    way: PathKind,
}

impl Scenario {
    fn name(&self) -> String {
        let addon = |addon| match addon {
            Addon::Ours => "ours",
            Addon::Netfox => "netfox",
        };
        let place = match self.place {
            Place::Ours => "our_server",
            Place::Public => "public_server",
        };
        let way = match self.way {
            PathKind::Direct => "direct",
            PathKind::Relay => "relay",
        };
        let (host, client) = (addon(self.host), addon(self.client));
        format!("games::{place}::host_{host}::client_{client}::{way}")
    }

    /// Whether a client that talks to `port` goes the way that it should.
    fn check_way(&self, port: u16, server: &Server) -> Result<()> {
        let relayed = server.relay_ports.contains(&port);
        match self.way {
            PathKind::Direct if relayed => bail!("it talks to the relay on port {port}"),
            PathKind::Relay if !relayed => bail!("it talks to port {port}, which is no relay"),
            _ => Ok(()),
        }
    }

    fn needs(&self, addon: Addon) -> bool {
        self.host == addon || self.client == addon
    }
}

fn all() -> Vec<Scenario> {
    let pairs = [
        (Addon::Ours, Addon::Ours),
        (Addon::Ours, Addon::Netfox),
        (Addon::Netfox, Addon::Ours),
    ];
    let mut scenarios = Vec::new();
    for place in [Place::Ours, Place::Public] {
        for (host, client) in pairs {
            for way in [PathKind::Direct, PathKind::Relay] {
                scenarios.push(Scenario {
                    place,
                    host,
                    client,
                    way,
                });
            }
        }
    }
    scenarios
}

/// Plays all scenarios that `report` wants and that can be played with what there is.
pub(crate) fn run(godot: &Godot, others: &Others, report: &mut Report) -> Result<()> {
    let wanted: Vec<Scenario> = all()
        .into_iter()
        .filter(|scenario| report.wants(&scenario.name()))
        .collect();
    let can_play = |scenario: &Scenario| {
        (!scenario.needs(Addon::Netfox) || others.netfox.is_some())
            && (scenario.place == Place::Ours || others.noray.is_some())
    };
    let used = |addon| {
        wanted
            .iter()
            .any(|scenario| can_play(scenario) && scenario.needs(addon))
    };
    // Another run would stage its games in the same place.
    let folder = paths::target()?.join("games");
    let _lock = files::Lock::wait(&folder.join("lock"))?;
    let games = Games {
        ours: folder.join("guide"),
        netfox: folder.join("guide-netfox"),
    };
    if used(Addon::Ours) {
        stage(godot, "guide", &games.ours, None).context("the guide's game with our addon")?;
    }
    if let Some(checkout) = others.netfox.as_ref().filter(|_| used(Addon::Netfox)) {
        stage(godot, "guide", &games.netfox, Some(checkout)).context("the game with netfox")?;
    }
    if wanted.iter().any(can_play) {
        // Not by the first scenario, whose time it would count in.
        Server::build(Profile::Debug)?;
    }
    for scenario in wanted {
        let name = scenario.name();
        if scenario.needs(Addon::Netfox) && others.netfox.is_none() {
            report.skip(&name, "no checkout of netfox was named (--netfox DIR)");
        } else if scenario.place == Place::Public && others.noray.is_none() {
            report.skip(
                &name,
                "no copy of the public server was named (--noray DIR)",
            );
        } else {
            report.test(&name, || play(godot, &games, &scenario, others));
        }
    }
    Ok(())
}

struct Games {
    ours: PathBuf,
    netfox: PathBuf,
}

impl Games {
    fn folder(&self, addon: Addon) -> &Path {
        match addon {
            Addon::Ours => &self.ours,
            Addon::Netfox => &self.netfox,
        }
    }
}

/// Makes a game anew in `folder` from its template, with our addon or that of a checkout of
/// netfox, and imports it as the editor does when it is opened for the first time.
pub(crate) fn stage(
    godot: &Godot,
    template: &str,
    folder: &Path,
    netfox: Option<&Path>,
) -> Result<()> {
    files::remove_folder(folder)?;
    files::mirror(&paths::game_templates().join(template), folder, &|_| false)?;
    match netfox {
        None => addon::stage_in(folder)?,
        Some(checkout) => {
            for part in ["netfox.internals", "netfox.noray"] {
                let from = checkout.join("addons").join(part);
                files::mirror(&from, &folder.join("addons").join(part), &|_| false)
                    .with_context(|| format!("{} is no checkout of netfox", checkout.display()))?;
            }
            let project = folder.join("project.godot");
            let mut settings =
                fs::read_to_string(&project).with_context(|| format!("{}", project.display()))?;
            settings.push_str(
                "\n[autoload]\n\n\
                 Noray=\"*res://addons/netfox.noray/noray.gd\"\n\
                 PacketHandshake=\"*res://addons/netfox.noray/packet-handshake.gd\"\n",
            );
            files::write(&project, settings.as_bytes())?;
        }
    }
    engine::import(godot, folder)
}

fn play(godot: &Godot, games: &Games, scenario: &Scenario, others: &Others) -> Result<()> {
    let server = match (scenario.place, &others.noray) {
        (Place::Public, Some(folder)) => Server::start_public(folder)?,
        _ => Server::start_ours(Profile::Debug)?,
    };
    meet(godot, games, scenario, &server)?;
    server.stop()
}

fn meet(godot: &Godot, games: &Games, scenario: &Scenario, server: &Server) -> Result<()> {
    let start = |name: &str, addon: Addon, arguments: &[&str]| {
        let mut command = engine::headless(godot, games.folder(addon))?;
        command
            // Names what leaks.
            .args(["--verbose", "--"])
            .args(["--noray", &server.port.to_string()])
            .args(["--registrar-port", &server.registrar_port.to_string()])
            .args(arguments);
        Game::start(name, &mut command)
    };

    let linger = defaults::OLD_HOST_LINGERS.as_secs().to_string();
    let mut arguments = vec!["--host"];
    if scenario.host == Addon::Netfox {
        arguments.extend(["--linger", &linger]);
    }
    let mut host = start("host", scenario.host, &arguments)?;
    let mut read = 0;
    let oid = step(&mut host, &mut read, |line| {
        line.strip_prefix("oid ").map(str::to_owned)
    });
    let oid = match oid {
        Ok(oid) => oid,
        Err(error) => return Err(with_log(error, host)),
    };

    let mut arguments = vec!["--join", &oid];
    if scenario.way == PathKind::Relay {
        arguments.push("--relay");
    }
    let mut client = start("client", scenario.client, &arguments)?;
    let mut client_read = 0;
    let connected = step(&mut client, &mut client_read, |line| {
        line.strip_prefix("connected ")?.parse::<u16>().ok()
    });
    let connected = connected
        .and_then(|port| scenario.check_way(port, server))
        .map_err(|error| error.context("client"));

    // The client ends first. Both ends are judged, so that a failure shows both logs.
    let client =
        engine::finish(client, defaults::GAME_STEP).map_err(|error| error.context("client"));
    let limit = match &client {
        Ok(()) => defaults::GAME_EXIT + defaults::OLD_HOST_LINGERS,
        Err(_) => Duration::ZERO,
    };
    let asked = step(&mut host, &mut read, |line| (line == "asked").then_some(()))
        .map_err(|error| error.context("host"));
    let host = engine::finish(host, limit).map_err(|error| error.context("host"));
    let failures: Vec<String> = [connected, client, asked, host]
        .into_iter()
        .filter_map(Result::err)
        .map(|error| format!("{error:#}"))
        .collect();
    if failures.is_empty() {
        Ok(())
    } else {
        bail!("{}", failures.join("\n"))
    }
}

/// Waits for a `[game]` line; a failure that the game tells of ends the wait.
fn step<T>(
    game: &mut Game,
    read: &mut usize,
    mut wanted: impl FnMut(&str) -> Option<T>,
) -> Result<T> {
    let until = Instant::now() + defaults::GAME_STEP;
    let found = game.wait_for(read, until, |line| {
        let line = line.strip_prefix("[game] ")?;
        match line.strip_prefix("FAILED ") {
            Some(why) => Some(Err(anyhow!("{why}"))),
            None => wanted(line).map(Ok),
        }
    });
    match found {
        Ok(result) => result,
        Err(missed) => bail!("a line did not come: {missed}"),
    }
}

fn with_log(error: anyhow::Error, game: Game) -> anyhow::Error {
    let name = game.name().to_owned();
    let ended = game.finish(defaults::POLITE_END);
    error.context(format!("{name}\n{}", engine::tail(&ended.lines)))
}
