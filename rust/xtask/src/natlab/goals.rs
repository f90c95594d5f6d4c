//! What a join came to, and what it was to come to.

use std::fmt;
use std::time::Duration;

use anyhow::{Result, bail};

use super::places::{Place, Site};
use super::players::{Answer, PathKind};

/// A direct way, or one in the same home.
pub(super) const DIRECT: Duration = Duration::from_millis(300);

/// The relay, after a head start for the direct way.
pub(super) const RELAY: Duration = Duration::from_millis(1500);

/// The public server's relay with one symmetric side.
pub(super) const STRANGERS_RELAY: Duration = Duration::from_millis(2500);

/// Any way, with 20 % loss.
pub(super) const LOSSY: Duration = Duration::from_secs(3);

/// Why two players cannot meet at the public server (measured).
const STRANGER: &str = "a symmetric router sends to the relay from a port that the server does \
                        not know: it forwards that from a new relay port, which it tells nobody, \
                        and the other router lets nothing in from there";

/// Which way a game's packets take.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Route {
    Lan,
    Direct,
    Relay,
}

/// What a join came to.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Outcome {
    /// The player is in, and the host has answered a call.
    Joined {
        /// By which way.
        route: Route,
        /// How long `join` took.
        time: Duration,
    },
    /// The player is not in.
    Failed {
        /// How long it took to find out.
        time: Duration,
        /// What the game was told.
        why: String,
    },
}

/// What a join is to come to.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) enum Goal {
    /// In by this way, in this time.
    By(Route, Duration),
    /// In, by any way.
    In(Duration),
    /// In by any way, if the server lets it happen at all; else the reason.
    InIfPossible(Duration, &'static str),
    /// By this way, in whatever time.
    ByAnyTime(Route),
    /// Whatever comes.
    Anything,
}

/// How an outcome meets a goal.
#[derive(Clone, PartialEq, Debug)]
pub(super) enum Verdict {
    /// It does.
    Reached,
    /// It does not: in which way.
    Missed(String),
    /// It cannot, with this server.
    Impossible(&'static str),
    /// There was no goal.
    Open,
}

impl Outcome {
    /// Reads a player's answer to `join`.
    pub(super) fn read(answer: &Answer) -> Result<Self> {
        let time = answer.time()?;
        if !answer.ok {
            let why = answer.text().to_owned();
            return Ok(Self::Failed { time, why });
        }
        let route = match answer.word("path")? {
            "lan" => Route::Lan,
            "direct" => Route::Direct,
            "relay" => Route::Relay,
            other => bail!("there is no way named {other}"),
        };
        Ok(Self::Joined { route, time })
    }
}

impl Goal {
    /// What a cell of the matrix is to come to.
    pub(super) fn of_cell(
        site: Site,
        way: PathKind,
        host: Place,
        joining: Place,
        lossy: bool,
    ) -> Self {
        let both = [host, joining];
        let symmetric = both.contains(&Place::Symmetric);
        let relay_only = both.contains(&Place::RelayOnly);
        let open = both.iter().any(|place| place.takes_from_anyone());
        // Where both players' routers keep to themselves what the relay's strangers send.
        let stranger = site == Site::Public && symmetric && !open;
        match way {
            PathKind::Plain if symmetric && site == Site::Public => Self::Anything,
            PathKind::Plain if symmetric || relay_only => Self::ByAnyTime(Route::Relay),
            PathKind::Plain => Self::ByAnyTime(Route::Direct),
            PathKind::Call if stranger && lossy => Self::InIfPossible(LOSSY, STRANGER),
            PathKind::Call if stranger => Self::InIfPossible(STRANGERS_RELAY, STRANGER),
            PathKind::Call if lossy => Self::In(LOSSY),
            PathKind::Call if relay_only => Self::By(Route::Relay, RELAY),
            PathKind::Call if open || !symmetric => Self::By(Route::Direct, DIRECT),
            PathKind::Call => Self::By(Route::Relay, RELAY),
        }
    }

