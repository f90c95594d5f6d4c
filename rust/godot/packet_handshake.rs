//! The class `PacketHandshake`: the plain handshake over Godot's own sockets.

use std::{
    cell::RefCell,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use godot::{
    builtin::{GString, PackedByteArray, Signal},
    classes::{
        ENetConnection, ENetMultiplayerPeer, ENetPacketPeer, PacketPeer, PacketPeerUdp, RefCounted,
        enet_packet_peer::PeerState, multiplayer_peer::ConnectionStatus,
    },
    global::Error,
    meta::ToGodot,
    obj::{Base, Gd},
    register::{GodotClass, godot_api},
};
use noray_player::{PacketSource, Socket, valid_port, valid_seconds};
use noray_protocol::player::handshake::{BlindHandshake, Handshake, Outcome, Step};
use tracing::{debug, warn};

use crate::{
    defaults::PACKETS_PER_FRAME,
    enet::{self, is_alive, without_error_lines},
    main_thread,
    noray::Noray,
    request::{self, Request},
};

thread_local! {
    /// Handshakes that have not ended. The main thread's; Godot's classes live on no other.
    static ACTIVE: RefCell<Vec<ActiveHandshake>> = const { RefCell::new(Vec::new()) };
}

/// Opens the path between two players: both send small packets to each other, through both routers,
/// until each knows that the other receives them.
///
/// Every method is static and returns a signal, to be awaited at once. What comes is an
/// [enum Error], as in the example. `timeout` and `frequency`, the pause between repeated packets,
/// are in seconds. Each frame reads what has come in, and answers at once.
/// Only the main thread can call them; any other gets [constant ERR_UNAVAILABLE].
///
/// A joining player calls [method over_packet_peer]. A host, whose socket belongs to ENet, calls
/// [method over_enet_peer] or [method over_enet]. The other player may use netfox.noray. Games of
/// [method Noray.host] and [method Noray.join] need none of this.
/// ```gdscript
/// func _ready() -> void:
///     Noray.on_connect_nat.connect(_on_connect)
///     Noray.on_connect_relay.connect(_on_connect)
///
/// func _on_connect(address: String, port: int) -> void:
///     # A host has its peer already, made by create_server(Noray.local_port).
///     if multiplayer.multiplayer_peer is ENetMultiplayerPeer:
///         var host: ENetMultiplayerPeer = multiplayer.multiplayer_peer
///         await PacketHandshake.over_enet_peer(host, address, port)
///         return
///     var udp := PacketPeerUDP.new()
///     udp.bind(Noray.local_port)
///     udp.set_dest_address(address, port)
///     var err: Error = await PacketHandshake.over_packet_peer(udp)
///     udp.close()
///     if err != OK and err != ERR_BUSY:
///         print("No path to the host: ", error_string(err))
///         return
///     var peer := ENetMultiplayerPeer.new()
///     if peer.create_client(address, port, 0, 0, 0, Noray.local_port) == OK:
///         multiplayer.multiplayer_peer = peer
/// ```
#[derive(GodotClass)]
#[class(no_init, base = RefCounted)]
pub(crate) struct PacketHandshake {
    base: Base<RefCounted>,
}

#[godot_api]
impl PacketHandshake {
    /// Performs the handshake over a [PacketPeerUDP] that is bound to [member Noray.local_port] and
    /// has the other player as its destination, or over any other [PacketPeer].
    ///
    /// Returns [constant OK]; [constant ERR_BUSY] when packets came in, but the other player never
    /// confirmed any (connecting is still worth a try); [constant ERR_TIMEOUT];
    /// [constant ERR_CONNECTION_ERROR] when the peer is closed meanwhile;
    /// [constant ERR_UNCONFIGURED] when it is not bound; [constant ERR_INVALID_PARAMETER] for a
    /// null peer, or a time that is negative, NaN or more than a day.
    ///
    /// Only packets from the target count. Godot does not tell the destination of a peer: in a
    /// handler of [signal Noray.on_connect_nat] or [signal Noray.on_connect_relay], the target is
    /// the address of that signal; otherwise, on [member Noray.local_port], any address that the
    /// server announced; otherwise the first sender that speaks the handshake. To be certain, name
    /// the target with [param address] and [param port].
    #[func]
    fn over_packet_peer(
        peer: Option<Gd<PacketPeer>>,
        #[opt(default = 8.0)] timeout: f64,
        #[opt(default = 0.1)] frequency: f64,
        #[opt(default = "")] address: GString,
        #[opt(default = 0)] port: i64,
    ) -> Signal {
        if main_thread::is_elsewhere("PacketHandshake", "over_packet_peer") {
            return request::refuse_elsewhere(Error::ERR_UNAVAILABLE);
        }
        let (Some(peer), Some((timeout, interval))) = (peer, times(timeout, frequency)) else {
            return refuse(Error::ERR_INVALID_PARAMETER, "a null peer or a bad time");
        };
        let named = parse_target(&address, port);
        if named.is_none() && !(address.is_empty() && port == 0) {
            return refuse(Error::ERR_INVALID_PARAMETER, "not an IP address and port");
        }
        let link = match peer.clone().try_cast::<PacketPeerUdp>() {
            Ok(udp) if !is_open(&udp) => {
                return refuse(Error::ERR_UNCONFIGURED, "the peer is not bound to a port");
            }
            Ok(udp) => {
                let socket = Socket {
                    is_connected: udp.is_socket_connected(),
                    port: u16::try_from(udp.get_local_port()).ok(),
                };
                let source = Noray::packet_source(named, socket);
                PeerLink::Udp(udp, source)
            }
            Err(_) => PeerLink::Other,
        };
        let handshake = Handshake::new(Instant::now(), timeout, interval);
        ActiveHandshake::begin(Side::Peer {
            handshake,
            peer,
            link,
        })
    }

    /// Performs a host's side of the handshake over its ENet connection. This cannot read the other
    /// player's packets, so it sends until ENet itself is connected to [param address] and
    /// [param port], or [param timeout] has passed.
    ///
    /// Returns [constant OK] in both cases, because the path may open later;
    /// [constant ERR_CONNECTION_ERROR] when the connection is destroyed;
    /// [constant ERR_INVALID_PARAMETER] for a null connection, an [param address] that is not an IP
    /// address, a bad port, or a time that is negative, NaN or more than a day.
    #[func]
    fn over_enet(
        connection: Option<Gd<ENetConnection>>,
        address: GString,
        port: i64,
        #[opt(default = 8.0)] timeout: f64,
        #[opt(default = 0.1)] frequency: f64,
    ) -> Signal {
        if main_thread::is_elsewhere("PacketHandshake", "over_enet") {
            return request::refuse_elsewhere(Error::ERR_UNAVAILABLE);
        }
        let Some(connection) = connection else {
            return refuse(Error::ERR_INVALID_PARAMETER, "a null connection");
        };
        begin_blind(connection, None, &address, port, timeout, frequency)
    }

    /// Like [method over_enet], for an [ENetMultiplayerPeer]. Returns
    /// [constant ERR_CONNECTION_ERROR] when the peer is not connected, or is closed meanwhile.
    #[func]
    fn over_enet_peer(
        peer: Option<Gd<ENetMultiplayerPeer>>,
        address: GString,
        port: i64,
        #[opt(default = 8.0)] timeout: f64,
        #[opt(default = 0.1)] frequency: f64,
    ) -> Signal {
        if main_thread::is_elsewhere("PacketHandshake", "over_enet_peer") {
            return request::refuse_elsewhere(Error::ERR_UNAVAILABLE);
        }
        let Some(peer) = peer else {
            return refuse(Error::ERR_INVALID_PARAMETER, "a null peer");
        };
        if peer.get_connection_status() != ConnectionStatus::CONNECTED {
            return refuse(Error::ERR_CONNECTION_ERROR, "the peer is not connected");
        }
        let Some(connection) = peer.get_host() else {
            return refuse(Error::ERR_UNCONFIGURED, "the peer has no host of its own");
        };
        begin_blind(connection, Some(peer), &address, port, timeout, frequency)
    }
}

fn begin_blind(
    connection: Gd<ENetConnection>,
    owner: Option<Gd<ENetMultiplayerPeer>>,
    address: &GString,
    port: i64,
    timeout: f64,
    frequency: f64,
) -> Signal {
    let target = parse_target(address, port);
    let (Some(target), Some((timeout, interval))) = (target, times(timeout, frequency)) else {
        return refuse(
            Error::ERR_INVALID_PARAMETER,
            "not an IP address and port, or a bad time",
        );
    };
    if !is_alive(&connection) {
        return refuse(Error::ERR_CONNECTION_ERROR, "the connection is destroyed");
    }
    ActiveHandshake::begin(Side::ENet {
        handshake: BlindHandshake::new(Instant::now(), timeout, interval),
        connection,
        owner,
        target,
    })
}

/// Steps all handshakes, once a frame.
pub(crate) fn step_all() {
    let mut handshakes = ACTIVE.take();
    if handshakes.is_empty() {
        return;
    }
    let ended: Vec<_> = handshakes.extract_if(.., ActiveHandshake::step).collect();
    ACTIVE.with_borrow_mut(|active| active.append(&mut handshakes));
    for handshake in ended {
        handshake.end();
    }
}

/// Ends all handshakes, because the game quits.
pub(crate) fn abandon_all() {
    for handshake in ACTIVE.take() {
        handshake.abandon();
    }
}

/// Lets go of all handshakes that have not ended.
pub(crate) fn forget_all() {
    drop(ACTIVE.take());
}

/// A handshake that has not ended; each frame steps it.
struct ActiveHandshake {
    side: Side,
    request: Request,
    result: Error,
}

enum Side {
    Peer {
        handshake: Handshake,
        peer: Gd<PacketPeer>,
        link: PeerLink,
    },
    ENet {
        handshake: BlindHandshake,
        connection: Gd<ENetConnection>,
        owner: Option<Gd<ENetMultiplayerPeer>>,
        target: SocketAddr,
    },
}

/// What is known of a packet peer.
enum PeerLink {
    Udp(Gd<PacketPeerUdp>, PacketSource),
    Other,
}

impl ActiveHandshake {
    fn begin(side: Side) -> Signal {
        let (request, signal) = Request::new();
        let mut handshake = Self {
            side,
            request,
            result: Error::OK,
        };
        if handshake.step() {
            handshake.request.end_later(handshake.result);
        } else {
            ACTIVE.with_borrow_mut(|active| active.push(handshake));
        }
        signal
    }

    /// Reads, decides and sends. Returns whether the handshake has ended.
    fn step(&mut self) -> bool {
        let now = Instant::now();
        let result = match &mut self.side {
            Side::Peer {
                handshake,
                peer,
                link,
            } => step_peer(now, handshake, peer, link),
            Side::ENet {
                handshake,
                connection,
                owner,
                target,
            } => step_enet(now, handshake, connection, owner.as_ref(), *target),
        };
        self.result = result.unwrap_or(Error::OK);
        result.is_some()
    }

    /// Gives up, because the game quits.
    fn abandon(mut self) {
        self.result = Error::ERR_CONNECTION_ERROR;
        self.end();
    }

    /// Wakes who awaits the handshake.
    fn end(self) {
        debug!(result = ?self.result, "a handshake ended");
        let Self {
            side,
            request,
            result,
        } = self;
        // The game may close the socket next; our reference must not keep it.
        drop(side);
        request.end(&result.to_variant());
    }
}

fn step_peer(
    now: Instant,
    handshake: &mut Handshake,
    peer: &mut Gd<PacketPeer>,
    link: &mut PeerLink,
) -> Option<Error> {
    if let PeerLink::Udp(udp, _) = link
        && !is_open(udp)
    {
        return Some(Error::ERR_CONNECTION_ERROR);
    }
    for _ in 0..PACKETS_PER_FRAME {
        if peer.get_available_packet_count() <= 0 {
            break;
        }
        let packet = peer.get_packet();
        let accepted = match link {
            PeerLink::Udp(udp, source) => source.accepts(sender(udp), packet.as_slice()),
            PeerLink::Other => true,
        };
        if accepted {
            handshake.receive(packet.as_slice());
        }
    }
    let step = handshake.step(now);
    let packet = PackedByteArray::from(&step.packet[..]);
    for _ in 0..step.copies {
        // A failed send is a lost packet: the next one may get through.
        let sent = without_error_lines(|| peer.put_packet(&packet));
        if sent == Error::ERR_UNCONFIGURED {
            return Some(sent);
        }
    }
    step.outcome.map(|outcome| match outcome {
        Outcome::Connected => Error::OK,
        Outcome::Unconfirmed => Error::ERR_BUSY,
        Outcome::TimedOut => Error::ERR_TIMEOUT,
    })
}

fn step_enet(
    now: Instant,
    handshake: &mut BlindHandshake,
    connection: &mut Gd<ENetConnection>,
    owner: Option<&Gd<ENetMultiplayerPeer>>,
    target: SocketAddr,
) -> Option<Error> {
    let closed =
        owner.is_some_and(|peer| peer.get_connection_status() != ConnectionStatus::CONNECTED);
    if closed || !is_alive(connection) {
        return Some(Error::ERR_CONNECTION_ERROR);
    }
    let Step {
        packet,
        copies,
        outcome,
    } = handshake.step(now, is_connected_to(connection, target));
    let packet = PackedByteArray::from(&packet[..]);
    let address = GString::from(&target.ip().to_string());
    for _ in 0..copies {
        enet::send_datagram(connection, &address, target.port(), &packet);
    }
    outcome.map(|_| Error::OK)
}

/// Returns whether ENet itself says that it is connected to `target`.
fn is_connected_to(connection: &mut Gd<ENetConnection>, target: SocketAddr) -> bool {
    connection.get_peers().iter_shared().any(|peer| {
        let peer: Gd<ENetPacketPeer> = peer;
        peer.get_state() == PeerState::CONNECTED
            && peer.get_remote_port() == i32::from(target.port())
            && parse_ip(&peer.get_remote_address()) == Some(target.ip())
    })
}

fn is_open(udp: &Gd<PacketPeerUdp>) -> bool {
    udp.is_bound() || udp.is_socket_connected()
}

/// Returns where the packet that was read last came from.
fn sender(udp: &Gd<PacketPeerUdp>) -> Option<SocketAddr> {
    parse_target(&udp.get_packet_ip(), i64::from(udp.get_packet_port()))
}

fn parse_target(address: &GString, port: i64) -> Option<SocketAddr> {
    Some(SocketAddr::new(parse_ip(address)?, valid_port(port)?))
}

fn parse_ip(address: &GString) -> Option<IpAddr> {
    let ip: IpAddr = address.to_string().parse().ok()?;
    Some(ip.to_canonical())
}

fn times(timeout: f64, frequency: f64) -> Option<(Duration, Duration)> {
    valid_seconds(timeout).zip(valid_seconds(frequency))
}

fn refuse(error: Error, message: &str) -> Signal {
    warn!("no handshake: {message}");
    let (request, signal) = Request::new();
    request.end_later(error);
    signal
}
