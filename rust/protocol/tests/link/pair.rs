//! A host and a player who joins it.

use std::time::Duration;

use noray_protocol::wire::check::PathKind;

use crate::{
    home::Home,
    server::Kind,
    simulation::{Internet, World},
};

/// How a join ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct JoinResult {
    /// The kind of path that carries the game; `None` if it never began.
    pub path_kind: Option<PathKind>,
    /// How long after the join the game began.
    pub time: Option<Duration>,
    /// How long after the join a path of the link was open.
    pub open: Option<Duration>,
}

/// Which of the two players use netfox.noray.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Clients {
    Ours,
    OldHost,
    OldJoining,
    Old,
}

pub(crate) struct Pair {
    pub world: World,
    pub host: usize,
    pub joining: usize,
}

impl Pair {
    pub(crate) fn new(kind: Kind, homes: [Home; 2], internet: Internet, seed: u64) -> Self {
        Self::of(Clients::Ours, kind, homes, internet, seed)
    }

    pub(crate) fn of(
        clients: Clients,
        kind: Kind,
        homes: [Home; 2],
        internet: Internet,
        seed: u64,
    ) -> Self {
        let mut world = World::new(kind, internet, seed);
        let [host, joining] = homes.map(|home| home.build(&mut world));
        Self::place(clients, world, [host, joining])
    }

    /// Returns a pair behind one router.
    pub(crate) fn in_one_home(kind: Kind, hairpin: bool) -> Self {
        let mut world = World::new(kind, Internet::GOOD, 1);
        let router = Home::Router.build(&mut world);
        if let Some(router) = router {
            world.routers[router].hairpin = hairpin;
        }
        Self::place(Clients::Ours, world, [router; 2])
    }

    fn place(
        clients: Clients,
        mut world: World,
        [at_host, at_joining]: [Option<usize>; 2],
    ) -> Self {
        let host = if matches!(clients, Clients::Ours | Clients::OldJoining) {
            world.add_ours(at_host)
        } else {
            world.add_old(at_host)
        };
        let joining = if matches!(clients, Clients::Ours | Clients::OldHost) {
            world.add_ours(at_joining)
        } else {
            world.add_old(at_joining)
        };
        world.host(host);
        let registered = world.run_until(Duration::from_secs(8), |world| {
            [host, joining]
                .iter()
                .all(|player| world.server.registered(*player).is_some())
        });
        assert!(registered.is_some(), "the registrar is reached");
        // Until the answers have arrived.
        world.run_for(Duration::from_secs(1));
        Self {
            world,
            host,
            joining,
        }
    }

    /// Joins, and returns once the game has begun or no longer can.
    pub(crate) fn meet(&mut self) -> JoinResult {
        self.meet_within(Duration::from_secs(40))
    }

    pub(crate) fn meet_within(&mut self, limit: Duration) -> JoinResult {
        let Self {
            world,
            host,
            joining,
        } = self;
        world.join(*joining, *host);
        let began = world.now;
        let time = world.run_until(limit, |world| world.entered(*joining).is_some());
        let path_kind = time.and_then(|_| self.path_kind());
        let open = (!self.world.is_old(self.joining))
            .then(|| self.world.ours(self.joining).opened())
            .flatten()
            .map(|opened| opened - began);
        JoinResult {
            path_kind,
            time,
            open,
        }
    }

    pub(crate) fn path_kind(&self) -> Option<PathKind> {
        if self.world.is_old(self.joining) {
            self.world.old(self.joining).path_kind
        } else {
            self.world
                .ours(self.joining)
                .path(self.world.now)
                .map(|path| path.kind)
        }
    }
}
