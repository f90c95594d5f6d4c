//! Plays with real Godots: behind every kind of router, and two players at a server of either kind.
//!
//! `nat` is the lab: players in network namespaces behind real Linux NATs, with a world and noray
//! servers between them. In most homes one player hosts or joins for the whole run, so that a cell
//! of the matrix takes no longer than a join.
//!
//! It is not built on `patchbay`, a lab of NATs by the authors of iroh, which loses packets by
//! `tc netem` alone (a module that Debian 12's cloud kernel lacks), whose routers with one port for
//! all destinations always keep the inside port, and which opens and shuts no router for UDP during
//! a game. What it has beyond ours (IPv6, regions, bandwidth) is not needed here.
//!
//! | file | holds |
//! | --- | --- |
//! | `games` | `games`: two players, with our addon or netfox's, at our server or the public one |
//! | `nat` | `nat`: what is played, and in which order |
//! | `world` | the network, the servers and the players that cases share |
//! | `network`, `routers`, `namespaces` | machines and routers, the rules of each kind, `ip` and `nft` |
//! | `router_check` | whether each router is what it is called |
//! | `kinds`, `cell`, `matrix` | what is combined, one join, all of them |
//! | `cases` | what the matrix cannot show |
//! | `players`, `lab_server`, `garbage` | the processes |
//! | `outcome`, `target`, `results` | what a join came to, what it is to come to, the tables |

#[cfg(target_os = "linux")]
mod cases;
#[cfg(target_os = "linux")]
mod cell;
mod defaults;
mod games;
#[cfg(target_os = "linux")]
mod garbage;
#[cfg(target_os = "linux")]
mod kinds;
#[cfg(target_os = "linux")]
mod lab_server;
#[cfg(target_os = "linux")]
mod matrix;
#[cfg(target_os = "linux")]
mod namespaces;
#[cfg(target_os = "linux")]
mod nat;
#[cfg(target_os = "linux")]
mod network;
#[cfg(target_os = "linux")]
mod outcome;
#[cfg(target_os = "linux")]
mod players;
#[cfg(target_os = "linux")]
mod results;
#[cfg(target_os = "linux")]
mod router_check;
#[cfg(target_os = "linux")]
mod routers;
#[cfg(target_os = "linux")]
mod target;
#[cfg(target_os = "linux")]
mod world;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, Result};
use clap::{Args, Parser};
use noray_testkit::game::Others;
use noray_testkit::godot::Godot;
use noray_testkit::interrupt;
use noray_testkit::report::Report;
use noray_testkit::server::ServerProgram;

/// Plays with real Godots, and prints the sum on the last line
#[derive(Parser)]
enum Command {
    /// Lets players behind every kind of router join each other, and prints who gets in, by which
    /// path and how fast: for Linux, as root
    #[command(name = "nat")]
    Nat {
        #[command(flatten)]
        options: Options,
        /// The program `nft`; else it is looked for
        #[arg(long, value_name = "FILE")]
        nft: Option<PathBuf>,
    },
    /// Lets two players meet at a server and talk
    Games(Options),
    /// Sends garbage to every UDP port of a process
    #[cfg(target_os = "linux")]
    #[command(hide = true)]
    Garbage {
        /// The process's id
        process: u32,
        /// The address of its machine
        address: std::net::Ipv4Addr,
        /// Datagrams a second for each port
        rate: u32,
    },
}

/// What to play with.
#[derive(Args)]
struct Options {
    /// The Godot that players run in
    #[arg(long, value_name = "FILE", env = "GODOT4_BIN")]
    godot: Option<PathBuf>,
    /// Our server's executable
    #[arg(long, value_name = "FILE")]
    server: Option<PathBuf>,
    /// A checkout of foxssake/netfox, whose players then play with ours
    #[arg(long, value_name = "DIR")]
    netfox: Option<PathBuf>,
    /// An installed copy of foxssake/noray (with its npm packages), where players then meet
    #[arg(long, value_name = "DIR")]
    noray: Option<PathBuf>,
    /// Only tests with this in their name
    filter: Option<String>,
}

impl Options {
    fn godot(&self) -> Result<Godot> {
        let godot = self.godot.as_ref();
        Godot::at(godot.context("no Godot is named (--godot FILE)")?)
    }

    fn server(&self) -> Result<ServerProgram> {
        let server = self.server.clone();
        let server = server.context("our server's executable is not named (--server FILE)")?;
        Ok(ServerProgram::Ours(server))
    }

    fn others(&self) -> Others {
        Others {
            netfox: self.netfox.clone(),
            noray: self.noray.clone(),
        }
    }
}

fn main() -> ExitCode {
    match run(Command::parse()) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether all targets were reached.
fn run(command: Command) -> Result<bool> {
    interrupt::end_all_when_interrupted()?;
    match command {
        Command::Nat { options, nft } => {
            let mut report = Report::new(options.filter.clone());
            nat(&options, nft.as_deref(), &mut report)?;
            Ok(report.finish())
        }
        Command::Games(options) => {
            let mut report = Report::new(options.filter.clone());
            let (godot, server) = (options.godot()?, options.server()?);
            games::run(&godot, &server, &options.others(), &mut report)?;
            Ok(report.finish())
        }
        #[cfg(target_os = "linux")]
        Command::Garbage {
            process,
            address,
            rate,
        } => garbage::send(process, address, rate).map(|()| true),
    }
}

#[cfg(target_os = "linux")]
fn nat(options: &Options, nft: Option<&std::path::Path>, report: &mut Report) -> Result<()> {
    match namespaces::Namespaces::find(nft) {
        Ok(namespaces) => nat::run(
            namespaces,
            &options.godot()?,
            options.server()?,
            &options.others(),
            report,
        ),
        Err(error) => {
            report.skip_all("natlab", &format!("{error:#}"));
            Ok(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn nat(_options: &Options, _nft: Option<&std::path::Path>, report: &mut Report) -> Result<()> {
    report.skip_all("natlab", "network namespaces are Linux's");
    Ok(())
}
