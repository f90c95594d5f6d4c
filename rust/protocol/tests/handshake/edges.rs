//! Odd times, odd datagrams, and steps at the wrong moment.

use std::time::{Duration, Instant};

use noray_protocol::{
    defaults::{
        HANDSHAKE_EARLY_INTERVAL, HANDSHAKE_INTERVAL, HANDSHAKE_LAST_PACKETS, HANDSHAKE_TIMEOUT,
    },
    player::handshake::{BlindHandshake, Handshake, Outcome, Step},
    wire::handshake_status::Status,
};
use proptest::{collection::vec, prelude::*};

use crate::network::FRAME;

const HOUR: Duration = Duration::from_secs(3600);

fn begin() -> (Instant, Handshake) {
    let now = Instant::now();
    (
        now,
        Handshake::new(now, HANDSHAKE_TIMEOUT, HANDSHAKE_INTERVAL),
    )
}

fn step(packet: &str, copies: u32, outcome: Option<Outcome>) -> Step {
    let packet = packet.as_bytes().try_into().unwrap();
    Step {
        packet,
        copies,
        outcome,
    }
}

/// Fails when a status is read or written differently than by netfox.noray.
#[test]
fn statuses() {
    for (packet, read, duplex) in [
        (b"$-w-", false, false),
        (b"$rw-", true, false),
        (b"$rwx", true, true),
        (b"$-wx", false, true),
    ] {
        let status = Status { read, duplex };
        assert_eq!(Status::parse(packet), Some(status));
        assert_eq!(&status.packet(), packet);
    }
    assert_eq!(Status::parse(b"$r-x"), Some(Status::BLIND));
    assert_eq!(&Status::BLIND.packet(), b"$rwx");
    for packet in [
        "", "$", "$rw", "$rwx ", "$rwx\n", "rwx$", "$RWX", "$wrx", "$rww", "#rwx",
    ] {
        assert_eq!(Status::parse(packet.as_bytes()), None, "{packet:?}");
    }
}

/// Fails when a time-out of zero sends nothing, or ignores what has arrived.
#[test]
fn no_time_at_all() {
    let now = Instant::now();
    let mut handshake = Handshake::new(now, Duration::ZERO, HANDSHAKE_INTERVAL);
    assert_eq!(
        handshake.step(now),
        step("$-w-", 1, Some(Outcome::TimedOut))
    );

    let mut handshake = Handshake::new(now, Duration::ZERO, HANDSHAKE_INTERVAL);
    handshake.receive(b"$rwx");
    assert_eq!(handshake.step(now).outcome, Some(Outcome::Connected));

    let mut blind = BlindHandshake::new(now, Duration::ZERO, HANDSHAKE_INTERVAL);
    assert_eq!(
        blind.step(now, false),
        step("$rwx", 1, Some(Outcome::Unconfirmed))
    );
}

/// Fails when an interval of zero sends more than one datagram a step.
#[test]
fn no_interval_at_all() {
    let now = Instant::now();
    let mut handshake = Handshake::new(now, HANDSHAKE_TIMEOUT, Duration::ZERO);
    let mut blind = BlindHandshake::new(now, HANDSHAKE_TIMEOUT, Duration::ZERO);
    for _ in 0..5 {
        handshake.receive(b"$-w-");
        assert_eq!(handshake.step(now), step("$rw-", 1, None));
        assert_eq!(blind.step(now, false), step("$rwx", 1, None));
    }
}

/// Fails when times that no `Instant` can name make anything panic.
#[test]
fn all_the_time() {
    let now = Instant::now();
    let mut handshake = Handshake::new(now, Duration::MAX, Duration::MAX);
    let mut blind = BlindHandshake::new(now, Duration::MAX, Duration::MAX);
    assert_eq!(handshake.step(now), step("$-w-", 1, None));
    assert_eq!(handshake.step(now + 9999 * HOUR), step("$-w-", 0, None));
    assert_eq!(blind.step(now, false), step("$rwx", 1, None));
    assert_eq!(blind.step(now + 9999 * HOUR, false).outcome, None);
}

/// Fails when, after the machine slept for an hour, the handshake sends what it missed, goes on, or
/// forgets that it had finished.
#[test]
fn an_hour_later() {
    let (now, mut handshake) = begin();
    handshake.step(now);
    assert_eq!(
        handshake.step(now + HOUR),
        step("$-w-", 1, Some(Outcome::TimedOut))
    );

    let (now, mut handshake) = begin();
    handshake.receive(b"$-w-");
    assert_eq!(
        handshake.step(now + HOUR),
        step("$rw-", 1, Some(Outcome::Unconfirmed))
    );

    let (now, mut handshake) = begin();
    handshake.receive(b"$rwx");
    assert_eq!(handshake.step(now + HOUR).outcome, Some(Outcome::Connected));

    let mut blind = BlindHandshake::new(now, HANDSHAKE_TIMEOUT, HANDSHAKE_INTERVAL);
    assert_eq!(
        blind.step(now + HOUR, false),
        step("$rwx", 1, Some(Outcome::Unconfirmed))
    );
}

/// Fails when a clock that steps back makes the handshake panic or end.
#[test]
fn a_clock_that_steps_back() {
    let later = Instant::now() + HOUR;
    let mut handshake = Handshake::new(later, HANDSHAKE_TIMEOUT, HANDSHAKE_INTERVAL);
    assert_eq!(handshake.step(later - HOUR).outcome, None);
}

