//! What cases combine: where players are, which server they meet at, and how they meet.

use std::fmt;

/// Where a player is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Location {
    /// No router.
    Public,
    /// Endpoint-independent mapping and filtering.
    FullCone,
    /// Endpoint-independent mapping, address- and port-dependent filtering.
    Home,
    /// A home router behind its carrier's, which maps to ports of its own.
    TwoRouters,
    /// Address- and port-dependent mapping.
    Symmetric,
    /// A home router that lets UDP to the noray server alone through.
    RelayOnly,
}

impl Location {
    /// All of them.
    pub(crate) const ALL: [Self; 6] = [
        Self::Public,
        Self::FullCone,
        Self::Home,
        Self::TwoRouters,
        Self::Symmetric,
        Self::RelayOnly,
    ];

    /// Returns its name in a test's name, and for people.
    fn names(self) -> [&'static str; 2] {
        match self {
            Self::Public => ["public", "public address"],
            Self::FullCone => ["full_cone", "full cone"],
            Self::Home => ["home", "home router"],
            Self::TwoRouters => ["two_routers", "two routers in a row"],
            Self::Symmetric => ["symmetric", "symmetric"],
            Self::RelayOnly => ["relay_only", "relay only"],
        }
    }

    /// Returns its name in a test's name.
    pub(crate) fn key(self) -> &'static str {
        self.names()[0]
    }

    /// Returns whether its open ports take packets from anyone.
    pub(crate) fn takes_from_anyone(self) -> bool {
        matches!(self, Self::Public | Self::FullCone)
    }
}

impl fmt::Display for Location {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.names()[1])
    }
}

/// Which server players meet at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum ServerKind {
    /// Our own.
    Ours,
    /// The public one, generation 1.
    Public,
}

impl ServerKind {
    /// Returns its name in a test's name.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Ours => "our_server",
            Self::Public => "public_server",
        }
    }
}

impl fmt::Display for ServerKind {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.key().replace('_', " "))
    }
}

/// How a player meets others.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Flow {
    /// `Noray.host()` and `Noray.join()`.
    Calls,
    /// The guide's plain flow.
    Plain,
}

impl Flow {
    /// Returns what stands for it in a test's name.
    pub(crate) fn prefix(self) -> &'static str {
        match self {
            Self::Calls => "",
            Self::Plain => "plain_flow::",
        }
    }
}
