//! Godot's ENet, as the extension uses it.

use std::{
    net::{Ipv4Addr, UdpSocket},
    thread::sleep,
    time::{Duration, Instant},
};

use godot::{
    builtin::{Callable, GString, PackedByteArray},
    classes::{
        ENetConnection, ENetMultiplayerPeer, ENetPacketPeer, Engine, MultiplayerApi,
        enet_connection::CompressionMode, enet_packet_peer::PeerState,
        multiplayer_peer::ConnectionStatus,
    },
    global::Error,
    meta::ToGodot,
    obj::{EngineEnum, Gd, InstanceId, NewGd, Singleton},
};
use noray_client::PeerStats;
use noray_player::{ClientStatus, EnetOptions, EnetPeer, HOST_ID};

use crate::defaults::{GOODBYE_LOOK, GOODBYE_TIMEOUT, PORT_ATTEMPTS};

/// Where ENet meets the link: nobody else can reach it there.
const LOOPBACK: &str = "127.0.0.1";

/// ENet's own factor after which a packet without an answer counts as lost.
const ENET_TIMEOUT_LIMIT: i32 = 32;

/// Creates a server on a free port of the loopback address. Returns it with that port.
///
/// # Errors
/// The sentence for Godot's error.
pub(crate) fn create_server(
    max_clients: i32,
    options: EnetOptions,
) -> Result<(Gd<ENetMultiplayerPeer>, u16), String> {
    let mut peer = ENetMultiplayerPeer::new_gd();
    peer.set_bind_ip(LOOPBACK);
    let created = peer
        .create_server_ex(0)
        .max_clients(max_clients)
        .max_channels(options.channels)
        .in_bandwidth(options.in_bandwidth)
        .out_bandwidth(options.out_bandwidth)
        .done();
    if created != Error::OK {
        return Err(sentence(created));
    }
    compress(&peer, options);
    let port = peer.get_host().map_or(0, |host| host.get_local_port());
    match u16::try_from(port) {
        Ok(port) if port != 0 => Ok((peer, port)),
        _ => Err(sentence(Error::ERR_CANT_CREATE)),
    }
}

/// Creates a client that connects to a port of the loopback address. Returns it with its own port
/// there.
///
/// ENet binds a client only to a port that is named, so one is looked for; another program can take
/// it first, hence the attempts.
///
/// # Errors
/// The sentence for Godot's error.
pub(crate) fn create_client(
    port: u16,
    options: EnetOptions,
    patience: Duration,
) -> Result<(Gd<ENetMultiplayerPeer>, u16), String> {
    let mut last = Error::ERR_CANT_CREATE;
    for _ in 0..PORT_ATTEMPTS {
        let Some(local_port) = free_port() else {
            continue;
        };
        let mut peer = ENetMultiplayerPeer::new_gd();
        peer.set_bind_ip(LOOPBACK);
        last = without_error_lines(|| {
            peer.create_client_ex(LOOPBACK, port.into())
                .channel_count(options.channels)
                .in_bandwidth(options.in_bandwidth)
                .out_bandwidth(options.out_bandwidth)
                .local_port(local_port.into())
                .done()
        });
        if last == Error::OK {
            compress(&peer, options);
            set_patience(&peer, patience);
            return Ok((peer, local_port));
        }
    }
    Err(sentence(last))
}

/// Compresses what an ENet peer sends, and lets it read what is compressed so.
fn compress(peer: &Gd<ENetMultiplayerPeer>, options: EnetOptions) {
    let mode = CompressionMode::try_from_ord(options.compression);
    if let (Some(mut host), Some(mode)) = (peer.get_host(), mode)
        && mode != CompressionMode::NONE
    {
        host.compress(mode);
    }
}

/// Lets a client try to connect for this long at least: a host's game that stands still answers
/// late.
fn set_patience(peer: &Gd<ENetMultiplayerPeer>, patience: Duration) {
    let least = i32::try_from(patience.as_millis()).unwrap_or(i32::MAX);
    if let Some(mut host) = peer.get_peer(HOST_ID) {
        host.set_timeout(ENET_TIMEOUT_LIMIT, least.max(ENET_TIMEOUT_LIMIT), i32::MAX);
    }
}

/// Gives a connected client ENet's own time-outs back.
fn reset_patience(peer: &Gd<ENetMultiplayerPeer>) {
    if let Some(mut host) = peer.get_peer(HOST_ID) {
        host.set_timeout(0, 0, 0);
    }
}

fn free_port() -> Option<u16> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    Some(socket.local_addr().ok()?.port())
}

fn sentence(error: Error) -> String {
    godot::global::error_string(error.ord().into()).to_string()
}

/// Returns the name of an ENet peer.
pub(crate) fn id(peer: &Gd<ENetMultiplayerPeer>) -> EnetPeer {
    EnetPeer(peer.instance_id().to_i64())
}

