//! What must hold: for the players, for the server's metrics, and for what it keeps.

use std::time::Duration;

use anyhow::Result;

use crate::observations::{CONNECTIONS, DESCRIPTORS, MEMORY, MIB, Observations, PLAYERS, RELAYS};
use crate::players::PACKET;
use crate::tally::Tally;

/// How much memory may grow after the first three tenths of the time, as a share of it.
const GROWTH: f64 = 0.05;
/// And beyond that, in bytes: what a few more relays than before take.
const GROWTH_SLACK: f64 = MIB;
/// Descriptors beyond those of connections and relays: players come and go while the server
/// counts.
const DESCRIPTORS_SLACK: f64 = 32.0;

/// All that the rules look at.
pub(crate) struct Evidence<'a> {
    pub observations: &'a Observations,
    pub tally: &'a Tally,
    /// PrivateIDs in the log.
    pub leaks: usize,
    /// How long players came and went.
    pub time: Duration,
    /// How many pairs they were.
    pub pairs: u32,
}

/// Returns what is wrong, a sentence each.
pub(crate) fn check(evidence: &Evidence<'_>) -> Vec<String> {
    let Evidence {
        observations,
        tally,
        leaks,
        time,
        pairs,
    } = *evidence;
    let mut problems = tally.failures.clone();
    problems.extend(check_players(tally, pairs));
    if leaks > 0 {
        problems.push(format!("{leaks} PrivateIDs are in the log"));
    }
    for result in [
        check_memory(observations, time),
        check_descriptors(observations),
        check_metrics(observations, tally),
    ] {
        match result {
            Ok(more) => problems.extend(more),
            Err(error) => problems.push(format!("{error:#}")),
        }
    }
    problems
}

fn check_players(tally: &Tally, pairs: u32) -> Vec<String> {
    let rules = [
        (
            tally.failed == 0,
            format!("something failed for {} pairs", tally.failed),
        ),
        (
            tally.sent == tally.delivered,
            format!(
                "{} packets were sent, {} delivered; full buffers dropped {}",
                tally.sent, tally.delivered, tally.dropped_by_system
            ),
        ),
        (
            tally.astray == 0,
            format!("{} packets went astray", tally.astray),
        ),
        (
            tally.played >= u64::from(pairs) && tally.sent > 0,
            format!("only {} games were played", tally.played),
        ),
    ];
    let broken = rules.into_iter().filter(|(holds, _)| !holds);
    broken.map(|(_, problem)| problem).collect()
}

/// After the first three tenths of the time, memory must stay level.
fn check_memory(observations: &Observations, time: Duration) -> Result<Vec<String>> {
    let (mut settled, mut later) = (0.0_f64, 0.0_f64);
    for seen in &observations.all {
        let memory = seen.metrics.value(MEMORY)?;
        if seen.at - observations.start.at <= time * 3 / 10 {
            settled = settled.max(memory);
        } else {
            later = later.max(memory);
        }
    }
    if later <= settled * (1.0 + GROWTH) + GROWTH_SLACK {
        return Ok(Vec::new());
    }
    let (settled, later) = (settled / MIB, later / MIB);
    Ok(vec![format!(
        "memory grew from {settled:.1} to {later:.1} MiB"
    )])
}

/// There must be a descriptor for each connection and relay, and none when all have left.
fn check_descriptors(observations: &Observations) -> Result<Vec<String>> {
    let start = &observations.start;
    let mut problems = Vec::new();
    for seen in &observations.all {
        let used = seen.metrics.value(CONNECTIONS)? + seen.metrics.value(RELAYS)?;
        let others = seen.rise_since(start, DESCRIPTORS) - used;
        if others > DESCRIPTORS_SLACK {
            let seconds = (seen.at - start.at).as_secs();
            problems.push(format!(
                "after {seconds} s {others} descriptors are neither connections nor relays"
            ));
            break;
        }
    }
    let Some(end) = &observations.end else {
        problems.push("it did not come to its end".to_owned());
        return Ok(problems);
    };
    for name in [CONNECTIONS, PLAYERS, RELAYS, DESCRIPTORS] {
        let left = end.rise_since(start, name);
        if left > 0.0 {
            problems.push(format!("{left} of {name} are left when all have gone"));
        }
    }
    Ok(problems)
}

/// The server must count what the players count.
fn check_metrics(observations: &Observations, tally: &Tally) -> Result<Vec<String>> {
    let Some(end) = &observations.end else {
        return Ok(Vec::new());
    };
    let commands = |name: &str| format!("noray_command_duration_count{{command=\"{name}\"}}");
    let mut problems = Vec::new();
    for (name, expected) in [
        ("noray_relay_size_count", tally.sent),
        ("noray_relay_size_sum", tally.sent * PACKET as u64),
        ("noray_relay_duration_count", tally.sent),
        ("noray_remote_registrar_success", tally.joined),
        (&commands("register-host"), tally.joined),
        (&commands("connect"), tally.met),
        (&commands("connect-relay"), tally.met),
        (&commands("other"), 0),
        (
            "noray_relay_dropped_total{reason=\"individual-traffic\"}",
            0,
        ),
        ("noray_relay_dropped_total{reason=\"global-traffic\"}", 0),
        ("noray_tcp_connections_refused_total", 0),
    ] {
        let counted = end.metrics.value(name)?;
        if counted != expected as f64 {
            problems.push(format!("{name} is {counted}, the players count {expected}"));
        }
    }
    // A player whose address is by chance that of an old relay takes that relay over.
    let expired = end.metrics.value("noray_relay_expired")?;
    if expired > (2 * tally.met) as f64 || expired < tally.met as f64 {
        problems.push(format!("{expired} relays expired, of {}", 2 * tally.met));
    }
    let refused = end.metrics.sum("noray_refused_total{");
    if refused > 0.0 {
        problems.push(format!("{refused} requests were refused"));
    }
    Ok(problems)
}