/// Fails when repeats come more or less often than every interval, or when the blind side does not
/// repeat faster at first.
#[test]
fn the_interval_paces_repeats() {
    let (now, mut handshake) = begin();
    let mut blind = BlindHandshake::new(now, HANDSHAKE_TIMEOUT, HANDSHAKE_INTERVAL);
    let (mut sent, mut sent_blindly) = (Vec::new(), Vec::new());
    for frame in 0..36 {
        let now = now + frame * FRAME;
        if handshake.step(now).copies == 1 {
            sent.push(frame);
        }
        if blind.step(now, false).copies == 1 {
            sent_blindly.push(frame);
        }
    }
    assert_eq!(sent, [0, 6, 12, 18, 24, 30]);
    assert_eq!(sent_blindly, [0, 1, 2, 3, 4, 5, 6, 12, 18, 24, 30]);
}

/// Fails when an interval that is shorter than the pause between early repeats becomes longer.
#[test]
fn a_short_interval_stays_short() {
    let now = Instant::now();
    let interval = HANDSHAKE_EARLY_INTERVAL / 3;
    let mut blind = BlindHandshake::new(now, HANDSHAKE_TIMEOUT, interval);
    for repeat in 0..20 {
        let now = now + repeat * interval;
        assert_eq!(blind.step(now, false).copies, 1);
        assert_eq!(blind.step(now + interval / 2, false).copies, 0);
    }
}

/// Fails when news waits for the interval, or when a datagram without news is answered.
#[test]
fn news_is_answered_at_once_and_once() {
    let (now, mut handshake) = begin();
    assert_eq!(handshake.step(now), step("$-w-", 1, None));
    for (packet, answer) in [("$-w-", "$rw-"), ("$rw-", "$rwx")] {
        handshake.receive(packet.as_bytes());
        assert_eq!(handshake.step(now), step(answer, 1, None));
        handshake.receive(packet.as_bytes());
        handshake.receive(packet.as_bytes());
        assert_eq!(handshake.step(now), step(answer, 0, None));
    }
    handshake.receive(b"$rwx");
    let last = step("$rwx", HANDSHAKE_LAST_PACKETS, Some(Outcome::Connected));
    assert_eq!(handshake.step(now), last);
}

/// Fails when a datagram that arrives with the interval's end is answered twice.
#[test]
fn news_and_the_interval_make_one_packet() {
    let (now, mut handshake) = begin();
    handshake.receive(b"$-w-");
    assert_eq!(handshake.step(now).copies, 1);
    assert_eq!(handshake.step(now).copies, 0);
}

/// Used to fail: a datagram that was overtaken took back what a newer one had said, and this side
/// waited for a datagram that nobody sent any more.
#[test]
fn overtaken_packets_take_nothing_back() {
    let (now, mut handshake) = begin();
    handshake.receive(b"$rwx");
    handshake.receive(b"$-w-");
    assert_eq!(handshake.step(now).outcome, Some(Outcome::Connected));
}

/// Fails when the blind side goes on after ENet is connected, or ends before.
#[test]
fn the_blind_side_ends_with_enet() {
    let now = Instant::now();
    let mut blind = BlindHandshake::new(now, HANDSHAKE_TIMEOUT, HANDSHAKE_INTERVAL);
    assert_eq!(blind.step(now, false), step("$rwx", 1, None));
    let connected = step("$rwx", 0, Some(Outcome::Connected));
    assert_eq!(blind.step(now + FRAME, true), connected);
    assert_eq!(blind.step(now + HOUR, true), connected);

    let mut blind = BlindHandshake::new(now, HANDSHAKE_TIMEOUT, HANDSHAKE_INTERVAL);
    assert_eq!(blind.step(now, true), connected);
}

proptest! {
    /// Fails when anything but a handshake datagram proves more than that datagrams come in, or is
    /// answered more than once.
    #[test]
    fn garbage_only_sets_read(packets in vec(vec(any::<u8>(), 0..8), 1..20)) {
        let (now, mut handshake) = begin();
        handshake.step(now);
        let mut answers = 0;
        for packet in packets.iter().filter(|packet| Status::parse(packet).is_none()) {
            handshake.receive(packet);
            let step = handshake.step(now);
            prop_assert_eq!((&step.packet, step.outcome), (b"$rw-", None));
            answers += step.copies;
        }
        prop_assert!(answers <= 1);
    }

    /// Fails when garbage undoes progress.
    #[test]
    fn garbage_undoes_nothing(garbage in "[a-q]{0,6}") {
        let (now, mut handshake) = begin();
        handshake.receive(b"$rw-");
        handshake.receive(garbage.as_bytes());
        prop_assert_eq!(&handshake.step(now).packet, b"$rwx");
        handshake.receive(garbage.as_bytes());
        handshake.receive(b"$rwx");
        handshake.receive(garbage.as_bytes());
        prop_assert_eq!(handshake.step(now).outcome, Some(Outcome::Connected));
    }

    /// Fails when any datagrams at any times make the handshake panic, or send more than one
    /// datagram a step before its end.
    #[test]
    fn any_course_is_bounded(
        course in vec(("[$rwx-]{0,5}", 0..2000_u64), 0..40),
        timeout in 0..9000_u64,
        interval in 0..300_u64,
    ) {
        let mut now = Instant::now();
        let timeout = Duration::from_millis(timeout);
        let mut handshake = Handshake::new(now, timeout, Duration::from_millis(interval));
        for (packet, wait) in course {
            handshake.receive(packet.as_bytes());
            let step = handshake.step(now);
            match step.outcome {
                None => prop_assert!(step.copies <= 1),
                Some(Outcome::Connected) => {
                    prop_assert_eq!(step.copies, HANDSHAKE_LAST_PACKETS);
                    break;
                }
                Some(_) => {
                    prop_assert_eq!(step.copies, 1);
                    break;
                }
            }
            now += Duration::from_millis(wait);
        }
    }
}
