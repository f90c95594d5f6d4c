//! Lets hundreds of players come, play by relay and leave for some minutes. Every packet must
//! arrive, and the server must be afterwards what it was before. For Linux: `cargo xtask soak`.
//!
//! ```text
//! soak             runs it
//! ├─ players       what the players do
//! │  └─ tally      what they count together
//! ├─ observations  what the server tells from time to time
//! └─ rules         what must hold
//! ```

#[cfg(target_os = "linux")]
mod defaults;
#[cfg(target_os = "linux")]
mod observations;
mod options;
#[cfg(target_os = "linux")]
mod players;
#[cfg(target_os = "linux")]
mod rules;
#[cfg(target_os = "linux")]
mod soak;
#[cfg(target_os = "linux")]
mod tally;

use std::process::ExitCode;

use clap::Parser as _;
use options::Options;

fn main() -> ExitCode {
    match run(&Options::parse()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

#[cfg(target_os = "linux")]
fn run(options: &Options) -> anyhow::Result<()> {
    soak::run(options)
}

#[cfg(not(target_os = "linux"))]
fn run(_options: &Options) -> anyhow::Result<()> {
    anyhow::bail!("needs what Linux tells of a process")
}
