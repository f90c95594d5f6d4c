//! The server's process, and what it tells of itself.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use anyhow::{Context, Result, anyhow, bail, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::process::Game;
use crate::server::without_settings;
use crate::{defaults, scan};

/// The first port of the relays: below those that systems and other tests take.
const FIRST_RELAY: u32 = 9000;

/// A server with its default limits, but those of one address: all players here have the same.
pub(super) struct Watched {
    game: Game,
    /// Where players send commands.
    pub commands: SocketAddr,
    /// Where players register their addresses.
    pub registrar: SocketAddr,
    /// Where relayed players send to each other.
    pub relays: RangeInclusive<u16>,
    http: SocketAddr,
}

/// What the server tells at one moment.
#[derive(Clone, Debug)]
pub(super) struct Sample {
    /// When.
    pub at: Instant,
    /// The processor time that its process took, in seconds.
    pub processor: f64,
    metrics: HashMap<String, f64>,
}

impl Sample {
    /// A metric by its name and labels.
    pub(super) fn value(&self, name: &str) -> Result<f64> {
        let value = self.metrics.get(name).copied();
        value.with_context(|| format!("the server does not tell {name}"))
    }

    /// The sum of all metrics whose names begin so.
    pub(super) fn sum(&self, begin: &str) -> f64 {
        let values = self.metrics.iter();
        values
            .filter(|(name, _)| name.starts_with(begin))
            .map(|(_, value)| value)
            .sum()
    }

    /// What a server tells in Prometheus' text.
    pub(super) fn parse(text: &str) -> Self {
        let metrics = text.lines().filter(|line| !line.starts_with('#'));
        let metrics = metrics.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self {
            at: Instant::now(),
            processor: 0.0,
            metrics: metrics.collect(),
        }
    }
}

impl Watched {
    /// Starts it on free ports of this machine, for so many players.
    pub(super) fn start(program: &Path, players: u32) -> Result<Self> {
        let last = FIRST_RELAY + 2 * players - 1;
        let range = |port: u32| u16::try_from(port).context("too many players");
        let relays = range(FIRST_RELAY)?..=range(last)?;
        let mut command = Command::new(program);
        without_settings(&mut command);
        command
            .args(["--socket-host=127.0.0.1", "--socket-port=0"])
            .args(["--udp-host=127.0.0.1", "--udp-registrar-port=0"])
            .args(["--http-host=127.0.0.1", "--http-port=0"])
            .arg(format!("--udp-relay-ports={FIRST_RELAY}-{last}"))
            .arg(format!("--max-connections-per-address={}", 2 * players))
            .arg(format!(
                "--max-lines-per-second-per-address={}",
                50 * players
            ))
            .arg(format!(
                "--max-connects-per-second-per-address={}",
                2 * players
            ))
            .arg(format!(
                "--max-registrations-per-second-per-address={}",
                2 * players
            ))
            // Most is said of players there.
            .arg("--loglevel=debug");
        let mut game = Game::start("noray-server", &mut command)?;
        let until = Instant::now() + defaults::SERVER_START;
        let started = game
            .wait_for(&mut 0, until, |line| Some(line.to_owned()))
            .map_err(|missed| anyhow!("the server does not start: {missed}"))?;
        let address = |before: &str| -> Result<SocketAddr> {
            let (_, rest) = started.split_once(before).context("no address")?;
            let address = rest.split(' ').next().unwrap_or(rest);
            address.parse().with_context(|| started.clone())
        };
        Ok(Self {
            commands: address("commands on ")?,
            registrar: address("registrar on ")?,
            http: address("metrics on ")?,
            relays,
            game,
        })
    }

    /// What the server tells now.
    pub(super) async fn sample(&self) -> Result<Sample> {
        let ask = async {
            let mut stream = TcpStream::connect(self.http).await?;
            let request = b"GET /metrics HTTP/1.1\r\nHost: noray\r\nConnection: close\r\n\r\n";
            stream.write_all(request).await?;
            let mut answer = String::new();
            stream.read_to_string(&mut answer).await?;
            anyhow::Ok(answer)
        };
        let answer = tokio::time::timeout(defaults::SOAK_ANSWER, ask).await;
        let answer = answer
            .context("no metrics in time")?
            .context("no metrics")?;
        if !answer.starts_with("HTTP/1.1 200 ") {
            bail!("no metrics: {answer}");
        }
        Ok(Sample {
            processor: processor_seconds(self.game.id())?,
            ..Sample::parse(&answer)
        })
    }

    /// Ends it, and returns its log.
    ///
    /// # Errors
    /// It had ended by itself, or its log tells of an error.
    pub(super) fn stop(self) -> Result<Vec<String>> {
        let Self { mut game, .. } = self;
        let early = game.has_ended();
        let log = game.stop();
        if early {
            let tail = &log[log.len().saturating_sub(20)..];
            bail!("the server ended by itself:\n{}", tail.join("\n"));
        }
        let problems = scan::scan(log.iter().map(String::as_str));
        if !problems.is_empty() {
            bail!("the server's log:\n{}", problems.join("\n"));
        }
        Ok(log)
    }
}

/// The processor time that a process took, in seconds; it tells whole ones itself.
pub(super) fn processor_seconds(process: u32) -> Result<f64> {
    let file = format!("/proc/{process}/stat");
    let stat = std::fs::read_to_string(&file).with_context(|| file.clone())?;
    // Behind the name, which may hold anything.
    let (_, fields) = stat.rsplit_once(')').with_context(|| file.clone())?;
    let ticks: Vec<u64> = fields
        .split_whitespace()
        .skip(11)
        .take(2)
        .filter_map(|field| field.parse().ok())
        .collect();
    ensure!(ticks.len() == 2, "{file}: {stat}");
    let per_second = rustix::param::clock_ticks_per_second();
    Ok(ticks.iter().sum::<u64>() as f64 / per_second as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processor_time_is_read() {
        let before = processor_seconds(std::process::id()).unwrap();
        let until = Instant::now() + std::time::Duration::from_secs(10);
        while processor_seconds(std::process::id()).unwrap() <= before {
            assert!(Instant::now() < until, "no time passes");
        }
    }

    #[test]
    fn metrics_are_read() {
        let sample = Sample::parse(
            "# HELP noray_relay_count Open relays\nnoray_relay_count 12\n\
             noray_refused_total{command=\"connect\",reason=\"unknown-host\"} 3\n\
             noray_refused_total{command=\"connect\",reason=\"relays-full\"} 4\n",
        );
        assert_eq!(sample.value("noray_relay_count").unwrap(), 12.0);
        assert!(sample.value("noray_relay").is_err());
        assert_eq!(sample.sum("noray_refused_total{"), 7.0);
    }
}
