//! The link, and the games that go over it: what `host` and `join` share.

use std::{collections::VecDeque, rc::Rc, time::Instant};

use noray_client::{JoinError, PeerEvent, PeerId, PeerStats, ReadyError};
use noray_protocol::wire::id::OpenId;
use tracing::{info, warn};

use crate::{
    calls::{CallId, EnetPeer, GameConnection, HOST_ID, HostCall, JoinCall},
    defaults::LOOK_INTERVAL,
    effect::{Answer, Deferred, Effect, LinkCommand, Signal},
    failure::{Failed, Failure, HostCallError, JoinCallError, SetupError},
    hosting::Hosting,
    join_stage::JoinStage,
    joining::{ClientStatus, Joined, Joining},
    output::Output,
};

/// The games of this player, from the first `host` or `join` on.
#[derive(Default, Debug)]
pub(crate) struct Games {
    hosting: Option<Hosting>,
    joining: Option<Joining>,
    /// Hosts whose games this player is in; more than one while it goes from one to another.
    joined: Vec<Joined>,
    /// Joins that were given up, whose end the link has not told yet.
    given_up: usize,
    /// Events that the link told before their turn.
    early: VecDeque<PeerEvent>,
    /// The OpenID under which others could reach this player last.
    oid: String,
    next_look: Option<Instant>,
}

impl Games {
    /// Returns whether a game goes over the link, or is about to.
    pub(crate) fn is_used(&self) -> bool {
        self.hosting.is_some() || self.joining.is_some() || !self.joined.is_empty()
    }

    /// Returns whether a game goes over the link.
    fn is_on(&self) -> bool {
        !self.joined.is_empty() || self.hosting.as_ref().is_some_and(|game| !game.is_waiting())
    }

    /// Returns whether `host` or `join` can begin.
    pub(crate) fn check_begin(&self) -> Result<(), SetupError> {
        if self.is_host_waiting() {
            return Err(SetupError::HostRuns);
        }
        if self.hosting.is_some() {
            return Err(SetupError::Hosts);
        }
        if self.joining.is_some() {
            return Err(SetupError::Joins);
        }
        Ok(())
    }

    /// Returns whether a `host` or `join` waits until others can reach this player.
    pub(crate) fn waits_for_identity(&self) -> bool {
        self.joining
            .as_ref()
            .is_some_and(Joining::waits_for_identity)
            || self.is_host_waiting()
    }

    fn is_host_waiting(&self) -> bool {
        self.hosting.as_ref().is_some_and(Hosting::is_waiting)
    }

    /// Begins to host on this ENet server.
    pub(crate) fn host(&mut self, call: &HostCall, enet: EnetPeer, port: u16, output: &mut Output) {
        self.hosting = Some(Hosting::begin(call, enet, port, output));
    }

    /// Begins to join.
    pub(crate) fn join(&mut self, call: JoinCall, stage: JoinStage, output: &mut Output) {
        self.joining = Some(Joining::begin(call, stage, output));
    }

    /// Tells how far the join is, if one runs.
    pub(crate) fn advance(&mut self, stage: JoinStage, message: String, output: &mut Output) {
        if let Some(joining) = &mut self.joining {
            joining.advance(stage, message, output);
        }
    }

    /// Closes the games with this host: two at the same time would mix up their packets.
    pub(crate) fn close_games_with(&self, oid: &OpenId, output: &mut Output) {
        for joined in self.joined.iter().filter(|joined| joined.oid == *oid) {
            output.push(Effect::ClosePeer(joined.enet));
        }
    }

    /// Ends the join that runs, if one does, before the link has reported its end.
    pub(crate) fn give_up_join(&mut self, error: JoinCallError, output: &mut Output) {
        let Some(joining) = self.joining.take() else {
            return;
        };
        let failed = output.fail(error);
        match joining.abandon(failed, output) {
            Some(host) => output.link(LinkCommand::Release(host)),
            None => {
                output.link(LinkCommand::CancelJoin);
                self.given_up += 1;
            }
        }
    }

