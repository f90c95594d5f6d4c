//! Whether all is well: what the players saw, what the server tells, and how it grew.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::players::{Counts, PACKET};
use super::watched::Sample;

const MEMORY: &str = "process_resident_memory_bytes";
const FILES: &str = "process_open_fds";
const PROCESSOR: &str = "process_cpu_seconds_total";
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

pub const TABLE_HEAD: &str = "\
| minute | players | relays | packets sent | delivered | memory, MiB | descriptors | server's CPU | players' CPU |
| ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: |";

/// What the server told, from its start to its end.
pub struct Course {
    start: Sample,
    samples: Vec<Sample>,
    end: Option<Sample>,
    /// Where the last row ended: when, the server's processor time, and ours.
    told: (Instant, f64, f64),
}

impl Course {
    /// Nobody is there yet.
    pub fn begin(start: Sample) -> Self {
        Self {
            told: (start.at, processor(&start), own_processor()),
            start,
            samples: Vec::new(),
            end: None,
        }
    }

    pub fn add(&mut self, sample: Sample) {
        self.samples.push(sample);
    }

    /// Everybody has left.
    pub fn end(&mut self, sample: Sample) {
        self.end = Some(sample);
    }

    /// Whether nothing is left of the players.
    pub fn is_as_at_start(&self, sample: &Sample) -> bool {
        let more = |name| rise(&self.start, sample, name) > 0.0;
        ![CONNECTIONS, PLAYERS, RELAYS, FILES].into_iter().any(more)
    }

    /// The last minute, as a row of the table.
    pub fn row(&mut self, minute: u64, counts: &Counts) -> String {
        let Some(now) = self.samples.last() else {
            return String::new();
        };
        let (since, server, own) = self.told;
        self.told = (now.at, processor(now), own_processor());
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
pub struct Evidence<'a> {
    pub course: &'a Course,
    pub counts: &'a Counts,
    /// PrivateIDs in the log.
    pub leaks: usize,
    /// How long it went on, with so many pairs.
    pub time: Duration,
    pub pairs: u32,
}

/// What is wrong, a sentence each.
pub fn judge(evidence: &Evidence) -> Vec<String> {
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

/// After the first fifth of the time, it is what it is.
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

/// By how much a metric is higher than at another time.
fn rise(from: &Sample, to: &Sample, name: &str) -> f64 {
    let value = |sample: &Sample| sample.value(name).unwrap_or(f64::NAN);
    value(to) - value(from)
}

fn processor(sample: &Sample) -> f64 {
    sample.value(PROCESSOR).unwrap_or(f64::NAN)
}

/// The processor time that this process took, in seconds.
fn own_processor() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    // Behind the name, which may hold anything.
    let fields = stat.rsplit_once(')').map_or("", |(_, fields)| fields);
    let ticks: u64 = (fields.split_whitespace().skip(11).take(2))
        .filter_map(|field| field.parse::<u64>().ok())
        .sum();
    ticks as f64 / rustix::param::clock_ticks_per_second() as f64
}