/// Returns an ENet peer, unless the game has let go of it.
pub(crate) fn live_peer(enet: EnetPeer) -> Option<Gd<ENetMultiplayerPeer>> {
    Gd::try_from_instance_id(InstanceId::try_from_i64(enet.0)?).ok()
}

/// Returns whether the game still has this ENet peer, and it is neither closed nor lost.
pub(crate) fn is_open(enet: EnetPeer) -> bool {
    live_peer(enet).is_some_and(|peer| status(&peer) != ClientStatus::Closed)
}

fn status(peer: &Gd<ENetMultiplayerPeer>) -> ClientStatus {
    match peer.get_connection_status() {
        ConnectionStatus::CONNECTED => ClientStatus::Connected,
        ConnectionStatus::CONNECTING => ClientStatus::Connecting,
        _ => ClientStatus::Closed,
    }
}

/// Polls an ENet client. Returns how it stands then.
pub(crate) fn poll(mut peer: Gd<ENetMultiplayerPeer>) -> ClientStatus {
    peer.poll();
    let status = status(&peer);
    if status == ClientStatus::Connected {
        reset_patience(&peer);
    }
    status
}

/// Returns whether an ENet server refuses new connections; `None` when the game has let go of it.
pub(crate) fn is_closed(enet: EnetPeer) -> Option<bool> {
    Some(live_peer(enet)?.is_refusing_new_connections())
}

/// Closes an ENet peer that the game may have let go of.
pub(crate) fn close(enet: EnetPeer) {
    if let Some(mut peer) = live_peer(enet) {
        peer.close();
    }
}

/// Closes the ENet peers, and waits until ENet's goodbyes have left the link too.
pub(crate) fn say_goodbye(close: Vec<EnetPeer>, to: &[PeerStats]) {
    let sent = |stats: &PeerStats| stats.snapshot().packets_sent;
    let before: Vec<_> = to.iter().map(sent).collect();
    // Godot would close them after the link is gone.
    close.into_iter().for_each(self::close);
    let until = Instant::now() + GOODBYE_TIMEOUT;
    let is_waiting = || {
        let mut all = to.iter().zip(&before);
        all.any(|(stats, before)| sent(stats) == *before)
    };
    while is_waiting() && Instant::now() < until {
        sleep(GOODBYE_LOOK);
    }
}

/// Returns ENet's own peer for another player; `None` when that has gone.
pub(crate) fn packet_peer(enet: EnetPeer, peer_id: i32) -> Option<Gd<ENetPacketPeer>> {
    let peer = live_peer(enet)?;
    without_error_lines(|| peer.get_peer(peer_id))
}

/// Returns the port from which a peer entered.
pub(crate) fn peer_port(enet: EnetPeer, peer_id: i32) -> Option<u16> {
    u16::try_from(packet_peer(enet, peer_id)?.get_remote_port()).ok()
}

/// Lets ENet give up a peer that is known to be gone: its next unacknowledged packet, within a
/// fraction of a second, makes ENet report the peer as lost.
pub(crate) fn give_up(enet: EnetPeer, peer_id: i32) {
    if let Some(mut peer) = packet_peer(enet, peer_id)
        && peer.get_state() == PeerState::CONNECTED
    {
        peer.set_timeout(1, 1, 1);
    }
}

/// Returns whether Godot's multiplayer listens to this ENet peer.
pub(crate) fn multiplayer_listens(enet: EnetPeer) -> bool {
    let Some(peer) = live_peer(enet) else {
        return false;
    };
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

/// Lets an ENet client tell that it is connected to the host.
pub(crate) fn announce_host(enet: EnetPeer) {
    if let Some(mut peer) = live_peer(enet) {
        peer.emit_signal("peer_connected", &[HOST_ID.to_variant()]);
    }
}

/// Returns an ENet connection of the game's, unless it is destroyed.
pub(crate) fn live_connection(id: i64) -> Option<Gd<ENetConnection>> {
    let connection = Gd::try_from_instance_id(InstanceId::try_from_i64(id)?).ok();
    connection.filter(is_alive)
}

/// Returns whether an ENet connection is still there. It has no method that asks this without an
/// error line.
pub(crate) fn is_alive(connection: &Gd<ENetConnection>) -> bool {
    without_error_lines(|| connection.get_max_channels() > 0)
}

/// Sends a datagram from an ENet connection's socket.
pub(crate) fn send_datagram(
    connection: &mut Gd<ENetConnection>,
    address: &GString,
    port: u16,
    datagram: &PackedByteArray,
) {
    // Fails for an IPv6 address where ENet knows only IPv4.
    without_error_lines(|| connection.socket_send(address, port.into(), datagram));
}

/// Calls Godot with its error lines turned off: the result already tells what failed.
pub(crate) fn without_error_lines<R>(call: impl FnOnce() -> R) -> R {
    let mut engine = Engine::singleton();
    let prints = engine.is_printing_error_messages();
    engine.set_print_error_messages(false);
    let result = call();
    engine.set_print_error_messages(prints);
    result
}
