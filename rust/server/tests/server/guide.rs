//! docs/SERVER.md and packaging/ name only what exists. (For the differences to the public server, see
//! the tests in `public`.)

use std::{collections::BTreeSet, fs, path::Path, time::Duration};

use noray_server::{Config, defaults};

use crate::program::{Setting, binary, metrics, start};

fn read(path: &str) -> String {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    fs::read_to_string(root.join(path)).expect(path)
}

/// Returns all words of a text that begin like this.
fn words(text: &str, beginning: &str) -> BTreeSet<String> {
    let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let words = words.filter(|word| word.starts_with(beginning));
    words.map(str::to_owned).collect()
}

#[test]
fn settings_that_are_named_are_there() {
    let settings = Setting::all();
    for path in [
        "docs/SERVER.md",
        "packaging/Containerfile",
        "packaging/noray-server.service",
    ] {
        for name in words(&read(path), "NORAY_") {
            // What ends in `_` stands for several.
            let known = settings.iter().any(|it| it.name == name) || name.ends_with('_');
            assert!(known, "{name} in {path}");
        }
    }
}

#[test]
fn metrics_that_are_named_are_there() {
    let server = start(&mut binary());
    let text = metrics(&server);
    let guide = read("docs/SERVER.md");
    let types = text.lines().filter_map(|line| line.strip_prefix("# TYPE "));
    let there: BTreeSet<_> = types.filter_map(|line| line.split(' ').next()).collect();
    for name in words(&guide, "noray_") {
        let family = name.strip_suffix("_sum").unwrap_or(&name);
        assert!(there.contains(family), "{name}");
    }
    #[cfg(target_os = "linux")]
    for name in words(&guide, "process_") {
        assert!(there.contains(name.as_str()), "{name}");
    }
}

/// The guide's rules for firewalls open what the server listens on by default, and nothing of it to
/// others.
#[test]
fn the_rules_for_firewalls_name_the_default_ports() {
    let guide = read("docs/SERVER.md");
    let (first, last) = (defaults::RELAY_PORTS.start(), defaults::RELAY_PORTS.end());
    let (commands, registrar) = (defaults::COMMAND_PORT, defaults::REGISTRAR_PORT);
    for rule in [
        format!("ufw allow {commands}/tcp"),
        format!("ufw allow {registrar}/udp"),
        format!("ufw allow {first}:{last}/udp"),
        format!("tcp dport {commands} accept"),
        format!("udp dport {{ {registrar}, {first}-{last} }} accept"),
    ] {
        assert_eq!(guide.matches(&rule).count(), 1, "{rule}");
    }
    let metrics = defaults::HTTP_PORT;
    assert!(!guide.contains(&format!("dport {metrics}")));
}

#[test]
fn process_managers_wait_longer_than_the_server_drains() {
    let seconds = |text: &str, name: &str| {
        let (_, rest) = text.split_once(name).expect(name);
        let digits = rest.split(|c: char| !c.is_ascii_digit()).next();
        let seconds: u64 = digits.and_then(|digits| digits.parse().ok()).expect(name);
        Duration::from_secs(seconds)
    };
    let longest = defaults::DRAIN_TIMEOUT + defaults::STOP_TIMEOUT;
    let unit = read("packaging/noray-server.service");
    assert!(seconds(&unit, "TimeoutStopSec=") > longest);
    let container = read("packaging/Containerfile");
    assert!(seconds(&container, "--stop-timeout ") > longest);
}

/// The container starts the program that its file copies, and asks it for its health by a flag that
/// exists.
#[test]
fn the_container_starts_what_it_copies() {
    let container = read("packaging/Containerfile");
    let line = |beginning: &str| {
        let line = container.lines().find(|line| line.starts_with(beginning));
        line.expect(beginning).to_owned()
    };
    let copied = line("COPY ");
    let program = copied.rsplit(' ').next().unwrap();
    assert_eq!(line("ENTRYPOINT "), format!("ENTRYPOINT [\"{program}\"]"));
    let health = line("    CMD ");
    assert_eq!(health.trim(), format!("CMD [\"{program}\", \"--probe\"]"));
    let server = start(&mut binary());
    let port = server.http().port().to_string();
    let probe = binary()
        .env("NORAY_HTTP_PORT", port)
        .arg("--probe")
        .status();
    assert!(probe.unwrap().success());
    // The commands in the file's first lines put it there.
    let name = copied.split(' ').nth(2).unwrap();
    assert!(container.contains(&format!("target/release/{name} target/image/{name}")));
}

