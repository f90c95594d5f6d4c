//! What a join is to come to.

use std::fmt;
use std::time::Duration;

use crate::nat::outcome::{Outcome, PathKind, seconds};

/// A direct path, or one in the same home.
pub(crate) const DIRECT: Duration = Duration::from_millis(300);

/// The relay, after a head start for the direct path.
pub(crate) const RELAY: Duration = Duration::from_millis(1500);

/// The public server's relay with one symmetric side.
pub(crate) const STRANGERS_RELAY: Duration = Duration::from_millis(2500);

/// Any path, with 20 % loss.
pub(crate) const LOSSY: Duration = Duration::from_secs(3);

/// Why two players cannot meet at the public server (measured).
pub(crate) const STRANGER: &str = "a symmetric router sends to the relay from a port that the server does \
                        not know: it forwards that from a new relay port, which it tells nobody, \
                        and the other router lets nothing in from there";

/// What a join is to come to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(crate) enum Target {
    /// In by this path, in this time.
    By(PathKind, Duration),
    /// In, by any path.
    In(Duration),
    /// In by any path, if the server lets it happen at all; else the reason.
    InIfPossible(Duration, &'static str),
    /// By this path, in whatever time.
    ByAnyTime(PathKind),
    /// Whatever comes.
    Anything,
}

/// How an outcome meets a target.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Verdict {
    /// It does.
    Reached,
    /// It does not, and in which respect.
    Missed(String),
    /// It cannot, with this server.
    Impossible(&'static str),
    /// There was no target.
    Open,
}

impl Target {
    /// Judges an outcome.
    pub(crate) fn judge(self, outcome: &Outcome) -> Verdict {
        let (wanted, limit) = match self {
            Self::Anything => return Verdict::Open,
            Self::By(path, limit) => (Some(path), Some(limit)),
            Self::ByAnyTime(path) => (Some(path), None),
            Self::In(limit) | Self::InIfPossible(limit, _) => (None, Some(limit)),
        };
        let path = match (&outcome.path, self) {
            (Ok(path), _) => *path,
            (Err(_), Self::InIfPossible(_, why)) => return Verdict::Impossible(why),
            (Err(why), _) => return Verdict::Missed(format!("not in: {why}")),
        };
        if let Some(wanted) = wanted.filter(|&wanted| wanted != path) {
            return Verdict::Missed(format!("{path} instead of {wanted}"));
        }
        match limit.filter(|&limit| outcome.time > limit) {
            Some(limit) => Verdict::Missed(format!("later than {}", seconds(limit))),
            None => Verdict::Reached,
        }
    }

    /// Returns whether an outcome reaches it.
    pub(crate) fn is_reached_by(self, outcome: &Outcome) -> bool {
        self.judge(outcome) == Verdict::Reached
    }
}

impl fmt::Display for Target {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::By(path, limit) => write!(formatter, "{path}, {}", seconds(*limit)),
            Self::ByAnyTime(path) => write!(formatter, "{path}"),
            Self::In(limit) => write!(formatter, "connected, {}", seconds(*limit)),
            Self::InIfPossible(limit, _) => {
                write!(formatter, "connected, {}, if possible", seconds(*limit))
            }
            Self::Anything => formatter.write_str("-"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn outcomes_are_judged() {
        let joined = |path, millis| Outcome {
            path: Ok(path),
            time: Duration::from_millis(millis),
        };
        let failed = Outcome {
            path: Err("Timeout".to_owned()),
            time: Duration::ZERO,
        };
        let direct = Target::By(PathKind::Direct, DIRECT);
        assert!(direct.is_reached_by(&joined(PathKind::Direct, 299)));
        for missed in [
            joined(PathKind::Direct, 301),
            joined(PathKind::Relay, 1),
            failed.clone(),
        ] {
            assert!(
                matches!(direct.judge(&missed), Verdict::Missed(_)),
                "{missed}"
            );
        }
        let maybe = Target::InIfPossible(STRANGERS_RELAY, "because");
        assert_eq!(maybe.judge(&failed), Verdict::Impossible("because"));
        assert!(matches!(
            maybe.judge(&joined(PathKind::Relay, 2600)),
            Verdict::Missed(_)
        ));
        assert_eq!(Target::Anything.judge(&failed), Verdict::Open);
    }
}
