//! `Noray.join`: an ENet client on the loopback address, which the link leads to a host.

use std::time::{Duration, Instant};

use godot::{
    builtin::{Callable, GString, Signal},
    classes::{ENetMultiplayerPeer, MultiplayerApi, multiplayer_peer::ConnectionStatus},
    meta::ToGodot,
    obj::{Gd, InstanceId},
};
use noray_client::{JoinError, JoinOptions, PeerId};
use noray_protocol::wire::id::OpenId;
use tracing::info;

use crate::{
    class_enum::class_enum,
    defaults::ENTER_TIMEOUT,
    enet,
    meeting::{self, HOST_ID, Meeting, MeetingError, Player},
    noray::Noray,
    noray_connection::Path,
    options::{ENetOptions, OptionDictionary},
    request::Request,
};

class_enum! {
    /// How far a join is.
    Noray.JoinStage {
        /// Connecting to the noray server.
        Connecting as CONNECTING = 0,
        /// Getting an identity from the server, and registering this player's address.
        Registering as REGISTERING = 1,
        /// Asking the server for the host.
        Asking as ASKING = 2,
        /// The host is in the local network; trying to reach it there.
        TryingLan as TRYING_LAN = 3,
        /// Trying to reach the host directly, through both routers.
        TryingDirect as TRYING_DIRECT = 4,
        /// Trying to reach the host through the server.
        TryingRelay as TRYING_RELAY = 5,
        /// The host is reached; entering its game.
        Entering as ENTERING = 6,
        /// The player is in.
        Joined as JOINED = 7,
    }
}

/// A call of `join` that has not ended.
pub(crate) struct Joining {
    request: Request,
    oid: OpenId,
    stage: JoinStage,
    enet: ENetOptions,
    until: Instant,
    timeout: Duration,
    /// Once a way to the host is open.
    entering: Option<Entering>,
}

/// The host's machine is reached, its game not yet.
struct Entering {
    /// The game's, once it is connected.
    peer: Gd<ENetMultiplayerPeer>,
    host: Player,
    until: Instant,
}

/// A host whose game this player is in.
pub(crate) struct Joined {
    /// The game's own: it is joined as long as this lives and is open.
    pub(crate) peer: InstanceId,
    pub(crate) player: Player,
    oid: OpenId,
    /// Whether Godot's multiplayer has still to hear that the host is there.
    untold: bool,
}

impl Joining {
    /// Wakes who awaits `join`. Gives the host if it was reached.
    pub(crate) fn abandon(self) -> Option<PeerId> {
        self.request.end_with_nothing_later();
        self.entering.map(|mut entering| {
            entering.peer.close();
            entering.host.remote
        })
    }
}

impl Entering {
    /// Why it cannot be waited for any longer.
    fn overdue(&self, joining: &Joining) -> Option<MeetingError> {
        let now = Instant::now();
        if now >= self.until {
            return Some(MeetingError::GameSilent);
        }
        (now >= joining.until).then(|| JoinError::TimedOut(joining.timeout).into())
    }
}

impl Joined {
    /// Whether the game still has its peer, and that is open.
    pub(crate) fn is_alive(&self) -> bool {
        enet::live_peer(self.peer).is_some_and(|peer| enet::is_open(&peer))
    }
}

/// `join`.
pub(crate) fn begin(
    this: &mut Gd<Noray>,
    oid: &GString,
    noray: &GString,
    options: &OptionDictionary,
) -> Signal {
    let (request, signal) = Request::new();
    let mut request = Some(request);
    if let Err(error) = try_begin(this, oid, noray, options, &mut request) {
        this.bind_mut().fail_meeting("cannot join", &error);
    }
    if let Some(request) = request {
        request.end_with_nothing_later();
    }
    signal
}

/// Takes the request when all is well so far.
fn try_begin(
    this: &mut Gd<Noray>,
    oid: &GString,
    noray: &GString,
    options: &OptionDictionary,
    request: &mut Option<Request>,
) -> Result<(), MeetingError> {
    let oid = OpenId::new(&oid.to_string())?;
    let (server, options) = meeting::read(noray, options)?;
    check_free(this, &oid)?;
    meeting::prepare(this, server.clone())?;
    // The end of another connection has been told meanwhile, and its handlers may call anything.
    check_free(this, &oid)?;
    leave_game_of(this, &oid);
    let (stage, message) = {
        let mut me = this.bind_mut();
        let is_connected = me
            .session
            .as_ref()
            .is_some_and(|session| session.is_connected());
        let (stage, message) = if is_connected {
            (JoinStage::Registering, registering_at(&server.to_string()))
        } else {
            (JoinStage::Connecting, format!("connecting to {server}"))
        };
        let Some(meeting) = &mut me.meeting else {
            return Err(MeetingError::Disconnected);
        };
        meeting.link.join(JoinOptions {
            oid: oid.clone(),
            timeout: options.timeout,
            force_relay: options.force_relay,
            lan: options.lan,
        });
        meeting.joining = request.take().map(|request| Joining {
            request,
            oid,
            stage,
            enet: options.enet,
            until: Instant::now() + options.timeout,
            timeout: options.timeout,
            entering: None,
        });
        let played = meeting::play(&mut me, options.registrar_port);
        drop(me);
        if let Err(error) = played {
            give_up(this, &error);
            return Ok(());
        }
        (stage, message)
    };
    advance(this, stage, &message);
    Ok(())
}

