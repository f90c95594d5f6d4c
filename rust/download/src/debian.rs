//! Packages of Debian's suite sid, unpacked into a folder of their own with all the libraries
//! that they need, down to the C library. Nothing is installed and no root rights are needed.
//!
//! `apt-get` downloads them by a configuration of its own, which does not touch the machine's,
//! and the programs are started by the unpacked loader.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context, Result, anyhow, bail};
use noray_testkit::{files, tool};

use crate::{one_step, progress};

const SUITE: &str = "sid";

/// Where Debian keeps the keys that its archive is signed with.
const KEYRINGS: &[&str] = &[
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

/// What differs between processors.
struct Machine {
    /// The folder of libraries, below `usr/lib`.
    libraries: &'static str,
    /// Where the loader may lie in the unpacked folder.
    loaders: &'static [&'static str],
}

/// Returns this machine, as Debian's packages see it.
fn machine() -> Result<Machine> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok(Machine {
            libraries: "x86_64-linux-gnu",
            loaders: &[
                "usr/lib64/ld-linux-x86-64.so.2",
                "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
                "lib64/ld-linux-x86-64.so.2",
            ],
        }),
        ("linux", "aarch64") => Ok(Machine {
            libraries: "aarch64-linux-gnu",
            loaders: &[
                "usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1",
                "usr/lib/ld-linux-aarch64.so.1",
                "lib/ld-linux-aarch64.so.1",
            ],
        }),
        (os, arch) => bail!("they are not used on {os} on {arch}"),
    }
}

