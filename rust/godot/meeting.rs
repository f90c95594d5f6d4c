//! What `host` and `join` have in common: the link, the events that it tells, and the looks at the
//! peers that the game holds.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use godot::{
    builtin::GString,
    global::Error,
    obj::{EngineEnum, Gd, InstanceId},
};
use noray_client::{
    DialError, JoinError, JoinProgress, Link, PeerEvent, PeerId, PeerStats, ReadyError, SendError,
};
use noray_protocol::wire::id::OpenIdError;
use tracing::{debug, info, warn};

use crate::{
    defaults::{EVENTS_PER_FRAME, GOODBYE_LOOK, GOODBYE_TIMEOUT, LOOK_INTERVAL},
    enet,
    error::GodotError,
    hosting::{self, Hosting},
    joining::{self, JoinStage, Joined, Joining},
    noray::Noray,
    noray_connection::{NorayConnection, Path},
    options::{OptionDictionary, Options, OptionsError},
    runtime,
    server_address::{ServerAddress, ServerAddressError},
    session, settings,
};

/// The link and what goes over it, from the first `host` or `join` on.
pub(crate) struct Meeting {
    pub(crate) link: Link,
    /// Events of the link that were taken from it before their turn.
    early: VecDeque<PeerEvent>,
    pub(crate) hosting: Option<Hosting>,
    pub(crate) joining: Option<Joining>,
    /// Hosts whose games the player is in; more than one while it changes from one to another.
    pub(crate) joined: Vec<Joined>,
    /// Joins that were given up, of which the link has not told the end yet.
    pub(crate) given_up: usize,
    /// The OpenID under which this player was reachable last.
    oid: GString,
    next_look: Instant,
}

/// Another player, as the link knows it.
#[derive(Clone)]
pub(crate) struct Player {
    pub(crate) remote: PeerId,
    pub(crate) stats: PeerStats,
}

