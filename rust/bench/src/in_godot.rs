//! Measures what a player waits for, in Godot at 60 frames a second, on loopback.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use noray_testkit::child::{ChildProcess, Ended};
use noray_testkit::godot::{self, Godot};
use noray_testkit::server::{ServerProcess, ServerProgram};
use noray_testkit::statistics::percentile;
use noray_testkit::{game, paths, tool};

/// How often each wait is measured.
const ROUNDS: usize = 20;
/// How often the link and bare ENet are measured, by turns.
const LINK_ROUNDS: usize = 3;
/// Relay ports of the server. Nobody uses them here.
const RELAYS: usize = 8;
/// The scenes that the measuring processes run.
const WAITS: &str = "res://waits.tscn";
const LINK: &str = "res://link.tscn";
/// The network namespace with a DNS server that never answers.
const NAMESPACE: &str = "noray-bench";
/// From a process's start until others can join it.
const START: Duration = Duration::from_secs(40);
/// One process: 20 rounds of a few frames and a quarter of a second's pause, or nine look-ups of
/// two seconds and as much time between them.
const PROCESS: Duration = Duration::from_secs(120);

/// What to measure with.
#[derive(clap::Args)]
pub(crate) struct Options {
    /// The Godot
    #[arg(long, value_name = "FILE")]
    godot: PathBuf,
    /// The release library of the extension, which is staged in the addon's folder
    #[arg(long, value_name = "FILE")]
    library: PathBuf,
    /// Our server's executable
    #[arg(long, value_name = "FILE")]
    server: PathBuf,
}

/// Measures, and prints a table in Markdown.
pub(crate) fn run(options: &Options) -> Result<()> {
    let godot = Godot::at(&options.godot)?;
    let project = paths::root().join("rust/bench/game");
    game::stage_addon(&project)?;
    godot.import(&project)?;
    let program = ServerProgram::Ours(options.server.clone());
    let bench = Bench {
        server: ServerProcess::start(&program, RELAYS, &[])?,
        godot,
        project,
    };
    let waits = bench.measure_waits();
    let idle = bench.measure_idle();
    let link = bench.measure_link();
    let look_up = bench.measure_look_up();
    bench.server.stop()?;
    let (waits, idle, [bare, linked]) = (waits?, idle?, link?);

    println!("Godot {}, {ROUNDS} rounds, medians\n", bench.godot.version);
    println!("| what | to reach | measured |");
    println!("| --- | --- | --- |");
    let frames = |key| {
        waits.median(key).map(|frames| match frames {
            1.0 => "1 frame".to_owned(),
            _ => format!("{frames} frames"),
        })
    };
    row("`connect_to_host`", "2 frames", &frames("connect_frames")?);
    row("`register_remote`", "2 frames", &frames("register_frames")?);
    let joined = frames("join_frames")?;
    let joined = format!("{joined} ({:.0} ms)", waits.median("join_msec")?);
    row("`connect_nat` called → ENet connected", "7 frames", &joined);
    row(
        "the host's handshake ends after the client is connected",
        "2 frames",
        &frames("host_ends_after")?,
    );
    let look_up = match look_up {
        Ok(values) => format!(
            "{:.1} ms ({:.1} ms with nothing to do)",
            values.median("dns_longest_frame_msec")?,
            values.median("quiet_longest_frame_msec")?
        ),
        Err(error) => format!("skipped: {error:#}"),
    };
    row(
        "longest frame during `connect_to_host`, the DNS server never answers",
        "20 ms",
        &look_up,
    );
    row(
        "main-thread cost of the idle, connected singleton",
        "1 µs a frame",
        &format!("{:.2} µs", idle.median("idle_nsec")? / 1000.0),
    );
    let library = fs::metadata(&options.library);
    let library = library.with_context(|| format!("{}", options.library.display()))?;
    row(
        "the release library, stripped",
        "reported",
        &format!("{:.2} MB", library.len() as f64 / 1e6),
    );
    print_link_table(&bare, &linked)
}

fn row(what: &str, target: &str, measured: &str) {
    println!("| {what} | {target} | {measured} |");
}

/// Prints what the link costs a game, beside bare ENet.
fn print_link_table(bare: &Values, linked: &Values) -> Result<()> {
    println!("\nThe link beside bare ENet, by turns, {LINK_ROUNDS} rounds each\n");
    println!("| what | bare ENet | through the link | the link's part |");
    println!("| --- | --- | --- | --- |");
    let both = |name, percent| anyhow::Ok([bare.at(name, percent)?, linked.at(name, percent)?]);
    let row = |what: &str, digits: usize, unit: &str, [without, with]: [f64; 2]| {
        let values = [without, with, with - without];
        let [without, with, part] = values.map(|value| format!("{value:.digits$} {unit}"));
        println!("| {what} | {without} | {with} | {part} |");
    };
    for (what, percent) in [("median", 50), ("99th percentile", 99)] {
        // There and back are two packets.
        let one_way = both("round_trip_usec", percent)?.map(|time| time / 2.0);
        let what = format!("a packet's way from ENet to ENet, {what}");
        row(&what, 0, "µs", one_way);
    }
    let what = "processor time of a player at 1,000 packets a second";
    match both("processor_usec_per_second", 50) {
        Ok(times) => row(what, 1, "%", times.map(|time| time / 1e4)),
        Err(_) => println!("| processor time of a player | skipped: Linux alone tells it | | |"),
    }
    Ok(())
}

