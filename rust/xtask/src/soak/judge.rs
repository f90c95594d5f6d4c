//! Whether all is well: what the players saw, what the server tells, and how it grew.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::players::{Counts, PACKET};
use super::watched::{Sample, processor_seconds};

const MEMORY: &str = "process_resident_memory_bytes";
const FILES: &str = "process_open_fds";
const CONNECTIONS: &str = "noray_tcp_connections";
const PLAYERS: &str = "noray_active_hosts";
const RELAYS: &str = "noray_relay_count";

/// By how much memory may still grow after the first minutes, as a part of it.
const GROWTH: f64 = 0.05;
/// And beyond that, in bytes: what a few more relays than before take.
const GROWTH_SLACK: f64 = 1024.0 * 1024.0;
/// Descriptors beyond those of connections and relays: players come and go while the server
/// counts.
const FILES_SLACK: f64 = 32.0;

const MIB: f64 = 1024.0 * 1024.0;

pub(super) const TABLE_HEAD: &str = "\
| minute | players | relays | packets sent | delivered | memory, MiB | descriptors | server's CPU | players' CPU |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

/// What the server told, from its start to its end.
pub(super) struct Course {
    start: Sample,
    samples: Vec<Sample>,
    end: Option<Sample>,
    /// Where the last row ended: when, the server's processor time, and ours.
    told: (Instant, f64, f64),
}

impl Course {
    /// Nobody is there yet.
    pub(super) fn begin(start: Sample) -> Self {
        Self {
            told: (start.at, start.processor, own_processor()),
            start,
            samples: Vec::new(),
            end: None,
        }
    }

    pub(super) fn add(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    /// Everybody has left.
    pub(super) fn end(&mut self, sample: Sample) {
        self.end = Some(sample);
    }

    /// Whether nothing is left of the players.
    pub(super) fn is_as_at_start(&self, sample: &Sample) -> bool {
        let more = |name| rise(&self.start, sample, name) > 0.0;
        ![CONNECTIONS, PLAYERS, RELAYS, FILES].into_iter().any(more)
    }

    /// The last minute, as a row of the table.
    pub(super) fn row(&mut self, minute: u64, counts: &Counts) -> String {
        let Some(now) = self.samples.last() else {
            return String::new();
        };
        let (since, server, own) = self.told;
        self.told = (now.at, now.processor, own_processor());
        let seconds = (now.at - since).as_secs_f64();
        let share = |used: f64| 100.0 * used / seconds;
        let value = |name| now.value(name).unwrap_or(f64::NAN);
        format!(
            "| {minute} | {} | {} | {} | {} | {:.1} | {} | {:.1} % | {:.1} % |",
            value(PLAYERS),
            value(RELAYS),
            counts.sent,
            counts.delivered,
            value(MEMORY) / MIB,
            value(FILES),
            share(self.told.1 - server),
            share(self.told.2 - own),
        )
    }
}

/// All that there is to judge.
pub(super) struct Evidence<'a> {
    pub course: &'a Course,
    pub counts: &'a Counts,
    /// PrivateIDs in the log.
    pub leaks: usize,
    /// How long it went on, with so many pairs.
    pub time: Duration,
    pub pairs: u32,
}

/// What is wrong, a sentence each.
pub(super) fn judge(evidence: &Evidence) -> Vec<String> {
    let mut problems = evidence.counts.failures.clone();
    problems.extend(of_players(evidence.counts, evidence.pairs));
    if evidence.leaks > 0 {
        problems.push(format!("{} PrivateIDs are in the log", evidence.leaks));
    }
    match (
        of_memory(evidence.course, evidence.time),
        of_files(evidence.course),
        of_metrics(evidence.course, evidence.counts),
    ) {
        (Ok(memory), Ok(files), Ok(metrics)) => {
            problems.extend([memory, files, metrics].into_iter().flatten());
        }
        (memory, files, metrics) => {
            let errors = [memory, files, metrics].into_iter().filter_map(Result::err);
            problems.extend(errors.map(|error| format!("{error:#}")));
        }
    }
    problems
}

