//! One join of the matrix.

use crate::nat::kinds::{Flow, Location, ServerKind};
use crate::nat::target::Target;

/// One join.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Cell {
    pub(crate) server: ServerKind,
    pub(crate) flow: Flow,
    pub(crate) host: Location,
    pub(crate) joining: Location,
    pub(crate) lossy: bool,
}

impl Cell {
    /// Returns all cells of a kind.
    pub(crate) fn all(server: ServerKind, flow: Flow, lossy: bool) -> impl Iterator<Item = Self> {
        Location::ALL.into_iter().flat_map(move |host| {
            Location::ALL.into_iter().map(move |joining| Self {
                server,
                flow,
                host,
                joining,
                lossy,
            })
        })
    }

    /// Returns its name as a test.
    pub(crate) fn name(&self) -> String {
        let loss = if self.lossy { "::loss" } else { "" };
        format!(
            "natlab::{}::{}{}_hosts_{}_joins{loss}",
            self.server.key(),
            self.flow.prefix(),
            self.host.key(),
            self.joining.key()
        )
    }

    /// Returns what it is to come to.
    pub(crate) fn target(&self) -> Target {
        Target::of_join(self.server, self.flow, self.host, self.joining, self.lossy)
    }
}
