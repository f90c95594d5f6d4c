//! Runs tools, such as cargo and apt-get, that share our terminal.

use std::io::{BufReader, stderr};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::{interrupt, output};

/// Runs a tool whose output goes to standard error, since ours is for results.
///
/// # Errors
/// It cannot be started, or it fails.
pub fn run(command: &mut Command) -> Result<()> {
    command.stdout(stderr());
    wait(command, |_| {})
}

/// Runs a program of ours, whose results go to standard output.
pub fn run_on_terminal(command: &mut Command) -> Result<()> {
    wait(command, |_| {})
}

/// Runs a tool and hands its standard output to `each`, line by line.
///
/// # Errors
/// It cannot be started, or it fails.
pub fn run_reading(command: &mut Command, each: impl FnMut(&str)) -> Result<()> {
    wait(command.stdout(Stdio::piped()), each)
}

fn wait(command: &mut Command, mut each: impl FnMut(&str)) -> Result<()> {
    let name = command.get_program().display().to_string();
    let mut child = interrupt::spawn_listed(command.stdin(Stdio::null()), false)?;
    if let Some(pipe) = child.stdout.take() {
        let mut reader = BufReader::new(pipe);
        while let Some((line, _)) = output::next_line(&mut reader) {
            each(&line);
        }
    }
    let status = child.wait();
    interrupt::forget(child.id());
    let status = status.with_context(|| format!("cannot wait for {name}"))?;
    if !status.success() {
        bail!("{name} ended with {status}");
    }
    Ok(())
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;

    #[test]
    fn a_tools_failure_is_an_error() {
        assert!(run(&mut Command::new("true")).is_ok());
        assert!(run(&mut Command::new("false")).is_err());
        assert!(run(&mut Command::new("no-such-tool-here")).is_err());
    }
}
