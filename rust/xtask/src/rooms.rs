//! Proves what the crates must never use: the runtime, sockets and threads stay out of the
//! protocol, and Godot out of all but the extension.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, bail};
use noray_testkit::report::Report;
use noray_testkit::{files, paths, tool};

use crate::cargo;

/// All that the protocol may be made of: thiserror, what its macro is made of, and a keyed hash.
const PROTOCOL_MAY_USE: &[&str] = &[
    "noray-protocol",
    "siphasher",
    "thiserror",
    "thiserror-impl",
    "proc-macro2",
    "quote",
    "syn",
    "unicode-ident",
];

/// What of the standard library would do I/O, look at a clock or start a thread.
const PROTOCOL_NEVER_NAMES: &[&str] = &[
    "UdpSocket",
    "TcpStream",
    "TcpListener",
    "ToSocketAddrs",
    "Instant::now",
    "SystemTime",
    "std::thread",
    "thread::",
    "std::fs",
    "std::io",
];

/// Runs the proofs.
pub(crate) fn run(report: &mut Report) {
    report.test("rooms::protocol_uses_what_it_may", || {
        let strangers: Vec<String> = dependencies("noray-protocol")?
            .into_iter()
            .filter(|name| !PROTOCOL_MAY_USE.contains(&name.as_str()))
            .collect();
        if !strangers.is_empty() {
            bail!("noray-protocol uses {}", strangers.join(", "));
        }
        Ok(())
    });
    report.test("rooms::protocol_has_no_sockets_clocks_or_threads", || {
        let mut found = Vec::new();
        look_for_names(&paths::root().join("rust/protocol/src"), &mut found)?;
        if !found.is_empty() {
            bail!("{}", found.join("\n"));
        }
        Ok(())
    });
    for package in ["noray-client", "noray-player", "noray-server"] {
        report.test(&format!("rooms::{package}_is_without_godot"), || {
            let godot: Vec<String> = dependencies(package)?
                .into_iter()
                .filter(|name| is_godot(name))
                .collect();
            if !godot.is_empty() {
                bail!("{package} uses {}", godot.join(", "));
            }
            Ok(())
        });
    }
}

fn is_godot(name: &str) -> bool {
    name == "godot" || name.starts_with("godot-") || name.starts_with("gdext")
}

/// The names of all packages that one is made of, itself too, on every platform.
fn dependencies(package: &str) -> Result<BTreeSet<String>> {
    let mut names = BTreeSet::new();
    let mut command = cargo::command("tree")?;
    command
        .args(["--package", package, "--edges", "normal,build"])
        .args(["--target", "all", "--all-features"])
        .args(["--prefix", "none", "--format", "{p}"]);
    tool::run_reading(&mut command, |line| {
        names.extend(line.split_whitespace().next().map(str::to_owned));
    })?;
    if !names.contains(package) {
        bail!("cargo tree does not name {package} itself");
    }
    Ok(names)
}

fn look_for_names(folder: &Path, found: &mut Vec<String>) -> Result<()> {
    for entry in files::entries(folder)? {
        if entry.is_dir() {
            look_for_names(&entry, found)?;
            continue;
        }
        // A crate's tests may read a clock; the module of tests ends a file.
        if entry.file_name().is_some_and(|name| name == "tests.rs") {
            continue;
        }
        let text = fs::read_to_string(&entry).with_context(|| format!("{}", entry.display()))?;
        found.extend(
            forbidden(&text)
                .into_iter()
                .map(|(line, name)| format!("{}:{line} names {name}", entry.display())),
        );
    }
    Ok(())
}

/// The forbidden names in a source file, outside of comments and tests, with their lines.
fn forbidden(text: &str) -> Vec<(usize, &'static str)> {
    text.lines()
        .enumerate()
        .take_while(|(_, line)| line.trim() != "#[cfg(test)]")
        .filter(|(_, line)| !line.trim_start().starts_with("//"))
        .flat_map(|(index, line)| {
            PROTOCOL_NEVER_NAMES
                .iter()
                .filter(move |name| line.contains(*name))
                .map(move |name| (index + 1, *name))
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_forbidden_name_is_found_outside_of_comments_and_tests() {
        let text = "// a UdpSocket\nuse std::net::UdpSocket;\n#[cfg(test)]\nuse std::thread;\n";
        assert_eq!(forbidden(text), [(2, "UdpSocket")]);
        assert!(forbidden("use std::net::SocketAddr;").is_empty());
    }

    #[test]
    fn the_tree_of_a_package_is_read() {
        let names = dependencies("xtask").unwrap();
        assert!(names.contains("clap") && names.contains("xtask"));
        assert!(dependencies("no-such-package").is_err());
        assert!(
            dependencies("noray-godot")
                .unwrap()
                .iter()
                .any(|name| is_godot(name))
        );
    }
}
