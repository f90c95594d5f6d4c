//! The program: where its settings come from, and the health probe.

use std::{
    io::Write,
    net::{TcpListener, UdpSocket},
    process::{Command, Output},
};

use noray_testkit::player::AcceptsPlayers;
use tempfile::NamedTempFile;

use crate::program::{Setting, binary, start};

fn file(text: &str) -> NamedTempFile {
    let mut file = NamedTempFile::new().unwrap();
    file.write_all(text.as_bytes()).unwrap();
    file
}

fn with_file(file: &NamedTempFile) -> Command {
    let mut command = binary();
    command.arg("--config").arg(file.path());
    command
}

fn output(command: &mut Command) -> (Option<i32>, String, String) {
    let Output {
        status,
        stdout,
        stderr,
    } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code(), text(stdout), text(stderr))
}

/// Returns a setting's value and origin in the output of `--check`.
fn shown(text: &str, name: &str) -> (String, String) {
    let line = text
        .lines()
        .find(|line| line.starts_with(&format!("{name}=")));
    let (value, origin) = line.expect(name).split_once(" # ").expect(name);
    let value = value.trim_end().strip_prefix(name).unwrap();
    (value[1..].to_owned(), origin.to_owned())
}

#[test]
fn flags_come_first_then_the_environment_then_the_file() {
    let file = file(
        "# A comment\r\n\nNORAY_OID_LENGTH=4 # short\nNORAY_PID_LENGTH = 40\n\
         export NORAY_UDP_RELAY_PORTS='2048, 2050-2060'\nNORAY_WRITE_TIMEOUT=5s\n\
         NORAY_MAX_CONNECTIONS=\n",
    );
    let check = || {
        let mut command = with_file(&file);
        command
            .env("NORAY_PID_LENGTH", "50")
            .env("NORAY_OID_LENGTH", "5")
            .env("NORAY_WRITE_TIMEOUT", "")
            .env("NORAY_NO_SUCH_THING", "1")
            .arg("--oid-length=7");
        command
    };
    let (code, text, error) = output(check().arg("--check"));
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let path = file.path().display();
    for (name, value, origin) in [
        ("NORAY_OID_LENGTH", "7", "--oid-length"),
        ("NORAY_PID_LENGTH", "50", "environment"),
        (
            "NORAY_UDP_RELAY_PORTS",
            "2048, 2050-2060",
            &format!("{path}:5"),
        ),
        ("NORAY_WRITE_TIMEOUT", "5s", &format!("{path}:6")),
        ("NORAY_MAX_CONNECTIONS", "10000", "default"),
        ("NORAY_SOCKET_PORT", "8890", "default"),
    ] {
        let expected = (value.to_owned(), origin.to_owned());
        assert_eq!(shown(&text, name), expected, "{name}");
    }
    assert!(
        text.contains("without effect: NORAY_NO_SUCH_THING\n"),
        "{text}"
    );

    let server = start(&mut check());
    let mut player = server.player();
    player.register().unwrap();
    assert_eq!((player.oid.len(), player.pid.len()), (7, 50));
}

#[test]
fn every_setting_can_be_given_by_flag_variable_and_file() {
    for setting in Setting::all() {
        let value = match setting.value.as_str() {
            "ADDRESS" => "127.0.0.9",
            "PORT" => "1234",
            "PORTS" => "1000-1005",
            "TIME" => "77s",
            "SIZE" => "20kb",
            "COUNT" => "20",
            "CHARACTERS" => "abc",
            "BOOL" => "true",
            "FORMAT" => "json",
            "LEVEL" => "warn",
            other => panic!("no value for {other}"),
        };
        let file = file(&format!("{}={value}\n", setting.name));
        let flag = format!("--{}={value}", setting.flag);
        for (mut command, origin) in [
            (with_file(&file), format!("{}:1", file.path().display())),
            (binary(), "environment".to_owned()),
            (binary(), format!("--{}", setting.flag)),
        ] {
            match origin.as_str() {
                "environment" => command.env(&setting.name, value),
                origin if origin.starts_with("--") => command.arg(&flag),
                _ => &mut command,
            };
            let (code, text, error) = output(command.arg("--check"));
            assert_eq!((code, error.as_str()), (Some(0), ""), "{flag}");
            let expected = (value.to_owned(), origin);
            assert_eq!(shown(&text, &setting.name), expected, "{flag}");
        }
    }
}

#[test]
fn what_is_shown_is_a_file_with_the_same_settings() {
    let (code, text, _) = output(
        binary()
            .args(["--check", "--oid-charset=ab#'`c", "--http-port=off"])
            .args(["--drain-timeout=1500ms", "--socket-host=::1"]),
    );
    assert_eq!(code, Some(0));
    let file = file(&text);
    let (code, again, error) = output(with_file(&file).arg("--check"));
    assert_eq!((code, error.as_str()), (Some(0), ""));
    let values = |text: &str| -> Vec<_> {
        let settings = Setting::all().into_iter();
        settings.map(|it| shown(text, &it.name).0).collect()
    };
    assert_eq!(values(&text), values(&again));
    assert_eq!(shown(&again, "NORAY_OID_CHARSET").0, "\"ab#'`c\"");
}

