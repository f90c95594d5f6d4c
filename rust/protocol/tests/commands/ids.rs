//! Which texts are OpenIDs and PrivateIDs.

use noray_protocol::{
    defaults::{MAX_OPEN_ID, MAX_PRIVATE_ID},
    wire::{
        command::{ConnectKind, PlayerCommand},
        id::{OpenId, OpenIdError, PrivateId},
    },
};
use proptest::prelude::*;

/// Fails when an OpenID that a server gives cannot be used.
#[test]
fn open_ids_of_servers_are_accepted() {
    let longest = "x".repeat(MAX_OPEN_ID);
    for text in [
        "PbEzHoOOXM2mZJ9rkd0qd",
        "_-_-_-_-_-_-_-_-_-_-_",
        "happy-green-otter",
        "HappyGreenOtter",
        "šťastný-žlutý-pták",
        "日本語",
        "🦀🦀🦀",
        "a",
        "-",
        "?=!|.",
        longest.as_str(),
    ] {
        assert_eq!(
            OpenId::new(text).map(|oid| oid.to_string()),
            Ok(text.to_owned())
        );
    }
}

/// Fails when a text is accepted that breaks the command's line or a server's reader.
#[test]
fn what_is_no_open_id() {
    let too_long = "x".repeat(MAX_OPEN_ID + 1);
    let too_many_bytes = "é".repeat(MAX_OPEN_ID / 2 + 1);
    for (text, error) in [
        ("", OpenIdError::Empty),
        (too_long.as_str(), OpenIdError::TooLong),
        (too_many_bytes.as_str(), OpenIdError::TooLong),
        (" a", OpenIdError::WhiteSpace),
        ("a ", OpenIdError::WhiteSpace),
        ("a b", OpenIdError::WhiteSpace),
        ("a\tb", OpenIdError::WhiteSpace),
        ("a\n", OpenIdError::WhiteSpace),
        ("a\r", OpenIdError::WhiteSpace),
        ("a\nregister-host", OpenIdError::WhiteSpace),
        ("a\u{a0}b", OpenIdError::WhiteSpace),
        ("a\u{2028}b", OpenIdError::WhiteSpace),
        ("a\0", OpenIdError::Character),
        ("a\u{7f}", OpenIdError::Character),
        ("a\u{1b}[2J", OpenIdError::Character),
        ("a\"b", OpenIdError::Character),
        ("a\\nb", OpenIdError::Character),
        ("a\\", OpenIdError::Character),
    ] {
        assert_eq!(OpenId::new(text), Err(error), "{text:?}");
    }
}

/// Fails when a PrivateID is cut, or one is accepted that does not fit into a datagram.
#[test]
fn private_ids() {
    for text in [
        "x",
        "p-_9",
        "p i d",
        &"x".repeat(128),
        &"x".repeat(MAX_PRIVATE_ID),
    ] {
        assert_eq!(PrivateId::new(text).unwrap().reveal(), text);
    }
    assert_eq!(PrivateId::new(""), None);
    assert_eq!(PrivateId::new("x".repeat(MAX_PRIVATE_ID + 1)), None);
}

proptest! {
    /// Fails when an accepted OpenID does not make exactly one line with one space, or is not read
    /// back by a server.
    #[test]
    fn an_open_id_makes_one_line(text in r#"[a-c "\\\r\n\t\u{85}\u{feff}é]{0,6}"#) {
        let Ok(oid) = OpenId::new(&text) else {
            return Ok(());
        };
        for kind in [ConnectKind::Nat, ConnectKind::Relay] {
            let command = PlayerCommand::Connect(kind, Ok(oid.clone()));
            let line = command.to_string();
            prop_assert_eq!(line.split_whitespace().count(), 2);
            prop_assert!(!line.contains(['\n', '\r', '"', '\\']));
            prop_assert_eq!(PlayerCommand::parse(&line), command);
        }
    }
}
