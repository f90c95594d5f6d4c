//! Games of two processes, written from the guide, that meet at a server and talk.
//!
//! Each game is staged fresh in `target/games/<name>` from the template `games/guide` and an
//! addon: ours, or, when a checkout is named, the GDScript one that today's games use.

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
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

/// One game.
struct Pairing {
    at_public_server: bool,
    host: Addon,
    client: Addon,
    relayed: bool,
}

impl Pairing {
    fn all() -> Vec<Self> {
        let addons = [
            (Addon::Ours, Addon::Ours),
            (Addon::Ours, Addon::Netfox),
            (Addon::Netfox, Addon::Ours),
        ];
        let mut all = Vec::new();
        for at_public_server in [false, true] {
            for (host, client) in addons {
                all.extend([false, true].map(|relayed| Self {
                    at_public_server,
                    host,
                    client,
                    relayed,
                }));
            }
        }
        all
    }

    fn name(&self) -> String {
        let server = if self.at_public_server {
            "public_server"
        } else {
            "our_server"
        };
        let path = if self.relayed { "relay" } else { "direct" };
        let (host, client) = (self.host.key(), self.client.key());
        format!("games::{server}::host_{host}::client_{client}::{path}")
    }

    fn uses(&self, addon: Addon) -> bool {
        self.host == addon || self.client == addon
    }

    /// Returns why it cannot be played, if so.
    fn lacks(&self, others: &Others) -> Option<&'static str> {
        if self.uses(Addon::Netfox) && others.netfox.is_none() {
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
    let guide = template("guide");
    let used = |addon| playable.iter().any(|pairing| pairing.uses(addon));
    if used(Addon::Ours) {
        game::stage(godot, &guide, &table.ours, None).context("the guide's game with our addon")?;
    }
    if used(Addon::Netfox) {
        let checkout = others.netfox.as_deref();
        game::stage(godot, &guide, &table.netfox, checkout).context("the game with netfox")?;
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
        let linger = defaults::OLD_HOST_LINGERS.as_secs().to_string();
        let mut arguments = vec!["--host"];
        if pairing.host == Addon::Netfox {
            arguments.extend(["--linger", &linger]);
        }
        let mut host = self.start("host", pairing.host, server, &arguments)?;
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
        if pairing.relayed {
            arguments.push("--relay");
        }
        let mut client = self.start("client", pairing.client, server, &arguments)?;
        let port = step(&mut client, |line| {
            line.strip_prefix("connected ")?.parse().ok()
        });
        let path = port.and_then(|port: u16| {
            match (pairing.relayed, server.ports.relays.contains(&port)) {
                (false, true) => bail!("it talks to the relay on port {port}"),
                (true, false) => bail!("it talks to port {port}, which is no relay"),
                _ => Ok(()),
            }
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
        if !failures.is_empty() {
            bail!("{}", failures.join("\n"));
        }
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
