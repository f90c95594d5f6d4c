//! `Noray.keep_alive`: datagrams from a game's own ENet socket, so that its router keeps the
//! mapping that the server knows.

use std::time::Instant;

use godot::{
    builtin::{GString, PackedByteArray},
    classes::ENetConnection,
    global::Error,
    obj::{Gd, InstanceId},
};

use crate::{
    defaults::KEEPALIVE_INTERVAL,
    enet::{is_alive, without_error_lines},
    noray::Noray,
};

/// A connection of the game's, held weakly.
pub(crate) struct KeptAlive {
    connection: InstanceId,
    /// The identity whose address it has.
    pid: GString,
    next: Instant,
}

impl Noray {
    /// `keep_alive`.
    pub(crate) fn begin_keepalive(&mut self, connection: Option<Gd<ENetConnection>>) -> Error {
        let Some(connection) = connection.filter(is_alive) else {
            let message = "nothing to keep alive: no ENetConnection, or one that is destroyed";
            return self.fail(Error::ERR_INVALID_PARAMETER, message);
        };
        let session = self.session.as_ref();
        if session
            .and_then(|session| session.registrar_of(&self.pid))
            .is_none()
        {
            let message = "nothing to keep alive: no address is registered; \
                await register_remote first";
            return self.fail(Error::ERR_UNCONFIGURED, message);
        }
        let id = connection.instance_id();
        self.kept_alive.retain(|kept| kept.connection != id);
        self.kept_alive.push(KeptAlive {
            connection: id,
            pid: self.pid.clone(),
            next: Instant::now(),
        });
        Error::OK
    }

    /// Once a frame: sends what is due, and forgets connections that are no more and those of
    /// another identity.
    pub(crate) fn step_keepalives(&mut self) {
        if self.kept_alive.is_empty() {
            return;
        }
        let registrar = self
            .session
            .as_ref()
            .and_then(|session| session.registrar_of(&self.pid));
        let Some(registrar) = registrar else {
            self.kept_alive.clear();
            return;
        };
        let now = Instant::now();
        let address = GString::from(&registrar.ip().to_string());
        let pid = &self.pid;
        self.kept_alive.retain_mut(|kept| {
            if kept.pid != *pid {
                return false;
            }
            if now < kept.next {
                return true;
            }
            kept.next = now + KEEPALIVE_INTERVAL;
            let connection = Gd::<ENetConnection>::try_from_instance_id(kept.connection).ok();
            let Some(mut connection) = connection.filter(is_alive) else {
                return false;
            };
            let datagram = PackedByteArray::from(pid.to_string().as_bytes());
            // Fails for an IPv6 address where ENet knows only IPv4.
            without_error_lines(|| {
                connection.socket_send(&address, registrar.port().into(), &datagram);
            });
            true
        });
    }
}
