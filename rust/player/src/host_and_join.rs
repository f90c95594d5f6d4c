//! The calls `host`, `join`, `cancel_host`, `cancel_join` and `leave`, until the link has taken them over.

use std::time::Instant;

use noray_protocol::wire::id::OpenId;

use crate::{
    calls::{CallId, EnetPeer, HostCall, JoinCall},
    defaults::MAX_CLIENTS,
    effect::{Answer, Command, Deferred, Effect},
    failure::{Failure, HostCallError, JoinCallError, SetupError},
    games::{Games, registering_at},
    join_stage::JoinStage,
    options::Options,
    pasted,
    player::Player,
    server_address::ServerAddress,
};

impl Player {
    /// `host`. The arguments are as the game gave them, and read already.
    pub fn host(
        &mut self,
        call: CallId,
        place: Result<(ServerAddress, Options), SetupError>,
        max_clients: i64,
        now: Instant,
    ) {
        self.output.turns.begin();
        match host_call(call, place, max_clients, now) {
            Ok(host) => {
                self.look_at_games();
                self.output.defer(Deferred::Host(Box::new(host)));
            }
            Err(error) => self.end_with_null(call, error),
        }
    }

    pub(crate) fn check_host(&mut self, call: Box<HostCall>) {
        match self.games.as_ref().map_or(Ok(()), Games::check_begin) {
            Ok(()) if self.leave_other_server(&call.server, &call.options) => {
                self.output.push(Effect::LookAtPeers);
                self.output.defer(Deferred::HostHere(call));
            }
            Ok(()) => self.host_here(call),
            Err(error) => self.end_with_null(call.call, HostCallError::from(error)),
        }
    }

    pub(crate) fn host_here(&mut self, call: Box<HostCall>) {
        // The end of the other connection was told, and its handlers may have called anything.
        match self.games.as_ref().map_or(Ok(()), Games::check_begin) {
            Ok(()) => {
                self.prepare(&call.server, &call.options);
                self.output.push(Effect::CreateServer(call));
            }
            Err(error) => self.end_with_null(call.call, HostCallError::from(error)),
        }
    }

    /// The ENet server is there, with its port, or cannot be created.
    pub fn handle_server_created(
        &mut self,
        call: &HostCall,
        created: Result<(EnetPeer, u16), String>,
    ) {
        self.output.turns.begin();
        match (created, &mut self.games) {
            (Ok((enet, port)), Some(games)) => {
                games.host(call, enet, port, &mut self.output);
                self.use_link(call.options.registrar_port);
            }
            (Ok((enet, _)), None) => {
                self.output.push(Effect::ClosePeer(enet));
                self.end_with_null(call.call, HostCallError::from(SetupError::Disconnected));
            }
            (Err(error), _) => {
                self.end_with_null(call.call, HostCallError::from(SetupError::Enet(error)));
            }
        }
    }

    /// `join`. The arguments are as the game gave them, and read already.
    pub fn join(
        &mut self,
        call: CallId,
        oid: &str,
        place: Result<(ServerAddress, Options), SetupError>,
        now: Instant,
    ) {
        self.output.turns.begin();
        match join_call(call, oid, place, now) {
            Ok(join) => {
                self.look_at_games();
                self.output.defer(Deferred::Join(Box::new(join)));
            }
            Err(error) => self.end_with_null(call, error),
        }
    }

    pub(crate) fn check_join(&mut self, call: Box<JoinCall>) {
        match self.can_join(&call.oid) {
            Ok(()) if self.leave_other_server(&call.server, &call.options) => {
                self.output.push(Effect::LookAtPeers);
                self.output.defer(Deferred::JoinHere(call));
            }
            Ok(()) => self.join_here(call),
            Err(error) => self.end_with_null(call.call, error),
        }
    }

    pub(crate) fn join_here(&mut self, call: Box<JoinCall>) {
        // The end of the other connection was told, and its handlers may have called anything.
        if let Err(error) = self.can_join(&call.oid) {
            self.end_with_null(call.call, error);
            return;
        }
        self.prepare(&call.server, &call.options);
        if let Some(games) = &self.games {
            games.close_games_with(&call.oid, &mut self.output);
        }
        self.output.push(Effect::LookAtPeers);
        self.output.defer(Deferred::JoinNow(call));
    }

