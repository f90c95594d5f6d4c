//! A player: what the game reads of it, its effects, its frames and its end.

use std::{net::SocketAddr, time::Instant};

use crate::{
    announced::Announced,
    calls::{ConnectionId, EnetPeer, GameConnection},
    connection::ServerConnection,
    effect::{Answer, Deferred, Effect, Signal, Step},
    failure::Failure,
    games::Games,
    keepalives::Keepalives,
    output::Output,
};

/// A player of a game. Every method that takes a call or an event opens a turn, which
/// [`Self::next_effect`] must be asked for until it is over.
#[derive(Default, Debug)]
pub struct Player {
    pub(crate) connection: Option<ServerConnection>,
    pub(crate) last_connection: u64,
    /// The link's games; `None` without a link.
    pub(crate) games: Option<Games>,
    pub(crate) keepalives: Keepalives,
    pub(crate) announced: Announced,
    pub(crate) output: Output,
}

/// What the game reads.
impl Player {
    /// Returns the OpenID that the server gave last; empty before.
    #[must_use]
    pub fn oid(&self) -> &str {
        &self.output.server_info.oid
    }

    /// Returns the PrivateID that belongs to it; empty before. Never to be shown.
    #[must_use]
    pub fn pid(&self) -> &str {
        self.output.server_info.pid_text()
    }

    /// Returns the registered UDP port.
    #[must_use]
    pub fn local_port(&self) -> Option<u16> {
        self.output.server_info.local_port
    }

    /// Returns how the server introduced itself; empty when it did not.
    #[must_use]
    pub fn server_version(&self) -> &str {
        &self.output.server_info.server_version
    }

    /// Returns what went wrong last.
    #[must_use]
    pub fn last_failure(&self) -> Option<&Failure> {
        self.output.last_failure.as_deref()
    }

    /// Returns what went wrong last as a sentence; empty when nothing did.
    #[must_use]
    pub fn last_sentence(&self) -> &str {
        &self.output.last_sentence
    }

    /// Returns whether a server is connected.
    #[must_use]
    pub fn is_connected(&self) -> bool {
        self.connection
            .as_ref()
            .is_some_and(ServerConnection::is_connected)
    }

    /// Returns the connection to the peer that the game knows by this id. `is_open` tells of an ENet
    /// peer whether the game still has it.
    pub fn connection_to(
        &self,
        peer_id: i32,
        is_open: impl Fn(EnetPeer) -> bool,
    ) -> Option<GameConnection<'_>> {
        self.games.as_ref()?.connection_to(peer_id, is_open)
    }

    /// Returns the addresses that a handshake which begins now can be with, as the server announced
    /// them: in a handler of `on_connect_nat` or `on_connect_relay` the one of that signal.
    #[must_use]
    pub fn announced_targets(&self) -> Vec<SocketAddr> {
        self.announced.targets()
    }

    /// Returns the ENet peers that games go on with, as far as the last look tells.
    #[must_use]
    pub fn enet_peers(&self) -> Vec<EnetPeer> {
        self.games.iter().flat_map(Games::enet_peers).collect()
    }

    /// Returns whether a frame has nothing to do here, whatever the time.
    #[must_use]
    pub fn is_idle(&self) -> bool {
        self.games.is_none() && self.keepalives.is_empty()
    }
}

/// The effects.
impl Player {
    /// Returns what is to be done next, or `None` when the innermost turn is over.
    pub fn next_effect(&mut self) -> Option<Effect> {
        loop {
            match self.output.turns.next()? {
                Step::Effect(effect) => return Some(effect),
                Step::Deferred(step) => self.run_deferred(step),
            }
        }
    }

    fn run_deferred(&mut self, step: Deferred) {
        match step {
            Deferred::Connect(call, host, port) => self.connect_now(call, host, port),
            Deferred::Connected(connection) => self.end_connecting(connection),
            Deferred::Announced(outer) => self.announced.end(outer),
            Deferred::Line(connection, line) => {
                if self.is_current(connection) {
                    self.output.emit(Signal::Command(line));
                }
            }
            Deferred::Register(call, arguments) => self.register_now(call, arguments),
            Deferred::Host(call) => self.check_host(call),
            Deferred::HostHere(call) => self.host_here(call),
            Deferred::Join(call) => self.check_join(call),
            Deferred::JoinHere(call) => self.join_here(call),
            Deferred::JoinNow(call) => self.join_now(*call),
            Deferred::TellJoin(stage, message) => {
                if let Some(games) = &mut self.games {
                    games.advance(stage, message, &mut self.output);
                }
            }
            Deferred::EndJoin(call, enet) => {
                if let Some(games) = &self.games {
                    games.end_join(call, enet, &mut self.output);
                }
            }
            Deferred::Looked(now) => {
                if let Some(games) = &mut self.games {
                    games.expire_host(now, &mut self.output);
                }
            }
        }
    }

    fn is_current(&self, connection: ConnectionId) -> bool {
        self.connection
            .as_ref()
            .is_some_and(|current| current.id == connection)
    }
}

/// The frame, and the end.
impl Player {
    /// A frame begins. `link_is_used` tells whether the link still has something to do.
    pub fn begin_frame(&mut self, now: Instant, link_is_used: bool) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.begin_frame(now, &mut self.output);
            // The game has left the server too; once the last goodbyes are out, nobody needs the
            // port.
            if !games.is_used() && self.connection.is_none() && !link_is_used {
                self.games = None;
                self.output.push(Effect::CloseLink);
            }
        }
        if !self.keepalives.is_empty() {
            self.send_keepalives(now);
        }
    }

    fn send_keepalives(&mut self, now: Instant) {
        // Only the latest identity counts, as long as the registrar knows its address.
        let registrar = self.registrar();
        let pid = registrar.and(self.output.server_info.pid.as_ref());
        let due = self.keepalives.take_due(now, pid);
        let (Some(pid), Some(registrar)) = (pid, registrar) else {
            return;
        };
        for connection in due {
            let pid = pid.clone();
            self.output.turns.push(Step::Effect(Effect::SendKeepalive {
                connection,
                registrar,
                pid,
            }));
        }
    }

    /// A call ends like this: its own failure is the last one from now on, or none is.
    pub fn handle_call_ends(&mut self, answer: &Answer) {
        self.output.note_end(answer);
    }

    /// The game quits: whoever awaits something is woken, and told nothing else.
    pub fn quit(&mut self) {
        self.output.turns.begin();
        if let Some(games) = self.games.take() {
            games.quit(&mut self.output);
        }
        self.end_connection(true);
        self.keepalives.clear();
    }
}
