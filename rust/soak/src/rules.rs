//! What must hold: for the players, for the server's metrics, and for what it keeps.

use std::time::Duration;

use anyhow::{Context as _, Result, bail};

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
    let mut problems = Problems(evidence.tally.failures.clone());
    problems.of_players(evidence);
    for add_problems in [
        Problems::of_memory,
        Problems::of_descriptors,
        Problems::of_what_is_left,
        Problems::of_metrics,
    ] {
        if let Err(error) = add_problems(&mut problems, evidence) {
            problems.0.push(format!("{error:#}"));
        }
    }
    problems.0
}

struct Problems(Vec<String>);

impl Problems {
    fn unless(&mut self, holds: bool, problem: String) {
        if !holds {
            self.0.push(problem);
        }
    }

    fn of_players(&mut self, evidence: &Evidence<'_>) {
        let Evidence { leaks, pairs, .. } = *evidence;
        let Tally {
            failed,
            sent,
            delivered,
            dropped_by_system: dropped,
            astray,
            played,
            ..
        } = *evidence.tally;
        let failures = format!("something failed for {failed} pairs");
        self.unless(failed == 0, failures);
        let lost = format!(
            "{sent} packets were sent, {delivered} delivered; full buffers dropped {dropped}"
        );
        self.unless(sent == delivered, lost);
        self.unless(astray == 0, format!("{astray} packets went astray"));
        let has_played = played >= u64::from(pairs) && sent > 0;
        self.unless(has_played, format!("only {played} games were played"));
        self.unless(leaks == 0, format!("{leaks} PrivateIDs are in the log"));
    }

    /// After the first three tenths of the time, memory must stay level.
    fn of_memory(&mut self, evidence: &Evidence<'_>) -> Result<()> {
        let Observations { start, all, .. } = evidence.observations;
        let (mut settled, mut later) = (0.0_f64, 0.0_f64);
        for seen in all {
            let is_early = seen.at - start.at <= evidence.time * 3 / 10;
            let most = if is_early { &mut settled } else { &mut later };
            *most = most.max(seen.metrics.value(MEMORY)?);
        }
        let is_level = later <= settled * (1.0 + GROWTH) + GROWTH_SLACK;
        let (settled, later) = (settled / MIB, later / MIB);
        self.unless(
            is_level,
            format!("memory grew from {settled:.1} to {later:.1} MiB"),
        );
        Ok(())
    }

    /// There must be a descriptor for each connection and relay.
    fn of_descriptors(&mut self, evidence: &Evidence<'_>) -> Result<()> {
        let Observations { start, all, .. } = evidence.observations;
        for seen in all {
            let used = seen.metrics.value(CONNECTIONS)? + seen.metrics.value(RELAYS)?;
            let others = seen.rise_since(start, DESCRIPTORS) - used;
            if others > DESCRIPTORS_SLACK {
                let seconds = (seen.at - start.at).as_secs();
                bail!("after {seconds} s {others} descriptors are neither connections nor relays");
            }
        }
        Ok(())
    }

    /// The server must hold nothing of players who have left.
    fn of_what_is_left(&mut self, evidence: &Evidence<'_>) -> Result<()> {
        let Observations { start, end, .. } = evidence.observations;
        let end = end.as_ref().context("it did not come to its end")?;
        for name in [CONNECTIONS, PLAYERS, RELAYS, DESCRIPTORS] {
            let left = end.rise_since(start, name);
            let problem = format!("{left} of {name} are left when all have gone");
            self.unless(left <= 0.0, problem);
        }
        Ok(())
    }

    /// The server must count what the players count.
    fn of_metrics(&mut self, evidence: &Evidence<'_>) -> Result<()> {
        let tally = evidence.tally;
        let Some(end) = &evidence.observations.end else {
            return Ok(());
        };
        let commands = |name: &str| format!("noray_command_duration_count{{command=\"{name}\"}}");
        let dropped = |reason| format!("noray_relay_dropped_total{{reason=\"{reason}\"}}");
        for (name, expected) in [
            ("noray_relay_size_count", tally.sent),
            ("noray_relay_size_sum", tally.sent * PACKET as u64),
            ("noray_relay_duration_count", tally.sent),
            ("noray_remote_registrar_success", tally.joined),
            (&commands("register-host"), tally.joined),
            (&commands("connect"), tally.met),
            (&commands("connect-relay"), tally.met),
            (&commands("other"), 0),
            (&dropped("individual-traffic"), 0),
            (&dropped("global-traffic"), 0),
            ("noray_tcp_connections_refused_total", 0),
        ] {
            let counted = end.metrics.value(name)?;
            self.unless(
                counted == expected as f64,
                format!("{name} is {counted}, the players count {expected}"),
            );
        }
        // A player whose address is by chance that of an old relay takes that relay over.
        let expired = end.metrics.value("noray_relay_expired")?;
        self.unless(
            (tally.met as f64..=2.0 * tally.met as f64).contains(&expired),
            format!("{expired} relays expired, of {}", 2 * tally.met),
        );
        let refused = end.metrics.sum("noray_refused_total{");
        self.unless(refused <= 0.0, format!("{refused} requests were refused"));
        Ok(())
    }
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
