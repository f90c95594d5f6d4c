//! Measures what a player waits for, in Godot at 60 frames a second, on loopback.

use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, bail};

use crate::cargo::Profile;
use crate::godot::Godot;
use crate::process::{self, Ended, Game};
use crate::server::Server;
use crate::{addon, defaults, engine, godot, paths, scan};

/// How often each wait is measured.
const ROUNDS: usize = 20;
/// The scene that each measuring process runs.
const SCENE: &str = "res://bench.tscn";
/// The scene of the link's benchmark.
const LINK_SCENE: &str = "res://link.tscn";
/// How often the link and bare ENet are measured, by turns.
const LINK_ROUNDS: usize = 3;
/// The network namespace with a DNS server that never answers.
const NAMESPACE: &str = "noray-bench";

/// Builds the release, measures, and prints a table in Markdown.
pub(crate) fn run() -> Result<()> {
    let godot = godot::find()?;
    addon::run(Profile::Release, &[])?;
    addon::stage_in(&paths::bench_game())?;
    engine::import(&godot, &paths::bench_game())?;
    let server = Server::start_ours(Profile::Release)?;
    let waits = measure_waits(&godot, &server);
    let idle = measure_idle(&godot, &server);
    let link = measure_link(&godot, &server);
    server.stop()?;
    let look_up = measure_look_up(&godot);
    let (waits, idle, (bare, linked)) = (waits?, idle?, link?);

    println!("Godot {}, {ROUNDS} rounds, medians\n", godot.version);
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
    let joined = format!(
        "{} ({:.0} ms)",
        frames("join_frames")?,
        waits.median("join_msec")?
    );
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
    let library = addon::own_library()?;
    let size = std::fs::metadata(&library)
        .with_context(|| format!("cannot read {}", library.display()))?
        .len();
    row(
        "the release library, stripped",
        "reported",
        &format!("{:.2} MB", size as f64 / 1e6),
    );
    link_table(&bare, &linked)
}

/// What the link costs a game, beside bare ENet.
fn link_table(bare: &Values, linked: &Values) -> Result<()> {
    println!("\nThe link beside bare ENet, by turns, {LINK_ROUNDS} rounds each\n");
    println!("| what | bare ENet | through the link | the link's part |");
    println!("| --- | --- | --- | --- |");
    for (what, part) in [("median", 0.5), ("99th percentile", 0.99)] {
        // There and back: two packets.
        let one_way =
            |values: &Values| Ok::<_, anyhow::Error>(values.at("round_trip_usec", part)? / 2.0);
        let (without, with) = (one_way(bare)?, one_way(linked)?);
        println!(
            "| a packet's way from ENet to ENet, {what} | {without:.0} µs | {with:.0} µs | {:.0} µs |",
            with - without
        );
    }
    let processor = |values: &Values| values.median("processor_usec_per_second");
    match (processor(bare), processor(linked)) {
        (Ok(without), Ok(with)) => println!(
            "| processor time of a player at 1,000 packets a second | {:.1} % | {:.1} % | {:.1} % |",
            without / 1e4,
            with / 1e4,
            (with - without) / 1e4
        ),
        _ => println!("| processor time of a player | skipped: Linux alone tells it | | |"),
    }
    Ok(())
}

fn row(what: &str, target: &str, measured: &str) {
    println!("| {what} | {target} | {measured} |");
}

/// What a measuring process printed.
struct Values(Vec<(String, f64)>);

impl Values {
    fn of(ended: &Ended) -> Self {
        let values = ended.lines.iter().filter_map(|line| {
            let (key, value) = line.strip_prefix("[bench] ")?.split_once(' ')?;
            Some((key.to_owned(), value.trim().parse().ok()?))
        });
        Self(values.collect())
    }

    fn median(&self, key: &str) -> Result<f64> {
        self.at(key, 0.5)
    }

    /// The value below which this part of all lies.
    fn at(&self, key: &str, part: f64) -> Result<f64> {
        let of_key = self.0.iter().filter(|value| value.0 == key);
        let mut values: Vec<f64> = of_key.map(|value| value.1).collect();
        values.sort_by(f64::total_cmp);
        match values.get((values.len() as f64 * part) as usize) {
            Some(value) => Ok(*value),
            None => bail!("nothing was measured of {key}"),
        }
    }
}

