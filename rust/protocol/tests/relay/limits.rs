//! How much a relay forwards.

use std::time::{Duration, Instant};

use noray_protocol::server::relay_table::{Dropped, PACKET_OVERHEAD, RelayLimits};
use proptest::prelude::*;

use crate::table::{IDLE, KIB, SLICE, World, at, home, limits};

#[test]
fn a_player_over_its_bandwidth_is_cut_to_it_and_others_are_not() {
    let mut world = World::pair(limits());
    for _ in 0..10 {
        let passed = (0..100)
            .filter(|_| world.send_bytes(home(1), 2, 1000).is_ok())
            .count();
        assert_eq!(passed, 12, "13,107 bytes in each tenth of a second");
        let over = world.send_bytes(home(1), 2, 1000);
        assert_eq!(over, Err(Dropped::IndividualTraffic));
        assert!(world.send_bytes(home(2), 1, 1000).is_ok());
        world.wait(SLICE);
    }
}

#[test]
fn of_packets_that_come_together_pass_as_many_as_may() {
    let mut world = World::pair(limits());
    let run = |world: &World, count, last| {
        let passed = world.relays[&2].receive_run(home(1), count, 1000, last, world.now);
        passed.map(|(_, passed)| passed)
    };
    assert_eq!(run(&world, 5, 1000), Ok(5));
    assert_eq!(run(&world, 20, 1000), Ok(7));
    assert_eq!(
        run(&world, 1, 1000).unwrap_err(),
        Dropped::IndividualTraffic
    );
    world.wait(SLICE);
    // The last one is shorter: 12 of 1,028 bytes leave room for 771.
    assert_eq!(run(&world, 13, 743), Ok(13));
    world.wait(SLICE);
    assert_eq!(run(&world, 13, 744), Ok(12));
}

#[test]
fn a_learned_address_counts_for_its_player() {
    let world = World::pair(limits());
    let passed = (0..100)
        .filter(|_| world.send_bytes(at(1, 6000), 2, 1000).is_ok())
        .count();
    assert_eq!(passed, 12);
    let over = world.send_bytes(at(1, 6000), 2, 1000);
    assert_eq!(over, Err(Dropped::IndividualTraffic));
    assert!(world.send_bytes(home(2), 1, 1000).is_ok());
}

#[test]
fn copies_count_for_who_gets_them() {
    let world = World::pair(limits());
    for port in [6001, 6002] {
        assert!(world.send_bytes(at(1, port), 2, 0).is_ok());
    }
    // 56 bytes are player 1's own packets, and each copy is 1,028.
    for copied in 0..12 {
        let (_, to) = world.send_bytes(home(2), 1, 1000).unwrap();
        assert_eq!(to, [at(1, 6001), at(1, 6002)], "{copied}");
    }
    let over = world.send_bytes(home(2), 1, 1000);
    assert_eq!(over, Err(Dropped::IndividualTraffic));
    let (_, to) = world.send_bytes(home(2), 1, 600).unwrap();
    assert_eq!(to, [at(1, 6001), at(1, 6002)]);
    assert_eq!(
        world.send_bytes(at(1, 6001), 2, 200),
        Err(Dropped::IndividualTraffic)
    );
}

#[test]
fn copies_end_before_the_packet_itself() {
    let world = World::pair(limits());
    for port in [6001, 6002] {
        assert!(world.send_bytes(at(1, port), 2, 6000).is_ok());
    }
    let (_, to) = world.send_bytes(home(2), 1, 2000).unwrap();
    assert_eq!(to, [at(1, 6001)]);
}

#[test]
fn all_together_are_cut_to_the_global_bandwidth() {
    let mut world = World::pair(RelayLimits {
        max_global_traffic: 20_000,
        ..limits()
    });
    assert!(world.send_bytes(home(1), 2, 1500).is_ok());
    let over = world.send_bytes(home(2), 1, 445);
    assert_eq!(over, Err(Dropped::GlobalTraffic));
    assert!(world.send_bytes(home(2), 1, 444).is_ok());
    world.wait(SLICE);
    assert!(world.send_bytes(home(2), 1, 445).is_ok());
}

#[test]
fn a_packet_larger_than_a_slice_passes_and_is_paid_for() {
    let mut world = World::pair(limits());
    assert!(world.send_bytes(home(1), 2, 65_000).is_ok());
    // 65,000 bytes are 4.96 slices.
    for slice in 1..4 {
        world.wait(SLICE);
        assert!(world.send_bytes(home(1), 2, 5000).is_err(), "{slice}");
    }
    world.wait(SLICE);
    assert!(world.send_bytes(home(1), 2, 400).is_ok());
    world.wait(SLICE);
    assert!(world.send_bytes(home(1), 2, 5000).is_ok());
}

#[test]
fn a_relay_ends_by_age_and_opens_anew() {
    let mut world = World::pair(limits());
    let start = world.now;
    while world.now < start + limits().max_lifetime {
        assert!(world.send(home(1), 2).is_ok());
        assert_eq!(world.expire(), []);
        world.wait(IDLE / 2);
    }
    world.now = start + limits().max_lifetime;
    assert_eq!(world.send(home(1), 2), Err(Dropped::LifetimeOver));
    assert_eq!(world.open(1), Ok(1));
    world.wait(IDLE);
    assert_eq!(world.expire(), [1, 2]);
    assert_eq!(world.open(1), Ok(3));
}

