//! What one side writes, the other reads. No PrivateID is ever printed.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use noray_protocol::wire::{
    command::{ConnectKind, PlayerCommand, RefusalReason, ServerCommand, ServerLine},
    framing::{Framing, LineDecoder},
    id::{OpenId, PrivateId},
};
use proptest::{prelude::*, sample::select};

fn framings() -> impl Strategy<Value = Framing> {
    prop_oneof![Just(Framing::Plain), Just(Framing::Quoted)]
}

fn kinds() -> impl Strategy<Value = ConnectKind> {
    prop_oneof![Just(ConnectKind::Nat), Just(ConnectKind::Relay)]
}

fn reasons() -> impl Strategy<Value = RefusalReason> {
    select(vec![
        RefusalReason::UnknownHost,
        RefusalReason::HostUnregistered,
        RefusalReason::PlayerUnregistered,
        RefusalReason::NoIdentity,
        RefusalReason::RelaysFull,
        RefusalReason::InvalidOpenId,
        RefusalReason::TooManyRequests,
        RefusalReason::Other,
    ])
}

/// Returns texts that neither framing changes.
fn texts() -> impl Strategy<Value = String> {
    r"[!#-\[\]-~é🦀][ !#-\[\]-~é🦀]{0,30}"
}

fn one_host(ip: IpAddr) -> bool {
    !ip.is_unspecified() && !ip.is_multicast() && ip != Ipv4Addr::BROADCAST
}

fn addresses() -> impl Strategy<Value = SocketAddr> {
    let ips = prop_oneof![
        any::<u32>().prop_map(|bits| IpAddr::V4(Ipv4Addr::from_bits(bits))),
        any::<u128>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(bits))),
        any::<u16>().prop_map(|bits| IpAddr::V6(Ipv6Addr::from_bits(u128::from(bits)))),
    ];
    let ips = ips
        .prop_map(|ip| ip.to_canonical())
        .prop_filter("one host", |ip| one_host(*ip));
    (ips, 1..=u16::MAX).prop_map(SocketAddr::from)
}

fn server_commands() -> impl Strategy<Value = ServerCommand> {
    prop_oneof![
        texts().prop_map(ServerCommand::Greeting),
        texts().prop_map(ServerCommand::SetOpenId),
        texts().prop_map(|text| ServerCommand::SetPrivateId(PrivateId::new(text).unwrap())),
        addresses().prop_map(ServerCommand::ConnectNat),
        (1..=u16::MAX).prop_map(ServerCommand::ConnectRelay),
        (kinds(), "[A-Z][a-z ]{0,20}")
            .prop_map(|(kind, text)| { ServerCommand::ConnectError(kind, text) }),
        (
            kinds(),
            prop::option::of(r"[a-zA-Z0-9é]{1,20}"),
            reasons(),
            texts()
        )
            .prop_map(|(kind, oid, reason, sentence)| ServerCommand::Refused {
                kind,
                oid: oid.unwrap_or_default(),
                reason,
                sentence,
            }),
        texts().prop_map(ServerCommand::Echo),
    ]
}

