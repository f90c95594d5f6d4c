//! The command line.

use std::path::PathBuf;

use clap::Parser;

/// Lets players come, play by relay and leave, and fails unless the server keeps up.
#[derive(Parser)]
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(crate) struct Options {
    /// The server's executable
    #[arg(long, value_name = "FILE")]
    pub server: PathBuf,
    /// How long
    #[arg(long, value_name = "N", default_value_t = 10,
          value_parser = clap::value_parser!(u32).range(1..=1440))]
    pub minutes: u32,
    /// How many players
    #[arg(long, value_name = "N", default_value_t = 500,
          value_parser = clap::value_parser!(u32).range(2..=8000))]
    pub players: u32,
    /// Let other programs have the processor first
    #[arg(long)]
    pub nice: bool,
}
