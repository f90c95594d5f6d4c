//! The program: help and exit codes.

use noray_testkit::player::AcceptsPlayers;
use std::process::{Command, Output};

use crate::program::{Setting, binary, start};

fn run(command: &mut Command) -> (Output, String) {
    let output = command.output().unwrap();
    let error = String::from_utf8(output.stderr.clone()).unwrap();
    (output, error)
}

#[test]
fn help_tells_every_setting_with_its_default() {
    let (output, _) = run(binary().arg("--check"));
    let check = String::from_utf8(output.stdout).unwrap();
    let checked = check.lines().filter(|line| !line.starts_with('#'));
    let checked: Vec<_> = checked
        .map(|line| line.split_once(" # ").unwrap().0.trim_end().to_owned())
        .collect();
    let told = Setting::all().into_iter().map(|setting| {
        let flag = setting.name.strip_prefix("NORAY_").unwrap();
        assert_eq!(setting.flag, flag.to_lowercase().replace('_', "-"));
        format!("{}={}", setting.name, setting.default)
    });
    assert_eq!(told.collect::<Vec<_>>(), checked);
}

#[test]
fn a_bad_setting_is_named_and_gives_exit_code_2() {
    for command in [
        binary().env("NORAY_UDP_RELAY_PORTS", "many"),
        binary().arg("--udp-relay-ports=many"),
    ] {
        let (output, error) = run(command);
        assert_eq!(output.status.code(), Some(2));
        let expected = "noray-server: NORAY_UDP_RELAY_PORTS (--udp-relay-ports): `many` is no port";
        assert!(error.starts_with(expected), "{error}");
        assert_eq!(error.lines().count(), 1);
    }
    let (output, _) = run(binary().arg("--no-such-flag"));
    assert_eq!(output.status.code(), Some(2));
}

#[test]
fn a_taken_port_is_named_and_gives_exit_code_1() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let taken = (taken.local_addr().unwrap(), taken);
    let (output, error) = run(binary()
        .env("NORAY_SOCKET_HOST", "127.0.0.1")
        .env("NORAY_SOCKET_PORT", taken.0.port().to_string())
        .env("NORAY_HTTP_PORT", "off")
        .env("NORAY_LOGLEVEL", "silent"));
    assert_eq!(output.status.code(), Some(1));
    let expected = format!(
        "noray-server: cannot listen for commands on {} (TCP): ",
        taken.0
    );
    assert!(error.starts_with(&expected), "{error}");
    assert_eq!(error.lines().count(), 1);
}

#[test]
fn flags_come_before_the_environment() {
    let server = start(
        binary()
            .env("NORAY_OID_LENGTH", "5")
            .env("NORAY_PID_LENGTH", "50")
            .env("NORAY_UDP_RELAY_TIMEOUT", "")
            .arg("--oid-length=7"),
    );
    let mut player = server.player();
    player.register().unwrap();
    assert_eq!((player.oid.len(), player.pid.len()), (7, 50));
}
