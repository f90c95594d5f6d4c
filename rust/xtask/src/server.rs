//! A noray server for games to meet at: ours, or an installed copy of the public one.

use std::io::Write as _;
use std::net::{TcpListener, TcpStream, UdpSocket};
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::cargo::{self, Profile};
use crate::process::Game;
use crate::{defaults, scan};

/// A running server.
pub(crate) struct Server {
    game: Game,
    /// Where players send commands.
    pub port: u16,
    /// Where players register their address.
    pub registrar_port: u16,
    /// Where relayed players send to each other.
    pub relay_ports: RangeInclusive<u16>,
    ours: bool,
}

impl Server {
    /// Builds ours and returns its executable.
    pub(crate) fn build(profile: Profile) -> Result<PathBuf> {
        let folder = cargo::build("noray-server", profile, None)?;
        Ok(folder.join(format!("noray-server{}", std::env::consts::EXE_SUFFIX)))
    }

    /// Builds and starts ours on free ports.
    pub(crate) fn start_ours(profile: Profile) -> Result<Self> {
        Self::start(&Program::Ours(Self::build(profile)?))
    }

    /// Starts an installed copy of the public server on free ports.
    pub(crate) fn start_public(folder: &Path) -> Result<Self> {
        Self::start(&Program::Public(folder.to_path_buf()))
    }

    /// A scenario uses two relays.
    fn start(program: &Program) -> Result<Self> {
        let mut server = Self::launch(program, 16, &[])?;
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Starts it on free ports, so many of them for relays, and does not wait until it answers.
    ///
    /// Both servers take their settings from the same variables; `settings` are further ones.
    pub(crate) fn launch(
        program: &Program,
        relays: u16,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let ports = Ports::free(relays)?;
        let mut command = program.command();
        without_settings(&mut command);
        command
            .env("NORAY_SOCKET_HOST", "127.0.0.1")
            .env("NORAY_SOCKET_PORT", ports.commands.to_string())
            .env("NORAY_HTTP_HOST", "127.0.0.1")
            .env("NORAY_HTTP_PORT", ports.metrics.to_string())
            .env("NORAY_UDP_HOST", "127.0.0.1")
            .env("NORAY_UDP_REGISTRAR_PORT", ports.registrar.to_string())
            .env("NORAY_UDP_RELAY_PORTS", ports.relay_setting())
            .envs(settings.iter().copied());
        Ok(Self {
            game: Game::start(program.name(), &mut command)?,
            port: ports.commands,
            registrar_port: ports.registrar,
            relay_ports: ports.relays,
            ours: matches!(program, Program::Ours(_)),
        })
    }

    /// Waits until it takes commands.
    pub(crate) fn wait_until_ready(&mut self) -> Result<()> {
        let until = Instant::now() + defaults::SERVER_START;
        while !answers(self.port) {
            if self.has_ended() || Instant::now() > until {
                let said = self.game.lines_from(0).join("\n");
                let name = self.game.name();
                bail!("{name} does not answer on port {}:\n{said}", self.port);
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        Ok(())
    }

    /// Whether its process is gone.
    pub(crate) fn has_ended(&mut self) -> bool {
        self.game.has_ended()
    }

    /// Ends it. Ours must have run without an error.
    pub(crate) fn stop(mut self) -> Result<()> {
        let early = self.game.has_ended();
        let lines = self.game.stop();
        if early {
            bail!("the server ended by itself:\n{}", lines.join("\n"));
        }
        let problems = scan::scan(lines.iter().map(String::as_str));
        if self.ours && !problems.is_empty() {
            bail!("the server's log:\n{}", problems.join("\n"));
        }
        Ok(())
    }
}

/// What a server is started from.
#[derive(Clone)]
pub(crate) enum Program {
    /// Our executable.
    Ours(PathBuf),
    /// The folder of an installed copy of the public server.
    Public(PathBuf),
}

impl Program {
    /// The name of its process here.
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Ours(_) => "noray-server",
            Self::Public(_) => "noray",
        }
    }

    fn command(&self) -> Command {
        match self {
            Self::Ours(executable) => Command::new(executable),
            Self::Public(folder) => {
                let mut command = Command::new("node");
                command.arg("bin/noray.mjs").current_dir(folder);
                command
            }
        }
    }
}

/// A developer's own settings must not change what is tested.
pub(crate) fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("NORAY_") {
            command.env_remove(name);
        }
    }
}

fn answers(port: u16) -> bool {
    // A whole line, so that the server has nothing half to wait for.
    TcpStream::connect(("127.0.0.1", port)).is_ok_and(|mut stream| stream.write_all(b"\n").is_ok())
}

struct Ports {
    commands: u16,
    metrics: u16,
    registrar: u16,
    relays: RangeInclusive<u16>,
}

impl Ports {
    /// Ports that nobody uses now. They are let go before the server takes them; the system
    /// hands out others meanwhile.
    fn free(relays: u16) -> Result<Self> {
        let tcp = || TcpListener::bind("127.0.0.1:0").context("no free TCP port");
        let udp = || UdpSocket::bind("127.0.0.1:0").context("no free UDP port");
        let (commands, metrics, registrar) = (tcp()?, tcp()?, udp()?);
        Ok(Self {
            commands: commands.local_addr()?.port(),
            metrics: metrics.local_addr()?.port(),
            registrar: registrar.local_addr()?.port(),
            relays: free_range(relays)?,
        })
    }

    fn relay_setting(&self) -> String {
        format!("{}-{}", self.relays.start(), self.relays.end())
    }
}

/// `count` neighbouring free UDP ports. Searched below the ports that systems hand
/// out by themselves, from a place that differs between processes.
fn free_range(count: u16) -> Result<RangeInclusive<u16>> {
    const LOWEST: u32 = 20_000;
    const SPAN: u32 = 10_000;
    let start = std::process::id().wrapping_mul(97);
    for step in 0..SPAN / u32::from(count) {
        let offset = start.wrapping_add(step * u32::from(count)) % SPAN;
        let Ok(first) = u16::try_from(LOWEST + offset) else {
            continue;
        };
        let ports = first..=first + (count - 1);
        let all_free = ports
            .clone()
            .map(|port| UdpSocket::bind(("127.0.0.1", port)))
            .collect::<std::io::Result<Vec<_>>>()
            .is_ok();
        if all_free {
            return Ok(ports);
        }
    }
    bail!("no {count} neighbouring UDP ports are free")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_free_range_is_free_and_a_taken_port_is_left_out() {
        let ports = free_range(4).unwrap();
        let taken = ports.start() + 2;
        let _socket = UdpSocket::bind(("127.0.0.1", taken)).unwrap();
        assert!(!free_range(4).unwrap().contains(&taken));
    }
}