#[test]
fn a_bad_line_is_named_and_gives_exit_code_2() {
    for (text, line, problem) in [
        (
            "NORAY_OID_LENGTH=4\n\nNORAY_OID_LENGHT=5",
            3,
            "there is no setting named",
        ),
        ("NODE_ENV=production", 1, "there is no setting named"),
        (
            "#\nNORAY_OID_LENGTH=four",
            2,
            "NORAY_OID_LENGTH (--oid-length): ",
        ),
        ("NORAY_OID_LENGTH", 1, "no `=`"),
        ("NORAY_OID_CHARSET='abc", 1, "no second '"),
        (
            "NORAY_OID_LENGTH=4\nNORAY_OID_LENGTH=5",
            2,
            "NORAY_OID_LENGTH is in line 1 already",
        ),
    ] {
        let file = file(text);
        // A flag that overrides the line does not hide it.
        for task in [&["--check"][..], &["--oid-length=9"], &["--probe"]] {
            let (code, out, error) = output(with_file(&file).args(task));
            assert_eq!((code, out.as_str()), (Some(2), ""), "{text}");
            let expected = format!("noray-server: {}:{line}: {problem}", file.path().display());
            assert!(error.starts_with(&expected), "{error}");
            assert_eq!(error.lines().count(), 1);
        }
    }
    let (code, _, error) = output(binary().args(["--check", "--config", "/no/such/file"]));
    assert_eq!(code, Some(2));
    assert!(error.contains("cannot read /no/such/file: "), "{error}");
    // Each value is fine by itself.
    let file = file("NORAY_MAX_LINE_LENGTH=1mb");
    let (code, _, error) = output(with_file(&file).arg("--check"));
    assert_eq!(code, Some(2));
    assert!(error.contains("NORAY_MAX_OUTBOUND_QUEUE"), "{error}");
}

#[test]
fn a_probe_tells_whether_players_can_come() {
    let server = start(&mut binary());
    let probe = |port: u16| {
        let mut command = binary();
        // A container's server gets its settings from the environment.
        command.env("NORAY_HTTP_PORT", port.to_string());
        output(command.arg("--probe"))
    };
    let port = server.http().port();
    assert_eq!(probe(port), (Some(0), String::new(), String::new()));
    drop(server);
    let (code, _, error) = probe(port);
    assert_eq!(code, Some(1));
    assert!(
        error.contains(&format!("no answer from 127.0.0.1:{port}")),
        "{error}"
    );

    // Another program has the port, and refuses or says nothing.
    for answer in ["HTTP/1.0 503 Service Unavailable\r\n\r\n", "200 200", ""] {
        let other = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = other.local_addr().unwrap().port();
        let thread = std::thread::spawn(move || {
            let (mut stream, _) = other.accept().unwrap();
            let _ = std::io::Read::read(&mut stream, &mut [0; 100]);
            stream.write_all(answer.as_bytes()).unwrap();
        });
        let (code, _, error) = probe(port);
        assert_eq!(code, Some(1), "{answer}: {error}");
        thread.join().unwrap();
    }
    let (code, _, error) = output(binary().args(["--probe", "--http-port=off"]));
    assert_eq!(code, Some(1));
    assert!(error.contains("NORAY_HTTP_PORT"), "{error}");
}

#[test]
fn a_probe_from_elsewhere_names_the_port_that_is_shut() {
    let server = start(&mut binary());
    let (commands, registrar) = (server.commands(), server.registrar().port());
    let probe = |target: &str, registrar: u16| {
        let mut command = binary();
        let registrar = format!("--udp-registrar-port={registrar}");
        output(command.args(["--probe", target, &registrar]))
    };
    let (code, said, error) = probe(&commands.to_string(), registrar);
    assert_eq!((code, error.as_str()), (Some(0), ""));
    for part in [
        "commands at 127.0.0.1:",
        "registrar at 127.0.0.1:",
        "relays at ",
    ] {
        assert!(said.contains(part), "{said}");
    }
    assert_eq!(said.matches(": ok").count(), 3, "{said}");

    let nobody = UdpSocket::bind("127.0.0.1:0").unwrap();
    let port = nobody.local_addr().unwrap().port();
    let (code, said, error) = probe(&commands.to_string(), port);
    assert_eq!(code, Some(1));
    assert!(
        said.contains("commands at ") && !said.contains("registrar at "),
        "{said}"
    );
    assert!(
        error.contains(&format!("registrar at 127.0.0.1:{port} (UDP)")),
        "{error}"
    );

    // Another program is there, and refuses or says nothing.
    let other = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = other.local_addr().unwrap();
    let thread = std::thread::spawn(move || drop(other.accept()));
    let (code, _, error) = probe(&address.to_string(), registrar);
    assert_eq!(code, Some(1));
    assert!(error.contains(&address.to_string()), "{error}");
    thread.join().unwrap();
    let (code, _, error) = probe(&address.to_string(), registrar);
    assert_eq!(code, Some(1));
    assert!(
        error.contains(&format!("no connection to {address} (TCP)")),
        "{error}"
    );
    for nonsense in ["", ":1", "a:b", "127.0.0.1:0", "::1", "127.0.0.1:65536"] {
        let (code, _, error) = probe(nonsense, registrar);
        assert_eq!(code, Some(1), "{nonsense}: {error}");
    }
}

#[test]
fn metrics_are_not_shown_to_the_world_by_default() {
    let (_, shown, _) = output(binary().arg("--check"));
    assert!(shown.contains("NORAY_HTTP_HOST=127.0.0.1 "), "{shown}");
}

#[test]
fn open_ids_of_words() {
    let server = start(
        binary()
            .env("NORAY_ENABLE_WORDS_OID", "true")
            .env("NORAY_WORDS_OID_LENGTH", "5"),
    );
    let mut player = server.player();
    player.register().unwrap();
    assert!(player.oid.chars().all(|c| c.is_ascii_alphabetic()));
    let capitals = player.oid.chars().filter(char::is_ascii_uppercase);
    assert_eq!(capitals.count(), 5, "{}", player.oid);
}