proptest! {
    /// Fails when a player reads something else than the server wrote.
    #[test]
    fn server_lines_round_trip(command in server_commands(), framing in framings()) {
        let line = command.to_line();
        let parsed = ServerLine::parse(&line, framing).unwrap();
        prop_assert_eq!(parsed.command, command);
    }

    /// Fails when a refusal, as the server makes it, loses its reason.
    #[test]
    fn refusals_round_trip(
        kind in kinds(),
        oid in prop::option::of("[a-zA-Z0-9é]{1,20}"),
        reason in reasons(),
        framing in framings(),
    ) {
        let oid = oid.map(|oid| OpenId::new(&oid).unwrap());
        let refusal = ServerCommand::refusal(kind, oid.as_ref(), reason);
        let parsed = ServerLine::parse(&refusal.to_line(), framing).unwrap();
        prop_assert_eq!(parsed.command, refusal);
    }

    /// Fails when old clients could take a refusal for a `connect`: they look only at the first
    /// word.
    #[test]
    fn refusals_are_no_connects(kind in kinds(), reason in reasons()) {
        let line = ServerCommand::refusal(kind, None, reason).to_line();
        prop_assert!(line.starts_with("refused "));
        prop_assert!(!line.contains(['\n', '"', '\\']));
    }

    /// Fails when an IPv4 address in IPv6 form is sent as it is: netfox.noray cuts it at its first
    /// colon.
    #[test]
    fn mapped_addresses_go_out_as_ipv4(bits in any::<u32>(), port in 1..=u16::MAX) {
        let ip = Ipv4Addr::from_bits(bits);
        let mapped = SocketAddr::from((ip.to_ipv6_mapped(), port));
        let line = ServerCommand::ConnectNat(mapped).to_line();
        prop_assert_eq!(line, format!("connect {ip}:{port}"));
    }

    /// Fails when a server reads something else than the player wrote.
    #[test]
    fn player_lines_round_trip(kind in kinds(), oid in "[a-zA-Z0-9é]{1,20}", text in texts()) {
        let oid = OpenId::new(&oid).unwrap();
        for command in [
            PlayerCommand::RegisterHost,
            PlayerCommand::Connect(kind, Ok(oid)),
            PlayerCommand::Can(text.clone()),
            PlayerCommand::Open,
            PlayerCommand::Shut,
            PlayerCommand::Echo(text),
        ] {
            prop_assert_eq!(PlayerCommand::parse(&command.to_string()), command);
        }
    }

    /// Fails when any bytes from a player make parsing panic, or when an invalid OpenID reaches the
    /// server's tables.
    #[test]
    fn player_lines_are_checked(line in r"(connect|connect-relay|echo|[a-z]{1,3})? ?\PC{0,10}") {
        if let PlayerCommand::Connect(_, Ok(oid)) = PlayerCommand::parse(&line) {
            let end = format!(" {oid}");
            prop_assert!(line.ends_with(&end));
            prop_assert!(OpenId::new(oid.as_str()).is_ok());
        }
    }

    /// Fails when `{:?}` shows a PrivateID, in any type that a PrivateID passes through.
    #[test]
    fn no_debug_output_shows_a_private_id(secret in "[A-Z0-9_-]{8,128}", framing in framings()) {
        let mut decoder = LineDecoder::new(framing, 1000);
        let mut shown = String::new();
        for piece in [format!("set-oid a\nset-pid {secret}").as_bytes(), b"\nset"] {
            decoder.push(piece);
            shown += &format!("{decoder:?} {decoder:#?}");
            while let Some(line) = decoder.next_line() {
                let line = ServerLine::parse(&line.unwrap(), framing).unwrap();
                shown += &format!("{line:?} {line:#?} {:?} {:?}", line.command, decoder);
            }
        }
        let quoted = format!("set-pid \"{secret} x\"");
        shown += &format!("{:?}", ServerLine::parse(&quoted, framing));
        // A text that is not a PrivateID is no less a secret.
        let too_long = format!("set-pid {}", secret.repeat(200));
        shown += &format!("{:?}", ServerLine::parse(&too_long, framing));
        let pid = PrivateId::new(secret.clone()).unwrap();
        shown += &format!("{pid:?} {pid:#?} {:?}", ServerCommand::SetPrivateId(pid.clone()));

        let bytes = format!("{:?}", &secret.as_bytes()[..4]);
        prop_assert!(shown.contains("PrivateId(…)"));
        prop_assert!(!shown.contains(&secret[..8]), "{}", shown);
        prop_assert!(!shown.contains(bytes.trim_matches(['[', ']'])), "{}", shown);
    }
}

/// Fails when a reason has no name or sentence of its own.
#[test]
fn reasons_have_names_and_sentences() {
    let reasons = [
        RefusalReason::UnknownHost,
        RefusalReason::HostUnregistered,
        RefusalReason::PlayerUnregistered,
        RefusalReason::NoIdentity,
        RefusalReason::RelaysFull,
        RefusalReason::InvalidOpenId,
        RefusalReason::TooManyRequests,
        RefusalReason::Other,
    ];
    for (index, reason) in reasons.iter().enumerate() {
        assert!(!reason.name().contains(char::is_whitespace));
        assert!(!reason.sentence().is_empty());
        for other in &reasons[..index] {
            assert_ne!(reason.name(), other.name());
            assert_ne!(reason.sentence(), other.sentence());
        }
    }
}
