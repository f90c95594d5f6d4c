//! The kinds of places that players are at.

use crate::{
    router::{Filter, Mapping},
    world::World,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Home {
    /// No router.
    Public,
    /// Everybody gets in.
    OpenNat,
    /// Whoever's IP address was sent to gets in, from any port.
    AddressFilter,
    /// Whoever was sent to gets in: the common home router.
    Router,
    /// Two of them in a row.
    TwoRouters,
    /// Another port for each destination: most mobile networks.
    Symmetric,
    /// Lets UDP go to the server alone.
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

    /// The router to be behind, newly built.
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

    /// Whether any address that it sends to can send back from any port.
    pub(crate) fn is_open(self) -> bool {
        matches!(self, Self::Public | Self::OpenNat)
    }
}