    pub(crate) fn join_now(&mut self, call: JoinCall) {
        // Closing a peer is told too.
        if let Err(error) = self.can_join(&call.oid) {
            self.end_with_null(call.call, error);
            return;
        }
        let (Some(games), Some(connection)) = (&mut self.games, &self.connection) else {
            let error = JoinCallError::from(SetupError::Disconnected);
            self.end_with_null(call.call, error);
            return;
        };
        let server = connection.target.to_string();
        let (stage, message) = if connection.is_connected() {
            (JoinStage::Registering, registering_at(&server))
        } else {
            (JoinStage::Connecting, format!("connecting to {server}"))
        };
        let registrar_port = call.options.registrar_port;
        games.join(call, stage, &mut self.output);
        self.use_link(registrar_port);
        self.output.defer(Deferred::TellJoin(stage, message));
    }

    fn can_join(&self, oid: &OpenId) -> Result<(), JoinCallError> {
        self.games.as_ref().map_or(Ok(()), Games::check_begin)?;
        if self.oid() == oid.as_str() {
            return Err(JoinCallError::OwnOpenId);
        }
        Ok(())
    }

    /// `cancel_join`.
    pub fn cancel_join(&mut self) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.cancel_join(&mut self.output);
        }
    }

    /// `cancel_host`.
    pub fn cancel_host(&mut self) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.cancel_host(&mut self.output);
        }
    }

    /// `leave`.
    pub fn leave(&mut self) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.leave(&mut self.output);
        }
    }

    /// Nobody waits for the end of this call any more, and another call of `host` or `join` is made.
    pub fn handle_unused_call(&mut self, call: CallId) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.handle_unused_call(call, &mut self.output);
        }
    }

    /// No multiplayer uses this ENet server, and another call of `host` or `join` is made.
    pub fn handle_unused_server(&mut self, enet: EnetPeer) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.handle_unused_server(enet, &mut self.output);
        }
    }

    /// Looks whether what runs already has ended, or is of use to anybody.
    fn look_at_games(&mut self) {
        self.output.push(Effect::LookAtPeers);
        if let Some(games) = &self.games {
            games.look_for_use(&mut self.output);
        }
    }

    /// Ends the connection to another server, or under another identity than the saved one. Returns
    /// whether there was one.
    fn leave_other_server(&mut self, server: &ServerAddress, options: &Options) -> bool {
        let saved = options.identity.as_ref();
        let is_known = saved.is_none_or(|saved| saved.oid.as_str() == self.oid());
        let is_other = self
            .connection
            .as_ref()
            .is_some_and(|connection| connection.target != *server || !is_known);
        if is_other {
            self.end_connection(false);
        }
        is_other
    }

    /// Opens the connection and the link, where they are not there.
    fn prepare(&mut self, server: &ServerAddress, options: &Options) {
        let is_there = self
            .connection
            .as_ref()
            .is_some_and(|connection| connection.target == *server);
        if !is_there {
            self.open_connection(server.clone(), options.identity.clone(), None);
        }
        if self.games.is_none() {
            self.games = Some(Games::default());
            self.output.push(Effect::OpenLink);
        }
    }

    /// Lets the connection work for the link.
    fn use_link(&mut self, registrar_port: u16) {
        let Some(connection) = &mut self.connection else {
            self.fail_waiting(SetupError::Disconnected);
            return;
        };
        connection.registrar_port = registrar_port;
        let command = Command::UseLink { registrar_port };
        self.output.push(Effect::Send(command));
    }

    /// Ends a call of `host` or `join` that came to nothing before it returned.
    fn end_with_null(&mut self, call: CallId, error: impl Into<Failure>) {
        let failed = self.output.fail(error);
        self.output.end_later(call, Answer::Null(failed));
    }
}

fn host_call(
    call: CallId,
    place: Result<(ServerAddress, Options), SetupError>,
    max_clients: i64,
    begun: Instant,
) -> Result<HostCall, HostCallError> {
    let (server, options) = place?;
    let max_clients = i32::try_from(max_clients)
        .ok()
        .filter(|clients| (1..=MAX_CLIENTS).contains(clients))
        .ok_or(HostCallError::MaxClients(max_clients))?;
    Ok(HostCall {
        call,
        server,
        max_clients,
        options,
        begun,
    })
}

fn join_call(
    call: CallId,
    oid: &str,
    place: Result<(ServerAddress, Options), SetupError>,
    begun: Instant,
) -> Result<JoinCall, JoinCallError> {
    let oid = pasted::open_id(oid)?;
    let (server, options) = place?;
    Ok(JoinCall {
        call,
        oid,
        server,
        options,
        begun,
    })
}
