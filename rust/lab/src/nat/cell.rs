//! One join of the matrix.

use std::fmt;

use crate::nat::kinds::{Flow, Location, ServerKind};
use crate::nat::outcome::PathKind;
use crate::nat::target::{DIRECT, LOSSY, RELAY, STRANGER, STRANGERS_RELAY, Target};

/// What the cells of a column have in common.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Column {
    pub(crate) flow: Flow,
    pub(crate) server: ServerKind,
    pub(crate) lossy: bool,
}

impl Column {
    /// All of them, from left to right.
    pub(crate) const ALL: [Self; 6] = [
        Self::new(Flow::Calls, ServerKind::Ours, false),
        Self::new(Flow::Calls, ServerKind::Ours, true),
        Self::new(Flow::Calls, ServerKind::Public, false),
        Self::new(Flow::Calls, ServerKind::Public, true),
        Self::new(Flow::Plain, ServerKind::Ours, false),
        Self::new(Flow::Plain, ServerKind::Public, false),
    ];

    const fn new(flow: Flow, server: ServerKind, lossy: bool) -> Self {
        Self {
            flow,
            server,
            lossy,
        }
    }

    /// Returns its cells, from top to bottom.
    pub(crate) fn cells(self) -> impl Iterator<Item = Cell> {
        Location::ALL.into_iter().flat_map(move |host| {
            Location::ALL.into_iter().map(move |joining| Cell {
                column: self,
                host,
                joining,
            })
        })
    }
}

impl fmt::Display for Column {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.flow == Flow::Plain {
            formatter.write_str("the guide's flow, ")?;
        }
        let loss = if self.lossy { ", 20 % loss" } else { "" };
        write!(formatter, "{}{loss}", self.server)
    }
}

/// One join.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cell {
    pub(crate) column: Column,
    pub(crate) host: Location,
    pub(crate) joining: Location,
}

impl Cell {
    /// Returns its name as a test.
    pub(crate) fn name(&self) -> String {
        let (server, flow) = (self.column.server.key(), self.column.flow.prefix());
        let (host, joining) = (self.host.key(), self.joining.key());
        let loss = if self.column.lossy { "::loss" } else { "" };
        format!("natlab::{server}::{flow}{host}_hosts_{joining}_joins{loss}")
    }

    /// Returns what it is to come to.
    pub(crate) fn target(&self) -> Target {
        let both = [self.host, self.joining];
        let symmetric = both.contains(&Location::Symmetric);
        let relay_only = both.contains(&Location::RelayOnly);
        let open = both.iter().any(|location| location.takes_from_anyone());
        let public_server = self.column.server == ServerKind::Public;
        // Where both players' routers keep to themselves what the relay's strangers send.
        let stranger = public_server && symmetric && !open;
        match self.column.flow {
            Flow::Plain if symmetric && public_server => Target::Anything,
            Flow::Plain if symmetric || relay_only => Target::ByAnyTime(PathKind::Relay),
            Flow::Plain => Target::ByAnyTime(PathKind::Direct),
            Flow::Calls if stranger && self.column.lossy => Target::InIfPossible(LOSSY, STRANGER),
            Flow::Calls if stranger => Target::InIfPossible(STRANGERS_RELAY, STRANGER),
            Flow::Calls if self.column.lossy => Target::In(LOSSY),
            Flow::Calls if relay_only => Target::By(PathKind::Relay, RELAY),
            Flow::Calls if open || !symmetric => Target::By(PathKind::Direct, DIRECT),
            Flow::Calls => Target::By(PathKind::Relay, RELAY),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn target(server: ServerKind, host: Location, joining: Location, lossy: bool) -> Target {
        let column = Column::new(Flow::Calls, server, lossy);
        let cell = Cell {
            column,
            host,
            joining,
        };
        cell.target()
    }

    #[test]
    fn targets_are_those_of_the_plan() {
        use Location::*;
        let ours = |host, joining| target(ServerKind::Ours, host, joining, false);
        let direct = Target::By(PathKind::Direct, DIRECT);
        let relay = Target::By(PathKind::Relay, RELAY);
        assert_eq!(ours(Public, Symmetric), direct);
        assert_eq!(ours(Symmetric, FullCone), direct);
        assert_eq!(ours(Home, TwoRouters), direct);
        assert_eq!(ours(Home, Symmetric), relay);
        assert_eq!(ours(Symmetric, Symmetric), relay);
        assert_eq!(ours(RelayOnly, Public), relay);
        let public = target(ServerKind::Public, Home, Symmetric, false);
        assert!(matches!(public, Target::InIfPossible(STRANGERS_RELAY, _)));
        let lossy = target(ServerKind::Ours, Home, Symmetric, true);
        assert_eq!(lossy, Target::In(LOSSY));
    }
}
