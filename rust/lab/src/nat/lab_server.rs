//! noray servers on machines of the lab.

use std::net::Ipv4Addr;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};
use noray_testkit::child::ChildProcess;
use noray_testkit::defaults::SERVER_START;
use noray_testkit::process_info::ProcessInfo;
use noray_testkit::server::ServerProgram;

use crate::nat::network::{Machine, Network};

/// Where both servers take commands by default.
const COMMAND_PORT: u16 = 8890;

/// A running server, on the usual ports.
pub(crate) struct LabServer {
    address: Ipv4Addr,
    process: ChildProcess,
}

impl LabServer {
    /// Starts a server on a machine, and waits until players can come.
    pub(crate) fn start(
        network: &Network,
        machine: &Machine,
        program: &ServerProgram,
        settings: &[(&str, &str)],
    ) -> Result<Self> {
        let mut command = program.command();
        command
            .env("NORAY_SOCKET_HOST", "0.0.0.0")
            .env("NORAY_UDP_HOST", "0.0.0.0")
            .env("NORAY_HTTP_HOST", "127.0.0.1")
            .envs(settings.iter().copied());
        let mut command = network.namespaces().moved(&machine.namespace, &command);
        let mut process = ChildProcess::start(program.name(), &mut command)?;
        let until = Instant::now() + SERVER_START;
        while !ProcessInfo::of(process.id()).is_ok_and(|info| info.hears_on(COMMAND_PORT)) {
            if process.has_ended() || Instant::now() > until {
                let log = process.stop().join("\n");
                bail!("the server does not start:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(20));
        }
        Ok(Self {
            address: machine.address,
            process,
        })
    }

    /// Returns its address, as players name it.
    pub(crate) fn address(&self) -> String {
        self.address.to_string()
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(self) {
        self.process.kill();
    }

    /// Ends it. It must not have ended by itself.
    pub(crate) fn stop(mut self) -> Result<()> {
        let early = self.process.has_ended();
        let log = self.process.stop();
        ensure!(!early, "the server ended by itself:\n{}", log.join("\n"));
        Ok(())
    }
}