    /// Ends the join whose end the link has told.
    fn fail_join(&mut self, error: JoinCallError, output: &mut Output) {
        let Some(joining) = self.joining.take() else {
            return;
        };
        let failed = output.fail(error);
        if let Some(host) = joining.abandon(failed, output) {
            output.link(LinkCommand::Release(host));
        }
    }

    /// Ends the join that the link has given up.
    fn handle_join_failed(&mut self, error: JoinError, output: &mut Output) {
        let Some(joining) = &self.joining else {
            return;
        };
        let error = joining.explain(error);
        self.fail_join(error.into(), output);
    }

    /// Ends a call of `host` that came to nothing.
    fn fail_host(&mut self, error: HostCallError, output: &mut Output) {
        if let Some(hosting) = self.hosting.take() {
            let failed = output.fail(error);
            hosting.stop(&failed, output);
        }
    }

    /// Ends the call of `host` that runs, if one does.
    pub(crate) fn cancel_host(&mut self, output: &mut Output) {
        if self.is_host_waiting() {
            self.fail_host(HostCallError::Cancelled, output);
        }
    }

    /// Ends the join that runs, if one does.
    pub(crate) fn cancel_join(&mut self, output: &mut Output) {
        self.give_up_join(JoinError::Cancelled.into(), output);
    }

    /// Ends all that `host` and `join` began.
    pub(crate) fn leave(&mut self, output: &mut Output) {
        self.cancel_join(output);
        self.cancel_host(output);
        self.close_hosted(output);
        for joined in std::mem::take(&mut self.joined) {
            output.push(Effect::ClosePeer(joined.enet));
            output.link(LinkCommand::Release(joined.host));
        }
    }

    /// Ends the game that is hosted, if one is.
    fn close_hosted(&mut self, output: &mut Output) {
        if let Some(hosting) = self.hosting.take() {
            info!("hosting has ended");
            hosting.close(&cancelled(), output);
        }
    }

    /// Asks whether what keeps another `host` or `join` from beginning is of use to anybody.
    pub(crate) fn look_for_use(&self, output: &mut Output) {
        let hosts = self.hosting.as_ref().and_then(Hosting::call);
        let call = hosts.or_else(|| self.joining.as_ref().map(Joining::call));
        let hosting = self.hosting.as_ref().filter(|game| !game.is_waiting());
        let server = hosting.map(|game| game.enet);
        if call.is_some() || server.is_some() {
            output.push(Effect::LookForUse { call, server });
        }
    }

    /// Nobody waits for the end of this call: it gives way.
    pub(crate) fn handle_unused_call(&mut self, call: CallId, output: &mut Output) {
        if self
            .joining
            .as_ref()
            .is_some_and(|join| join.call() == call)
        {
            self.cancel_join(output);
        }
        let hosting = self.hosting.as_ref().and_then(Hosting::call);
        if hosting == Some(call) {
            self.cancel_host(output);
        }
    }

    /// No multiplayer uses this server: its game gives way.
    pub(crate) fn handle_unused_server(&mut self, enet: EnetPeer, output: &mut Output) {
        if self
            .hosting_of(enet)
            .is_some_and(|hosting| !hosting.is_waiting())
        {
            self.close_hosted(output);
        }
    }

    /// Ends the `host` or `join` that needs the server, or gives the error back.
    pub(crate) fn fail_waiting(
        &mut self,
        error: SetupError,
        output: &mut Output,
    ) -> Result<(), SetupError> {
        if self.joining.as_ref().is_some_and(Joining::is_on_its_way) {
            self.give_up_join(error.into(), output);
        } else if self.is_host_waiting() {
            self.fail_host(error.into(), output);
        } else {
            return Err(error);
        }
        Ok(())
    }