fn check_free(this: &mut Gd<Noray>, oid: &OpenId) -> Result<(), MeetingError> {
    meeting::sweep(this);
    let me = this.bind();
    match &me.meeting {
        Some(meeting) if meeting.joining.is_some() => return Err(MeetingError::Joins),
        Some(meeting) if meeting.hosting.is_some() => return Err(MeetingError::Hosts),
        _ => {}
    }
    if me.oid == oid.as_str() {
        return Err(MeetingError::OwnOpenId);
    }
    Ok(())
}

/// Two games with the same host at the same time would mix up their packets.
fn leave_game_of(this: &mut Gd<Noray>, oid: &OpenId) {
    let peers: Vec<_> = {
        let me = this.bind();
        let joined = me.meeting.iter().flat_map(|meeting| &meeting.joined);
        let same = joined.filter(|joined| joined.oid == *oid);
        same.map(|joined| joined.peer).collect()
    };
    for mut peer in peers.into_iter().filter_map(enet::live_peer) {
        peer.close();
    }
    sweep(this);
}

/// Whether a join runs that no way to the host is open for yet.
pub(crate) fn is_on_its_way(this: &Gd<Noray>) -> bool {
    let me = this.bind();
    joining(&me).is_some_and(|joining| joining.entering.is_none())
}

/// Whether a join runs that the server has not been asked for yet.
pub(crate) fn waits_for_identity(this: &Gd<Noray>) -> bool {
    let me = this.bind();
    joining(&me).is_some_and(|joining| {
        matches!(
            joining.stage,
            JoinStage::Connecting | JoinStage::Registering
        )
    })
}

fn joining(me: &Noray) -> Option<&Joining> {
    me.meeting.as_ref()?.joining.as_ref()
}

/// Tells how far the join is.
pub(crate) fn advance(this: &mut Gd<Noray>, stage: JoinStage, message: &str) {
    {
        let mut me = this.bind_mut();
        let joining = me
            .meeting
            .as_mut()
            .and_then(|meeting| meeting.joining.as_mut());
        let Some(joining) = joining else { return };
        joining.stage = stage;
    }
    emit_progress(this, stage, message);
}

fn emit_progress(this: &mut Gd<Noray>, stage: JoinStage, message: &str) {
    info!(message, "joining");
    this.signals()
        .join_progressed()
        .emit(stage, &GString::from(message));
}

/// The server accepted.
pub(crate) fn handle_connected(this: &mut Gd<Noray>) {
    let server = {
        let me = this.bind();
        joining(&me)
            .filter(|joining| joining.stage == JoinStage::Connecting)
            .and(me.session.as_ref())
            .map(|session| session.target.to_string())
    };
    if let Some(server) = server {
        advance(this, JoinStage::Registering, &registering_at(&server));
    }
}

fn registering_at(server: &str) -> String {
    format!("registering at {server}")
}

/// A way to the host is open: ENet connects to `port`, which stands for it.
pub(crate) fn enter(this: &mut Gd<Noray>, host: Player, port: u16) {
    let entered = {
        let mut me = this.bind_mut();
        let Some(meeting) = &mut me.meeting else {
            return;
        };
        let remote = host.remote;
        match start_enet(meeting, host, port) {
            Ok(()) => Ok(()),
            Err(error) => {
                meeting.link.release(remote);
                Err(error)
            }
        }
    };
    match entered {
        Ok(()) => advance(
            this,
            JoinStage::Entering,
            "the host is reached; entering its game",
        ),
        Err(error) => fail(this, &error),
    }
}

fn start_enet(meeting: &mut Meeting, host: Player, port: u16) -> Result<(), MeetingError> {
    let Some(joining) = &mut meeting.joining else {
        return Err(MeetingError::Join(JoinError::Cancelled));
    };
    let (peer, enet_port) = enet::create_client(port, joining.enet).map_err(MeetingError::ENet)?;
    meeting.link.connect_enet(host.remote, enet_port);
    joining.entering = Some(Entering {
        peer,
        host,
        until: Instant::now() + ENTER_TIMEOUT,
    });
    Ok(())
}

