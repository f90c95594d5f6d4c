//! Measures, and prints tables in Markdown: `cargo xtask bench`.
//!
//! [`in_godot`] measures what a player waits for, in Godot. `server` measures our server under
//! load, and the public one beside it, each player on a loopback address of its own (127.1.x.y).

mod in_godot;
#[cfg(target_os = "linux")]
mod server;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

/// Measures, and prints tables in Markdown.
#[derive(Parser)]
struct Arguments {
    #[command(subcommand)]
    what: What,
}

#[derive(Subcommand)]
enum What {
    /// What a player waits for, in Godot at 60 frames a second, on loopback
    Godot(in_godot::Options),
    /// Our server under load, and the public one beside it: for Linux
    Server {
        /// Our server's executable
        #[arg(long, value_name = "FILE")]
        server: PathBuf,
        /// An installed copy of foxssake/noray
        #[arg(long, value_name = "DIR")]
        noray: Option<PathBuf>,
        /// Only measurements with this in their name: throughput, latency, players, start, abuse
        filter: Option<String>,
    },
}

fn main() -> ExitCode {
    match run(Arguments::parse().what) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(what: What) -> Result<()> {
    noray_testkit::interrupt::end_all_when_interrupted()?;
    match what {
        What::Godot(options) => in_godot::run(&options),
        #[cfg(target_os = "linux")]
        What::Server {
            server,
            noray,
            filter,
        } => server::run(server, noray, filter.as_deref()),
        #[cfg(not(target_os = "linux"))]
        What::Server { .. } => {
            println!("skipped: it needs Linux's loopback addresses, time stamps and /proc");
            Ok(())
        }
    }
}