    /// The server accepted.
    pub(crate) fn handle_connected(&mut self, server: &str, output: &mut Output) {
        if let Some(joining) = self.joining.as_mut().filter(|join| join.is_connecting()) {
            joining.advance(JoinStage::Registering, registering_at(server), output);
        }
    }

    /// This player has an identity and its address is registered, or will not be.
    pub(crate) fn handle_ready(&mut self, result: Result<(), ReadyError>, output: &mut Output) {
        if let Err(error) = result {
            let mut error = SetupError::from(error);
            // A join that has come further may do without.
            if self.waits_for_identity() {
                match self.fail_waiting(error, output) {
                    Ok(()) => return,
                    Err(unused) => error = unused,
                }
            }
            warn!(%error, "new players cannot reach this one");
            return;
        }
        let oid = output.server_info.oid.clone();
        let last = std::mem::replace(&mut self.oid, oid.clone());
        let is_changed = self.is_on() && !last.is_empty() && last != oid;
        if let Some(hosting) = &mut self.hosting {
            hosting.finish(output);
        }
        if is_changed {
            info!(oid, "the OpenID has changed");
            output.emit(Signal::OpenIdChanged(oid));
        }
    }

    pub(crate) fn handle_link_event(&mut self, event: PeerEvent, output: &mut Output) {
        match event {
            PeerEvent::Progress(progress) => {
                if self.given_up == 0 {
                    self.advance(progress.into(), progress.to_string(), output);
                }
            }
            PeerEvent::HostReached {
                peer, port, stats, ..
            } => {
                let is_given_up = self.take_given_up();
                match &mut self.joining {
                    Some(joining) if !is_given_up => joining.reach(peer, port, stats, output),
                    _ => output.link(LinkCommand::Release(peer)),
                }
            }
            PeerEvent::JoinFailed(error) => {
                if !self.take_given_up() {
                    self.handle_join_failed(error, output);
                }
            }
            PeerEvent::PeerAdmitted { peer, port, stats } => self.admit(peer, port, stats),
            PeerEvent::PathChanged { peer, kind } => {
                if let Some(peer_id) = self.peer_id(peer) {
                    output.emit(Signal::PathChanged(peer_id, kind));
                }
            }
            PeerEvent::PeerGone { peer } => self.handle_gone(peer, output),
            // The link has logged them.
            PeerEvent::UdpLost | PeerEvent::UdpBack => {}
        }
    }

    /// Returns whether this end of a join is that of one that was given up.
    fn take_given_up(&mut self) -> bool {
        let is_given_up = self.given_up > 0;
        self.given_up = self.given_up.saturating_sub(1);
        is_given_up
    }

    fn admit(&mut self, peer: PeerId, port: u16, stats: PeerStats) {
        if let Some(hosting) = &mut self.hosting {
            hosting.admit(peer, port, stats);
        }
    }

    /// Takes a peer in of whom the link has told already: ENet can be faster than the frame that
    /// takes the link's events. Keeps any other event for its turn.
    pub(crate) fn admit_early(&mut self, event: PeerEvent) {
        match event {
            PeerEvent::PeerAdmitted { peer, port, stats } if self.hosting.is_some() => {
                self.admit(peer, port, stats);
            }
            event => self.early.push_back(event),
        }
    }

    pub(crate) fn next_early(&mut self) -> Option<PeerEvent> {
        self.early.pop_front()
    }

    /// The link has lost a peer: ENet need not wait for it any longer.
    fn handle_gone(&mut self, peer: PeerId, output: &mut Output) {
        if self.joining.as_ref().is_some_and(|join| join.is_host(peer)) {
            self.fail_join(JoinCallError::GameSilent, output);
        }
        let joined = self.joined.iter().find(|joined| joined.host == peer);
        let gone = match (joined, &mut self.hosting) {
            (Some(joined), _) => Some((joined.enet, HOST_ID)),
            (None, Some(hosting)) => hosting
                .handle_gone(peer)
                .map(|peer_id| (hosting.enet, peer_id)),
            (None, None) => None,
        };
        if let Some((enet, peer_id)) = gone {
            output.push(Effect::GiveUp { enet, peer_id });
        }
    }

