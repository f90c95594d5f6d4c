//! `Noray.host`: an ENet server on the loopback address, which the link brings players to.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use godot::{
    builtin::{Callable, GString, Signal, varray},
    classes::ENetMultiplayerPeer,
    obj::{Gd, InstanceId},
};
use noray_client::{HostOptions, PeerId, PeerStats};
use tracing::info;

use crate::{
    defaults::MOST_CLIENTS,
    enet,
    meeting::{self, MeetingError, Player},
    noray::Noray,
    options::OptionDictionary,
    request::Request,
};

const ENTERED_SIGNAL: &str = "peer_connected";
const LEFT_SIGNAL: &str = "peer_disconnected";

/// A game that this player hosts.
pub(crate) struct Hosting {
    /// The game's own: it is hosted as long as this lives and is open.
    pub(crate) peer: InstanceId,
    /// The call of `host`, until it has ended.
    pub(crate) pending: Option<Pending>,
    /// Who comes in, by the port on the loopback address that stands for it.
    pub(crate) guests: HashMap<u16, Player>,
    /// Who plays, by the id that the game knows.
    pub(crate) players: HashMap<i32, Player>,
    /// What the peer's signals call.
    entered: Callable,
    left: Callable,
}

/// A call of `host` that has not ended.
pub(crate) struct Pending {
    request: Request,
    /// The game's, once this player can be met.
    peer: Gd<ENetMultiplayerPeer>,
    until: Instant,
    timeout: Duration,
}

impl Hosting {
    /// Whether the game still has its peer, and that is open.
    pub(crate) fn is_alive(&self) -> bool {
        enet::live_peer(self.peer).is_some_and(|peer| enet::is_open(&peer))
    }

    /// The link brings a player.
    pub(crate) fn admit(&mut self, remote: PeerId, port: u16, stats: PeerStats) {
        self.guests.insert(port, Player { remote, stats });
    }

    /// The id by which the game knows this player.
    pub(crate) fn peer_id(&self, remote: PeerId) -> Option<i32> {
        self.players
            .iter()
            .find(|(_, player)| player.remote == remote)
            .map(|(peer_id, _)| *peer_id)
    }

    /// Lets go of the peer's signals, and wakes who awaits `host`. Gives whom the link may forget.
    pub(crate) fn abandon(self) -> Vec<PeerId> {
        if let Some(mut peer) = enet::live_peer(self.peer) {
            peer.disconnect(ENTERED_SIGNAL, &self.entered);
            peer.disconnect(LEFT_SIGNAL, &self.left);
        }
        if let Some(mut pending) = self.pending {
            pending.peer.close();
            pending.request.end_with_nothing_later();
        }
        self.guests.values().map(|guest| guest.remote).collect()
    }
}

/// `host`.
pub(crate) fn begin(
    this: &mut Gd<Noray>,
    noray: &GString,
    max_clients: i64,
    options: &OptionDictionary,
) -> Signal {
    let (request, signal) = Request::new();
    let mut request = Some(request);
    if let Err(error) = try_begin(this, noray, max_clients, options, &mut request) {
        this.bind_mut().fail_meeting("cannot host", &error);
    }
    if let Some(request) = request {
        request.end_with_nothing_later();
    }
    signal
}

/// Takes the request when all is well so far.
fn try_begin(
    this: &mut Gd<Noray>,
    noray: &GString,
    max_clients: i64,
    options: &OptionDictionary,
    request: &mut Option<Request>,
) -> Result<(), MeetingError> {
    let (server, options) = meeting::read(noray, options)?;
    let clients = i32::try_from(max_clients)
        .ok()
        .filter(|clients| (1..=MOST_CLIENTS).contains(clients))
        .ok_or(MeetingError::MaxClients(max_clients))?;
    check_free(this)?;
    meeting::prepare(this, server)?;
    // The end of another connection has been told meanwhile, and its handlers may call anything.
    check_free(this)?;
    let (mut peer, port) =
        enet::create_server(clients, options.enet).map_err(MeetingError::ENet)?;
    let noray = this.clone();
    let id = peer.instance_id();
    let bound = |method| Callable::from_object_method(&noray, method).bindv(&varray![id.to_i64()]);
    let (entered, left) = (bound("_player_entered"), bound("_player_left"));
    peer.connect(ENTERED_SIGNAL, &entered);
    peer.connect(LEFT_SIGNAL, &left);

    let mut me = this.bind_mut();
    let Some(meeting) = &mut me.meeting else {
        return Err(MeetingError::Disconnected);
    };
    meeting.link.host(HostOptions {
        enet_port: port,
        max_clients: usize::try_from(clients).unwrap_or(usize::MAX),
        force_relay: options.force_relay,
        lan: options.lan,
    });
    meeting.hosting = Some(Hosting {
        peer: id,
        pending: request.take().map(|request| Pending {
            request,
            peer,
            until: Instant::now() + options.timeout,
            timeout: options.timeout,
        }),
        guests: HashMap::new(),
        players: HashMap::new(),
        entered,
        left,
    });
    let played = meeting::play(&mut me, options.registrar_port);
    drop(me);
    if let Err(error) = played {
        fail(this, &error);
    }
    Ok(())
}

