//! Every test: Rust, GDScript in a real Godot, and games of several processes.

use std::process::{Command, Stdio};
use std::time::Instant;

use anyhow::{Result, bail};

use crate::cargo::{self, Profile};
use crate::godot::{self, Godot};
use crate::process::{self, Game, Missed};
use crate::report::Report;
use crate::scenario::{self, Others};
use crate::{addon, defaults, demo, demo_export, engine, fuzz, natlab, paths, rooms, soak};

const RUNNER: &str = "res://runner.tscn";

/// What the runner in Godot says when the filter leaves it nothing to run.
const NOTHING_CHOSEN: &str = "no test has this in its name";

/// Checks of the sources: a name, the component of Rust that it needs, and what cargo is told.
const LINTS: &[(&str, &str, &[&str])] = &[
    ("rust::format", "rustfmt", &["fmt", "--all", "--check"]),
    (
        "rust::clippy",
        "clippy",
        &[
            "clippy",
            "--workspace",
            "--all-targets",
            "--",
            "--deny",
            "warnings",
        ],
    ),
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
/// The soak goes on beside all that comes after the Rust half's build.
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
        // What does not build is told by `cargo test` itself.
        let built = process::run_tool(cargo::command("test")?.args(["--workspace", "--no-run"]));
        if built.is_ok() {
            soak = soak::begin(&mut report, soak_minutes);
        }
        rust(&mut report, others)?;
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
    for (name, tool, arguments) in LINTS {
        // A minimal installation of Rust is without these two.
        if !cargo::has(tool)? {
            let why = format!("this Rust has none (rustup component add {tool})");
            report.skip(name, &why);
            continue;
        }
        report.test(name, || {
            process::run_tool(cargo::command(arguments[0])?.args(&arguments[1..]))
        });
    }
    Ok(())
}

fn rust(report: &mut Report, others: &Others) -> Result<()> {
    rooms::run(report);
    cargo_tests(report, others)?;
    fuzz::test(report);
    Ok(())
}

/// `cargo test`, whose counts are added to ours.
fn cargo_tests(report: &mut Report, others: &Others) -> Result<()> {
    let mut command = cargo::command("test")?;
    command.args(["--workspace", "--no-fail-fast"]);
    if let Some(folder) = &others.noray {
        // What is said of the public server is then tested with it; else it counts as skipped.
        command.env("PUBLIC_NORAY_DIR", std::path::absolute(folder)?);
    }
    command.arg("--").args(report.filter());
    let (mut passed, mut failed, mut skipped) = count_tests(&mut command);
    if natlab::is_root() {
        // Those forge senders.
        let mut command = cargo::command("test")?;
        command
            .args(["--package", "noray-server", "--test", "server"])
            .args(["--", "--ignored"])
            .args(report.filter());
        let (good, bad, _) = count_tests(&mut command);
        passed += good;
        failed += bad;
        skipped = skipped.saturating_sub(good + bad);
    }
    report.add(passed, failed, skipped);
    Ok(())
}

/// Runs a `cargo test`, and adds up what passed, failed and was skipped.
fn count_tests(command: &mut Command) -> (usize, usize, usize) {
    let (mut passed, mut failed, mut skipped) = (0, 0, 0);
    command.stdout(Stdio::piped());
    let result = process::run_tool_reading(command, |line| {
        println!("{line}");
        if let Some((good, bad, ignored)) = counts(line) {
            passed += good;
            failed += bad;
            skipped += ignored;
        }
    });
    if let Err(error) = result
        && failed == 0
    {
        // Not a test, but what should have run it.
        println!("FAILED cargo test: {error:#}");
        failed = 1;
    }
    (passed, failed, skipped)
}

/// Passed, failed and ignored in `test result: ok. 3 passed; 0 failed; 1 ignored; …`.
fn counts(line: &str) -> Option<(usize, usize, usize)> {
    let line = line.strip_prefix("test result: ")?;
    let (_, counts) = line.split_once(". ")?;
    let count = |word: &str| {
        counts
            .split("; ")
            .find_map(|part| part.strip_suffix(word)?.trim().parse().ok())
    };
    Some((count("passed")?, count("failed")?, count("ignored")?))
}

fn in_godot(report: &mut Report, others: &Others) {
    let mut found = None;
    // Not by `report.test`: without these nothing else can run, whatever the filter.
    for (name, step) in [
        (
            "finding a Godot",
            &mut (|| {
                found = Some(godot::find()?);
                Ok(())
            }) as &mut dyn FnMut() -> Result<()>,
        ),
        ("building and staging the addon", &mut || {
            addon::run(Profile::Debug, &[])
        }),
    ] {
        if let Err(error) = step() {
            println!("FAILED {name}: {error:#}");
            report.add(0, 1, 0);
            return;
        }
    }
    let Some(godot) = found else { return };
    println!("Godot {} ({})", godot.version, godot.executable.display());

    // Not by `report.test` either: the other tests need what the import makes.
    for project in [paths::demo_project(), paths::godot_tests()] {
        if let Err(error) = engine::import(&godot, &project) {
            println!("FAILED importing {}: {error:#}", project.display());
            report.add(0, 1, 0);
        }
    }
    report.test("godot::editor_starts_no_thread_of_ours", || editor(&godot));
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
    if let Err(error) = scenario::run(&godot, others, report) {
        println!("FAILED games: {error:#}");
        report.add(0, 1, 0);
    }
    natlab::test(&godot, others, report);
}

