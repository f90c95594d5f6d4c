//! The wall clock jumps: a machine starts with a wrong time, and then hears the right one.
//!
//! The clock jumps for this whole process and the server in it: the standard library calls
//! `clock_gettime`, and finds the function below in place of the C library's.

use std::{
    sync::atomic::{AtomicI64, Ordering::Relaxed},
    thread::sleep,
    time::{Duration, Instant, SystemTime},
};

use noray_server::{ByteSize, Config, defaults::BURST_SECONDS};
use noray_testkit::{
    defaults::{ANSWER, SILENCE},
    library_server::LibraryServer,
    player::{AcceptsPlayers, eventually},
};
use rustix::time::{ClockId, Timespec};

/// By how many seconds the wall clock is wrong.
static JUMP: AtomicI64 = AtomicI64::new(0);

/// Replaces the C library's function.
///
/// # Safety
/// `time` points to room for a time.
#[unsafe(no_mangle)]
#[allow(unsafe_code, reason = "the form that the C library's callers expect")]
unsafe extern "C" fn clock_gettime(clock: i32, time: *mut Timespec) -> i32 {
    let Ok(clock) = ClockId::try_from(clock) else {
        return -1;
    };
    // This asks the system itself, not the C library.
    let mut now = rustix::time::clock_gettime(clock);
    if clock == ClockId::Realtime {
        now.tv_sec += JUMP.load(Relaxed);
    }
    // SAFETY: the caller promises it.
    unsafe { time.write(now) };
    0
}

/// Much longer than the jumps take, on a busy machine too.
const TIMEOUT: Duration = Duration::from_secs(4);
const HOUR: Duration = Duration::from_secs(3600);
const YEAR: i64 = 365 * 24 * 3600;

#[test]
fn nobody_notices() {
    let server = LibraryServer::with(Config {
        relay_timeout: TIMEOUT.into(),
        relay_cleanup_interval: Duration::from_millis(20).into(),
        unregistered_timeout: TIMEOUT.into(),
        max_connects_per_second: 1,
        // One packet exceeds the limit of a slice.
        traffic_interval: HOUR.into(),
        max_individual_traffic: ByteSize(1),
        ..LibraryServer::config()
    });
    let mut pair = server.relayed_pair();
    let mut unregistered = server.player();
    let began = Instant::now();
    pair.exchange(&[1; 4000]);
    let mut allowed = 0;
    for jump in [0, 10 * YEAR, -30 * YEAR, 300 * YEAR, 0] {
        let before = (JUMP.load(Relaxed), SystemTime::now());
        JUMP.store(jump, Relaxed);
        let moved = match SystemTime::now().duration_since(before.1) {
            Ok(forward) => forward,
            Err(back) => back.duration(),
        };
        let expected = Duration::from_secs(jump.abs_diff(before.0));
        assert!(moved.abs_diff(expected) < HOUR, "{moved:?}");
        // Leaves time for the tasks that look at a clock regularly.
        sleep(Duration::from_millis(50));
        // Nothing has expired, and every limit still holds.
        unregistered.expect_silence();
        assert_eq!(server.server.stats().relays, 2);
        pair.client.send_datagram(b"too much", pair.host_port);
        assert_eq!(pair.host.datagram_within(SILENCE), None);
        while pair.client.ask("connect nobody").contains(" unknown-host ") {
            allowed += 1;
        }
    }
    let may = BURST_SECONDS + began.elapsed().as_secs_f64();
    assert!(f64::from(allowed) <= may + 1.0, "{allowed} of {may}");
    // Time still passes: what must end ends, and limits allow more again.
    assert!(unregistered.is_closed_within(ANSWER));
    eventually("the relays expire", || server.server.stats().relays == 0);
    assert!(began.elapsed() >= TIMEOUT);
    assert!(pair.client.ask("connect nobody").contains(" unknown-host "));
    let oid = pair.host.oid.clone();
    pair.host_port = pair.client.relay_port(&format!("connect-relay {oid}"));
    pair.client_port = pair.host.relay_port("");
    pair.exchange(b"anew");
}
