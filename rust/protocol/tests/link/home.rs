//! Where players are: behind which routers.

use crate::{
    router::{Filter, Mapping},
    simulation::World,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Home {
    /// No router.
    Public,
    /// A router that lets everybody in.
    OpenNat,
    /// A router that lets in any port of an IP address that was sent to.
    AddressFilter,
    /// A router that lets in only addresses that were sent to: the common home router.
    Router,
    /// Two such routers in a row.
    TwoRouters,
    /// A router with another port for each destination: most mobile networks.
    Symmetric,
    /// A router that lets UDP out only to the server.
    ServerOnly,
}

impl Home {
    pub(crate) const ALL: [Self; 7] = [
        Self::Public,
        Self::OpenNat,
        Self::AddressFilter,
        Self::Router,
        Self::TwoRouters,
        Self::Symmetric,
        Self::ServerOnly,
    ];

    /// Builds the routers, and returns the one that the player is behind.
    pub(crate) fn build(self, world: &mut World) -> Option<usize> {
        let filter = match self {
            Self::Public => return None,
            Self::OpenNat => Filter::Independent,
            Self::AddressFilter => Filter::Address,
            _ => Filter::AddressAndPort,
        };
        let mapping = if self == Self::Symmetric {
            Mapping::PerDestination
        } else {
            Mapping::Independent
        };
        let outer = world.add_router(None, (mapping, filter));
        if self == Self::ServerOnly {
            world.routers[outer].only = Some(world.server.ip);
        }
        if self == Self::TwoRouters {
            return Some(world.add_router(Some(outer), (mapping, filter)));
        }
        Some(outer)
    }

    /// Whether anybody can send to the player.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Public | Self::OpenNat)
    }
}