    /// ENet's client for the host is there, with its port, or cannot be created.
    pub(crate) fn handle_client_created(
        &mut self,
        created: Result<(EnetPeer, u16), String>,
        now: Instant,
        output: &mut Output,
    ) {
        match (created, &mut self.joining) {
            (Ok((enet, port)), Some(joining)) => joining.enter(enet, port, now, output),
            (Ok((enet, _)), None) => output.push(Effect::ClosePeer(enet)),
            (Err(error), _) => self.fail_join(SetupError::Enet(error).into(), output),
        }
    }

    /// The game has heard that the player has joined: it gets the peer, unless it has left by then.
    pub(crate) fn end_join(&self, call: CallId, enet: EnetPeer, output: &mut Output) {
        if !self.joined.iter().any(|joined| joined.enet == enet) {
            output.end(
                call,
                Answer::Null(Rc::new(JoinCallError::from(JoinError::Cancelled).into())),
            );
            return;
        }
        output.end(call, Answer::Peer(enet));
        // The game has the peer by then, and Godot's multiplayer too, as a rule.
        output.push(Effect::LookForMultiplayer(enet));
    }

    /// The client that enters a game was polled.
    pub(crate) fn handle_client_polled(
        &mut self,
        enet: EnetPeer,
        status: ClientStatus,
        now: Instant,
        output: &mut Output,
    ) {
        let Some(mut joining) = self.joining.take_if(|join| join.client() == Some(enet)) else {
            return;
        };
        if status == ClientStatus::Connected {
            self.joined.extend(joining.finish(output));
            return;
        }
        let obstacle = joining.obstacle(status, now, output);
        self.joining = Some(joining);
        if let Some(error) = obstacle {
            self.give_up_join(error, output);
        }
    }

    /// Godot's multiplayer listens to this client: it was not there when ENet told of the host.
    pub(crate) fn handle_multiplayer_listens(&mut self, enet: EnetPeer, output: &mut Output) {
        let joined = self.joined.iter_mut().find(|joined| joined.enet == enet);
        if let Some(joined) = joined.filter(|joined| joined.needs_host_announcement) {
            joined.needs_host_announcement = false;
            output.push(Effect::AnnounceHost(enet));
        }
    }

    /// ENet has let a peer of this server in, by `port` of the loopback address.
    pub(crate) fn handle_entered(&mut self, enet: EnetPeer, peer_id: i32, port: u16) {
        if let Some(hosting) = self.hosting_of(enet) {
            hosting.enter(peer_id, port);
        }
    }

    /// ENet has lost a peer of this server.
    pub(crate) fn handle_left(&mut self, enet: EnetPeer, peer_id: i32, output: &mut Output) {
        let left = self
            .hosting_of(enet)
            .and_then(|hosting| hosting.leave(peer_id));
        if let Some(peer) = left {
            output.link(LinkCommand::Release(peer));
        }
    }

    /// This server refuses new connections, or takes them.
    pub(crate) fn handle_server_closed(
        &mut self,
        enet: EnetPeer,
        is_closed: bool,
        output: &mut Output,
    ) {
        if let Some(hosting) = self.hosting_of(enet) {
            hosting.set_closed(is_closed, output);
        }
    }

    fn hosting_of(&mut self, enet: EnetPeer) -> Option<&mut Hosting> {
        self.hosting.as_mut().filter(|hosting| hosting.enet == enet)
    }

    /// The game has closed this ENet peer or let go of it: its game is over.
    pub(crate) fn handle_closed(&mut self, enet: EnetPeer, output: &mut Output) {
        if self.hosting_of(enet).is_some() {
            info!("hosting has ended");
            if let Some(hosting) = self.hosting.take() {
                hosting.stop(&cancelled(), output);
            }
        }
        for left in self.joined.extract_if(.., |joined| joined.enet == enet) {
            output.link(LinkCommand::Release(left.host));
        }
    }

