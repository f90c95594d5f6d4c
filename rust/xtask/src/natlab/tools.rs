//! The programs that make networks: `ip`, and `nft`, which is fetched where there is none.

use std::env;
use std::fs;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, bail};

use crate::debian::{self, Machine, Wanted};
use crate::{files, paths};

const NFTABLES: Wanted = Wanted {
    name: "nftables",
    packages: &[&["nftables"]],
};

/// Where root's programs lie, also when they are not on the PATH.
const ROOTS_FOLDERS: &[&str] = &["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// The programs, seen to work here.
#[derive(Clone)]
pub(crate) struct Tools {
    ip: PathBuf,
    nft: PathBuf,
}

impl Tools {
    /// Finds the programs.
    ///
    /// # Errors
    /// Says why there can be no network namespaces or no NATs on this machine.
    pub(crate) fn find() -> Result<Self> {
        if !cfg!(target_os = "linux") {
            bail!("network namespaces are Linux's");
        }
        if !is_root() {
            bail!("only root can make network namespaces");
        }
        let Some(ip) = program("ip") else {
            bail!("this machine has no `ip` (iproute2)");
        };
        let nft = match program("nft") {
            Some(nft) => nft,
            None => fetched_nft().context("this machine has no `nft`, and none can be fetched")?,
        };
        Ok(Self { ip, nft })
    }

    /// Runs `ip` on lines as its `-batch` takes them, in a namespace or in this one.
    pub(crate) fn ip(&self, namespace: Option<&str>, lines: &str) -> Result<()> {
        let mut command = Command::new(&self.ip);
        if let Some(namespace) = namespace {
            command.args(["-netns", namespace]);
        }
        feed(command.args(["-batch", "-"]), lines)
    }

    /// Runs `ip` on lines and goes on with the next one when one fails.
    pub(crate) fn ip_whatever_fails(&self, lines: &str) -> Result<()> {
        feed(
            Command::new(&self.ip).args(["-force", "-batch", "-"]),
            lines,
        )
    }

    /// What `ip netns list` prints.
    pub(crate) fn namespaces(&self) -> Result<Vec<String>> {
        let output = Command::new(&self.ip)
            .args(["netns", "list"])
            .stdin(Stdio::null())
            .output()
            .context("cannot start ip")?;
        Ok(String::from_utf8_lossy(&output.stdout)
            .lines()
            .filter_map(|line| line.split_whitespace().next())
            .map(str::to_owned)
            .collect())
    }

    /// The processes in a namespace.
    pub(crate) fn processes(&self, namespace: &str) -> Vec<u32> {
        let output = Command::new(&self.ip)
            .args(["netns", "pids", namespace])
            .stdin(Stdio::null())
            .output();
        output.map_or_else(
            |_| Vec::new(),
            |output| {
                String::from_utf8_lossy(&output.stdout)
                    .split_whitespace()
                    .filter_map(|id| id.parse().ok())
                    .collect()
            },
        )
    }

    /// Gives a namespace the rules of `nft` in `rules`.
    pub(crate) fn nft(&self, namespace: &str, rules: &str) -> Result<()> {
        let mut command = self.inside(namespace, &self.nft);
        feed(command.args(["-f", "-"]), rules)
    }

    /// Lets a shell in a namespace run `script`.
    pub(crate) fn shell(&self, namespace: &str, script: &str) -> Result<()> {
        feed(
            self.inside(namespace, Path::new("sh")).args(["-e", "-s"]),
            script,
        )
    }

    /// A program that is to run in a namespace; `ip` becomes it, so it keeps its process id.
    pub(crate) fn inside(&self, namespace: &str, program: &Path) -> Command {
        let mut command = Command::new(&self.ip);
        command.args(["netns", "exec", namespace]).arg(program);
        command
    }

    /// The same command, to be run in a namespace.
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
    let written = child
        .stdin
        .take()
        .map(|mut pipe| pipe.write_all(text.as_bytes()));
    let output = child
        .wait_with_output()
        .with_context(|| format!("cannot wait for {name}"))?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!(
            "{name} ended with {}: {}\n{text}",
            output.status,
            said.trim()
        );
    }
    written
        .transpose()
        .with_context(|| format!("{name} reads nothing"))?;
    Ok(())
}

fn program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(ROOTS_FOLDERS.iter().map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

fn fetched_nft() -> Result<PathBuf> {
    let folder = paths::target()?.join("nftables");
    let _lock = files::Lock::wait(&folder.with_extension("lock"))?;
    let script = folder.join("nft");
    if !script.is_file() {
        debian::fetch(&folder, &NFTABLES, finish_nft)?;
    }
    Ok(script)
}

/// Makes the script that starts the unpacked `nft`; it may be moved together with its folder.
fn finish_nft(part: &Path, machine: &Machine) -> Result<()> {
    let root = part.join("root");
    let loader = machine.loader(&root)?;
    let Some(nft) = ["usr/sbin/nft", "sbin/nft"]
        .into_iter()
        .find(|file| root.join(file).exists())
    else {
        bail!("the packages hold no nft");
    };
    let libraries = machine.libraries;
    let script = part.join("nft");
    let text = format!(
        "#!/bin/sh\n\
         # Starts the unpacked nft with the libraries that came with it.\n\
         root=$(dirname -- \"$(readlink -f -- \"$0\")\")/root\n\
         exec \"$root/{loader}\" \
         --library-path \"$root/usr/lib/{libraries}:$root/lib/{libraries}\" \
         \"$root/{nft}\" \"$@\"\n"
    );
    fs::write(&script, text).with_context(|| format!("cannot write {}", script.display()))?;
    files::make_executable(&script)?;
    let output = Command::new(&script)
        .arg("--version")
        .stdin(Stdio::null())
        .output()
        .context("cannot start the unpacked nft")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("the unpacked nft does not run: {}", said.trim());
    }
    Ok(())
}

#[cfg(unix)]
pub(crate) fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[cfg(not(unix))]
pub fn is_root() -> bool {
    false
}
