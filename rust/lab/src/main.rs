//! Plays with real Godots: behind every kind of router (`nat`, the lab), and two players at a server
//! of either kind (`games`).

mod defaults;
mod games;
#[cfg(target_os = "linux")]
mod nat;

use std::path::{Path, PathBuf};
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
            play_nat(&options, nft.as_deref(), &mut report)?;
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
        } => nat::send_garbage(process, address, rate).map(|()| true),
    }
}

#[cfg(target_os = "linux")]
fn play_nat(options: &Options, nft: Option<&Path>, report: &mut Report) -> Result<()> {
    match nat::Namespaces::find(nft) {
        Ok(namespaces) => {
            let (godot, server) = (options.godot()?, options.server()?);
            nat::run(namespaces, &godot, server, &options.others(), report)
        }
        Err(error) => {
            report.skip_all("natlab", &format!("{error:#}"));
            Ok(())
        }
    }
}

#[cfg(not(target_os = "linux"))]
fn play_nat(_options: &Options, _nft: Option<&Path>, report: &mut Report) -> Result<()> {
    report.skip_all("natlab", "network namespaces are Linux's");
    Ok(())
}