/// What to fetch.
pub(crate) struct Wanted {
    /// What they are, for the lines that tell of the progress.
    pub(crate) name: &'static str,
    /// Lists of packages: the first one that can be had is taken.
    pub(crate) packages: &'static [&'static [&'static str]],
    /// The name of the script that starts the program.
    pub(crate) script: &'static str,
    /// The program among the packages.
    pub(crate) program: &'static str,
    /// Fails unless the script runs.
    pub(crate) check: fn(&Path) -> Result<()>,
}

/// Downloads packages with all that they depend on, unpacks them into `folder/root`, and makes the
/// script that starts the program.
pub(crate) fn fetch(folder: &Path, wanted: &Wanted) -> Result<()> {
    let machine = machine()?;
    let keyring = KEYRINGS
        .iter()
        .find(|file| Path::new(file).is_file())
        .ok_or_else(|| anyhow!("this is no Debian: {} is not there", KEYRINGS[0]))?;
    let mirrors = mirrors()?;
    one_step::make_folder(folder, |part| {
        fill(part, wanted, keyring, &mirrors)?;
        let script = part.join(wanted.script);
        let text = script_of(&part.join("root"), wanted, &machine)?;
        fs::write(&script, text).with_context(|| format!("cannot write {}", script.display()))?;
        files::make_executable(&script)?;
        (wanted.check)(&script)
    })
}

/// Returns the script that starts an unpacked program. It may be moved together with its folder.
fn script_of(root: &Path, wanted: &Wanted, machine: &Machine) -> Result<String> {
    let Wanted {
        name,
        program,
        script,
        ..
    } = wanted;
    if !root.join(program).exists() {
        bail!("the packages hold no {program}");
    }
    let loader = machine.loaders.iter().find(|file| root.join(file).exists());
    let loader = loader.ok_or_else(|| anyhow!("the packages hold no loader"))?;
    let libraries = format!("usr/lib/{}", machine.libraries);
    let mut text = format!(
        "#!/bin/sh\n\
         # Starts the unpacked {name} with the libraries that came with it.\n\
         root=$(dirname -- \"$(readlink -f -- \"$0\")\")/root\n"
    );
    // A machine without a graphics card draws in software.
    if root.join(&libraries).join("dri").is_dir() {
        text.push_str(&format!(
            "export LIBGL_ALWAYS_SOFTWARE=\"${{LIBGL_ALWAYS_SOFTWARE:-1}}\"\n\
             export LIBGL_DRIVERS_PATH=\"$root/{libraries}/dri\"\n\
             export __EGL_VENDOR_LIBRARY_DIRS=\"$root/usr/share/glvnd/egl_vendor.d\"\n\
             export XKB_CONFIG_ROOT=\"$root/usr/share/X11/xkb\"\n"
        ));
    }
    text.push_str(&format!(
        "exec \"$root/{loader}\" \
         --library-path \"$root/{libraries}:$root/{libraries}/pulseaudio\" \
         --argv0 {script} \"$root/{program}\" \"$@\"\n"
    ));
    Ok(text)
}

fn fill(part: &Path, wanted: &Wanted, keyring: &str, mirrors: &[String]) -> Result<()> {
    let apt = Apt::set_up(&part.join("apt"))?;
    apt.choose(mirrors, keyring)?;
    let title = format!("downloading {} from Debian", wanted.name);
    let mut refused = Ok(());
    for packages in wanted.packages {
        refused = apt.download(&title, packages);
        match &refused {
            Ok(()) => break,
            Err(error) => eprintln!("not {}: {error:#}", packages.join(" ")),
        }
    }
    refused?;
    unpack(wanted.name, &apt.packages()?, &part.join("root"))?;
    files::remove_folder(&apt.folder)
}

/// Returns the mirrors that this machine gets its own packages from.
fn mirrors() -> Result<Vec<String>> {
    let output = Command::new("apt-get")
        .args(["indextargets", "--format", "$(REPO_URI) $(LABEL)"])
        .arg("Created-By: Packages")
        .stdin(Stdio::null())
        .output()
        .context("this machine has no apt-get")?;
    if !output.status.success() {
        let said = String::from_utf8_lossy(&output.stderr);
        bail!("apt-get does not tell its mirrors: {}", said.trim());
    }
    let mirrors = choose_mirrors(&String::from_utf8_lossy(&output.stdout));
    if mirrors.is_empty() {
        bail!("apt-get is set up with no mirror of Debian");
    }
    Ok(mirrors)
}

/// Returns how this machine gets packages: by which proxy, say. The rest of its settings stays away,
/// above all the commands that they run after each update.
fn transport() -> Result<String> {
    let output = Command::new("apt-config")
        .arg("dump")
        .stdin(Stdio::null())
        .output()
        .context("this machine has no apt-config")?;
    Ok(transport_settings(&String::from_utf8_lossy(&output.stdout)))
}

fn transport_settings(dump: &str) -> String {
    dump.lines()
        .filter(|line| {
            // Other lists, such as the programs in packages or icons of shops, are not wanted.
            line.starts_with("Acquire::") && !line.starts_with("Acquire::IndexTargets")
        })
        .flat_map(|line| [line, "\n"])
        .collect()
}

/// Returns the mirrors to try out of lines `<uri> [<label>]`: Debian's own first, then those that do
/// not tell (before the first `apt-get update`); never the security archive, which has no sid.
fn choose_mirrors(list: &str) -> Vec<String> {
    let mut known = Vec::new();
    let mut unknown = Vec::new();
    for line in list.lines() {
        let (uri, label) = line.trim().split_once(' ').unwrap_or((line.trim(), ""));
        let security = uri.trim_end_matches('/').ends_with("security");
        if uri.is_empty() || uri.starts_with("cdrom:") || security {
            continue;
        }
        let list = match label.trim() {
            "Debian" => &mut known,
            "" => &mut unknown,
            _ => continue,
        };
        if !list.iter().any(|other| other == uri) {
            list.push(uri.to_owned());
        }
    }
    known.append(&mut unknown);
    known
}

/// An `apt-get` with its own configuration, lists and state.
struct Apt {
    folder: PathBuf,
}

impl Apt {
    fn set_up(folder: &Path) -> Result<Self> {
        for name in ["lists/partial", "cache/archives/partial"] {
            files::create_folder(&folder.join(name))?;
        }
        let transport = transport()?;
        let shown = folder.display();
        let configuration = format!(
            "{transport}\
             Dir::Etc::main \"/dev/null\";\n\
             Dir::Etc::parts \"/dev/null\";\n\
             Dir::Etc::sourcelist \"{shown}/sources.list\";\n\
             Dir::Etc::sourceparts \"/dev/null\";\n\
             Dir::State::Lists \"{shown}/lists\";\n\
             Dir::State::status \"{shown}/status\";\n\
             Dir::State::extended_states \"{shown}/extended_states\";\n\
             Dir::Cache \"{shown}/cache\";\n\
             #clear Acquire::Languages;\n\
             Acquire::Languages \"none\";\n\
             Acquire::Retries \"2\";\n\
             Acquire::http::Timeout \"20\";\n\
             Acquire::https::Timeout \"20\";\n\
             APT::Sandbox::User \"\";\n\
             APT::Get::Assume-Yes \"true\";\n\
             APT::Install-Recommends \"false\";\n\
             APT::Status-Fd \"1\";\n"
        );
        for (name, content) in [
            ("apt.conf", configuration.as_str()),
            ("status", ""),
            ("extended_states", ""),
        ] {
            let file = folder.join(name);
            fs::write(&file, content)
                .with_context(|| format!("cannot write {}", file.display()))?;
        }
        Ok(Self {
            folder: folder.to_path_buf(),
        })
    }