/// Once a frame: polls the peer that enters a game, and tells Godot's multiplayer of the host.
pub(crate) fn step(this: &mut Gd<Noray>) {
    let entering = {
        let me = this.bind();
        joining(&me).and_then(|joining| {
            let entering = joining.entering.as_ref()?;
            Some((entering.peer.clone(), entering.overdue(joining)))
        })
    };
    if let Some((mut peer, overdue)) = entering {
        peer.poll();
        match (peer.get_connection_status(), overdue) {
            (ConnectionStatus::CONNECTED, _) => finish(this, peer),
            (ConnectionStatus::CONNECTING, None) => {}
            (_, overdue) => give_up(this, &overdue.unwrap_or(MeetingError::GameSilent)),
        }
    }
    tell_multiplayer(this);
}

/// The game gets its peer.
///
/// From here on nobody polls the peer but the game. ENet acknowledges the host's answer with the
/// next poll, so the host hears of this player, and sends to it, only after Godot's multiplayer
/// has the peer.
fn finish(this: &mut Gd<Noray>, peer: Gd<ENetMultiplayerPeer>) {
    let (request, path) = {
        let mut me = this.bind_mut();
        let Some(meeting) = &mut me.meeting else {
            return;
        };
        let Some(Joining {
            request,
            oid,
            entering: Some(entering),
            ..
        }) = meeting.joining.take()
        else {
            return;
        };
        let path = Path::from(entering.host.stats.snapshot().kind);
        meeting.joined.push(Joined {
            peer: peer.instance_id(),
            player: entering.host,
            oid,
            untold: true,
        });
        (request, path)
    };
    let message = match path {
        Path::Lan => "joined in the local network",
        Path::Direct => "joined directly",
        Path::Relay => "joined by relay",
    };
    emit_progress(this, JoinStage::Joined, message);
    request.end(peer);
}

/// The peer has emitted `peer_connected` for the host before the game could give it to Godot's
/// multiplayer; so that is told again as soon as it listens.
fn tell_multiplayer(this: &mut Gd<Noray>) {
    let untold: Vec<_> = {
        let me = this.bind();
        let Some(meeting) = &me.meeting else { return };
        let untold = meeting.joined.iter().filter(|joined| joined.untold);
        untold.map(|joined| joined.peer).collect()
    };
    for id in untold {
        let Some(mut peer) = enet::live_peer(id).filter(multiplayer_listens) else {
            continue;
        };
        {
            let mut me = this.bind_mut();
            let joined = me
                .meeting
                .iter_mut()
                .flat_map(|meeting| &mut meeting.joined);
            for joined in joined.filter(|joined| joined.peer == id) {
                joined.untold = false;
            }
        }
        peer.emit_signal("peer_connected", &[HOST_ID.to_variant()]);
    }
}

fn multiplayer_listens(peer: &Gd<ENetMultiplayerPeer>) -> bool {
    let connections = peer.get_signal_connection_list("peer_connected");
    connections.iter_shared().any(|connection| {
        let callable: Option<Callable> = connection
            .get("callable")
            .and_then(|callable| callable.try_to().ok());
        callable
            .and_then(|callable| callable.object())
            .is_some_and(|object| object.try_cast::<MultiplayerApi>().is_ok())
    })
}

/// `cancel_join`.
pub(crate) fn cancel(this: &mut Gd<Noray>) {
    give_up(this, &MeetingError::Join(JoinError::Cancelled));
}

/// Ends the join that runs, if one does, before the link has told its end.
pub(crate) fn give_up(this: &mut Gd<Noray>, error: &MeetingError) {
    end(this, error, true);
}

/// Ends the join whose end the link has told.
pub(crate) fn fail(this: &mut Gd<Noray>, error: &MeetingError) {
    end(this, error, false);
}

fn end(this: &mut Gd<Noray>, error: &MeetingError, tell_link: bool) {
    let mut me = this.bind_mut();
    let Some(meeting) = &mut me.meeting else {
        return;
    };
    let Some(joining) = meeting.joining.take() else {
        return;
    };
    match joining.abandon() {
        Some(host) => meeting.link.release(host),
        None if tell_link => {
            meeting.link.cancel_join();
            meeting.given_up += 1;
        }
        None => {}
    }
    me.fail_meeting("cannot join", error);
}

/// The link has lost the host that is being entered.
pub(crate) fn handle_gone(this: &mut Gd<Noray>, remote: PeerId) {
    let is_host = {
        let me = this.bind();
        joining(&me)
            .and_then(|joining| joining.entering.as_ref())
            .is_some_and(|entering| entering.host.remote == remote)
    };
    if is_host {
        fail(this, &MeetingError::GameSilent);
    }
}

/// Lets go of the hosts whose peers the game has closed or let go of.
pub(crate) fn sweep(this: &mut Gd<Noray>) {
    let mut me = this.bind_mut();
    let Some(meeting) = &mut me.meeting else {
        return;
    };
    for left in meeting.joined.extract_if(.., |joined| !joined.is_alive()) {
        meeting.link.release(left.player.remote);
    }
}
