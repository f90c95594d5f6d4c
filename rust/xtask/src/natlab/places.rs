//! Where players may be, and where they meet.

use std::fmt;

use anyhow::Result;

use super::routers;
use super::topology::{Home, Lab};

/// Where a player is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Place {
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

impl Place {
    /// All of them.
    pub(super) const ALL: [Self; 6] = [
        Self::Public,
        Self::FullCone,
        Self::Home,
        Self::TwoRouters,
        Self::Symmetric,
        Self::RelayOnly,
    ];

    /// Its name in a test's name.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Public => "public",
            Self::FullCone => "full_cone",
            Self::Home => "home",
            Self::TwoRouters => "two_routers",
            Self::Symmetric => "symmetric",
            Self::RelayOnly => "relay_only",
        }
    }

    /// Makes such a place with one player's machine.
    pub(super) fn make(self, lab: &Lab, name: &str) -> Result<Home> {
        let (router, outer) = match self {
            Self::Public => return lab.public(name),
            Self::FullCone => (routers::FULL_CONE, None),
            Self::Home => (routers::HOME, None),
            Self::TwoRouters => (routers::HOME, Some(routers::HOME_CHANGING_PORTS)),
            Self::Symmetric => (routers::SYMMETRIC, None),
            Self::RelayOnly => (routers::RELAY_ONLY, None),
        };
        lab.home(name, router, outer, 1)
    }

    /// Whether its open ports take packets from anyone.
    pub(super) fn takes_from_anyone(self) -> bool {
        matches!(self, Self::Public | Self::FullCone)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Public => "public address",
            Self::FullCone => "full cone",
            Self::Home => "home router",
            Self::TwoRouters => "two routers in a row",
            Self::Symmetric => "symmetric",
            Self::RelayOnly => "relay only",
        })
    }
}

/// Which server players meet at.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Site {
    /// Our own.
    Ours,
    /// The public one, generation 1.
    Public,
}

impl Site {
    /// Its name in a test's name.
    pub(super) fn key(self) -> &'static str {
        match self {
            Self::Ours => "our_server",
            Self::Public => "public_server",
        }
    }
}

impl fmt::Display for Site {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Ours => "our server",
            Self::Public => "public server",
        })
    }
}
