//! Godot's ENet, as the extension uses it.

use std::net::{Ipv4Addr, UdpSocket};

use godot::{
    classes::{
        ENetConnection, ENetMultiplayerPeer, ENetPacketPeer, Engine, enet_packet_peer::PeerState,
        multiplayer_peer::ConnectionStatus,
    },
    global::Error,
    obj::{Gd, InstanceId, NewGd, Singleton},
};

use crate::{defaults::PORT_ATTEMPTS, options::ENetOptions};

/// Where ENet meets the link: nobody else can reach it there.
pub(crate) const LOOPBACK: &str = "127.0.0.1";

/// A server on a free port of the loopback address, and that port.
pub(crate) fn create_server(
    max_clients: i32,
    options: ENetOptions,
) -> Result<(Gd<ENetMultiplayerPeer>, u16), Error> {
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
        return Err(created);
    }
    let port = peer.get_host().map_or(0, |host| host.get_local_port());
    match u16::try_from(port) {
        Ok(port) if port != 0 => Ok((peer, port)),
        _ => Err(Error::ERR_CANT_CREATE),
    }
}

/// A client that connects to a port of the loopback address, and its own port there.
///
/// ENet binds a client only to a port that is named, so one is looked for; another program can
/// take it first, hence the attempts.
pub(crate) fn create_client(
    port: u16,
    options: ENetOptions,
) -> Result<(Gd<ENetMultiplayerPeer>, u16), Error> {
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
            return Ok((peer, local_port));
        }
    }
    Err(last)
}

fn free_port() -> Option<u16> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).ok()?;
    Some(socket.local_addr().ok()?.port())
}

/// A peer that the game may have let go of.
pub(crate) fn live_peer(id: InstanceId) -> Option<Gd<ENetMultiplayerPeer>> {
    Gd::try_from_instance_id(id).ok()
}

/// Whether a multiplayer peer is neither closed nor lost.
pub(crate) fn is_open(peer: &Gd<ENetMultiplayerPeer>) -> bool {
    peer.get_connection_status() != ConnectionStatus::DISCONNECTED
}

/// ENet's own peer for another player; none when that has gone.
pub(crate) fn packet_peer(
    peer: &Gd<ENetMultiplayerPeer>,
    peer_id: i32,
) -> Option<Gd<ENetPacketPeer>> {
    without_error_lines(|| peer.get_peer(peer_id))
}

/// Lets ENet give a player up that is known to be gone: with its next packet that is not
/// acknowledged, a fraction of a second from now, it tells the game as of any other lost player.
pub(crate) fn give_up(peer: &Gd<ENetMultiplayerPeer>, peer_id: i32) {
    if let Some(mut packet_peer) = packet_peer(peer, peer_id)
        && packet_peer.get_state() == PeerState::CONNECTED
    {
        packet_peer.set_timeout(1, 1, 1);
    }
}

/// Whether an ENet connection is still there. It has no method that asks this without an error
/// line.
pub(crate) fn is_alive(connection: &Gd<ENetConnection>) -> bool {
    without_error_lines(|| connection.get_max_channels() > 0)
}

/// Calls Godot, whose error lines would say again what a result says.
pub(crate) fn without_error_lines<R>(call: impl FnOnce() -> R) -> R {
    let mut engine = Engine::singleton();
    let prints = engine.is_printing_error_messages();
    engine.set_print_error_messages(false);
    let result = call();
    engine.set_print_error_messages(prints);
    result
}