/// A host and a player in a Godot each, who meet again and again.
fn measure_waits(godot: &Godot, server: &Server) -> Result<Values> {
    let mut host = start(godot, server, "host", &[])?;
    let until = Instant::now() + defaults::GAME_STEP;
    let found = host.wait_for(&mut 0, until, |line| {
        line.strip_prefix("[bench] oid ").map(str::to_owned)
    });
    let oid = match found {
        Ok(oid) => oid,
        Err(missed) => bail!(
            "the host gave no OpenID ({missed}); {}",
            engine::tail(&host.stop())
        ),
    };
    let player = [format!("--oid={oid}"), format!("--rounds={ROUNDS}")];
    let player = start(godot, server, "player", &player)?;
    let player = finish(player);
    let host = Ended {
        problems: Vec::new(),
        lines: host.stop(),
    };
    let mut values = Values::of(&player?);
    values.0.extend(Values::of(&host).0);
    Ok(values)
}

fn measure_idle(godot: &Godot, server: &Server) -> Result<Values> {
    let game = start(godot, server, "idle", &[])?;
    Ok(Values::of(&finish(game)?))
}

/// Two processes whose ENet talks through the link, and two whose ENet talks straight.
fn measure_link(godot: &Godot, server: &Server) -> Result<(Values, Values)> {
    let (mut bare, mut linked) = (Values(Vec::new()), Values(Vec::new()));
    for _ in 0..LINK_ROUNDS {
        for (way, values) in [("bare", &mut bare), ("link", &mut linked)] {
            let way = format!("--way={way}");
            let more = [way.clone()];
            let mut echo = start_in(LINK_SCENE, godot, server, "echo", &more)?;
            let until = Instant::now() + defaults::GAME_STEP;
            let target = echo.wait_for(&mut 0, until, |line| {
                line.strip_prefix("[bench] target ").map(str::to_owned)
            });
            let target = match target {
                Ok(target) => target,
                Err(missed) => bail!("no echo ({missed}); {}", engine::tail(&echo.stop())),
            };
            let more = [way, format!("--target={target}")];
            let ping = finish(start_in(LINK_SCENE, godot, server, "ping", &more)?);
            echo.stop();
            values.0.extend(Values::of(&ping?).0);
        }
    }
    Ok((bare, linked))
}

fn start(godot: &Godot, server: &Server, role: &str, more: &[String]) -> Result<Game> {
    start_in(SCENE, godot, server, role, more)
}

fn start_in(
    scene: &str,
    godot: &Godot,
    server: &Server,
    role: &str,
    more: &[String],
) -> Result<Game> {
    let mut command = engine::headless(godot, &paths::bench_game())?;
    command
        .args([scene, "--", &format!("--role={role}")])
        .arg(format!("--port={}", server.port))
        .arg(format!("--registrar-port={}", server.registrar_port))
        .args(more);
    Game::start(role, &mut command)
}

fn finish(game: Game) -> Result<Ended> {
    let ended = game.finish(defaults::BENCHMARK);
    let problems = scan::scan(ended.lines.iter().map(String::as_str));
    let problems = [ended.problems.clone(), problems].concat();
    if !problems.is_empty() {
        bail!("{}\n{}", problems.join("\n"), engine::tail(&ended.lines));
    }
    Ok(ended)
}

/// A look-up that hangs needs a machine whose DNS server never answers: a network
/// namespace has a configuration of its own.
fn measure_look_up(godot: &Godot) -> Result<Values> {
    if !cfg!(target_os = "linux") {
        bail!("needs Linux's network namespaces");
    }
    let _namespace = Namespace::make()?;
    let game = engine::headless(godot, &paths::bench_game())?;
    let mut command = Command::new("ip");
    command
        .args(["netns", "exec", NAMESPACE])
        .arg(game.get_program())
        .args(game.get_args())
        .args([SCENE, "--", "--role=dns"]);
    for (key, value) in game.get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    let ended = Game::start("dns", &mut command)?.finish(defaults::BENCHMARK);
    if !ended.problems.is_empty() {
        bail!(
            "{}\n{}",
            ended.problems.join("\n"),
            engine::tail(&ended.lines)
        );
    }
    Ok(Values::of(&ended))
}

/// A network namespace that is gone when this is dropped.
struct Namespace;

impl Namespace {
    fn make() -> Result<Self> {
        let configuration = std::path::Path::new("/etc/netns").join(NAMESPACE);
        ip(&["netns", "add", NAMESPACE]).context("needs root and iproute2")?;
        let namespace = Self;
        ip(&["-n", NAMESPACE, "link", "set", "lo", "up"])?;
        std::fs::create_dir_all(&configuration)?;
        std::fs::write(configuration.join("resolv.conf"), "nameserver 127.0.0.53\n")?;
        Ok(namespace)
    }
}

impl Drop for Namespace {
    fn drop(&mut self) {
        // What cannot be removed is overwritten by the next run.
        let _ = ip(&["netns", "delete", NAMESPACE]);
        let _ = std::fs::remove_dir_all(std::path::Path::new("/etc/netns").join(NAMESPACE));
    }
}

fn ip(arguments: &[&str]) -> Result<()> {
    process::run_tool(Command::new("ip").args(arguments))
}