fn of_players(counts: &Counts, pairs: u32) -> Vec<String> {
    let mut problems = Vec::new();
    let mut require = |holds: bool, problem: String| {
        if !holds {
            problems.push(problem);
        }
    };
    require(
        counts.failed == 0,
        format!("something failed for {} pairs", counts.failed),
    );
    require(
        counts.sent == counts.delivered,
        format!(
            "{} packets were sent, {} delivered; full buffers dropped {}",
            counts.sent, counts.delivered, counts.dropped_by_system
        ),
    );
    require(
        counts.astray == 0,
        format!("{} packets went astray", counts.astray),
    );
    require(
        counts.played >= u64::from(pairs) && counts.sent > 0,
        format!("only {} games were played", counts.played),
    );
    problems
}

/// After the first three tenths of the time, it is what it is.
fn of_memory(course: &Course, time: Duration) -> Result<Vec<String>> {
    let mut settled = 0.0_f64;
    let mut later = 0.0_f64;
    for sample in &course.samples {
        let memory = sample.value(MEMORY)?;
        let age = sample.at - course.start.at;
        if age <= time * 3 / 10 {
            settled = settled.max(memory);
        } else {
            later = later.max(memory);
        }
    }
    let allowed = settled * (1.0 + GROWTH) + GROWTH_SLACK;
    Ok(match later > allowed {
        true => vec![format!(
            "memory grew from {:.1} to {:.1} MiB",
            settled / MIB,
            later / MIB
        )],
        false => Vec::new(),
    })
}

/// There is one for each connection and relay, and none when all have left.
fn of_files(course: &Course) -> Result<Vec<String>> {
    let mut problems = Vec::new();
    for sample in &course.samples {
        let mut others = rise(&course.start, sample, FILES);
        others -= sample.value(CONNECTIONS)? + sample.value(RELAYS)?;
        if others > FILES_SLACK {
            let seconds = (sample.at - course.start.at).as_secs();
            problems.push(format!(
                "after {seconds} s {others} descriptors are neither connections nor relays"
            ));
            break;
        }
    }
    let Some(end) = &course.end else {
        problems.push("it did not come to its end".to_owned());
        return Ok(problems);
    };
    for name in [CONNECTIONS, PLAYERS, RELAYS, FILES] {
        let left = rise(&course.start, end, name);
        if left > 0.0 {
            problems.push(format!("{left} of {name} are left when all have gone"));
        }
    }
    Ok(problems)
}

/// What the server counted is what the players counted.
fn of_metrics(course: &Course, counts: &Counts) -> Result<Vec<String>> {
    let Some(end) = &course.end else {
        return Ok(Vec::new());
    };
    let commands = |name: &str| format!("noray_command_duration_count{{command=\"{name}\"}}");
    let mut problems = Vec::new();
    for (name, expected) in [
        ("noray_relay_size_count", counts.sent),
        ("noray_relay_size_sum", counts.sent * PACKET as u64),
        ("noray_relay_duration_count", counts.sent),
        ("noray_remote_registrar_success", counts.joined),
        (&commands("register-host"), counts.joined),
        (&commands("connect"), counts.met),
        (&commands("connect-relay"), counts.met),
        (&commands("other"), 0),
        (
            "noray_relay_dropped_total{reason=\"individual-traffic\"}",
            0,
        ),
        ("noray_relay_dropped_total{reason=\"global-traffic\"}", 0),
        ("noray_tcp_connections_refused_total", 0),
    ] {
        let told = end.value(name)?;
        if told != expected as f64 {
            problems.push(format!("{name} is {told}, the players count {expected}"));
        }
    }
    // A relay that was left behind is taken over by a player who has the same address by chance.
    let expired = end.value("noray_relay_expired")?;
    if expired > (2 * counts.met) as f64 || expired < counts.met as f64 {
        problems.push(format!("{expired} relays expired, of {}", 2 * counts.met));
    }
    let refused = end.sum("noray_refused_total{");
    if refused > 0.0 {
        problems.push(format!("{refused} requests were refused"));
    }
    Ok(problems)
}

