//! noray servers on machines of the lab.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};

use super::tools::Tools;
use super::topology::Machine;
use crate::cargo::Profile;
use crate::defaults;
use crate::process::Game;
use crate::server::{Server, without_settings};

/// Which server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(super) enum Kind {
    /// Ours: the executable.
    Ours(PathBuf),
    /// An installed copy of the public one: its folder.
    Public(PathBuf),
}

/// A running server, on the usual ports.
pub(super) struct LabServer {
    machine: Machine,
    game: Game,
}

impl Kind {
    /// Ours, built.
    pub(super) fn ours() -> Result<Self> {
        Ok(Self::Ours(Server::build(Profile::Debug)?))
    }

    fn command(&self) -> Command {
        let mut command = match self {
            Self::Ours(executable) => Command::new(executable),
            Self::Public(folder) => {
                let mut command = Command::new("node");
                command.arg("bin/noray.mjs").current_dir(folder);
                command
            }
        };
        without_settings(&mut command);
        command
            .env("NORAY_SOCKET_HOST", "0.0.0.0")
            .env("NORAY_UDP_HOST", "0.0.0.0")
            .env("NORAY_HTTP_HOST", "127.0.0.1")
            // One player joins two thousand times in a row, which our server takes for a nuisance.
            .env("NORAY_MAX_CONNECTS_PER_SECOND", "200");
        command
    }
}

impl LabServer {
    /// Starts a server and waits until players can come.
    pub(super) fn start(tools: &Tools, machine: &Machine, kind: &Kind) -> Result<Self> {
        Self::start_with(tools, machine, kind, &[])
    }

    /// As [`Self::start`], with some settings other than by default.
    pub(super) fn start_with(
        tools: &Tools,
        machine: &Machine,
        kind: &Kind,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let mut command = kind.command();
        command.envs(settings.iter().copied());
        let mut command = tools.moved(&machine.namespace, &command);
        let mut game = Game::start("noray", &mut command)?;
        let until = Instant::now() + defaults::SERVER_START;
        while !listens(game.id(), COMMAND_PORT) {
            if game.has_ended() || Instant::now() > until {
                bail!("the server does not start:\n{}", game.stop().join("\n"));
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self {
            machine: machine.clone(),
            game,
        })
    }

    /// Its address, as players name it.
    pub(super) fn address(&self) -> String {
        self.machine.address.to_string()
    }

    /// Ends it at once, as a crash would.
    pub(super) fn kill(self) {
        self.game.kill();
    }

    /// Ends it. It must not have ended by itself.
    pub(super) fn stop(mut self) -> Result<()> {
        let early = self.game.has_ended();
        let lines = self.game.stop();
        if early {
            bail!("the server ended by itself:\n{}", lines.join("\n"));
        }
        Ok(())
    }
}

/// Where both servers take commands when they are not told otherwise.
const COMMAND_PORT: u16 = 8890;

/// Whether something listens on a TCP port in a process's namespace.
fn listens(process: u32, port: u16) -> bool {
    ["tcp", "tcp6"].iter().any(|table| {
        std::fs::read_to_string(
            Path::new("/proc")
                .join(process.to_string())
                .join("net")
                .join(table),
        )
        .is_ok_and(|table| table.lines().any(|line| is_listener(line, port)))
    })
}

/// Whether a line of `/proc/net/tcp` is of a socket that listens on `port`.
fn is_listener(line: &str, port: u16) -> bool {
    const LISTENS: &str = "0A";
    let words: Vec<&str> = line.split_whitespace().collect();
    words.get(3) == Some(&LISTENS)
        && words
            .get(1)
            .and_then(|local| local.rsplit_once(':'))
            .is_some_and(|(_, local)| u16::from_str_radix(local, 16) == Ok(port))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_listener_is_told_from_a_connection() {
        let listener = "   0: 00000000:22BA 00000000:0000 0A 00000000:00000000 00:00000000";
        let connection = "   1: 0100007F:22BA 0100007F:A3D2 01 00000000:00000000 00:00000000";
        assert!(is_listener(listener, 8890));
        assert!(!is_listener(listener, 8891));
        assert!(!is_listener(connection, 8890));
    }
}
