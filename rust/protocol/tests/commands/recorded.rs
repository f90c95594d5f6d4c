//! Lines as servers write them, and what they mean.

use noray_protocol::{
    defaults::MAX_LINE,
    wire::{
        command::{
            ConnectKind::{self, Nat, Relay},
            RefusalReason, ServerCommand, ServerLine,
        },
        framing::{
            Framing::{self, Plain, Quoted},
            LineDecoder,
        },
        id::PrivateId,
    },
};

/// A line, its name and data, and its meaning.
type Row = (&'static str, &'static str, &'static str, ServerCommand);

#[track_caller]
fn check(framing: Framing, rows: &[Row]) {
    for (line, name, data, command) in rows {
        let parsed = ServerLine::parse(line, framing).expect(line);
        assert_eq!(
            (parsed.name.as_str(), parsed.data.as_str(), &parsed.command),
            (*name, *data, command),
            "{line}"
        );
    }
}

fn oid(text: &str) -> ServerCommand {
    ServerCommand::SetOpenId(text.to_owned())
}

fn pid(text: &str) -> ServerCommand {
    ServerCommand::SetPrivateId(PrivateId::new(text).unwrap())
}

fn nat(address: &str) -> ServerCommand {
    ServerCommand::ConnectNat(address.parse().unwrap())
}

fn error(kind: ConnectKind, text: &str) -> ServerCommand {
    ServerCommand::ConnectError(kind, text.to_owned())
}

fn echo(text: &str) -> ServerCommand {
    ServerCommand::Echo(text.to_owned())
}

/// Fails when a line of generation 1 is read with generation 2's quotes, or an
/// address is not found.
#[test]
fn generation_1() {
    check(
        Plain,
        &[
            (
                "set-oid PbEzHoOOXM2mZJ9rkd0qd",
                "set-oid",
                "PbEzHoOOXM2mZJ9rkd0qd",
                oid("PbEzHoOOXM2mZJ9rkd0qd"),
            ),
            ("set-oid a\"b\\n", "set-oid", "a\"b\\n", oid("a\"b\\n")),
            ("set-pid p-_9", "set-pid", "p-_9", pid("p-_9")),
            ("set-pid", "set-pid", "", ServerCommand::Unknown),
            (
                "connect 203.0.113.7:54321",
                "connect",
                "203.0.113.7:54321",
                nat("203.0.113.7:54321"),
            ),
            (
                "connect ::ffff:203.0.113.7:54321",
                "connect",
                "::ffff:203.0.113.7:54321",
                nat("203.0.113.7:54321"),
            ),
            (
                "connect 2001:db8::7:54321",
                "connect",
                "2001:db8::7:54321",
                nat("[2001:db8::7]:54321"),
            ),
            (
                "connect-relay 49152",
                "connect-relay",
                "49152",
                ServerCommand::ConnectRelay(49152),
            ),
            ("echo hello", "echo", "hello", echo("hello")),
            (
                "echo  two  gaps ",
                "echo",
                " two  gaps ",
                echo(" two  gaps "),
            ),
            ("echo ", "echo", "", echo("")),
            ("echo \"a\" \\n", "echo", "\"a\" \\n", echo("\"a\" \\n")),
            ("news today", "news", "today", ServerCommand::Unknown),
        ],
    );
}

/// Fails when quotes and escapes are not resolved, or an error is taken for an
/// address.
#[test]
fn generation_2() {
    check(
        Quoted,
        &[
            (
                "hi \"noray v2.1.0\"",
                "hi",
                "noray v2.1.0",
                ServerCommand::Greeting("noray v2.1.0".to_owned()),
            ),
            (
                "set-oid happy-žlutý-ptak",
                "set-oid",
                "happy-žlutý-ptak",
                oid("happy-žlutý-ptak"),
            ),
            ("set-pid p-_9", "set-pid", "p-_9", pid("p-_9")),
            (
                "connect 203.0.113.7:54321",
                "connect",
                "203.0.113.7:54321",
                nat("203.0.113.7:54321"),
            ),
            (
                "connect \"203.0.113.7:54321\"",
                "connect",
                "203.0.113.7:54321",
                nat("203.0.113.7:54321"),
            ),
            (
                "connect-relay 49152",
                "connect-relay",
                "49152",
                ServerCommand::ConnectRelay(49152),
            ),
            (
                "connect \"Error: Unknown host oid: NOPE\"",
                "connect",
                "Error: Unknown host oid: NOPE",
                error(Nat, "Error: Unknown host oid: NOPE"),
            ),
            (
                "connect-relay \"Error: Unknown host oid: NOPE\"",
                "connect-relay",
                "Error: Unknown host oid: NOPE",
                error(Relay, "Error: Unknown host oid: NOPE"),
            ),
            (
                "connect \"Error: Host has no remote address registered!\"",
                "connect",
                "Error: Host has no remote address registered!",
                error(Nat, "Error: Host has no remote address registered!"),
            ),
            (
                "connect-relay \"AssertionError [ERR_ASSERTION]: No more free ports!\"",
                "connect-relay",
                "AssertionError [ERR_ASSERTION]: No more free ports!",
                error(Relay, "AssertionError [ERR_ASSERTION]: No more free ports!"),
            ),
            (
                "connect \"Error: Unknown host oid: a\r\nb\"",
                "connect",
                "Error: Unknown host oid: a\r\nb",
                error(Nat, "Error: Unknown host oid: a\r\nb"),
            ),
            (
                "connect Error:\\nNo\\r\\\"x\\\"",
                "connect",
                "Error:\nNo\r\"x\"",
                error(Nat, "Error:\nNo\r\"x\""),
            ),
            (
                "echo a \"b \\\"c\\\"\" d",
                "echo",
                "a b \"c\" d",
                echo("a b \"c\" d"),
            ),
            ("echo a\\nb\\r", "echo", "a\nb\r", echo("a\nb\r")),
            ("echo C:\\temp\\", "echo", "C:\\temp\\", echo("C:\\temp\\")),
        ],
    );
}

/// Fails when the greeting, which tells the generation, is not read before the
/// generation is known.
#[test]
fn the_greeting_is_read_in_both_framings() {
    for framing in [Plain, Quoted] {
        let line = ServerLine::parse("hi \"noray v2.1.0\"", framing).unwrap();
        let version = "noray v2.1.0".to_owned();
        assert_eq!(line.command, ServerCommand::Greeting(version));
    }
}

/// Fails when requests, answers, errors and streams of generation 2, or empty
/// lines, are taken for commands.
#[test]
fn lines_that_say_nothing() {
    for line in ["", " ", " connect 203.0.113.7:54321"] {
        assert!(ServerLine::parse(line, Plain).is_none(), "{line}");
        assert!(ServerLine::parse(line, Quoted).is_none(), "{line}");
    }
    let address = "203.0.113.7:54321";
    for name in ["connect?1", ".1", "connect.1", "!1", "|1", "connect|1"] {
        let line = format!("{name} {address}");
        assert!(ServerLine::parse(&line, Quoted).is_none(), "{line}");
    }
}

/// Fails when our own server's refusals lose their reason, or one of a later
/// version is not understood.
#[test]
fn our_own_server_refuses() {
    let rows = [
        (
            "refused connect NOPE unknown-host nobody is there",
            Nat,
            "NOPE",
            RefusalReason::UnknownHost,
            "nobody is there",
        ),
        (
            "refused connect-relay NOPE relays-full",
            Relay,
            "NOPE",
            RefusalReason::RelaysFull,
            "the server has no free relay",
        ),
        (
            "refused connect - invalid-openid it is odd",
            Nat,
            "",
            RefusalReason::InvalidOpenId,
            "it is odd",
        ),
        (
            "refused connect NOPE moon-phase come back later",
            Nat,
            "NOPE",
            RefusalReason::Other,
            "come back later",
        ),
        (
            "refused connect NOPE moon-phase",
            Nat,
            "NOPE",
            RefusalReason::Other,
            "the server refused",
        ),
    ];
    for (line, kind, oid, reason, sentence) in rows {
        let expected = ServerCommand::Refused {
            kind,
            oid: oid.to_owned(),
            reason,
            sentence: sentence.to_owned(),
        };
        for framing in [Plain, Quoted] {
            let command = ServerLine::parse(line, framing).unwrap().command;
            assert_eq!(command, expected, "{line}");
        }
    }
    for line in [
        "refused",
        "refused connect",
        "refused connect NOPE",
        "refused connect  unknown-host",
        "refused dance NOPE unknown-host",
    ] {
        let command = ServerLine::parse(line, Quoted).unwrap().command;
        assert_eq!(command, ServerCommand::Unknown, "{line}");
    }
}

/// Fails when a whole session of either generation, as it comes from the socket,
/// is not read to its end.
#[test]
fn whole_sessions() {
    let meanings = |framing, stream: &str| -> Vec<ServerCommand> {
        let mut decoder = LineDecoder::new(framing, MAX_LINE);
        decoder.push(stream.as_bytes());
        std::iter::from_fn(|| decoder.next_line())
            .filter_map(|line| ServerLine::parse(&line.unwrap(), framing))
            .map(|line| line.command)
            .collect()
    };
    let generation_1 = "set-oid a\nset-pid b\nconnect 203.0.113.7:1\nconnect-relay 2\necho x\n";
    assert_eq!(
        meanings(Plain, generation_1),
        [
            oid("a"),
            pid("b"),
            nat("203.0.113.7:1"),
            ServerCommand::ConnectRelay(2),
            echo("x")
        ]
    );
    let generation_2 = "hi \"noray v2\"\nset-oid a\nset-pid b\n\
        connect \"Error: x\ny\"\n\rblob 3\n\"\n\"\nconnect?4 203.0.113.7:1\nconnect-relay 2\n";
    assert_eq!(
        meanings(Quoted, generation_2),
        [
            ServerCommand::Greeting("noray v2".to_owned()),
            oid("a"),
            pid("b"),
            error(Nat, "Error: x\ny"),
            ServerCommand::ConnectRelay(2)
        ]
    );
}