    /// Judges an outcome.
    pub(super) fn judge(self, outcome: &Outcome) -> Verdict {
        let (wanted, limit) = match self {
            Self::Anything => return Verdict::Open,
            Self::By(route, limit) => (Some(route), Some(limit)),
            Self::ByAnyTime(route) => (Some(route), None),
            Self::In(limit) | Self::InIfPossible(limit, _) => (None, Some(limit)),
        };
        let (route, time) = match outcome {
            Outcome::Joined { route, time } => (*route, *time),
            Outcome::Failed { why, .. } => {
                return match self {
                    Self::InIfPossible(_, why) => Verdict::Impossible(why),
                    _ => Verdict::Missed(format!("not in: {why}")),
                };
            }
        };
        if let Some(wanted) = wanted.filter(|&wanted| wanted != route) {
            return Verdict::Missed(format!("{route} instead of {wanted}"));
        }
        match limit.filter(|&limit| time > limit) {
            Some(limit) => Verdict::Missed(format!("later than {}", seconds(limit))),
            None => Verdict::Reached,
        }
    }
}

/// A time, for people.
pub(super) fn seconds(time: Duration) -> String {
    let seconds = time.as_secs_f64();
    if seconds < 10.0 {
        format!("{seconds:.2} s")
    } else {
        format!("{seconds:.0} s")
    }
}

impl fmt::Display for Route {
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
            Self::Joined { route, time } => write!(formatter, "{route} {}", seconds(*time)),
            Self::Failed { time, .. } => write!(formatter, "none {}", seconds(*time)),
        }
    }
}

impl fmt::Display for Goal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::By(route, limit) => write!(formatter, "{route}, {}", seconds(*limit)),
            Self::ByAnyTime(route) => write!(formatter, "{route}"),
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

    fn goal(host: Place, joining: Place) -> Goal {
        Goal::of_cell(Site::Ours, PathKind::Call, host, joining, false)
    }

    #[test]
    fn goals_are_those_of_the_plan() {
        use Place::*;
        assert_eq!(goal(Public, Symmetric), Goal::By(Route::Direct, DIRECT));
        assert_eq!(goal(Symmetric, FullCone), Goal::By(Route::Direct, DIRECT));
        assert_eq!(goal(Home, TwoRouters), Goal::By(Route::Direct, DIRECT));
        assert_eq!(goal(Home, Symmetric), Goal::By(Route::Relay, RELAY));
        assert_eq!(goal(Symmetric, Symmetric), Goal::By(Route::Relay, RELAY));
        assert_eq!(goal(RelayOnly, Public), Goal::By(Route::Relay, RELAY));
        let public = Goal::of_cell(Site::Public, PathKind::Call, Home, Symmetric, false);
        assert!(matches!(public, Goal::InIfPossible(STRANGERS_RELAY, _)));
        let lossy = Goal::of_cell(Site::Ours, PathKind::Call, Home, Symmetric, true);
        assert_eq!(lossy, Goal::In(LOSSY));
    }

    #[test]
    fn outcomes_are_judged() {
        let joined = |route, millis| Outcome::Joined {
            route,
            time: Duration::from_millis(millis),
        };
        let failed = Outcome::Failed {
            time: Duration::ZERO,
            why: "Timeout".to_owned(),
        };
        let direct = Goal::By(Route::Direct, DIRECT);
        assert_eq!(direct.judge(&joined(Route::Direct, 299)), Verdict::Reached);
        for missed in [
            joined(Route::Direct, 301),
            joined(Route::Relay, 1),
            failed.clone(),
        ] {
            assert!(
                matches!(direct.judge(&missed), Verdict::Missed(_)),
                "{missed}"
            );
        }
        let maybe = Goal::InIfPossible(STRANGERS_RELAY, "because");
        assert_eq!(maybe.judge(&failed), Verdict::Impossible("because"));
        assert!(matches!(
            maybe.judge(&joined(Route::Relay, 2600)),
            Verdict::Missed(_)
        ));
        assert_eq!(Goal::Anything.judge(&failed), Verdict::Open);
    }
}
