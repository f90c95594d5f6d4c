//! `join`: an ENet client on the loopback address, which the link leads to a host.

use std::time::{Duration, Instant};

use noray_client::{JoinError, JoinOptions, PeerId, PeerStats};
use noray_protocol::wire::{check::PathKind, id::OpenId};
use tracing::info;

use crate::{
    calls::{CallId, EnetPeer, JoinCall},
    defaults::{ENTER_TIMEOUT, LOADING_NOTICE},
    effect::{Answer, Deferred, Effect, LinkCommand, Signal},
    failure::{Failed, JoinCallError},
    join_stage::JoinStage,
    options::EnetOptions,
    output::Output,
};

/// How an ENet client stands after a poll.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ClientStatus {
    /// No answer yet.
    Connecting,
    /// The host has let it in.
    Connected,
    /// ENet has given up.
    Closed,
}

/// A call of `join` that has not ended.
#[derive(Debug)]
pub(crate) struct Joining {
    call: CallId,
    oid: OpenId,
    stage: JoinStage,
    enet: EnetOptions,
    until: Instant,
    timeout: Duration,
    /// Once a path to the host is open.
    host: Option<Host>,
}

/// The host whose machine is reached, its game not yet.
#[derive(Debug)]
struct Host {
    id: PeerId,
    stats: PeerStats,
    /// The game's ENet peer, once it connects, and since when it does.
    client: Option<(EnetPeer, Instant)>,
    /// Whether the host's machine answers, and its game has not for a while.
    is_loading: bool,
}

/// A host whose game this player is in.
#[derive(Debug)]
pub(crate) struct Joined {
    /// The game's own: this player is in as long as it lives and is open.
    pub(crate) enet: EnetPeer,
    pub(crate) host: PeerId,
    pub(crate) stats: PeerStats,
    pub(crate) oid: OpenId,
    /// Whether Godot's multiplayer has still to hear that the host is there.
    pub(crate) needs_host_announcement: bool,
}

impl Joining {
    pub(crate) fn begin(call: JoinCall, stage: JoinStage, output: &mut Output) -> Self {
        let options = call.options;
        output.link(LinkCommand::Join(JoinOptions {
            oid: call.oid.clone(),
            timeout: options.timeout,
            force_relay: options.force_relay,
            lan: options.lan,
        }));
        Self {
            call: call.call,
            oid: call.oid,
            stage,
            enet: options.enet,
            until: call.begun + options.timeout,
            timeout: options.timeout,
            host: None,
        }
    }

    /// Returns whether no path to the host is open yet.
    pub(crate) fn is_on_its_way(&self) -> bool {
        self.host.is_none()
    }

    /// Returns whether the server has not been asked for the host yet.
    pub(crate) fn waits_for_identity(&self) -> bool {
        matches!(self.stage, JoinStage::Connecting | JoinStage::Registering)
    }

    /// Returns what the link's error means: a join whose time is over while it still waits for the
    /// server to take this player in failed by the server.
    pub(crate) fn explain(&self, error: JoinError) -> JoinError {
        match error {
            JoinError::TimedOut(timeout) if self.waits_for_identity() => {
                let reason = format!("no answer within {} s", timeout.as_secs_f32());
                JoinError::ServerSilent(reason)
            }
            error => error,
        }
    }

    pub(crate) fn is_connecting(&self) -> bool {
        self.stage == JoinStage::Connecting
    }

    /// Returns whether this is the host that is being entered.
    pub(crate) fn is_host(&self, id: PeerId) -> bool {
        self.host.as_ref().is_some_and(|host| host.id == id)
    }

    /// Tells how far the join is.
    pub(crate) fn advance(&mut self, stage: JoinStage, message: String, output: &mut Output) {
        self.stage = stage;
        tell(stage, message, output);
    }

    /// A path to the host is open: ENet connects to `port`, which stands for the host.
    pub(crate) fn reach(&mut self, id: PeerId, port: u16, stats: PeerStats, output: &mut Output) {
        self.host = Some(Host {
            id,
            stats,
            client: None,
            is_loading: false,
        });
        output.push(Effect::CreateClient {
            port,
            enet: self.enet,
            patience: self.timeout,
        });
    }

    /// The ENet client is there, and connects from `port`.
    pub(crate) fn enter(&mut self, enet: EnetPeer, port: u16, now: Instant, output: &mut Output) {
        let Some(host) = &mut self.host else { return };
        host.client = Some((enet, now));
        output.link(LinkCommand::ConnectEnet(host.id, port));
        let message = "the host is reached; entering its game".to_owned();
        self.advance(JoinStage::Entering, message, output);
    }

    /// Returns the ENet client that connects.
    pub(crate) fn client(&self) -> Option<EnetPeer> {
        Some(self.host.as_ref()?.client?.0)
    }

    /// Returns why the join cannot go on, with an ENet client that stands like this. While the link
    /// of the host answers, its game may only stand still.
    pub(crate) fn obstacle(
        &mut self,
        status: ClientStatus,
        now: Instant,
        output: &mut Output,
    ) -> Option<JoinCallError> {
        let host = self.host.as_mut()?;
        let (_, since) = host.client?;
        if now >= self.until {
            return Some(if host.is_loading {
                JoinCallError::HostLoading(self.timeout)
            } else {
                JoinError::TimedOut(self.timeout).into()
            });
        }
        if status == ClientStatus::Closed {
            return Some(JoinCallError::GameSilent);
        }
        let snapshot = host.stats.snapshot();
        let answers = snapshot.alive && snapshot.round_trip.is_some();
        if !answers {
            return (now >= since + ENTER_TIMEOUT).then_some(JoinCallError::GameSilent);
        }
        if now >= since + LOADING_NOTICE && !std::mem::replace(&mut host.is_loading, true) {
            let message = "the host is loading: waiting for its game".to_owned();
            self.advance(JoinStage::Entering, message, output);
        }
        None
    }

    /// The game gets its ENet peer.
    ///
    /// From here on nobody polls that but the game. ENet acknowledges the host's answer with the
    /// next poll, so the host hears of this player, and sends to it, only after Godot's multiplayer
    /// has the peer.
    pub(crate) fn finish(self, output: &mut Output) -> Option<Joined> {
        let host = self.host?;
        let (enet, _) = host.client?;
        let message = match host.stats.snapshot().kind {
            PathKind::Lan => "joined in the local network",
            PathKind::Direct => "joined directly",
            PathKind::Relay => "joined by relay",
        };
        tell(JoinStage::Joined, message.to_owned(), output);
        output.defer(Deferred::EndJoin(self.call, enet));
        Some(Joined {
            enet,
            host: host.id,
            stats: host.stats,
            oid: self.oid,
            needs_host_announcement: true,
        })
    }

    /// Returns the call of `join`.
    pub(crate) fn call(&self) -> CallId {
        self.call
    }

    /// Wakes whoever awaits `join`, which came to nothing for this reason. Returns the host if it
    /// was reached.
    pub(crate) fn abandon(self, failed: Failed, output: &mut Output) -> Option<PeerId> {
        output.end_later(self.call, Answer::Null(failed));
        let host = self.host?;
        if let Some((enet, _)) = host.client {
            output.push(Effect::ClosePeer(enet));
        }
        Some(host.id)
    }
}

fn tell(stage: JoinStage, message: String, output: &mut Output) {
    info!(message, "joining");
    output.emit(Signal::JoinProgressed(stage, message));
}
