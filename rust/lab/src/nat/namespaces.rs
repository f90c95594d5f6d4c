//! Runs programs in network namespaces, and `ip` and `nft`, which make networks of them.

use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};
use noray_testkit::system;

/// The programs.
#[derive(Clone)]
pub(crate) struct Namespaces {
    ip: PathBuf,
    nft: PathBuf,
}

impl Namespaces {
    /// Finds the programs; `nft` may be named.
    ///
    /// # Errors
    /// Says why there can be no network namespaces or no NATs on this machine.
    pub(crate) fn find(nft: Option<&Path>) -> Result<Self> {
        if !system::is_root() {
            bail!("only root can make network namespaces");
        }
        let nft = nft
            .map(Path::to_path_buf)
            .or_else(|| system::find_program("nft"));
        Ok(Self {
            ip: system::find_program("ip").context("this machine has no `ip` (iproute2)")?,
            nft: nft.context("this machine has no `nft`")?,
        })
    }

    /// Runs a script for `sh` with the functions of `network.sh`.
    pub(crate) fn script(&self, text: &str) -> Result<()> {
        let text = [include_str!("network.sh"), text].concat();
        feed(Command::new("sh").args(["-e", "-s"]), &text)
    }

    /// Returns the names of all namespaces.
    pub(crate) fn list(&self) -> Result<Vec<String>> {
        let mut command = Command::new(&self.ip);
        let output = command
            .args(["netns", "list"])
            .stdin(Stdio::null())
            .output();
        let list = output.context("cannot start ip")?.stdout;
        let list = String::from_utf8_lossy(&list).into_owned();
        let names = list.lines().filter_map(|line| line.split(' ').next());
        Ok(names.map(str::to_owned).collect())
    }

    /// Gives a namespace rules of `nft`.
    pub(crate) fn nft(&self, namespace: &str, rules: &str) -> Result<()> {
        let mut command = self.inside(namespace, &self.nft);
        feed(command.args(["-f", "-"]), rules)
    }

    /// Returns a command for a program that is to run in a namespace; `ip` becomes it, so it keeps
    /// its process id.
    pub(crate) fn inside(&self, namespace: &str, program: &Path) -> Command {
        let mut command = Command::new(&self.ip);
        command.args(["netns", "exec", namespace]).arg(program);
        command
    }

    /// Returns the same command, to be run in a namespace.
    pub(crate) fn moved(&self, namespace: &str, command: &Command) -> Command {
        let mut moved = self.inside(namespace, Path::new(command.get_program()));
        moved.args(command.get_args());
        if let Some(folder) = command.get_current_dir() {
            moved.current_dir(folder);
        }
        for (name, value) in command.get_envs() {
            match value {
                Some(value) => moved.env(name, value),
                None => moved.env_remove(name),
            };
        }
        moved
    }
}

/// Runs a program with text to read, and fails with what it says when it does.
fn feed(command: &mut Command, text: &str) -> Result<()> {
    let name = command.get_program().display().to_string();
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| format!("cannot start {name}"))?;
    let pipe = child.stdin.take();
    let written = pipe.map(|mut pipe| pipe.write_all(text.as_bytes()));
    let output = child
        .wait_with_output()
        .with_context(|| format!("cannot wait for {name}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        let (status, said) = (output.status, said.trim());
        bail!("{name} ended with {status}: {said}\n{text}");
    }
    written
        .transpose()
        .with_context(|| format!("{name} reads nothing"))?;
    Ok(())
}