#[cfg(test)]
mod tests {
    use std::time::Instant;

    use noray_testkit::metrics::Metrics;

    use super::*;
    use crate::observations::Observation;

    /// Returns what two pairs see who play three games with 100 packets.
    fn tally() -> Tally {
        Tally {
            joined: 6,
            met: 3,
            played: 3,
            sent: 100,
            delivered: 100,
            ..Tally::default()
        }
    }

    /// Returns what the server tells `seconds` after its start. Memory is in MiB.
    fn seen(
        start: Instant,
        seconds: u64,
        memory: f64,
        descriptors: u64,
        players: u64,
    ) -> Observation {
        let text = format!(
            "{MEMORY} {}\n{DESCRIPTORS} {descriptors}\n\
             {CONNECTIONS} {players}\n{PLAYERS} {players}\n{RELAYS} {players}\n\
             noray_relay_size_count 100\nnoray_relay_size_sum 20000\n\
             noray_relay_duration_count 100\nnoray_remote_registrar_success 6\n\
             noray_command_duration_count{{command=\"register-host\"}} 6\n\
             noray_command_duration_count{{command=\"connect\"}} 3\n\
             noray_command_duration_count{{command=\"connect-relay\"}} 3\n\
             noray_command_duration_count{{command=\"other\"}} 0\n\
             noray_relay_dropped_total{{reason=\"individual-traffic\"}} 0\n\
             noray_relay_dropped_total{{reason=\"global-traffic\"}} 0\n\
             noray_tcp_connections_refused_total 0\nnoray_relay_expired 6\n\
             noray_refused_total{{command=\"connect\",reason=\"unknown-host\"}} 0\n",
            memory * MIB
        );
        Observation {
            at: start + Duration::from_secs(seconds),
            cpu_time: Duration::ZERO,
            metrics: Metrics::parse(&text),
        }
    }

    /// Returns memory and descriptors after so many seconds each, and `left` of everything at the
    /// end.
    fn observations(all: &[(u64, f64, u64)], left: u64) -> Observations {
        let start = Instant::now();
        let mut observations = Observations::begin(seen(start, 0, 5.0, 10, 0));
        let all = all.iter();
        observations.all = all
            .map(|(seconds, memory, descriptors)| seen(start, *seconds, *memory, *descriptors, 4))
            .collect();
        observations.end = Some(seen(start, 640, 20.0, 10 + left, left));
        observations
    }

    fn problems(observations: &Observations, tally: &Tally, leaks: usize) -> Vec<String> {
        check(&Evidence {
            observations,
            tally,
            leaks,
            time: Duration::from_secs(600),
            pairs: 2,
        })
    }

    #[track_caller]
    fn expect(problems: &[String], part: &str) {
        assert!(
            problems.len() == 1 && problems[0].contains(part),
            "{problems:?}"
        );
    }

    const LEVEL: &[(u64, f64, u64)] = &[(100, 20.0, 18), (170, 21.0, 18), (590, 22.5, 18)];

    #[test]
    fn a_server_that_stays_as_it_was_is_well() {
        let none: [String; 0] = [];
        assert_eq!(problems(&observations(LEVEL, 0), &tally(), 0), none);
    }

    #[test]
    fn growth_is_reported() {
        let grown = [(100, 20.0, 18), (170, 21.0, 18), (590, 23.5, 18)];
        let reported = problems(&observations(&grown, 0), &tally(), 0);
        expect(&reported, "memory grew");
        let leaking = [(100, 20.0, 18), (590, 20.0, 60)];
        let reported = problems(&observations(&leaking, 0), &tally(), 0);
        expect(&reported, "after 590 s 42 descriptors");
    }

    #[test]
    fn what_is_left_is_reported() {
        let reported = problems(&observations(LEVEL, 2), &tally(), 0);
        assert_eq!(reported.len(), 4, "{reported:?}");
        assert!(reported[0].starts_with("2 of noray_tcp_connections are left"));
        let mut endless = observations(LEVEL, 0);
        endless.end = None;
        expect(&problems(&endless, &tally(), 0), "did not come to its end");
    }

    #[test]
    fn what_the_players_miss_is_reported() {
        let good = observations(LEVEL, 0);
        let changed = |change: fn(&mut Tally)| {
            let mut tally = tally();
            change(&mut tally);
            problems(&good, &tally, 0)
        };
        expect(&changed(|tally| tally.delivered = 99), "99 delivered");
        expect(&changed(|tally| tally.astray = 1), "1 packets went astray");
        expect(&changed(|tally| tally.played = 1), "only 1 games");
        expect(&changed(|tally| tally.failed = 1), "failed for 1 pairs");
        expect(
            &changed(|tally| tally.joined = 7).split_off(1),
            "players count 7",
        );
        expect(&problems(&good, &tally(), 1), "1 PrivateIDs");
    }
}