#[cfg(target_os = "linux")]
#[test]
#[ignore = "needs systemd-analyze"]
fn systemd_understands_the_unit() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("noray-server.service");
    let program = "/usr/local/bin/noray-server";
    let unit = read("packaging/noray-server.service");
    assert!(unit.contains(&format!("ExecStart={program} --config ")));
    // systemd-analyze looks for the program.
    fs::write(
        &path,
        unit.replace(program, env!("CARGO_BIN_EXE_noray-server")),
    )
    .unwrap();
    let mut verify = std::process::Command::new("systemd-analyze");
    let output = verify.args(["--man=no", "verify"]).arg(&path).output();
    let output = output.expect("systemd-analyze");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    // It only mentions what it does not know.
    assert!(!said.contains("noray-server.service"), "{said}");
}

/// The guide's table of settings says what the help says.
#[test]
fn all_settings_are_in_the_guide() {
    let guide = read("docs/SERVER.md");
    let mut table = "| setting | default | meaning |\n| --- | --- | --- |\n".to_owned();
    for Setting {
        name,
        default,
        help,
        ..
    } in Setting::all()
    {
        table += &format!("| `{name}` | `{default}` | {help} |\n");
    }
    assert!(
        guide.contains(&format!("\n\n{table}\n")),
        "docs/SERVER.md must have this table:\n{table}"
    );
}

/// The ports, limits and times of the guide's tables.
#[test]
fn defaults_that_are_named_are_the_defaults() {
    let guide = read("docs/SERVER.md");
    let config = Config::default();
    for text in [
        format!("| {} TCP | commands", config.socket_port),
        format!("| {} UDP | registrar", config.registrar_port),
        format!(
            "| {}-{} UDP | relays",
            defaults::RELAY_PORTS.start(),
            defaults::RELAY_PORTS.end()
        ),
        format!("| {} TCP | `/metrics`", defaults::HTTP_PORT),
        format!(
            "| OpenIDs of one connection | {} |",
            config.max_hosts_per_connection
        ),
        format!(
            "| lines a second | {} a connection, {} an address |",
            config.max_lines_per_second,
            thousands(config.max_lines_per_second_per_address)
        ),
        format!(
            "| `connect`, `connect-relay` a second | {} a connection, {} an address |",
            config.max_connects_per_second, config.max_connects_per_second_per_address
        ),
        format!(
            "| `register-host` a second | {} an address |",
            config.max_registrations_per_second_per_address
        ),
        format!(
            "| connections | {}; from one address {} |",
            thousands(config.max_connections as u32),
            thousands(config.max_connections_per_address as u32)
        ),
        format!(
            "| length of a line | {} KiB |",
            config.max_line_length.0 / 1024
        ),
        format!(
            "| a connection without `register-host` | {} minutes |",
            config.unregistered_timeout.as_secs() / 60
        ),
        format!(
            "| a player who does not read | {} s |",
            config.write_timeout.as_secs()
        ),
        format!(
            "| a player whose machine vanished | {} minutes |",
            config.vanished_timeout.as_secs() / 60
        ),
        format!(
            "| a relay without packets | {} s |",
            config.relay_timeout.as_secs()
        ),
        format!("| players that one relay links | {} |", defaults::MAX_LINKS),
        format!(
            "| HTTP connections | {} in all, {} an address;",
            defaults::MAX_HTTP_CONNECTIONS,
            defaults::MAX_HTTP_CONNECTIONS_PER_ADDRESS
        ),
        format!(
            "`NORAY_DRAIN_TIMEOUT` ({} s)",
            defaults::DRAIN_TIMEOUT.as_secs()
        ),
        format!(
            "refusals** are at most {} a second",
            thousands(defaults::MAX_REFUSALS_PER_SECOND)
        ),
    ] {
        assert!(guide.contains(&text), "{text}");
    }
}

fn thousands(number: u32) -> String {
    match number / 1000 {
        0 => number.to_string(),
        thousands => format!("{thousands},{:03}", number % 1000),
    }
}
