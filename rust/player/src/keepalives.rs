//! `keep_alive`: datagrams from a game's own ENet socket, so that its router keeps the mapping that
//! the server knows.

use std::{net::SocketAddr, time::Instant};

use noray_protocol::{defaults::KEEPALIVE_INTERVAL, wire::id::PrivateId};

use crate::{effect::Effect, output::Output};

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

    /// Sends what is due. Only connections of `pid` count, as long as `registrar` knows it.
    pub(crate) fn send(
        &mut self,
        now: Instant,
        pid: Option<&PrivateId>,
        registrar: Option<SocketAddr>,
        output: &mut Output,
    ) {
        let (Some(pid), Some(registrar)) = (pid, registrar) else {
            self.clear();
            return;
        };
        self.0.retain(|kept| kept.pid == *pid);
        for kept in self.0.iter_mut().filter(|kept| now >= kept.next) {
            kept.next = now + KEEPALIVE_INTERVAL;
            output.push(Effect::SendKeepalive {
                connection: kept.connection,
                registrar,
                pid: pid.clone(),
            });
        }
    }
}
