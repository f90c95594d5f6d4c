//! `keep_alive`: datagrams from a game's own ENet socket, so that its router keeps the mapping that
//! the server knows.

use std::time::Instant;

use noray_protocol::{defaults::KEEPALIVE_INTERVAL, wire::id::PrivateId};

/// The connections that are kept alive.
#[derive(Default, Debug)]
pub(crate) struct Keepalives(Vec<Keepalive>);

#[derive(Debug)]
struct Keepalive {
    /// The game's `ENetConnection`, by its instance id.
    connection: i64,
    /// The identity whose address the connection has.
    pid: PrivateId,
    next: Instant,
}

impl Keepalives {
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Keeps a connection alive from `now` on.
    pub(crate) fn add(&mut self, connection: i64, pid: PrivateId, now: Instant) {
        self.forget(connection);
        self.0.push(Keepalive {
            connection,
            pid,
            next: now,
        });
    }

    pub(crate) fn forget(&mut self, connection: i64) {
        self.0.retain(|kept| kept.connection != connection);
    }

    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }

    /// Returns the connections whose datagram is due. Forgets those of any identity but `pid`.
    pub(crate) fn take_due(&mut self, now: Instant, pid: Option<&PrivateId>) -> Vec<i64> {
        self.0.retain(|kept| Some(&kept.pid) == pid);
        let due = self.0.iter_mut().filter(|kept| now >= kept.next);
        due.map(|kept| {
            kept.next = now + KEEPALIVE_INTERVAL;
            kept.connection
        })
        .collect()
    }
}
