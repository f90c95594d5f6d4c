//! What all players and cases of a run share.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use noray_testkit::files;
use noray_testkit::godot::Godot;
use noray_testkit::server::ServerProgram;

use crate::defaults::{self, FRAMES};
use crate::nat::kinds::{Flow, Location, ServerKind};
use crate::nat::lab_server::LabServer;
use crate::nat::network::{Home, Machine, Network};
use crate::nat::players::Player;
use crate::nat::routers::Router;

/// The machines for servers, by number; the first two are the kinds' own.
pub(crate) const SERVERS: usize = 4;
/// The machine of the server that is killed.
pub(crate) const SERVER_TO_KILL: usize = 2;
/// The machine of the server that lets a player join as often as it likes.
pub(crate) const PATIENT_SERVER: usize = 3;

/// What all players and cases use.
pub(crate) struct World<'a> {
    pub(crate) network: &'a Network,
    /// The Godot that players run in.
    pub(crate) godot: &'a Godot,
    pub(crate) our_server: ServerProgram,
    pub(crate) servers: BTreeMap<ServerKind, LabServer>,
    /// Where a player hosts for the whole run, and where one joins from.
    pub(crate) hosts: BTreeMap<Location, Home>,
    pub(crate) joining: BTreeMap<Location, Home>,
    /// The players' game with our addon.
    pub(crate) project: PathBuf,
    /// The same with netfox.noray.
    pub(crate) netfox: Option<PathBuf>,
    /// The folder for the players' commands.
    pub(crate) control: PathBuf,
    /// The folder for their logs.
    pub(crate) logs: PathBuf,
}

/// A player who hosts, and the OpenID to join by.
pub(crate) struct Host {
    pub(crate) player: Player,
    pub(crate) oid: String,
}

impl Host {
    /// Lets a player host for this many others.
    pub(crate) fn begin(mut player: Player, server: &str, max_clients: u32) -> Result<Self> {
        let answer = player.must(&format!("host {server} {max_clients}"), defaults::HOST)?;
        let oid = answer.word("oid")?.to_owned();
        Ok(Self { player, oid })
    }
}

impl World<'_> {
    /// Returns a server's address, as players name it.
    pub(crate) fn server(&self, kind: ServerKind) -> Result<String> {
        let server = self.servers.get(&kind).map(LabServer::address);
        server.with_context(|| format!("the {kind} does not run"))
    }

    /// Starts a server of ours on one of the machines for servers.
    pub(crate) fn start_our_server(
        &self,
        number: usize,
        settings: &[(&str, &str)],
    ) -> Result<LabServer> {
        let machine = self.network.server(number)?;
        LabServer::start(self.network, machine, &self.our_server, settings)
    }

    /// Starts a player and does not wait for it. `project` has been imported.
    pub(crate) fn start(
        &self,
        name: &str,
        machine: &Machine,
        project: &Path,
        flow: Flow,
        frames: u32,
    ) -> Result<Player> {
        let control = self.control.join(name);
        files::remove_folder(&control)?;
        files::create_folder(&control)?;
        let flow = match flow {
            Flow::Calls => "call",
            Flow::Plain => "plain",
        };
        let mut command = self.godot.headless(project)?;
        command.arg("--").arg("--control").arg(&control);
        command.args(["--fps", &frames.to_string(), "--flow", flow]);
        let namespaces = self.network.namespaces();
        let mut command = namespaces.moved(&machine.namespace, &command);
        let log = self.logs.join(format!("{name}.log"));
        Player::start(name, &mut command, control, &log)
    }

    /// Starts a player of ours and waits until it takes commands.
    pub(crate) fn player(&self, name: &str, machine: &Machine) -> Result<Player> {
        let mut player = self.start(name, machine, &self.project, Flow::Calls, FRAMES)?;
        player.ready()?;
        Ok(player)
    }

    /// As [`Self::player`], in a home of its own.
    pub(crate) fn player_behind(&self, router: Router, name: &str) -> Result<Player> {
        let home = self.network.home(name, router, None, 1)?;
        self.player(name, home.player(0)?)
    }

    /// Starts a player of ours that hosts for this many others.
    pub(crate) fn host(
        &self,
        name: &str,
        machine: &Machine,
        server: &str,
        max_clients: u32,
    ) -> Result<Host> {
        let player = self.player(&format!("{name}-host"), machine)?;
        Host::begin(player, server, max_clients)
    }
}
