//! Looks for a host in the local network.

use std::{
    collections::{HashSet, VecDeque},
    future::pending,
    io,
    net::SocketAddr,
    time::Duration,
};

use noray_protocol::wire::id::OpenId;
use tokio::time::{Instant, sleep_until};
use tracing::debug;

use super::{name::hashed_name, query::Query, sockets::Sockets};
use crate::defaults::{LAN_FIRST_REPEAT, LAN_LONGEST_REPEAT, LAN_SECOND_REPEAT, MAX_LAN_ADDRESSES};

/// Why a host cannot be looked for in the local network.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SearchError {
    /// The system gave no socket, neither for IPv4 nor for IPv6.
    #[error("no socket for the local network: {0}")]
    Socket(#[source] io::Error),
    /// The system gave no random number for the query.
    #[error("no random number: {0}")]
    Random(#[from] getrandom::Error),
    /// The query could not be written.
    #[error("cannot write the query: {0}")]
    Query(#[from] simple_dns::SimpleDnsError),
}

/// Looks for a host in the local network while it is held.
///
/// Asks at once, after 0.25 s, 1.25 s, 3.25 s and so on, and only while [`LanSearch::next`] is
/// awaited.
#[derive(Debug)]
pub(crate) struct LanSearch {
    sockets: Sockets,
    query: Query,
    next_query: Instant,
    pause: Duration,
    /// All addresses of the host so far.
    found: HashSet<SocketAddr>,
    /// Those that [`LanSearch::next`] has not returned yet.
    waiting: VecDeque<SocketAddr>,
}

impl LanSearch {
    /// Asks all local networks for the host of this OpenID, also those that come later.
    ///
    /// # Errors
    /// [`SearchError`]. A machine without a network is no error.
    ///
    /// # Panics
    /// Outside of a tokio runtime with I/O and time.
    pub(crate) fn start(oid: &OpenId) -> Result<Self, SearchError> {
        let [a, b, ..] = getrandom::u32()?.to_be_bytes();
        let search = Self {
            sockets: Sockets::open().map_err(SearchError::Socket)?,
            query: Query::new(&hashed_name(oid), u16::from_be_bytes([a, b]))?,
            next_query: Instant::now() + LAN_FIRST_REPEAT,
            pause: LAN_SECOND_REPEAT,
            found: HashSet::new(),
            waiting: VecDeque::new(),
        };
        search.sockets.send(search.query.datagram());
        Ok(search)
    }

    /// Returns the next address of the host: each one once, [`MAX_LAN_ADDRESSES`] in all; waits
    /// forever when there is none. Nothing is lost when the wait is given up.
    ///
    /// The address is what a neighbour in the network claims. A host has to prove that it is one.
    pub(crate) async fn next(&mut self) -> SocketAddr {
        loop {
            if let Some(address) = self.waiting.pop_front() {
                return address;
            }
            if self.is_full() {
                pending::<()>().await;
            }
            tokio::select! {
                () = sleep_until(self.next_query) => {
                    self.sockets.send(self.query.datagram());
                    self.next_query = Instant::now() + self.pause;
                    self.pause = (self.pause * 2).min(LAN_LONGEST_REPEAT);
                }
                (answer, from) = self.sockets.receive() => {
                    for address in self.query.addresses(&answer, from) {
                        if !self.is_full() && self.found.insert(address) {
                            debug!(%address, "host found in the local network");
                            self.waiting.push_back(address);
                        }
                    }
                }
            }
        }
    }

    fn is_full(&self) -> bool {
        self.found.len() >= MAX_LAN_ADDRESSES
    }
}
