//! Builds, runs, tests and measures the project: `cargo xtask help`.

mod addon;
mod bench;
mod cargo;
mod defaults;
mod demo;
mod demo_export;
mod deny;
mod fresh_project;
mod fuzz;
mod godot_api;
mod lab;
mod program;
mod soak;
mod test;

use std::ffi::OsString;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};
use noray_testkit::game::Others;
use noray_testkit::interrupt;

/// Builds, runs, tests and measures Noray for Godot.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Opens the demo: a host and joining players who meet by themselves
    ///
    /// Builds the extension, finds or fetches a Godot 4, stages the addon, and opens a window
    /// for each player. The host runs the server that they meet at.
    Demo {
        /// Let bots play without windows, directly and then by relay; exit 0 only when each
        /// player has seen the others move
        #[arg(long)]
        headless: bool,
        /// How many play
        #[arg(long, value_name = "N", default_value_t = 2,
              value_parser = clap::value_parser!(u8).range(2..=i64::from(demo::MOST_PLAYERS)))]
        players: u8,
    },
    /// Runs every test: Rust, GDScript in a real Godot, games of several processes
    ///
    /// The last line is the sum: `N passed, N failed, N skipped`.
    Test {
        /// Only what needs a Godot
        #[arg(long, conflicts_with = "rust_only")]
        godot_only: bool,
        /// Only what needs no Godot
        #[arg(long)]
        rust_only: bool,
        /// A checkout of foxssake/netfox, whose players then play with ours
        #[arg(long, value_name = "DIR")]
        netfox: Option<PathBuf>,
        /// An installed copy of foxssake/noray (with its npm packages), where players then meet
        #[arg(long, value_name = "DIR")]
        noray: Option<PathBuf>,
        /// How long the soak beside the other tests lasts: for Linux
        #[arg(long, value_name = "N", default_value_t = defaults::SOAK_MINUTES,
              value_parser = clap::value_parser!(u32).range(1..=1440))]
        soak_minutes: u32,
        /// Only tests with this in their name
        filter: Option<String>,
    },
    /// Builds the extension and fills `addons/noray/bin`, ready to be copied into a game
    ///
    /// Also stages the addon in the demo and in the tests' project.
    Addon {
        /// Build what players get: small and optimized
        #[arg(long)]
        release: bool,
        /// Build for this target instead of this machine; may be given more than once, and two
        /// for macOS become one universal library
        #[arg(long = "target", value_name = "TRIPLE")]
        targets: Vec<String>,
    },
    /// Prints the path of a Godot 4 executable, fetching one if there is none
    ///
    /// Looks at GODOT4_BIN, then PATH, then at a copy fetched before; then downloads the
    /// official release or, on Debian, the packages of its suite sid.
    Godot,
    /// Writes what the extension knows of Godot's API anew, after `godot_api.rs` has changed
    GodotApi,
    /// Searches for inputs that break the framing, the commands, the registrar or the relays
    ///
    /// Needs a C++ compiler; `cargo fuzz` is installed in the target folder. An input that breaks
    /// something is printed, and kept in `rust/fuzz/artifacts`.
    Fuzz {
        /// Only this target: framing, commands, registrar, relay, datagrams
        target: Option<String>,
        /// How long to search in each target
        #[arg(long, value_name = "N", default_value_t = 60)]
        seconds: u32,
        /// Add inputs that reach new code to `rust/fuzz/corpus`
        #[arg(long)]
        keep: bool,
    },
    /// Checks the licences, sources and advisories of all dependencies, as `deny.toml` says
    ///
    /// `cargo deny` is installed in the target folder. Without the advisories' database, which is
    /// fetched, only that part is skipped.
    Deny,
    /// Measures in a real Godot, or the server under load, and prints tables in Markdown
    #[command(disable_help_flag = true)]
    Bench(Passed),
    /// Lets hundreds of players come, play by relay and leave for some minutes, and fails unless
    /// the server delivers everything and keeps nothing: for Linux
    #[command(disable_help_flag = true)]
    Soak(Passed),
    /// Lets players behind every kind of router join each other, and prints who gets in, by
    /// which path and how fast
    ///
    /// They are real Godots in network namespaces with Linux's own NATs between them: for Linux,
    /// as root. Without `nft` it is fetched from Debian. The last line is the sum.
    #[command(disable_help_flag = true)]
    Natlab(Passed),
}

/// What goes to the started program as it is.
#[derive(Args)]
struct Passed {
    /// The program's own options: `--help` lists them
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

fn main() -> ExitCode {
    match run(Arguments::parse().command) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

/// Returns whether all is well, where a command distinguishes that from an error.
fn run(command: Command) -> Result<bool> {
    interrupt::end_all_when_interrupted()?;
    match command {
        Command::Demo { headless, players } => demo::run(headless, players)?,
        Command::Test {
            godot_only,
            rust_only,
            netfox,
            noray,
            soak_minutes,
            filter,
        } => {
            let part = match (godot_only, rust_only) {
                (true, _) => test::Part::Godot,
                (_, true) => test::Part::Rust,
                _ => test::Part::All,
            };
            let others = Others { netfox, noray };
            return test::run(part, filter, &others, soak_minutes);
        }
        Command::Addon { release, targets } => {
            let profile = match release {
                true => cargo::Profile::Release,
                false => cargo::Profile::Debug,
            };
            addon::run(profile, &targets)?;
        }
        Command::Godot => {
            let godot = noray_download::godot::find()?;
            eprintln!("Godot {}", godot.version);
            println!("{}", godot.executable.display());
        }
        Command::GodotApi => godot_api::write()?,
        Command::Fuzz {
            target,
            seconds,
            keep,
        } => fuzz::run(target.as_deref(), seconds, keep)?,
        Command::Deny => deny::run()?,
        Command::Bench(passed) => bench::run(&passed.arguments)?,
        Command::Soak(passed) => soak::run(&passed.arguments)?,
        Command::Natlab(passed) => return lab::run(&passed.arguments),
    }
    Ok(true)
}