fn check_free(this: &mut Gd<Noray>) -> Result<(), MeetingError> {
    meeting::sweep(this);
    let me = this.bind();
    match &me.meeting {
        Some(meeting) if meeting.hosting.is_some() => Err(MeetingError::Hosts),
        Some(meeting) if meeting.joining.is_some() => Err(MeetingError::Joins),
        _ => Ok(()),
    }
}

/// Whether a call of `host` has not ended.
pub(crate) fn is_pending(this: &Gd<Noray>) -> bool {
    let me = this.bind();
    let hosting = me
        .meeting
        .as_ref()
        .and_then(|meeting| meeting.hosting.as_ref());
    hosting.is_some_and(|hosting| hosting.pending.is_some())
}

/// This player can be met: the game gets its peer.
pub(crate) fn finish(this: &mut Gd<Noray>) {
    let pending = {
        let mut me = this.bind_mut();
        let hosting = me
            .meeting
            .as_mut()
            .and_then(|meeting| meeting.hosting.as_mut());
        hosting.and_then(|hosting| hosting.pending.take())
    };
    if let Some(pending) = pending {
        info!("hosting");
        pending.request.end(pending.peer);
    }
}

/// Ends a call of `host` that has taken too long.
pub(crate) fn expire(this: &mut Gd<Noray>, now: Instant) {
    let expired = {
        let me = this.bind();
        let hosting = me
            .meeting
            .as_ref()
            .and_then(|meeting| meeting.hosting.as_ref());
        hosting
            .and_then(|hosting| hosting.pending.as_ref())
            .filter(|pending| now >= pending.until)
            .map(|pending| pending.timeout)
    };
    if let Some(timeout) = expired {
        fail(this, &MeetingError::TimedOut(timeout));
    }
}

/// Ends a call of `host` that came to nothing.
pub(crate) fn fail(this: &mut Gd<Noray>, error: &MeetingError) {
    this.bind_mut().fail_meeting("cannot host", error);
    stop(this);
}

/// Hosts no more when the game has closed its peer or let go of it.
pub(crate) fn sweep(this: &mut Gd<Noray>) {
    let is_over = {
        let me = this.bind();
        let hosting = me
            .meeting
            .as_ref()
            .and_then(|meeting| meeting.hosting.as_ref());
        hosting.is_some_and(|hosting| !hosting.is_alive())
    };
    if is_over {
        info!("hosting has ended");
        stop(this);
    }
}

fn stop(this: &mut Gd<Noray>) {
    let mut me = this.bind_mut();
    let Some(meeting) = &mut me.meeting else {
        return;
    };
    let Some(hosting) = meeting.hosting.take() else {
        return;
    };
    for remote in hosting.abandon() {
        meeting.link.release(remote);
    }
    meeting.link.stop_hosting();
}

/// ENet has connected a player.
pub(crate) fn handle_entered(this: &mut Gd<Noray>, peer_id: i64, host: i64) {
    let Some((peer, peer_id)) = of_ours(peer_id, host) else {
        return;
    };
    let port = enet::packet_peer(&peer, peer_id).map(|enet| enet.get_remote_port());
    let Some(port) = port.and_then(|port| u16::try_from(port).ok()) else {
        return;
    };
    let mut me = this.bind_mut();
    let Some(meeting) = &mut me.meeting else {
        return;
    };
    meeting.admit_early();
    if let Some(hosting) = meeting.hosting_of(peer.instance_id())
        && let Some(guest) = hosting.guests.get(&port)
    {
        let guest = guest.clone();
        hosting.players.insert(peer_id, guest);
    }
}

/// ENet has lost a player.
pub(crate) fn handle_left(this: &mut Gd<Noray>, peer_id: i64, host: i64) {
    let Some((peer, peer_id)) = of_ours(peer_id, host) else {
        return;
    };
    let mut me = this.bind_mut();
    let Some(meeting) = &mut me.meeting else {
        return;
    };
    let left = meeting.hosting_of(peer.instance_id()).and_then(|hosting| {
        let player = hosting.players.remove(&peer_id)?;
        hosting
            .guests
            .retain(|_, guest| guest.remote != player.remote);
        Some(player.remote)
    });
    if let Some(remote) = left {
        meeting.link.release(remote);
    }
}

fn of_ours(peer_id: i64, host: i64) -> Option<(Gd<ENetMultiplayerPeer>, i32)> {
    let peer = enet::live_peer(InstanceId::try_from_i64(host)?)?;
    Some((peer, i32::try_from(peer_id).ok()?))
}