/// Opens the editor for a moment: the extension must load there without a runtime of its own,
/// and without a word.
fn editor(godot: &Godot) -> Result<()> {
    let mut command = engine::headless(godot, &paths::demo_project())?;
    // Frames, of which a headless editor draws some hundred in a second.
    command.args(["--verbose", "--editor", "--quit-after", "300"]);
    let mut game = Game::start("editor", &mut command)?;
    let until = Instant::now() + defaults::IMPORT;
    let mut ours = Vec::new();
    while !game.has_ended() && Instant::now() < until {
        ours.extend(
            game.thread_names()
                .into_iter()
                .filter(|name| name.starts_with("noray") || name.starts_with("tokio")),
        );
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    ours.sort();
    ours.dedup();
    engine::finish(game, defaults::GAME_EXIT)?;
    if !ours.is_empty() {
        bail!("it started threads: {}", ours.join(", "));
    }
    Ok(())
}

/// The suites in `rust/godot-tests`, by their runner in Godot.
fn gdscript(godot: &Godot, report: &mut Report) {
    match run_suites(godot, report.filter()) {
        Ok((passed, failed, skipped)) => report.add(passed, failed, skipped),
        Err(error) => {
            println!("FAILED the tests in Godot: {error:#}");
            report.add(0, 1, 0);
        }
    }
}

fn run_suites(godot: &Godot, filter: Option<&str>) -> Result<(usize, usize, usize)> {
    let mut command = engine::headless(godot, &paths::godot_tests())?;
    // Names what leaks.
    command.args(["--verbose", RUNNER, "--"]);
    let junit = paths::target()?.join("godot-tests.xml");
    command.arg(format!("--junit={}", junit.display()));
    command.args(filter);
    let mut game = Game::start("tests", &mut command)?;
    let mut read = 0;
    let mut result = None;
    let mut nothing_chosen = false;
    loop {
        let until = Instant::now() + defaults::TEST_SILENCE;
        let line = game.wait_for(&mut read, until, |line| {
            line.strip_prefix("[test] ").map(str::to_owned)
        });
        match line {
            Ok(line) => {
                println!("{line}");
                nothing_chosen |= line == NOTHING_CHOSEN;
                result = summary(&line).or(result);
            }
            Err(Missed::Ended) => break,
            Err(Missed::TimeOut) => {
                let _ = engine::finish(game, std::time::Duration::ZERO)
                    .inspect_err(|error| println!("{error:#}"));
                bail!("no line came for {:.0?}", defaults::TEST_SILENCE);
            }
        }
    }
    let mut ended = game.finish(defaults::GAME_EXIT);
    let Some((passed, failed, skipped)) = result else {
        bail!("they end without a sum\n{}", engine::tail(&ended.lines));
    };
    if failed > 0 || (nothing_chosen && filter.is_some()) {
        // The exit code says the same, which is counted already.
        ended
            .problems
            .retain(|problem| !problem.ends_with("exit status: 1"));
    }
    if let Err(error) = engine::judge(ended) {
        println!("FAILED the log of the tests in Godot: {error:#}");
        return Ok((passed, failed + 1, skipped));
    }
    Ok((passed, failed, skipped))
}

/// The counts in `3 passed, 1 failed, 2 skipped`.
fn summary(line: &str) -> Option<(usize, usize, usize)> {
    let (passed, rest) = line.split_once(", ")?;
    let (failed, skipped) = rest.split_once(", ")?;
    Some((
        passed.strip_suffix(" passed")?.parse().ok()?,
        failed.strip_suffix(" failed")?.parse().ok()?,
        skipped.strip_suffix(" skipped")?.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_counts_of_cargo_test_are_read() {
        let line = "test result: FAILED. 12 passed; 1 failed; 2 ignored; 0 measured; \
                    30 filtered out; finished in 0.42s";
        assert_eq!(counts(line), Some((12, 1, 2)));
        assert_eq!(counts("test lines::a ... ok"), None);
    }

    #[test]
    fn the_sum_of_the_runner_in_godot_is_read() {
        assert_eq!(summary("3 passed, 1 failed, 2 skipped"), Some((3, 1, 2)));
        assert_eq!(summary("ok suite.test_a (0.1 s)"), None);
    }
}
