//! Who may use what: the table of crates in `docs/ARCHITECTURE.md`.

use std::{collections::BTreeSet, fs};

use ignore::WalkBuilder;
use noray_house_rules::{Features, dependencies, direct_dependencies, root};

/// All that the protocol may be made of: thiserror, what its macro is made of, and a keyed hash.
const PROTOCOL_MAY_USE: [&str; 8] = [
    "noray-protocol",
    "siphasher",
    "thiserror",
    "thiserror-impl",
    "proc-macro2",
    "quote",
    "syn",
    "unicode-ident",
];

/// What of the standard library does I/O, looks at a clock or starts a thread.
const PROTOCOL_NEVER_NAMES: [&str; 10] = [
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

/// All that the player may name: the plain types of the client are its own.
const PLAYER_MAY_NAME: [&str; 5] = [
    "noray-player",
    "noray-client",
    "noray-protocol",
    "thiserror",
    "tracing",
];

/// What players and servers get.
const PRODUCTS: [&str; 5] = [
    "noray-protocol",
    "noray-client",
    "noray-player",
    "noray-server",
    "noray-godot",
];

/// What only builds, tests and measures.
const TOOLS: [&str; 8] = [
    "noray-bench",
    "noray-download",
    "noray-fuzz",
    "noray-house-rules",
    "noray-lab",
    "noray-soak",
    "noray-testkit",
    "xtask",
];

fn all_that_it_uses(package: &str) -> BTreeSet<String> {
    let used = dependencies(package, Features::All).unwrap();
    assert!(used.contains(package), "cargo does not name {package}");
    used
}

fn is_godot(name: &str) -> bool {
    name == "godot" || name.starts_with("godot-") || name.starts_with("gdext")
}

#[test]
fn the_protocol_uses_what_it_may() {
    let mut used = all_that_it_uses("noray-protocol");
    used.retain(|name| !PROTOCOL_MAY_USE.contains(&name.as_str()));
    assert!(used.is_empty(), "noray-protocol uses {used:?}");
}

/// Returns the lines with a forbidden name outside of comments and of the tests, which may read a
/// clock and end a file.
fn forbidden(text: &str) -> Vec<&str> {
    let code = text
        .lines()
        .take_while(|line| line.trim() != "#[cfg(test)]");
    let code = code.filter(|line| !line.trim_start().starts_with("//"));
    let names = |line: &&str| PROTOCOL_NEVER_NAMES.iter().any(|name| line.contains(name));
    code.filter(names).collect()
}

#[test]
fn the_protocol_has_no_sockets_clocks_or_threads() {
    for entry in WalkBuilder::new(root().join("rust/protocol/src")).build() {
        let path = entry.unwrap().into_path();
        if path.is_file() && !path.ends_with("tests.rs") {
            let text = fs::read_to_string(&path).unwrap();
            let found = forbidden(&text);
            assert!(found.is_empty(), "{}: {found:?}", path.display());
        }
    }
}

#[test]
fn a_forbidden_name_is_found_outside_of_comments_and_tests() {
    let text = "// a UdpSocket\nuse std::net::UdpSocket;\n#[cfg(test)]\nuse std::thread;\n";
    assert_eq!(forbidden(text), ["use std::net::UdpSocket;"]);
    assert!(forbidden("use std::net::SocketAddr;").is_empty());
}

#[test]
fn an_unknown_package_is_an_error() {
    assert!(dependencies("no-such-package", Features::All).is_err());
}

#[test]
fn only_the_extension_uses_godot() {
    for package in PRODUCTS {
        let uses_godot = all_that_it_uses(package).iter().any(|name| is_godot(name));
        assert_eq!(uses_godot, package == "noray-godot", "{package}");
    }
}

#[test]
fn the_player_uses_plain_types_alone() {
    let mut used = direct_dependencies("noray-player").unwrap();
    used.retain(|name| !PLAYER_MAY_NAME.contains(&name.as_str()));
    assert!(used.is_empty(), "noray-player uses {used:?}");
}

#[test]
fn the_player_has_no_server_in_it() {
    assert!(!all_that_it_uses("noray-player").contains("noray-server"));
    assert!(!all_that_it_uses("noray-client").contains("noray-server"));
}

#[test]
fn no_tool_is_part_of_a_product() {
    for package in PRODUCTS {
        let used = all_that_it_uses(package);
        for tool in TOOLS {
            assert!(!used.contains(tool), "{package} uses {tool}");
        }
    }
}

#[test]
fn the_extension_has_no_command_line_in_it() {
    let used = dependencies("noray-godot", Features::Default).unwrap();
    for heavy in ["clap", "hyper", "prometheus", "serde_json"] {
        assert!(!used.contains(heavy), "noray-godot uses {heavy}");
    }
}