#[test]
fn a_relay_ends_by_traffic() {
    let world = World::pair(RelayLimits {
        max_lifetime_traffic: 1000,
        ..limits()
    });
    assert!(world.send_bytes(home(1), 2, 900).is_ok());
    let over = world.send_bytes(home(1), 2, 45);
    assert_eq!(over, Err(Dropped::LifetimeTrafficUsed));
    assert!(world.send_bytes(home(1), 2, 44).is_ok());
    assert!(world.send_bytes(home(1), 2, 1).is_err());
    assert!(world.send_bytes(home(2), 1, 900).is_ok());
}

#[test]
fn extreme_limits_and_times_do_no_harm() {
    let mut world = World::with_ports(
        &[1, 2],
        RelayLimits {
            idle_timeout: Duration::MAX,
            traffic_interval: Duration::ZERO,
            max_individual_traffic: u64::MAX,
            max_global_traffic: 0,
            max_lifetime: Duration::MAX,
            max_lifetime_traffic: u64::MAX,
            address_hold: Duration::MAX,
            max_links: usize::MAX,
        },
    );
    assert_eq!(world.meet(1, 2), Ok([1, 2]));
    assert!(world.send_bytes(home(1), 2, usize::MAX).is_ok());
    // A clock that goes back.
    let before: Instant = world.now - SLICE;
    let _ = world.relays[&2].receive(home(1), usize::MAX, before);
    assert_eq!(world.expire(), []);
}

/// Returns how many seconds a sender needs for a mebibyte that goes about it like ENet: it has 64 KiB
/// on their way, and sends each packet that is lost again, after a pause that doubles.
fn seconds_for_a_mebibyte(limits: RelayLimits, round_trip: Duration) -> f64 {
    const PACKET: usize = 1372;
    const FRAME: Duration = Duration::from_millis(7);
    struct Sent {
        acknowledged: Option<Instant>,
        sent: Instant,
        pause: Duration,
    }
    let mut world = World::pair(limits);
    let start = world.now;
    let mut left = (KIB * KIB) as usize / PACKET + 1;
    let mut unacknowledged: Vec<Sent> = Vec::new();
    // ENet's own estimate, which begins with half a second.
    let (mut mean, mut variance) = (Duration::from_millis(500), Duration::ZERO);
    while left > 0 || !unacknowledged.is_empty() {
        let now = world.now;
        unacknowledged.retain(|packet| {
            let arrived = packet.acknowledged.is_some_and(|at| at <= now);
            if arrived {
                let took = now - packet.sent;
                variance = variance - variance / 4 + took.abs_diff(mean) / 4;
                mean = mean - mean / 8 + took / 8;
            }
            !arrived
        });
        let send = |packet: &mut Sent| {
            let passed = world.send_bytes(home(1), 2, PACKET).is_ok();
            packet.sent = now;
            packet.acknowledged = passed.then(|| now + round_trip);
        };
        for packet in &mut unacknowledged {
            if packet.acknowledged.is_none() && now - packet.sent >= packet.pause {
                packet.pause *= 2;
                send(packet);
            }
        }
        while left > 0 && (unacknowledged.len() + 1) * PACKET <= 64 * KIB as usize {
            left -= 1;
            let mut packet = Sent {
                acknowledged: None,
                sent: now,
                pause: mean + 4 * variance,
            };
            send(&mut packet);
            unacknowledged.push(packet);
        }
        world.wait(FRAME);
    }
    (world.now - start).as_secs_f64()
}

/// A level's data took 18 s where the limit asks for 8.
#[test]
fn bursts_and_pauses_do_not_cost_a_sender_its_bandwidth() {
    let of_a_second = RelayLimits {
        traffic_interval: Duration::from_secs(1),
        ..limits()
    };
    for round_trip in [1, 10, 30, 60, 120].map(Duration::from_millis) {
        let seconds = seconds_for_a_mebibyte(of_a_second.clone(), round_trip);
        assert!(8.0 / seconds >= 0.85, "{seconds} s, {round_trip:?}");
        let seconds = seconds_for_a_mebibyte(limits(), round_trip);
        assert!(8.0 / seconds < 0.5, "{seconds} s, {round_trip:?}");
    }
}

#[test]
fn a_burst_does_not_raise_what_passes_in_the_long_run() {
    let mut world = World::pair(RelayLimits {
        traffic_interval: Duration::from_secs(1),
        ..limits()
    });
    let mut passed_in = [0; 100];
    for tenth in &mut passed_in {
        while world.send_bytes(home(1), 2, 1000).is_ok() {
            *tenth += 1028;
        }
        world.wait(Duration::from_millis(100));
    }
    let most_in = |tenths| {
        passed_in
            .windows(tenths)
            .map(|window| window.iter().sum::<u64>())
            .max()
    };
    // Two seconds: what they allow, and a second's worth saved up before.
    assert!(most_in(20) <= Some(3 * 128 * KIB));
    assert!(most_in(100) <= Some(11 * 128 * KIB));
    // No more than the rate once the burst is used up.
    assert!(passed_in[10..].iter().sum::<u64>() <= 9 * 128 * KIB);
}

proptest! {
    #[test]
    fn no_pattern_of_sending_beats_the_bandwidth(
        packets in proptest::collection::vec((0..50u64, 1..65_507usize, 0..3u16), 1..300)
    ) {
        let mut world = World::pair(limits());
        let start = world.now;
        let mut sent = 0;
        for (wait, length, port) in packets {
            world.wait(Duration::from_millis(wait));
            if world.send_bytes(at(1, 5001 + port), 2, length).is_ok() {
                sent += length as u64 + PACKET_OVERHEAD;
            }
            // A slice's worth at once, then the rate, and one packet on credit.
            let passed = (world.now - start).as_millis() as u64;
            let allowed = 128 * KIB * passed / 1000 + 13_107 + 65_535;
            prop_assert!(sent <= allowed, "{} bytes in {} ms", sent, passed);
        }
    }
}
