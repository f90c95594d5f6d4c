//! Every test: Rust, GDScript in a real Godot, and games of several processes.

use std::net::{Ipv6Addr, TcpListener};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use noray_testkit::child::{ChildProcess, NoLine};
use noray_testkit::defaults::{GAME_EXIT, IMPORT};
use noray_testkit::game::Others;
use noray_testkit::godot::{self, Godot};
use noray_testkit::report::{Counts, Report};
use noray_testkit::system::{find_program, is_root};
use noray_testkit::{paths, tool};

use crate::cargo::{self, Profile};
use crate::{addon, defaults, demo, demo_export, fresh_project, fuzz, lab, soak};

const RUNNER: &str = "res://runner.tscn";

/// What the runner in Godot says when the filter leaves it nothing to run.
const NOTHING_CHOSEN: &str = "no test has this in its name";

/// Checks of the sources: a name, the component of Rust that it needs, and cargo's words for both.
const LINTS: [[&str; 4]; 2] = [
    ["rust::format", "rustfmt", "fmt", "--all --check"],
    [
        "rust::clippy",
        "clippy",
        "clippy",
        "--workspace --all-targets -- --deny warnings",
    ],
];

/// Which of the two halves to run.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    All,
    Rust,
    Godot,
}

/// Runs the tests and prints the sum on the last line. Returns whether all is well.
///
/// The soak runs beside all that follows the Rust half's build.
pub(crate) fn run(
    part: Part,
    filter: Option<String>,
    others: &Others,
    soak_minutes: u32,
) -> Result<bool> {
    let mut report = Report::new(filter);
    let mut soak = None;
    if part != Part::Godot {
        lints(&mut report)?;
        // `cargo test` itself reports what does not build.
        let built = tool::run(&mut cargo::command("test --workspace --no-run")?);
        if built.is_ok() {
            soak = soak::begin(&mut report, soak_minutes);
        }
        cargo_tests(&mut report, others)?;
        fuzz::test(&mut report);
    }
    if part != Part::Rust {
        in_godot(&mut report, others);
    }
    if let Some(soak) = soak {
        soak.finish(&mut report);
    }
    Ok(report.finish())
}

fn lints(report: &mut Report) -> Result<()> {
    for [name, component, subcommand, arguments] in LINTS {
        // A minimal installation of Rust is without these two.
        let version = cargo::command(subcommand)?.arg("--version").output()?;
        if !version.status.success() {
            let why = format!("this Rust has none (rustup component add {component})");
            report.skip(name, &why);
            continue;
        }
        report.test(name, || {
            tool::run(&mut cargo::command(&format!("{subcommand} {arguments}"))?)
        });
    }
    Ok(())
}

/// Runs `cargo test` and adds its counts.
fn cargo_tests(report: &mut Report, others: &Others) -> Result<()> {
    let mut command = cargo::command("test --workspace --no-fail-fast")?;
    if let Some(folder) = &others.noray {
        // Facts about the public server are then tested with it; else they count as skipped.
        command.env("PUBLIC_NORAY_DIR", std::path::absolute(folder)?);
    }
    command.arg("--").args(report.filter());
    let mut sum = count_tests(&mut command);
    let mut command = cargo::command("test --package noray-server --test server -- --ignored")?;
    command.args(report.filter());
    for (part_of_name, is_there) in needs() {
        if !is_there {
            command.args(["--skip", part_of_name]);
        }
    }
    let ignored = count_tests(&mut command);
    sum.passed += ignored.passed;
    sum.failed += ignored.failed;
    sum.skipped = sum.skipped.saturating_sub(ignored.passed + ignored.failed);
    report.add(sum);
    Ok(())
}

