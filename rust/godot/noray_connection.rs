//! The class `NorayConnection`.

use std::time::Duration;

use godot::{
    builtin::GString,
    classes::{ENetPacketPeer, RefCounted, enet_packet_peer::PeerStatistic},
    init::is_main_thread,
    obj::{Base, Gd},
    register::{GodotClass, godot_api, property::PhantomVar},
};
use noray_client::{PeerSnapshot, PeerStats};

use noray_protocol::wire::check::PathKind;

use crate::class_enum::class_enum;

class_enum! {
    /// The kind of path to a peer.
    NorayConnection.Path {
        /// In the local network.
        Lan as LAN = 0,
        /// Directly, through both routers.
        Direct as DIRECT = 1,
        /// Through the noray server.
        Relay as RELAY = 2,
    }
}

impl From<PathKind> for Path {
    fn from(kind: PathKind) -> Self {
        match kind {
            PathKind::Lan => Self::Lan,
            PathKind::Direct => Self::Direct,
            PathKind::Relay => Self::Relay,
        }
    }
}

/// The connection to a peer of a game that [method Noray.host] or [method Noray.join] began.
///
/// [method Noray.get_connection] returns it. Its properties are live; once the peer has gone, they
/// keep their last values. They can be read on any thread; on another than the main one,
/// [member round_trip] and [member jitter] of a peer with other software are -1.
/// ```gdscript
/// # A joined player is connected to the host alone, whose id is 1.
/// for peer_id in multiplayer.get_peers():
///     var connection := Noray.get_connection(peer_id)
///     if connection != null:
///         var relayed := connection.path == NorayConnection.RELAY
///         print("Player %d: %d ms, %d %% lost%s" % [
///             peer_id, roundi(connection.round_trip * 1000.0), roundi(connection.loss * 100.0),
///             ", by relay" if relayed else "",
///         ])
/// ```
#[derive(GodotClass)]
#[class(no_init, base = RefCounted)]
pub(crate) struct NorayConnection {
    /// The path that the game takes now.
    #[var(get, no_set)]
    path: PhantomVar<Path>,

    /// The IP address that the game's packets go to: the peer's, or the server's when it relays.
    #[var(get, no_set)]
    address: PhantomVar<GString>,

    /// The UDP port that belongs to [member address].
    #[var(get, no_set)]
    port: PhantomVar<i32>,

    /// The smoothed round-trip time, in seconds; -1 while it is unknown. While answers stay away,
    /// it grows with the time since the first that is missing.
    #[var(get, no_set)]
    round_trip: PhantomVar<f64>,

    /// How much the round-trip time varies, in seconds: its mean deviation. -1 while it is unknown.
    #[var(get, no_set)]
    jitter: PhantomVar<f64>,

    /// The share of the last packets that was lost, from 0 to 1.
    #[var(get, no_set)]
    loss: PhantomVar<f64>,

    /// Bytes that the game has sent to the peer, without UDP's headers.
    #[var(get, no_set)]
    bytes_sent: PhantomVar<i64>,

    /// Bytes that the game has received from the peer, without UDP's headers.
    #[var(get, no_set)]
    bytes_received: PhantomVar<i64>,

    /// Packets that the game has sent to the peer.
    #[var(get, no_set)]
    packets_sent: PhantomVar<i64>,

    /// Packets that the game has received from the peer.
    #[var(get, no_set)]
    packets_received: PhantomVar<i64>,

    /// How long the game has taken this path, in seconds: since the peer came in, or since the last
    /// [signal Noray.path_changed].
    #[var(get, no_set)]
    since: PhantomVar<f64>,

    stats: PeerStats,
    enet: Option<Gd<ENetPacketPeer>>,
    base: Base<RefCounted>,
}

#[godot_api]
impl NorayConnection {
    /// Returns whether the peer is still there: `false` once it has gone, and while it has answered
    /// nothing for a second.
    #[func]
    fn is_alive(&self) -> bool {
        self.snapshot().alive
    }

    #[func]
    fn get_path(&self) -> Path {
        self.snapshot().kind.into()
    }

    #[func]
    fn get_address(&self) -> GString {
        GString::from(&self.snapshot().address.ip().to_canonical().to_string())
    }

    #[func]
    fn get_port(&self) -> i32 {
        self.snapshot().address.port().into()
    }

    #[func]
    fn get_round_trip(&self) -> f64 {
        match self.snapshot().round_trip {
            Some(time) => time.as_secs_f64(),
            None => self.enet_seconds(PeerStatistic::ROUND_TRIP_TIME),
        }
    }

    #[func]
    fn get_jitter(&self) -> f64 {
        match self.snapshot().jitter {
            Some(time) => time.as_secs_f64(),
            None => self.enet_seconds(PeerStatistic::ROUND_TRIP_TIME_VARIANCE),
        }
    }

    #[func]
    fn get_loss(&self) -> f64 {
        self.snapshot().loss.into()
    }

    #[func]
    fn get_bytes_sent(&self) -> i64 {
        count(self.snapshot().bytes_sent)
    }

    #[func]
    fn get_bytes_received(&self) -> i64 {
        count(self.snapshot().bytes_received)
    }

    #[func]
    fn get_packets_sent(&self) -> i64 {
        count(self.snapshot().packets_sent)
    }

    #[func]
    fn get_packets_received(&self) -> i64 {
        count(self.snapshot().packets_received)
    }

    #[func]
    fn get_since(&self) -> f64 {
        self.snapshot().since.elapsed().as_secs_f64()
    }
}

impl NorayConnection {
    /// Returns a peer's connection. `enet` is asked for what the link does not know: players with
    /// other software do not answer its checks.
    pub(crate) fn new(stats: PeerStats, enet: Option<Gd<ENetPacketPeer>>) -> Gd<Self> {
        Gd::from_init_fn(|base| Self {
            path: PhantomVar::default(),
            address: PhantomVar::default(),
            port: PhantomVar::default(),
            round_trip: PhantomVar::default(),
            jitter: PhantomVar::default(),
            loss: PhantomVar::default(),
            bytes_sent: PhantomVar::default(),
            bytes_received: PhantomVar::default(),
            packets_sent: PhantomVar::default(),
            packets_received: PhantomVar::default(),
            since: PhantomVar::default(),
            stats,
            enet,
            base,
        })
    }

    fn snapshot(&self) -> PeerSnapshot {
        self.stats.snapshot()
    }

    /// Returns one of ENet's times, in seconds; -1 when ENet has let go of the peer, and on other
    /// threads than the main one.
    fn enet_seconds(&self, statistic: PeerStatistic) -> f64 {
        match &self.enet {
            // Godot's ENet may be in use by the main thread.
            Some(enet) if is_main_thread() && enet.is_active() => {
                let milliseconds = enet.clone().get_statistic(statistic);
                Duration::from_millis(milliseconds.max(0.0) as u64).as_secs_f64()
            }
            _ => -1.0,
        }
    }
}

fn count(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
