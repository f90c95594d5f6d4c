//! The system lacks socket options and calls that make a server faster or more watchful, as old
//! systems, containers and compatibility layers do.

use std::{collections::BTreeMap, env::consts::ARCH, thread};

use noray_testkit::player::AcceptsPlayers;
use seccompiler::{
    BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, apply_filter,
};

use crate::program::{binary, ended, start};

/// The numbers of Linux's calls.
#[cfg(target_arch = "x86_64")]
mod calls {
    pub(super) const SETSOCKOPT: i64 = 54;
    pub(super) const RECVMMSG: i64 = 299;
}
#[cfg(target_arch = "aarch64")]
mod calls {
    pub(super) const SETSOCKOPT: i64 = 208;
    pub(super) const RECVMMSG: i64 = 243;
}

/// Linux's errors for a call and for an option that it does not know.
const ENOSYS: u32 = 38;
const ENOPROTOOPT: u32 = 92;

/// Options that a server can do without, each by its level and its number.
const OPTIONAL: [(u64, u64); 11] = [
    (1, 7),    // SO_SNDBUF
    (1, 8),    // SO_RCVBUF
    (1, 9),    // SO_KEEPALIVE
    (6, 1),    // TCP_NODELAY
    (6, 4),    // TCP_KEEPIDLE
    (6, 5),    // TCP_KEEPINTVL
    (6, 6),    // TCP_KEEPCNT
    (6, 18),   // TCP_USER_TIMEOUT
    (0, 8),    // IP_PKTINFO
    (17, 103), // UDP_SEGMENT
    (17, 104), // UDP_GRO
];

/// Lets two players be relayed by the program on a system that denies these calls with this error:
/// all, or those to which a rule applies. Returns the program's log.
fn log_of_a_relayed_pair(denied: BTreeMap<i64, Vec<SeccompRule>>, error: u32) -> String {
    let filter = SeccompFilter::new(
        denied,
        SeccompAction::Allow,
        SeccompAction::Errno(error),
        ARCH.try_into().unwrap(),
    );
    let filter: BpfProgram = filter.unwrap().try_into().unwrap();
    // A thread's filter holds for the processes that it starts.
    let run = thread::spawn(move || {
        apply_filter(&filter).unwrap();
        start(binary().env("NORAY_UDP_HOST", "0.0.0.0"))
    });
    let server = run.join().unwrap();
    for _ in 0..2 {
        let pair = server.relayed_pair();
        for _ in 0..3 {
            pair.exchange(b"hello");
        }
        for number in 0..40 {
            pair.client.send_datagram(&[number], pair.host_port);
        }
        for number in 0..40 {
            assert_eq!(pair.host.datagram().0, [number]);
        }
    }
    server.child.signal("TERM").unwrap();
    let (code, log) = ended(server);
    assert_eq!(code, Some(0), "{log}");
    log
}

/// Each connection ended in silence, and each relay was refused.
#[test]
fn a_missing_option_does_not_shut_players_out() {
    let rules = OPTIONAL.map(|(level, name)| {
        let is = |argument, value| {
            let (length, equal) = (SeccompCmpArgLen::Dword, SeccompCmpOp::Eq);
            SeccompCondition::new(argument, length, equal, value).unwrap()
        };
        SeccompRule::new(vec![is(1, level), is(2, name)]).unwrap()
    });
    let denied = BTreeMap::from([(calls::SETSOCKOPT, rules.to_vec())]);
    let log = log_of_a_relayed_pair(denied, ENOPROTOOPT);
    for option in ["TCP keepalive", "TCP_NODELAY", "IP_PKTINFO", "SO_RCVBUF"] {
        let told = log.matches(&format!("option=\"{option}\"")).count();
        assert_eq!(told, 1, "{option}: {log}");
    }
    assert_eq!(log.matches("one by one").count(), 1, "{log}");
}

/// Each relay heard nothing.
#[test]
fn a_missing_call_for_many_datagrams_does_not_silence_relays() {
    let denied = BTreeMap::from([(calls::RECVMMSG, Vec::new())]);
    let log = log_of_a_relayed_pair(denied, ENOSYS);
    assert_eq!(log.matches("one by one").count(), 1, "{log}");
}
