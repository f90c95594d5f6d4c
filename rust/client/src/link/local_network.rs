//! What a link does in the local network: a host shows itself there, and a joining player looks
//! for its host.

use std::{future::pending, net::SocketAddr, time::Instant};

use noray_protocol::wire::id::OpenId;
use tracing::debug;

use crate::{
    defaults::LAN_SEARCH,
    lan::{LanAdvert, LanSearch},
};

#[derive(Default)]
pub(super) struct LocalNetwork {
    /// Whether players can be found there; unknown until the registrar's address is known.
    usable: Option<bool>,
    advert: Option<LanAdvert>,
    search: Option<Search>,
    /// The host to look for as soon as `usable` is known.
    wanted: Option<OpenId>,
}

struct Search {
    search: LanSearch,
    until: Instant,
}

impl LocalNetwork {
    /// Takes the registrar's address. When the server is on this very machine, all players are too:
    /// then they need no network.
    pub(super) fn set_registrar(&mut self, now: Instant, registrar: SocketAddr) {
        self.usable = Some(!registrar.ip().to_canonical().is_loopback());
        self.start_search(now);
    }

    /// Shows the host of this OpenID, which listens on this UDP port.
    pub(super) fn advertise(&mut self, oid: &OpenId, port: u16) {
        self.advert = None;
        if self.usable == Some(true) {
            self.advert = LanAdvert::start(oid, port)
                .inspect_err(|error| debug!(%error, "not shown in the local network"))
                .ok();
        }
    }

    pub(super) fn stop_advertising(&mut self) {
        self.advert = None;
    }

    /// Looks for the host of this OpenID, and no longer for an earlier one.
    pub(super) fn search_for(&mut self, now: Instant, oid: OpenId) {
        self.search = None;
        self.wanted = Some(oid);
        self.start_search(now);
    }

    pub(super) fn stop_search(&mut self) {
        self.search = None;
        self.wanted = None;
    }

    /// Ends a search that has run for [`LAN_SEARCH`].
    pub(super) fn expire_search(&mut self, now: Instant) {
        self.search.take_if(|search| now >= search.until);
    }

    /// Waits for the next address of the host that is looked for. Nothing is lost when the wait is
    /// given up.
    pub(super) async fn next_address(&mut self) -> SocketAddr {
        match &mut self.search {
            Some(search) => search.search.next().await,
            None => pending().await,
        }
    }

    fn start_search(&mut self, now: Instant) {
        let Some(usable) = self.usable else {
            return;
        };
        if let Some(oid) = self.wanted.take().filter(|_| usable) {
            self.search = LanSearch::start(&oid)
                .inspect_err(|error| debug!(%error, "no search in the local network"))
                .ok()
                .map(|search| Search {
                    search,
                    until: now + LAN_SEARCH,
                });
        }
    }
}