    /// Returns the ENet peers that games go on with, as far as the last look tells.
    pub(crate) fn enet_peers(&self) -> impl Iterator<Item = EnetPeer> {
        let hosted = self.hosting.iter().map(|hosting| hosting.enet);
        hosted.chain(self.joined.iter().map(|joined| joined.enet))
    }

    /// Looks at the clients that wait for something; and, now and then, at what the game does with
    /// its ENet peers.
    pub(crate) fn begin_frame(&mut self, now: Instant, output: &mut Output) {
        if let Some(enet) = self.joining.as_ref().and_then(Joining::client) {
            output.push(Effect::PollClient(enet));
        }
        if let Some(hosting) = self.hosting.as_ref().filter(|game| !game.is_waiting()) {
            output.push(Effect::LookWhetherClosed(hosting.enet));
        }
        for joined in self
            .joined
            .iter()
            .filter(|joined| joined.needs_host_announcement)
        {
            output.push(Effect::LookForMultiplayer(joined.enet));
        }
        if self.is_used() && self.next_look.is_none_or(|next| now >= next) {
            self.next_look = Some(now + LOOK_INTERVAL);
            output.push(Effect::LookAtPeers);
            output.defer(Deferred::Looked(now));
        }
    }

    /// Ends a call of `host` that has taken too long.
    pub(crate) fn expire_host(&mut self, now: Instant, output: &mut Output) {
        let overdue = self
            .hosting
            .as_ref()
            .and_then(|hosting| hosting.overdue(now));
        if let Some(timeout) = overdue {
            self.fail_host(HostCallError::TimedOut(timeout), output);
        }
    }

    /// The player quits: every call ends, and the peers hear of it.
    pub(crate) fn quit(mut self, output: &mut Output) {
        if let Some(joining) = self.joining.take() {
            joining.abandon(Rc::new(Failure::ConnectionEnded), output);
        }
        let mut close: Vec<_> = self.joined.iter().map(|joined| joined.enet).collect();
        let mut to: Vec<_> = self
            .joined
            .iter()
            .map(|joined| joined.stats.clone())
            .collect();
        if let Some(hosting) = self.hosting.take() {
            to.extend(hosting.all_stats());
            close.push(hosting.enet);
            hosting.abandon(&Rc::new(Failure::ConnectionEnded), output);
        }
        output.push(Effect::SayGoodbye { close, to });
        output.push(Effect::CloseLink);
    }

    /// Returns the connection to the peer with this peer id; of several hosts the last whose ENet
    /// peer `is_open`.
    pub(crate) fn connection_to(
        &self,
        peer_id: i32,
        is_open: impl Fn(EnetPeer) -> bool,
    ) -> Option<GameConnection<'_>> {
        if peer_id == HOST_ID {
            let joined = self.joined.iter().rfind(|joined| is_open(joined.enet))?;
            return Some(GameConnection {
                stats: &joined.stats,
                enet: joined.enet,
            });
        }
        let hosting = self.hosting.as_ref()?;
        Some(GameConnection {
            stats: hosting.stats(peer_id)?,
            enet: hosting.enet,
        })
    }

    /// Returns the peer id by which the game knows a peer.
    fn peer_id(&self, peer: PeerId) -> Option<i32> {
        if self.joined.last().is_some_and(|joined| joined.host == peer) {
            return Some(HOST_ID);
        }
        self.hosting.as_ref()?.peer_id(peer)
    }
}

/// Returns why a call of `host` ends with its game.
fn cancelled() -> Failed {
    Rc::new(HostCallError::Cancelled.into())
}

/// Returns what a join tells when the server is connected.
pub(crate) fn registering_at(server: &str) -> String {
    format!("registering at {server}")
}