/// Why `host` or `join` came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum MeetingError {
    /// The game's options make no sense.
    #[error(transparent)]
    Options(#[from] OptionsError),
    /// No server's address.
    #[error(transparent)]
    ServerAddress(#[from] ServerAddressError),
    /// The number of players is out of range.
    #[error("{0} is no number of players")]
    MaxClients(i64),
    /// What should be an OpenID is none.
    #[error(transparent)]
    OpenId(#[from] OpenIdError),
    /// The OpenID is the player's own.
    #[error("this is the player's own OpenID")]
    OwnOpenId,
    /// The player hosts.
    #[error("this player hosts a game; close its peer first")]
    Hosts,
    /// A join runs.
    #[error("a join runs; cancel_join ends it")]
    Joins,
    /// The system gives no thread.
    #[error("no background thread: {0}")]
    Thread(#[from] std::io::Error),
    /// ENet cannot be begun.
    #[error("no ENet socket: {}", godot::global::error_string(.0.ord().into()))]
    ENet(Error),
    /// The server was not reached.
    #[error(transparent)]
    Server(#[from] DialError),
    /// The connection takes nothing.
    #[error(transparent)]
    Send(#[from] SendError),
    /// The server was reached, but this player is not ready to be met.
    #[error(transparent)]
    Ready(#[from] ReadyError),
    /// The game ended the connection to the server, or it broke.
    #[error("the connection to the server ended")]
    Disconnected,
    /// Hosting did not begin in time.
    #[error("not ready within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    /// The link's own word on a join.
    #[error(transparent)]
    Join(#[from] JoinError),
    /// The host's machine answers, its game does not.
    #[error("the host is reached, but its game does not answer: it may be full")]
    GameSilent,
}

impl Meeting {
    fn new(link: Link) -> Self {
        Self {
            link,
            early: VecDeque::new(),
            hosting: None,
            joining: None,
            joined: Vec::new(),
            given_up: 0,
            oid: GString::new(),
            next_look: Instant::now(),
        }
    }

    /// Whether a game goes over the link, or is about to.
    pub(crate) fn is_used(&self) -> bool {
        self.hosting.is_some() || self.joining.is_some() || !self.joined.is_empty()
    }

    /// Whether a game goes over the link.
    fn has_game(&self) -> bool {
        !self.joined.is_empty()
            || self
                .hosting
                .as_ref()
                .is_some_and(|hosting| hosting.pending.is_none())
    }

    fn next_event(&mut self) -> Option<PeerEvent> {
        self.early.pop_front().or_else(|| self.link.next_event())
    }

    /// Takes in all players of whom the link has told: ENet can be faster than the pump.
    pub(crate) fn admit_early(&mut self) {
        while let Some(event) = self.link.next_event() {
            if let (
                PeerEvent::PeerAdmitted {
                    peer: remote,
                    port,
                    stats,
                },
                Some(hosting),
            ) = (&event, &mut self.hosting)
            {
                hosting.admit(*remote, *port, stats.clone());
            } else {
                self.early.push_back(event);
            }
        }
    }

    /// The game that this peer hosts.
    pub(crate) fn hosting_of(&mut self, peer: InstanceId) -> Option<&mut Hosting> {
        self.hosting.as_mut().filter(|hosting| hosting.peer == peer)
    }

    /// The player that the game knows by this id.
    fn player(&self, peer_id: i32) -> Option<(&Player, InstanceId)> {
        if peer_id == HOST_ID {
            let joined = self.joined.iter().rfind(|joined| joined.is_alive())?;
            return Some((&joined.player, joined.peer));
        }
        let hosting = self.hosting.as_ref()?;
        Some((hosting.players.get(&peer_id)?, hosting.peer))
    }

    /// The id by which the game knows this player.
    fn peer_id(&self, remote: PeerId) -> Option<i32> {
        if self
            .joined
            .last()
            .is_some_and(|joined| joined.player.remote == remote)
        {
            return Some(HOST_ID);
        }
        self.hosting.as_ref()?.peer_id(remote)
    }
}

/// The id of a host in Godot's multiplayer.
pub(crate) const HOST_ID: i32 = 1;

/// What `host` and `join` read first.
pub(crate) fn read(
    noray: &GString,
    options: &OptionDictionary,
) -> Result<(ServerAddress, Options), MeetingError> {
    let options = Options::read(options)?;
    let named = noray.to_string();
    let text = if named.trim().is_empty() {
        settings::server()
    } else {
        named
    };
    if text.trim().is_empty() {
        let setting = settings::SERVER_SETTING;
        return Err(ServerAddressError::Missing { setting }.into());
    }
    Ok((ServerAddress::parse(&text)?, options))
}

/// Gets the connection and the link that a `host` or `join` needs; what is there already is used.
pub(crate) fn prepare(this: &mut Gd<Noray>, server: ServerAddress) -> Result<(), MeetingError> {
    let runtime = runtime::handle()?;
    let is_there = this
        .bind()
        .session
        .as_ref()
        .is_some_and(|session| session.target == server);
    if !is_there {
        session::end(this);
        session::open(this, server, None)?;
    }
    this.bind_mut()
        .meeting
        .get_or_insert_with(|| Meeting::new(Link::open(&runtime)));
    Ok(())
}

/// Lets the connection work for the link.
pub(crate) fn play(me: &mut Noray, registrar_port: u16) -> Result<(), MeetingError> {
    let (Some(session), Some(meeting)) = (&mut me.session, &me.meeting) else {
        return Err(MeetingError::Disconnected);
    };
    session.registrar_port = registrar_port;
    match session
        .connection
        .use_link(meeting.link.handle(), registrar_port)
    {
        // A connection that has ended already tells why, with its last event.
        Ok(()) | Err(SendError::Disconnected) => Ok(()),
        Err(error @ SendError::Full) => Err(error.into()),
    }
}

/// `get_connection`.
pub(crate) fn connection_to(me: &Noray, peer_id: i64) -> Option<Gd<NorayConnection>> {
    let peer_id = i32::try_from(peer_id).ok()?;
    let (player, peer) = me.meeting.as_ref()?.player(peer_id)?;
    let enet = enet::live_peer(peer).and_then(|peer| enet::packet_peer(&peer, peer_id));
    Some(NorayConnection::new(player.stats.clone(), enet))
}

/// What the link tells becomes signals; then the game's peers are looked at.
pub(crate) fn pump(this: &mut Gd<Noray>) {
    for _ in 0..EVENTS_PER_FRAME {
        let event = {
            let mut me = this.bind_mut();
            let Some(meeting) = &mut me.meeting else {
                return;
            };
            match meeting.next_event() {
                Some(event) => event,
                None => break,
            }
        };
        handle(this, event);
    }
    look(this);
}

fn handle(this: &mut Gd<Noray>, event: PeerEvent) {
    match event {
        PeerEvent::Progress(progress) => {
            let message = progress.to_string();
            let stage = match progress {
                JoinProgress::Asking => JoinStage::Asking,
                JoinProgress::TryingLan => JoinStage::TryingLan,
                JoinProgress::TryingDirect => JoinStage::TryingDirect,
                JoinProgress::TryingRelay => JoinStage::TryingRelay,
            };
            if given_up(this) == 0 {
                joining::advance(this, stage, &message);
            }
        }
        PeerEvent::HostReached {
            peer: remote,
            port,
            stats,
            ..
        } => {
            let player = Player { remote, stats };
            if take_given_up(this) {
                release(this, remote);
            } else {
                joining::enter(this, player, port);
            }
        }
        PeerEvent::JoinFailed(error) => {
            if !take_given_up(this) {
                joining::fail(this, &error.into());
            }
        }
        PeerEvent::PeerAdmitted {
            peer: remote,
            port,
            stats,
        } => {
            let mut me = this.bind_mut();
            if let Some(hosting) = me.meeting.as_mut().and_then(|m| m.hosting.as_mut()) {
                hosting.admit(remote, port, stats);
            }
        }
        PeerEvent::PathChanged { peer: remote, kind } => {
            let peer_id = this.bind().meeting.as_ref().and_then(|m| m.peer_id(remote));
            if let Some(peer_id) = peer_id {
                this.signals()
                    .path_changed()
                    .emit(i64::from(peer_id), Path::from(kind));
            }
        }
        PeerEvent::PeerGone { peer: remote } => handle_gone(this, remote),
        // The link has logged it.
        PeerEvent::UdpLost | PeerEvent::UdpBack => debug!(?event, "the registrar"),
    }
}

/// The link has closed a player's entry: ENet need not wait for it any longer.
fn handle_gone(this: &mut Gd<Noray>, remote: PeerId) {
    joining::handle_gone(this, remote);
    let peer = {
        let mut me = this.bind_mut();
        let Some(meeting) = &mut me.meeting else {
            return;
        };
        let peer = meeting
            .joined
            .iter()
            .find(|joined| joined.player.remote == remote);
        match (peer, &mut meeting.hosting) {
            (Some(joined), _) => Some((joined.peer, HOST_ID)),
            (None, Some(hosting)) => {
                let peer_id = hosting.peer_id(remote);
                hosting.guests.retain(|_, guest| guest.remote != remote);
                peer_id.map(|peer_id| (hosting.peer, peer_id))
            }
            (None, None) => None,
        }
    };
    if let Some((peer, peer_id)) = peer
        && let Some(peer) = enet::live_peer(peer)
    {
        enet::give_up(&peer, peer_id);
    }
}

fn given_up(this: &Gd<Noray>) -> usize {
    this.bind()
        .meeting
        .as_ref()
        .map_or(0, |meeting| meeting.given_up)
}

/// Whether this end of a join is that of one that was given up.
fn take_given_up(this: &mut Gd<Noray>) -> bool {
    let mut me = this.bind_mut();
    match &mut me.meeting {
        Some(meeting) if meeting.given_up > 0 => {
            meeting.given_up -= 1;
            true
        }
        _ => false,
    }
}

fn release(this: &Gd<Noray>, remote: PeerId) {
    if let Some(meeting) = &this.bind().meeting {
        meeting.link.release(remote);
    }
}

/// Looks at what the game does with its peers; a few times a second, and with each frame only at
/// those that wait for something.
fn look(this: &mut Gd<Noray>) {
    joining::step(this);
    let now = Instant::now();
    {
        let mut me = this.bind_mut();
        let has_session = me.session.is_some();
        let Some(meeting) = &mut me.meeting else {
            return;
        };
        if !meeting.is_used() {
            // The game has left the server too; once the last goodbyes are out, nobody needs the
            // port.
            if !has_session && !meeting.link.is_used() {
                me.meeting = None;
            }
            return;
        }
        if now < meeting.next_look {
            return;
        }
        meeting.next_look = now + LOOK_INTERVAL;
    }
    sweep(this);
    hosting::expire(this, now);
}

/// Lets go of the games whose peers the game has closed or let go of.
pub(crate) fn sweep(this: &mut Gd<Noray>) {
    hosting::sweep(this);
    joining::sweep(this);
}

/// The server accepted.
pub(crate) fn handle_connected(this: &mut Gd<Noray>) {
    joining::handle_connected(this);
}

/// The server was not reached. Whether that ended a `host` or `join`, which has told it.
pub(crate) fn handle_not_connected(this: &mut Gd<Noray>, error: DialError) -> bool {
    fail_waiting(this, &error.into())
}

/// The connection was ended, by the game or by the server.
pub(crate) fn lose_session(this: &mut Gd<Noray>) {
    fail_waiting(this, &MeetingError::Disconnected);
}

/// Ends the `host` or `join` that needs the server; whether there was one.
fn fail_waiting(this: &mut Gd<Noray>, error: &MeetingError) -> bool {
    if joining::is_on_its_way(this) {
        joining::give_up(this, error);
        return true;
    }
    if hosting::is_pending(this) {
        hosting::fail(this, error);
        return true;
    }
    false
}

/// Whether a `host` or `join` waits until this player is ready to be met.
pub(crate) fn waits_for_identity(this: &Gd<Noray>) -> bool {
    joining::waits_for_identity(this) || hosting::is_pending(this)
}

/// This player has an identity and its address is registered, or will not be.
pub(crate) fn handle_ready(this: &mut Gd<Noray>, result: Result<(), ReadyError>) {
    if let Err(error) = result {
        let message = error.message();
        // A join that has come further may do without.
        if !waits_for_identity(this) || !fail_waiting(this, &error.into()) {
            warn!("not reachable by new players: {message}");
        }
        return;
    }
    let changed = {
        let mut me = this.bind_mut();
        let oid = me.oid.clone();
        me.meeting.as_mut().and_then(|meeting| {
            let last = std::mem::replace(&mut meeting.oid, oid.clone());
            (meeting.has_game() && !last.is_empty() && last != oid).then_some(oid)
        })
    };
    hosting::finish(this);
    if let Some(oid) = changed {
        info!(%oid, "this player has another OpenID now");
        this.signals().oid_changed().emit(&oid);
    }
}

/// The game quits: every await ends, the other players hear of it, the link is dropped.
pub(crate) fn leave(this: &mut Gd<Noray>) {
    let Some(mut meeting) = this.bind_mut().meeting.take() else {
        return;
    };
    if let Some(joining) = meeting.joining.take() {
        joining.abandon();
    }
    let mut players: Vec<_> = meeting
        .joined
        .iter()
        .map(|joined| joined.player.clone())
        .collect();
    let mut peers: Vec<_> = meeting.joined.iter().map(|joined| joined.peer).collect();
    if let Some(hosting) = meeting.hosting.take() {
        players.extend(hosting.players.values().cloned());
        peers.push(hosting.peer);
        hosting.abandon();
    }
    let sent = |player: &Player| player.stats.snapshot().packets_sent;
    let before: Vec<_> = players.iter().map(sent).collect();
    for mut peer in peers.into_iter().filter_map(enet::live_peer) {
        // Godot would do it after the link is gone.
        peer.close();
    }
    // ENet's goodbyes have left its sockets; they are to leave ours too.
    let until = Instant::now() + GOODBYE_TIMEOUT;
    while players
        .iter()
        .zip(&before)
        .any(|(player, before)| sent(player) == *before)
        && Instant::now() < until
    {
        std::thread::sleep(GOODBYE_LOOK);
    }
}

impl Noray {
    /// Whether `local_port` is the game's to use: the link lets go of it unless a game needs it.
    pub(crate) fn give_up_link(&mut self) -> bool {
        // The game may have closed its peer in this very frame.
        let in_use = self.meeting.as_ref().is_some_and(|meeting| {
            meeting.joining.is_some()
                || meeting.hosting.as_ref().is_some_and(Hosting::is_alive)
                || meeting.joined.iter().any(Joined::is_alive)
        });
        if !in_use {
            self.meeting = None;
        }
        !in_use
    }
}