fn own_processor() -> f64 {
    processor_seconds(std::process::id()).unwrap_or(f64::NAN)
}

/// By how much a metric is higher than at another time.
fn rise(from: &Sample, to: &Sample, name: &str) -> f64 {
    let value = |sample: &Sample| sample.value(name).unwrap_or(f64::NAN);
    value(to) - value(from)
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIME: Duration = Duration::from_secs(600);
    const PAIRS: u32 = 2;

    /// What two pairs see who play three games with 100 packets.
    fn counts() -> Counts {
        Counts {
            joined: 6,
            met: 3,
            played: 3,
            sent: 100,
            delivered: 100,
            ..Counts::default()
        }
    }

    /// What the server tells so many seconds after its start.
    fn sample(start: Instant, seconds: u64, memory: f64, files: u64, players: u64) -> Sample {
        let text = format!(
            "{MEMORY} {}\n{FILES} {files}\n\
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
        let mut sample = Sample::parse(&text);
        sample.at = start + Duration::from_secs(seconds);
        sample
    }

    /// Memory in MiB and descriptors at some times of a course, and how many are left at its end.
    fn course(samples: &[(u64, f64, u64)], left: u64) -> Course {
        let start = Instant::now();
        let mut course = Course::begin(sample(start, 0, 5.0, 10, 0));
        for (seconds, memory, files) in samples {
            course.add(sample(start, *seconds, *memory, *files, 4));
        }
        course.end(sample(start, 640, 20.0, 10 + left, left));
        course
    }

    fn problems(course: &Course, counts: &Counts, leaks: usize) -> Vec<String> {
        judge(&Evidence {
            course,
            counts,
            leaks,
            time: TIME,
            pairs: PAIRS,
        })
    }

    #[track_caller]
    fn expect(problems: &[String], part: &str) {
        assert!(
            problems.len() == 1 && problems[0].contains(part),
            "{problems:?}"
        );
    }

    const FLAT: &[(u64, f64, u64)] = &[(100, 20.0, 18), (170, 21.0, 18), (590, 22.5, 18)];

    #[test]
    fn a_server_that_stays_as_it_was_is_well() {
        let none: [String; 0] = [];
        assert_eq!(problems(&course(FLAT, 0), &counts(), 0), none);
    }

    #[test]
    fn growth_is_told() {
        let grown = [(100, 20.0, 18), (170, 21.0, 18), (590, 23.5, 18)];
        expect(&problems(&course(&grown, 0), &counts(), 0), "memory grew");
        let leaking = [(100, 20.0, 18), (590, 20.0, 60)];
        let told = problems(&course(&leaking, 0), &counts(), 0);
        expect(&told, "after 590 s 42 descriptors");
    }

    #[test]
    fn what_is_left_is_told() {
        let told = problems(&course(FLAT, 2), &counts(), 0);
        assert_eq!(told.len(), 4, "{told:?}");
        assert!(told[0].starts_with("2 of noray_tcp_connections are left"));
        let mut endless = course(FLAT, 0);
        endless.end = None;
        expect(&problems(&endless, &counts(), 0), "did not come to its end");
    }

    #[test]
    fn what_the_players_miss_is_told() {
        let good = course(FLAT, 0);
        let changed = |change: fn(&mut Counts)| {
            let mut counts = counts();
            change(&mut counts);
            problems(&good, &counts, 0)
        };
        expect(&changed(|counts| counts.delivered = 99), "99 delivered");
        expect(
            &changed(|counts| counts.astray = 1),
            "1 packets went astray",
        );
        expect(&changed(|counts| counts.played = 1), "only 1 games");
        expect(&changed(|counts| counts.failed = 1), "failed for 1 pairs");
        expect(
            &changed(|counts| counts.joined = 7).split_off(1),
            "players count 7",
        );
        expect(&problems(&good, &counts(), 1), "1 PrivateIDs");
    }
}
