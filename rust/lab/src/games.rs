//! Games of two processes, written from the guide, that meet at a server and talk.
//!
//! Each game is staged fresh in `target/games/<name>` from the template `games/guide` and an
//! addon: ours, or, when a checkout is named, the GDScript one that today's games use.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, ensure};
use noray_testkit::child::ChildProcess;
use noray_testkit::defaults::{GAME_EXIT, POLITE_END};
use noray_testkit::game::{self, Others};
use noray_testkit::godot::{self, Godot};
use noray_testkit::report::Report;
use noray_testkit::server::{ServerProcess, ServerProgram};
use noray_testkit::{files, paths};

use crate::defaults;

/// A game uses two relays.
const RELAYS: usize = 16;

/// Where the games' templates are.
pub(crate) fn template(name: &str) -> PathBuf {
    paths::root().join("rust/lab/games").join(name)
}

/// Whose addon a game has.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Addon {
    Ours,
    Netfox,
}

impl Addon {
    fn key(self) -> &'static str {
        match self {
            Self::Ours => "ours",
            Self::Netfox => "netfox",
        }
    }
}

/// Who hosts, and who joins.
const ADDONS: [[Addon; 2]; 3] = [
    [Addon::Ours, Addon::Ours],
    [Addon::Ours, Addon::Netfox],
    [Addon::Netfox, Addon::Ours],
];

/// One game.
struct Pairing {
    at_public_server: bool,
    /// The host's and the client's.
    addons: [Addon; 2],
    relayed: bool,
}

impl Pairing {
    fn all() -> Vec<Self> {
        let mut all = Vec::new();
        for at_public_server in [false, true] {
            for addons in ADDONS {
                all.extend([false, true].map(|relayed| Self {
                    at_public_server,
                    addons,
                    relayed,
                }));
            }
        }
        all
    }

    fn name(&self) -> String {
        let server = match self.at_public_server {
            true => "public_server",
            false => "our_server",
        };
        let path = if self.relayed { "relay" } else { "direct" };
        let [host, client] = self.addons.map(Addon::key);
        format!("games::{server}::host_{host}::client_{client}::{path}")
    }

    /// Returns why it cannot be played, if so.
    fn lacks(&self, others: &Others) -> Option<&'static str> {
        if self.addons.contains(&Addon::Netfox) && others.netfox.is_none() {
            Some("no checkout of netfox was named (--netfox DIR)")
        } else if self.at_public_server && others.noray.is_none() {
            Some("no copy of the public server was named (--noray DIR)")
        } else {
            None
        }
    }
}

/// Plays all games that `report` wants and that can be played with what there is.
pub(crate) fn run(
    godot: &Godot,
    our_server: &ServerProgram,
    others: &Others,
    report: &mut Report,
) -> Result<()> {
    let (playable, skipped): (Vec<Pairing>, Vec<Pairing>) = Pairing::all()
        .into_iter()
        .filter(|pairing| report.wants(&pairing.name()))
        .partition(|pairing| pairing.lacks(others).is_none());
    let folder = paths::target()?.join("games");
    let table = Table {
        godot,
        ours: folder.join("guide"),
        netfox: folder.join("guide-netfox"),
    };
    // Another run would stage its games in the same place.
    let _lock = files::lock(&folder.join("lock"))?;
    for (addon, project, checkout) in [
        (Addon::Ours, &table.ours, None),
        (Addon::Netfox, &table.netfox, others.netfox.as_deref()),
    ] {
        if playable
            .iter()
            .any(|pairing| pairing.addons.contains(&addon))
        {
            game::stage(godot, &template("guide"), project, checkout)
                .with_context(|| format!("the guide's game, addon: {}", addon.key()))?;
        }
    }
    for pairing in playable {
        let program = match &others.noray {
            Some(folder) if pairing.at_public_server => ServerProgram::Public(folder.clone()),
            _ => our_server.clone(),
        };
        report.test(&pairing.name(), || {
            let server = ServerProcess::start(&program, RELAYS, &[])?;
            table.play(&pairing, &server)?;
            server.stop().map(drop)
        });
    }
    for pairing in skipped {
        report.skip(&pairing.name(), pairing.lacks(others).unwrap_or_default());
    }
    Ok(())
}

/// What every game needs.
struct Table<'a> {
    godot: &'a Godot,
    ours: PathBuf,
    netfox: PathBuf,
}

impl Table<'_> {
    fn start(
        &self,
        name: &str,
        addon: Addon,
        server: &ServerProcess,
        arguments: &[&str],
    ) -> Result<ChildProcess> {
        let project: &Path = match addon {
            Addon::Ours => &self.ours,
            Addon::Netfox => &self.netfox,
        };
        let mut command = self.godot.headless(project)?;
        command
            // Names what leaks.
            .args(["--verbose", "--"])
            .args(["--noray", &server.ports.commands.to_string()])
            .args(["--registrar-port", &server.ports.registrar.to_string()])
            .args(arguments);
        ChildProcess::start(name, &mut command)
    }

    fn play(&self, pairing: &Pairing, server: &ServerProcess) -> Result<()> {
        let [host_addon, client_addon] = pairing.addons;
        let linger = defaults::OLD_HOST_LINGERS.as_secs().to_string();
        let arguments: &[&str] = match host_addon {
            Addon::Ours => &["--host"],
            Addon::Netfox => &["--host", "--linger", &linger],
        };
        let mut host = self.start("host", host_addon, server, arguments)?;
        let oid = match step(&mut host, |line| {
            line.strip_prefix("oid ").map(str::to_owned)
        }) {
            Ok(oid) => oid,
            Err(error) => {
                let log = host.finish(POLITE_END).lines;
                return Err(error.context(format!("host\n{}", godot::tail(&log))));
            }
        };

        let mut arguments = vec!["--join", &oid];
        arguments.extend(pairing.relayed.then_some("--relay"));
        let mut client = self.start("client", client_addon, server, &arguments)?;
        let port = step(&mut client, |line| {
            line.strip_prefix("connected ")?.parse().ok()
        });
        let path = port.and_then(|port: u16| {
            let is_relay = server.ports.relays.contains(&port);
            ensure!(
                is_relay == pairing.relayed,
                "it talks to port {port}; is that a relay: {is_relay}"
            );
            Ok(())
        });

        // The client ends first. Both ends are judged, so that a failure shows both logs.
        let client = godot::finish(client, defaults::GAME_STEP);
        let limit = match &client {
            Ok(()) => GAME_EXIT + defaults::OLD_HOST_LINGERS,
            Err(_) => Duration::ZERO,
        };
        let asked = step(&mut host, |line| (line == "asked").then_some(()));
        let host = godot::finish(host, limit);
        let results = [
            ("client", path),
            ("client", client),
            ("host", asked),
            ("host", host),
        ];
        let failures: Vec<String> = results
            .into_iter()
            .filter_map(|(who, result)| Some(format!("{who}: {:#}", result.err()?)))
            .collect();
        ensure!(failures.is_empty(), "{}", failures.join("\n"));
        Ok(())
    }
}

/// Waits for a `[game]` line; a failure that the game reports ends the wait.
fn step<T>(game: &mut ChildProcess, mut wanted: impl FnMut(&str) -> Option<T>) -> Result<T> {
    let until = Instant::now() + defaults::GAME_STEP;
    let found = game.wait_for_line(until, |line| {
        let line = line.strip_prefix("[game] ")?;
        match line.strip_prefix("FAILED ") {
            Some(why) => Some(Err(anyhow!("{why}"))),
            None => wanted(line).map(Ok),
        }
    });
    found.map_err(|error| anyhow!("a line did not come: {error}"))?
}