/// What measuring processes printed: names and values.
struct Values(Vec<(String, f64)>);

impl Values {
    fn read(lines: &[String]) -> Self {
        let values = lines.iter().filter_map(|line| {
            let (name, value) = line.strip_prefix("[bench] ")?.split_once(' ')?;
            Some((name.to_owned(), value.trim().parse().ok()?))
        });
        Self(values.collect())
    }

    fn median(&self, name: &str) -> Result<f64> {
        self.at(name, 50)
    }

    fn at(&self, name: &str, percent: usize) -> Result<f64> {
        let of_name = self.0.iter().filter(|value| value.0 == name);
        let values: Vec<f64> = of_name.map(|value| value.1).collect();
        if values.is_empty() {
            bail!("nothing was measured of {name}");
        }
        Ok(percentile(&values, percent))
    }
}

/// A Godot with the measuring project, and a server.
struct Bench {
    godot: Godot,
    project: PathBuf,
    server: ServerProcess,
}

impl Bench {
    /// Lets a host and a player, each in a Godot, connect again and again.
    fn measure_waits(&self) -> Result<Values> {
        let mut host = self.start(WAITS, &["--role=host"])?;
        let oid = value_of(&mut host, "oid")?;
        let oid = format!("--oid={oid}");
        let rounds = format!("--rounds={ROUNDS}");
        let player = self.start(WAITS, &["--role=player", &oid, &rounds])?;
        let lines = [finish(player)?, host.stop()].concat();
        Ok(Values::read(&lines))
    }

    fn measure_idle(&self) -> Result<Values> {
        let lines = finish(self.start(WAITS, &["--role=idle"])?)?;
        Ok(Values::read(&lines))
    }

    /// Lets two processes talk ENet through the link, by turns with two that talk straight.
    fn measure_link(&self) -> Result<[Values; 2]> {
        let mut printed = [Vec::new(), Vec::new()];
        for _ in 0..LINK_ROUNDS {
            for (through, lines) in ["--through=enet", "--through=link"]
                .iter()
                .zip(&mut printed)
            {
                let mut echo = self.start(LINK, &["--role=echo", through])?;
                let target = value_of(&mut echo, "target")?;
                let target = format!("--target={target}");
                let ping = self.start(LINK, &["--role=ping", through, &target])?;
                lines.extend(finish(ping)?);
                echo.stop();
            }
        }
        Ok(printed.map(|lines| Values::read(&lines)))
    }

    /// Looks names up in a network namespace, whose DNS server never answers.
    fn measure_look_up(&self) -> Result<Values> {
        if !cfg!(target_os = "linux") {
            bail!("needs Linux's network namespaces");
        }
        let _namespace = Namespace::make()?;
        let inner = self.command(WAITS, &["--role=dns"])?;
        let mut command = Command::new("ip");
        command.args(["netns", "exec", NAMESPACE]);
        command.arg(inner.get_program()).args(inner.get_args());
        for (key, value) in inner.get_envs() {
            match value {
                Some(value) => command.env(key, value),
                None => command.env_remove(key),
            };
        }
        let Ended { problems, lines } = ChildProcess::start("dns", &mut command)?.finish(PROCESS);
        if !problems.is_empty() {
            bail!("{}\n{}", problems.join("\n"), godot::tail(&lines));
        }
        Ok(Values::read(&lines))
    }

    fn start(&self, scene: &str, arguments: &[&str]) -> Result<ChildProcess> {
        ChildProcess::start(arguments[0], &mut self.command(scene, arguments)?)
    }

    fn command(&self, scene: &str, arguments: &[&str]) -> Result<Command> {
        let mut command = self.godot.headless(&self.project)?;
        let ports = &self.server.ports;
        command
            .args([scene, "--"])
            .args(arguments)
            .arg(format!("--port={}", ports.commands))
            .arg(format!("--registrar-port={}", ports.registrar));
        Ok(command)
    }
}

/// Waits until a process prints a value of this name, and returns that.
fn value_of(process: &mut ChildProcess, name: &str) -> Result<String> {
    let begin = format!("[bench] {name} ");
    let value = process.wait_for_line(Instant::now() + START, |line| {
        line.strip_prefix(&begin).map(str::to_owned)
    });
    value.with_context(|| format!("no {name}; {}", godot::tail(&process.lines_from(0))))
}

/// Waits for a process's end, and returns what it printed.
fn finish(process: ChildProcess) -> Result<Vec<String>> {
    let ended = process.finish(PROCESS);
    let lines = ended.lines.clone();
    godot::judge(ended)?;
    Ok(lines)
}

/// A network namespace, until it is dropped.
struct Namespace;

impl Namespace {
    fn make() -> Result<Self> {
        ip(&["netns", "add", NAMESPACE]).context("needs root and iproute2")?;
        let namespace = Self;
        ip(&["-n", NAMESPACE, "link", "set", "lo", "up"])?;
        fs::create_dir_all(Self::configuration())?;
        let file = Self::configuration().join("resolv.conf");
        fs::write(file, "nameserver 127.0.0.53\n")?;
        Ok(namespace)
    }

    fn configuration() -> PathBuf {
        Path::new("/etc/netns").join(NAMESPACE)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // The next run overwrites what cannot be removed.
        let _ = ip(&["netns", "delete", NAMESPACE]);
        let _ = fs::remove_dir_all(Self::configuration());
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    tool::run(Command::new("ip").args(arguments))
}
