//! What a join came to.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail};

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
pub(crate) enum Outcome {
    /// The player is in, and the host has answered a call. `time` is how long `join` took.
    Joined { path: PathKind, time: Duration },
    /// The player is not in. `time` is how long it took to find out, `why` the message that the game got.
    Failed { time: Duration, why: String },
}

impl Outcome {
    /// Reads a player's answer to `join`.
    pub(crate) fn read(answer: &Answer) -> Result<Self> {
        let time = answer.time()?;
        if !answer.ok {
            let why = answer.text().to_owned();
            return Ok(Self::Failed { time, why });
        }
        let path = match answer.word("path")? {
            "lan" => PathKind::Lan,
            "direct" => PathKind::Direct,
            "relay" => PathKind::Relay,
            other => bail!("unknown kind of path: {other}"),
        };
        Ok(Self::Joined { path, time })
    }
}

/// Returns a time for people to read.
pub(crate) fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 10.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{seconds:.0} s")
    }
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
        match self {
            Self::Joined { path, time } => write!(formatter, "{path} {}", seconds(*time)),
            Self::Failed { time, .. } => write!(formatter, "none {}", seconds(*time)),
        }
    }
}
