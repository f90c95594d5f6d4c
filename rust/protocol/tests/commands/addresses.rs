//! `connect` is strictly followed by an address with a port, `connect-relay` by a port. Any other
//! text is an error message.

use noray_protocol::wire::{
    command::{ConnectKind, ServerCommand, ServerLine},
    framing::Framing,
};
use proptest::prelude::*;

fn read(line: &str) -> ServerCommand {
    ServerLine::parse(line, Framing::Plain).expect(line).command
}

/// Fails when a near-miss is taken for an address: a game would then try to reach nobody, or
/// everybody.
#[test]
fn near_misses_of_an_address_are_errors() {
    let near_misses = [
        // the port
        "1.2.3.4:0",
        "1.2.3.4:00",
        "1.2.3.4:080",
        "1.2.3.4:+80",
        "1.2.3.4:-80",
        "1.2.3.4: 80",
        "1.2.3.4:80 ",
        "1.2.3.4:65536",
        "1.2.3.4:99999",
        "1.2.3.4:80.0",
        "1.2.3.4:8e1",
        "1.2.3.4:0x50",
        "1.2.3.4:٨٠",
        "1.2.3.4:http",
        "1.2.3.4:",
        "1.2.3.4",
        "1.2.3.4:80:90",
        // the address
        "",
        ":",
        ":80",
        "80",
        " 1.2.3.4:80",
        "+1.2.3.4:80",
        "1.2.3:80",
        "1.2.3.4.5:80",
        "1.2.3.256:80",
        "1.2.3.04:80",
        "0x1.2.3.4:80",
        "16909060:80",
        "1.2.3.4/24:80",
        "localhost:80",
        "example.com:80",
        "null:80",
        "undefined:undefined",
        "[1.2.3.4]:80",
        "[::1]",
        "[::1]80",
        "[::1:80",
        "::1]:80",
        "[[::1]]:80",
        "[fe80::1%eth0]:80",
        "[fe80::1%2]:80",
        ":::80:",
        "1:2:3:4:5:6:7:80",
        // addresses of nobody, and of many
        "0.0.0.0:80",
        "[::]:80",
        ":::80",
        "::ffff:0.0.0.0:80",
        "224.0.0.1:80",
        "239.255.255.250:80",
        "[ff02::1]:80",
        "::ffff:224.0.0.1:80",
        "255.255.255.255:80",
        "::ffff:255.255.255.255:80",
        // what generation 2 says
        "Error: Unknown host oid: 1.2.3.4:80",
        "1.2.3.4:80 x",
        "x 1.2.3.4:80",
    ];
    for text in near_misses {
        let expected = ServerCommand::ConnectError(ConnectKind::Nat, text.to_owned());
        assert_eq!(read(&format!("connect {text}")), expected, "{text:?}");
    }
    let nothing = ServerCommand::ConnectError(ConnectKind::Nat, String::new());
    assert_eq!(read("connect"), nothing);
}

/// Fails when an address that servers write is rejected or changed.
#[test]
fn addresses_are_read() {
    for (text, address) in [
        ("1.2.3.4:1", "1.2.3.4:1"),
        ("1.2.3.4:65535", "1.2.3.4:65535"),
        ("127.0.0.1:80", "127.0.0.1:80"),
        ("192.168.1.255:80", "192.168.1.255:80"),
        ("::1:80", "[::1]:80"),
        ("[::1]:80", "[::1]:80"),
        ("2001:db8::1:80", "[2001:db8::1]:80"),
        ("1:2:3:4:5:6:7:8:80", "[1:2:3:4:5:6:7:8]:80"),
        ("::ffff:1.2.3.4:80", "1.2.3.4:80"),
        ("[::ffff:1.2.3.4]:80", "1.2.3.4:80"),
    ] {
        let expected = ServerCommand::ConnectNat(address.parse().unwrap());
        assert_eq!(read(&format!("connect {text}")), expected, "{text:?}");
    }
}

/// Fails when a near-miss is taken for a relay's port.
#[test]
fn near_misses_of_a_port_are_errors() {
    let near_misses = [
        "",
        "0",
        "00",
        "080",
        "+80",
        "-1",
        " 80",
        "80 ",
        "65536",
        "99999",
        "80.0",
        "8e1",
        "0x50",
        "٨٠",
        "4294967376",
        "80 90",
        "undefined",
        "NaN",
        ":80",
        "1.2.3.4:80",
        "Error: Unknown host oid: 80",
    ];
    for text in near_misses {
        let expected = ServerCommand::ConnectError(ConnectKind::Relay, text.to_owned());
        assert_eq!(read(&format!("connect-relay {text}")), expected, "{text:?}");
    }
    let nothing = ServerCommand::ConnectError(ConnectKind::Relay, String::new());
    assert_eq!(read("connect-relay"), nothing);
}

proptest! {
    /// Fails when any text of digits, dots and colons gives an address or port that a server would
    /// have written differently.
    #[test]
    fn only_what_a_server_writes_is_read(text in r"[0-9.:+\[\] a-f]{0,16}") {
        if let ServerCommand::ConnectRelay(port) = read(&format!("connect-relay {text}")) {
            prop_assert_eq!(port.to_string(), text.clone());
        }
        if let ServerCommand::ConnectNat(address) = read(&format!("connect {text}")) {
            prop_assert!(address.port() != 0);
            let end = format!(":{}", address.port());
            prop_assert!(text.ends_with(&end));
            if address.is_ipv4() && !text.contains('[') && !text.contains("::") {
                prop_assert_eq!(address.to_string(), text);
            }
        }
    }

    /// Fails when a port is read wrongly.
    #[test]
    fn every_port_is_read(port in 1..=u16::MAX) {
        let relay = read(&format!("connect-relay {port}"));
        prop_assert_eq!(relay, ServerCommand::ConnectRelay(port));
        let address = format!("203.0.113.7:{port}");
        let nat = read(&format!("connect {address}"));
        prop_assert_eq!(nat, ServerCommand::ConnectNat(address.parse().unwrap()));
    }
}
