//! A running noray server: ours, or an installed copy of the public one.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::PathBuf;
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};

use crate::child::ChildProcess;
use crate::player::{AcceptsPlayers, dial};
use crate::ports::{free_ports, relay_setting};
use crate::{defaults, log_scan, metrics};

/// What a server is started from.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServerProgram {
    /// Our executable.
    Ours(PathBuf),
    /// The folder of an installed copy of the public server, for Node.
    Public(PathBuf),
}

impl ServerProgram {
    /// Returns the name of its process here.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Ours(_) => "noray-server",
            Self::Public(_) => "noray",
        }
    }

    /// Returns whether it is ours.
    pub fn is_ours(&self) -> bool {
        matches!(self, Self::Ours(_))
    }

    /// Returns the command that starts it, without settings from this process's environment.
    pub fn command(&self) -> Command {
        let mut command = match self {
            Self::Ours(executable) => Command::new(executable),
            Self::Public(folder) => {
                let mut command = Command::new("node");
                command.arg(folder.join("bin/noray.mjs"));
                command
            }
        };
        without_settings(&mut command);
        command
    }
}

/// Keeps this process's `NORAY_*` variables from a program: a developer's own settings must not
/// change what is tested.
pub fn without_settings(command: &mut Command) {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("NORAY_") {
            command.env_remove(name);
        }
    }
}

/// The ports of a server on 127.0.0.1.
#[derive(Clone, Debug)]
pub struct ServerPorts {
    /// Where players send commands.
    pub commands: u16,
    /// Where players register their address.
    pub registrar: u16,
    /// Where metrics are served.
    pub http: u16,
    /// Where relayed players send to each other.
    pub relays: Vec<u16>,
}

impl ServerPorts {
    /// Chooses free ports, this many of them for relays.
    pub fn free(relays: usize) -> Self {
        let mut ports = free_ports(relays + 3);
        let relays = ports.split_off(3);
        Self {
            commands: ports[0],
            registrar: ports[1],
            http: ports[2],
            relays,
        }
    }
}

/// A server in a process of its own. Both programs take their settings from the same variables.
pub struct ServerProcess {
    /// Its process and log.
    pub child: ChildProcess,
    /// Its ports.
    pub ports: ServerPorts,
    /// Whether an error in the log counts.
    is_ours: bool,
}

impl ServerProcess {
    /// Starts a program on free ports, this many of them for relays, and waits until it takes
    /// commands.
    pub fn start(
        program: &ServerProgram,
        relays: usize,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let mut server = Self::launch(program, ServerPorts::free(relays), settings)?;
        server.wait_until_ready()?;
        Ok(server)
    }

    /// Starts a program on these ports and does not wait until it answers.
    pub fn launch(
        program: &ServerProgram,
        ports: ServerPorts,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let mut command = program.command();
        command.envs(settings.iter().copied());
        Self::launch_command(&mut command, ports, program.is_ours())
    }

    /// Starts a server by a command of the caller's own, such as one with a limit of descriptors.
    /// Variables that the command sets stay as they are.
    pub fn launch_command(
        command: &mut Command,
        ports: ServerPorts,
        is_ours: bool,
    ) -> Result<Self> {
        let settings = [
            ("NORAY_SOCKET_HOST", "127.0.0.1".to_owned()),
            ("NORAY_SOCKET_PORT", ports.commands.to_string()),
            ("NORAY_HTTP_HOST", "127.0.0.1".to_owned()),
            ("NORAY_HTTP_PORT", ports.http.to_string()),
            ("NORAY_UDP_HOST", "127.0.0.1".to_owned()),
            ("NORAY_UDP_REGISTRAR_PORT", ports.registrar.to_string()),
            ("NORAY_UDP_RELAY_PORTS", relay_setting(&ports.relays)),
        ];
        for (name, value) in settings {
            let mut given = command.get_envs().filter(|(_, value)| value.is_some());
            if !given.any(|(given, _)| given == name) {
                command.env(name, value);
            }
        }
        Ok(Self {
            child: ChildProcess::start("the server", command)?,
            ports,
            is_ours,
        })
    }

    /// Waits until it takes commands.
    ///
    /// # Errors
    /// It ended, or does not answer in time.
    pub fn wait_until_ready(&mut self) -> Result<()> {
        let until = Instant::now() + defaults::SERVER_START;
        while dial(Ipv4Addr::LOCALHOST, self.commands()).is_err() {
            if self.child.has_ended() || Instant::now() > until {
                let (port, log) = (self.ports.commands, self.log());
                bail!("no server answers on port {port}:\n{log}");
            }
            sleep(Duration::from_millis(10));
        }
        Ok(())
    }

    /// Waits until it prints a line with this in it.
    ///
    /// # Errors
    /// It ended, or prints none in time.
    pub fn wait_for_log(&mut self, part: &str) -> Result<()> {
        let until = Instant::now() + defaults::SERVER_START;
        let has_part = |line: &str| line.contains(part).then_some(());
        let found = self.child.wait_for_line(until, has_part);
        found.with_context(|| format!("the server does not print {part:?}:\n{}", self.log()))
    }

    /// Returns its log so far.
    pub fn log(&self) -> String {
        self.child.lines_from(0).join("\n")
    }

    /// Returns the answer to an HTTP request for a path. For tests.
    pub fn get(&self, path: &str) -> metrics::Answer {
        metrics::get(self.http(), path).expect("an answer")
    }

    /// Returns where it serves metrics.
    pub fn http(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.http).into()
    }

    /// Ends it and returns its log.
    ///
    /// # Errors
    /// It had ended by itself, or our server's log holds an error.
    pub fn stop(mut self) -> Result<Vec<String>> {
        let early = self.child.has_ended();
        let log = self.child.stop();
        if early {
            let tail = &log[log.len().saturating_sub(20)..];
            bail!("the server ended by itself:\n{}", tail.join("\n"));
        }
        let problems = log_scan::scan(log.iter().map(String::as_str));
        if self.is_ours && !problems.is_empty() {
            bail!("the server's log:\n{}", problems.join("\n"));
        }
        Ok(log)
    }
}

impl AcceptsPlayers for ServerProcess {
    fn commands(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.commands).into()
    }

    fn registrar(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.ports.registrar).into()
    }

    /// The public server greets nobody.
    fn greets(&self) -> bool {
        self.is_ours
    }
}