/// Returns what ignored tests need, as a part of their names, and whether this machine has it.
fn needs() -> [(&'static str, bool); 3] {
    [
        // They forge senders.
        ("nat::", is_root()),
        ("ipv6", TcpListener::bind((Ipv6Addr::LOCALHOST, 0)).is_ok()),
        ("systemd", find_program("systemd-analyze").is_some()),
    ]
}

/// Runs a `cargo test`, and adds up what passed, failed and was skipped.
fn count_tests(command: &mut Command) -> Counts {
    let mut sum = Counts::default();
    let result = tool::run_reading(command, |line| {
        println!("{line}");
        if let Some(counts) = counts(line) {
            sum.passed += counts.passed;
            sum.failed += counts.failed;
            sum.skipped += counts.skipped;
        }
    });
    if let Err(error) = result
        && sum.failed == 0
    {
        // Cargo failed before it ran a test.
        println!("FAILED cargo test: {error:#}");
        sum.failed = 1;
    }
    sum
}

/// Reads passed, failed and ignored in `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
fn counts(line: &str) -> Option<Counts> {
    let (_, counts) = line.strip_prefix("test result: ")?.split_once(". ")?;
    Counts::parse(&counts.replace(';', ",").replace("ignored", "skipped"))
}

fn in_godot(report: &mut Report, others: &Others) {
    // Not by `report.test`: without these nothing else can run, whatever the filter.
    let ready = noray_download::godot::find().and_then(|godot| {
        addon::run(Profile::Debug, &[])?;
        Ok(godot)
    });
    let godot = match ready {
        Ok(godot) => godot,
        Err(error) => return report.fail("a Godot and the addon", &error),
    };
    println!("Godot {} ({})", godot.version, godot.executable.display());

    // Not by `report.test` either: the other tests need what the import makes.
    for project in [paths::demo_project(), paths::godot_tests()] {
        if let Err(error) = godot.import(&project) {
            report.fail(&format!("importing {}", project.display()), &error);
        }
    }
    report.test("godot::editor_starts_no_thread_of_ours", || editor(&godot));
    for (name, first_run) in fresh_project::FIRST_RUNS {
        let name = format!("fresh_project::first_{name}_ends_well");
        report.test(&name, || fresh_project::check(&godot, first_run));
    }
    gdscript(&godot, report);
    report.test("demo::export_carries_no_tests", || {
        demo_export::check(&godot)
    });
    for (name, players, relay) in [
        ("direct", 2, false),
        ("relay", 2, true),
        ("three_players", 3, false),
        ("three_players_by_relay", 3, true),
    ] {
        report.test(&format!("demo::{name}"), || {
            demo::play_headless(&godot, players, relay)
        });
    }
    exported_demo(&godot, report);
    lab::test(&godot, others, report);
}

/// Plays the demo as players get it.
fn exported_demo(godot: &Godot, report: &mut Report) {
    let tests = ["debug", "release"].map(|kind| (kind, format!("demo::exported_{kind}")));
    if !tests.iter().any(|(_, name)| report.wants(name)) {
        return;
    }
    match noray_download::export_templates::fetch() {
        Ok(templates) => {
            for (kind, name) in &tests {
                report.test(name, || demo_export::play(godot, &templates, kind));
            }
        }
        Err(error) => {
            for (_, name) in &tests {
                report.skip(name, &format!("there are no export templates: {error:#}"));
            }
        }
    }
}

/// Opens the editor for a moment: the extension must load there without a runtime of its own,
/// and without a word.
fn editor(godot: &Godot) -> Result<()> {
    let mut command = godot.headless(&paths::demo_project())?;
    // Frames, of which a headless editor draws some hundred in a second.
    command.args(["--verbose", "--editor", "--quit-after", "300"]);
    let mut editor = ChildProcess::start("editor", &mut command)?;
    let until = Instant::now() + IMPORT;
    let mut ours = Vec::new();
    while !editor.has_ended() && Instant::now() < until {
        let names = thread_names(editor.id()).into_iter();
        ours.extend(names.filter(|name| name.starts_with("noray") || name.starts_with("tokio")));
        sleep(Duration::from_millis(20));
    }
    ours.sort();
    ours.dedup();
    godot::finish(editor, GAME_EXIT)?;
    if !ours.is_empty() {
        bail!("it started threads: {}", ours.join(", "));
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn thread_names(process: u32) -> Vec<String> {
    use noray_testkit::process_info::ProcessInfo;

    let names = ProcessInfo::of(process).and_then(|process| process.thread_names());
    // It may have ended.
    names.unwrap_or_default()
}

/// Only Linux lists them.
#[cfg(not(target_os = "linux"))]
fn thread_names(_process: u32) -> Vec<String> {
    Vec::new()
}

/// Runs the suites in `rust/godot-tests`, by their runner in Godot.
fn gdscript(godot: &Godot, report: &mut Report) {
    match run_suites(godot, report.filter()) {
        Ok(counts) => report.add(counts),
        Err(error) => report.fail("the tests in Godot", &error),
    }
}

fn run_suites(godot: &Godot, filter: Option<&str>) -> Result<Counts> {
    let mut command = godot.headless(&paths::godot_tests())?;
    // Names what leaks.
    command.args(["--verbose", RUNNER, "--"]);
    let junit = paths::target()?.join("godot-tests.xml");
    command.arg(format!("--junit={}", junit.display()));
    command.args(filter);
    let mut runner = ChildProcess::start("tests", &mut command)?;
    let mut result = None;
    let mut nothing_chosen = false;
    loop {
        let until = Instant::now() + defaults::TEST_SILENCE;
        let line = runner.wait_for_line(until, |line| {
            line.strip_prefix("[test] ").map(str::to_owned)
        });
        match line {
            Ok(line) => {
                println!("{line}");
                nothing_chosen |= line == NOTHING_CHOSEN;
                result = Counts::parse(&line).or(result);
            }
            Err(NoLine::Ended) => break,
            Err(NoLine::TimedOut) => {
                let _ = godot::finish(runner, Duration::ZERO)
                    .inspect_err(|error| println!("{error:#}"));
                bail!("no line came for {:.0?}", defaults::TEST_SILENCE);
            }
        }
    }
    let mut ended = runner.finish(GAME_EXIT);
    let Some(mut counts) = result else {
        bail!("they end without a sum\n{}", godot::tail(&ended.lines));
    };
    if counts.failed > 0 || (nothing_chosen && filter.is_some()) {
        // The exit code says the same, which is counted already.
        ended
            .problems
            .retain(|problem| !problem.ends_with("exit status: 1"));
    }
    if let Err(error) = godot::judge(ended) {
        println!("FAILED the log of the tests in Godot: {error:#}");
        counts.failed += 1;
    }
    Ok(counts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_cargo_test_are_read() {
        let line = "test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; \
                    30 filtered out; finished in 0.42s";
        let expected = Counts {
            passed: 12,
            failed: 1,
            skipped: 2,
        };
        assert_eq!(counts(line), Some(expected));
        assert_eq!(counts("test lines::a ... ok"), None);
    }
}
