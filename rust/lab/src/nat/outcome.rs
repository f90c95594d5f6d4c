//! What a join came to.

use std::fmt;
use std::time::Duration;

use anyhow::{Context, Result};

use crate::nat::players::Answer;

/// The kind of path that a game's packets take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum PathKind {
    Lan,
    Direct,
    Relay,
}

/// What a join came to.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Outcome {
    /// The path of a player who is in, after the host has answered a call; else the message that
    /// the game got.
    pub(crate) path: Result<PathKind, String>,
    /// How long `join` took.
    pub(crate) time: Duration,
}

impl Outcome {
    /// Reads a player's answer to `join`.
    pub(crate) fn read(answer: &Answer) -> Result<Self> {
        let time = answer.time()?;
        if !answer.ok {
            let path = Err(answer.text().to_owned());
            return Ok(Self { path, time });
        }
        let word = answer.word("path")?;
        let mut kinds = [PathKind::Lan, PathKind::Direct, PathKind::Relay].into_iter();
        let path = kinds.find(|kind| kind.to_string().eq_ignore_ascii_case(word));
        let path = Ok(path.with_context(|| format!("unknown kind of path: {word}"))?);
        Ok(Self { path, time })
    }
}

/// Returns a time for people to read.
pub(crate) fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    let decimals = if seconds < 10.0 { 2 } else { 0 };
    format!("{seconds:.decimals$} s")
}

impl fmt::Display for PathKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Lan => "LAN",
            Self::Direct => "direct",
            Self::Relay => "relay",
        })
    }
}

impl fmt::Display for Outcome {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.path {
            Ok(path) => write!(formatter, "{path} {}", seconds(self.time)),
            Err(_) => write!(formatter, "none {}", seconds(self.time)),
        }
    }
}