    /// Gets the package lists from the first mirror that has the suite.
    fn choose(&self, mirrors: &[String], keyring: &str) -> Result<()> {
        let mut refused = Vec::new();
        for mirror in mirrors {
            let source = format!("deb [signed-by={keyring}] {mirror} {SUITE} main\n");
            let file = self.folder.join("sources.list");
            fs::write(&file, source).with_context(|| format!("cannot write {}", file.display()))?;
            let title = format!("getting the list of Debian's packages ({SUITE})");
            // Without the option a failed download is only a warning.
            match self.run(&title, &["update", "--error-on=any"]) {
                Ok(()) => return Ok(()),
                Err(error) => refused.push(format!("{mirror}: {error:#}")),
            }
        }
        bail!("no mirror has the suite {SUITE}: {}", refused.join("; "))
    }

    fn download(&self, title: &str, packages: &[&str]) -> Result<()> {
        let mut arguments = vec!["install", "--download-only"];
        arguments.extend(packages);
        self.run(title, &arguments)
    }

    fn packages(&self) -> Result<Vec<PathBuf>> {
        let mut packages = files::entries(&self.folder.join("cache/archives"))?;
        packages.retain(|file| file.extension().is_some_and(|ending| ending == "deb"));
        Ok(packages)
    }

    fn run(&self, title: &str, arguments: &[&str]) -> Result<()> {
        let bar = progress::of_things(title, 100);
        let mut command = Command::new("apt-get");
        command
            .env("APT_CONFIG", self.folder.join("apt.conf"))
            .env("LC_ALL", "C")
            .arg("--quiet")
            .args(arguments);
        tool::run_reading(&mut command, |line| {
            if let Some(percent) = download_percent(line) {
                bar.set_position(percent);
            }
        })
    }
}

/// Returns the percentage in a line such as `dlstatus:3:41.25:Retrieving file 3 of 121`.
fn download_percent(line: &str) -> Option<u64> {
    let percent = line.strip_prefix("dlstatus:")?.split(':').nth(1)?;
    percent.split('.').next()?.parse().ok()
}

fn unpack(name: &str, packages: &[PathBuf], root: &Path) -> Result<()> {
    files::create_folder(root)?;
    let bar = progress::of_things(&format!("unpacking {name}"), packages.len() as u64);
    for package in packages {
        bar.inc(1);
        tool::run(Command::new("dpkg").arg("-x").arg(package).arg(root))
            .with_context(|| format!("cannot unpack {}", package.display()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debians_own_mirror_comes_first() {
        let list = "http://tools.example.com/repo Tools\n\
                    http://unknown.example.com/debian/ \n\
                    http://mirror.example.com/debian/ Debian\n\
                    http://mirror.example.com/debian/ Debian\n\
                    http://mirror.example.com/debian-security/ Debian-Security\n\
                    http://unknown.example.com/debian-security\n\
                    cdrom:[Debian]/ Debian\n";
        assert_eq!(
            choose_mirrors(list),
            [
                "http://mirror.example.com/debian/",
                "http://unknown.example.com/debian/"
            ]
        );
        assert!(choose_mirrors("\n").is_empty());
    }

    #[test]
    fn a_proxy_is_taken_over_but_no_command() {
        let dump = "APT::Update::Post-Invoke:: \"rm -f /tmp/x\";\n\
                    Acquire::http::Proxy \"http://proxy.example.com:3128\";\n\
                    Acquire::https::Proxy \"DIRECT\";\n\
                    Acquire::IndexTargets::deb::DEP-11::MetaKey \"x\";\n\
                    Dir::Cache \"var/cache/apt\";\n";
        assert_eq!(
            transport_settings(dump),
            "Acquire::http::Proxy \"http://proxy.example.com:3128\";\n\
             Acquire::https::Proxy \"DIRECT\";\n"
        );
    }

    #[test]
    fn percentages_are_read() {
        let line = "dlstatus:3:41.25:Retrieving file 3 of 121 (12s remaining)";
        assert_eq!(download_percent(line), Some(41));
        assert_eq!(download_percent("Get:1 http://mirror godot"), None);
        assert_eq!(download_percent("dlstatus:"), None);
    }
}
