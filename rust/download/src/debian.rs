//! Packages of Debian's suite sid, unpacked into a folder of their own with all the libraries
//! that they need, down to the C library. Nothing is installed and no root rights are needed.
//!
//! `apt-get` downloads them by a configuration of its own, which does not touch the machine's,
//! and the programs are started by the unpacked loader.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use noray_testkit::{files, tool};

use crate::{one_step, progress};

const SUITE: &str = "sid";

/// Where Debian keeps the keys that its archive is signed with.
const KEYRINGS: &[&str] = &[
    "/usr/share/keyrings/debian-archive-keyring.gpg",
    "/usr/share/keyrings/debian-archive-keyring.pgp",
];

/// Returns the folder of this machine's libraries, and where the loader may lie.
fn libraries() -> Result<(&'static str, &'static [&'static str])> {
    match (std::env::consts::OS, std::env::consts::ARCH) {
        ("linux", "x86_64") => Ok((
            "usr/lib/x86_64-linux-gnu",
            &[
                "usr/lib64/ld-linux-x86-64.so.2",
                "usr/lib/x86_64-linux-gnu/ld-linux-x86-64.so.2",
                "lib64/ld-linux-x86-64.so.2",
            ],
        )),
        ("linux", "aarch64") => Ok((
            "usr/lib/aarch64-linux-gnu",
            &[
                "usr/lib/aarch64-linux-gnu/ld-linux-aarch64.so.1",
                "usr/lib/ld-linux-aarch64.so.1",
                "lib/ld-linux-aarch64.so.1",
            ],
        )),
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
    let (libraries, loaders) = libraries()?;
    let keyring = KEYRINGS.iter().find(|file| Path::new(file).is_file());
    let keyring =
        keyring.with_context(|| format!("this is no Debian: {} is not there", KEYRINGS[0]))?;
    let mirrors = mirrors()?;
    one_step::make_folder(folder, |part| {
        let (apt, root) = (part.join("apt"), part.join("root"));
        let packages = download(&apt, wanted, keyring, &mirrors)?;
        unpack(wanted.name, &packages, &root)?;
        files::remove_folder(&apt)?;

        let program = wanted.program;
        ensure!(
            root.join(program).exists(),
            "the packages hold no {program}"
        );
        let loader = loaders.iter().find(|file| root.join(file).exists());
        let text = include_str!("start.sh")
            .replace("LIBRARIES", libraries)
            .replace("LOADER", loader.context("the packages hold no loader")?)
            .replace("SCRIPT", wanted.script)
            .replace("PROGRAM", program);
        let script = part.join(wanted.script);
        files::write(&script, text.as_bytes())?;
        files::make_executable(&script)?;
        (wanted.check)(&script)
    })
}

/// Returns the loader of an unpacked folder, and where it finds the libraries.
pub(crate) fn loader(root: &Path) -> Result<(PathBuf, OsString)> {
    let (libraries, loaders) = libraries()?;
    let mut loaders = loaders.iter().map(|file| root.join(file));
    let loader = loaders.find(|file| file.exists());
    let libraries = root.join(libraries);
    let path = std::env::join_paths([&libraries, &libraries.join("pulseaudio")])?;
    Ok((loader.context("the packages hold no loader")?, path))
}

/// Returns what a program prints.
fn output_of(program: &str, arguments: &[&str]) -> Result<String> {
    let mut text = String::new();
    tool::run_reading(Command::new(program).args(arguments), |line| {
        text.push_str(line);
        text.push('\n');
    })?;
    Ok(text)
}

/// Returns the mirrors that this machine gets its own packages from.
fn mirrors() -> Result<Vec<String>> {
    let format = "$(REPO_URI) $(LABEL)";
    let asked = ["indextargets", "--format", format, "Created-By: Packages"];
    let list = output_of("apt-get", &asked).context("apt-get does not tell its mirrors")?;
    let mirrors = choose_mirrors(&list);
    ensure!(
        !mirrors.is_empty(),
        "apt-get is set up with no mirror of Debian"
    );
    Ok(mirrors)
}

/// Returns how this machine gets packages: by which proxy, say. The rest of its settings stays away,
/// above all the commands that they run after each update.
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

/// Downloads packages by an `apt-get` with its own configuration, lists and state in `folder`.
fn download(
    folder: &Path,
    wanted: &Wanted,
    keyring: &str,
    mirrors: &[String],
) -> Result<Vec<PathBuf>> {
    for name in ["lists/partial", "cache/archives/partial"] {
        files::create_folder(&folder.join(name))?;
    }
    let transport = transport_settings(&output_of("apt-config", &["dump"])?);
    let own = include_str!("apt.conf").replace("FOLDER", &folder.display().to_string());
    files::write(&folder.join("apt.conf"), (transport + &own).as_bytes())?;
    for name in ["status", "extended_states"] {
        files::write(&folder.join(name), b"")?;
    }

    // The first mirror that has the suite. Without the option a failed download is only a warning.
    let title = format!("getting the list of Debian's packages ({SUITE})");
    first_that_works(mirrors, |mirror| {
        let source = format!("deb [signed-by={keyring}] {mirror} {SUITE} main\n");
        files::write(&folder.join("sources.list"), source.as_bytes())?;
        apt_get(folder, &title, &["update", "--error-on=any"]).with_context(|| mirror.clone())
    })?;
    let title = format!("downloading {} from Debian", wanted.name);
    first_that_works(wanted.packages, |packages| {
        let install = ["install", "--download-only"];
        apt_get(folder, &title, &[&install, *packages].concat()).context(packages.join(" "))
    })?;
    let mut packages = files::entries(&folder.join("cache/archives"))?;
    packages.retain(|file| file.extension().is_some_and(|ending| ending == "deb"));
    Ok(packages)
}

/// Tries one choice after another until one works. Fails with what was wrong with each.
fn first_that_works<T>(choices: &[T], attempt: impl Fn(&T) -> Result<()>) -> Result<()> {
    let mut refused = Vec::new();
    for choice in choices {
        match attempt(choice) {
            Ok(()) => return Ok(()),
            Err(error) => refused.push(format!("{error:#}")),
        }
        eprintln!("not {}", refused[refused.len() - 1]);
    }
    bail!("{}", refused.join("; "))
}

fn apt_get(folder: &Path, title: &str, arguments: &[&str]) -> Result<()> {
    let bar = progress::of_things(title, 100);
    let mut command = Command::new("apt-get");
    command
        .env("APT_CONFIG", folder.join("apt.conf"))
        .env("LC_ALL", "C")
        .arg("--quiet")
        .args(arguments);
    tool::run_reading(&mut command, |line| {
        if let Some(percent) = download_percent(line) {
            bar.set_position(percent);
        }
    })
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
