//! Whose packets count in a handshake over a `PacketPeerUDP`: Godot does not tell the destination of
//! one.

use std::net::SocketAddr;

use noray_protocol::wire::handshake_status::Status;

/// What is known of a game's socket.
#[derive(Clone, Copy, Debug)]
pub struct Socket {
    /// Whether the system passes on only the packets of one sender.
    pub is_connected: bool,
    /// The UDP port that it is bound to.
    pub port: Option<u16>,
}

/// Whose packets count.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PacketSource {
    /// Those of these addresses.
    Known(Vec<SocketAddr>),
    /// Those of the first that speaks the handshake.
    FirstSpeaker,
    /// All: the system passes on the target's alone.
    Connected,
}

impl PacketSource {
    /// Chooses: the target that the game named; else all, on a connected socket; else, on the
    /// registered port, the addresses that the server announced; else the first that speaks.
    #[must_use]
    pub fn choose(
        named: Option<SocketAddr>,
        socket: Socket,
        registered_port: Option<u16>,
        announced: Vec<SocketAddr>,
    ) -> Self {
        if let Some(target) = named {
            return Self::Known(vec![target]);
        }
        if socket.is_connected {
            return Self::Connected;
        }
        if announced.is_empty() || socket.port != registered_port {
            return Self::FirstSpeaker;
        }
        Self::Known(announced)
    }

    /// Returns whether a packet from `sender` counts.
    pub fn accepts(&mut self, sender: Option<SocketAddr>, packet: &[u8]) -> bool {
        match (&*self, sender) {
            (Self::Connected, _) => true,
            (Self::Known(targets), Some(sender)) => targets.contains(&sender),
            (Self::FirstSpeaker, Some(sender)) if Status::parse(packet).is_some() => {
                *self = Self::Known(vec![sender]);
                true
            }
            _ => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HANDSHAKE: &[u8] = b"$r--";

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([192, 0, 2, 1], port))
    }

    fn bound(port: u16) -> Socket {
        Socket {
            is_connected: false,
            port: Some(port),
        }
    }

    #[test]
    fn a_named_target_counts_alone() {
        let socket = Socket {
            is_connected: true,
            port: Some(5),
        };
        let mut source = PacketSource::choose(Some(address(1)), socket, Some(5), vec![address(2)]);
        assert!(source.accepts(Some(address(1)), b"anything"));
        assert!(!source.accepts(Some(address(2)), HANDSHAKE));
        assert!(!source.accepts(None, HANDSHAKE));
    }

    #[test]
    fn all_packets_of_a_connected_socket_count() {
        let socket = Socket {
            is_connected: true,
            port: Some(5),
        };
        let mut source = PacketSource::choose(None, socket, Some(5), vec![address(2)]);
        assert_eq!(source, PacketSource::Connected);
        assert!(source.accepts(None, b""));
    }

    #[test]
    fn announced_addresses_count_on_the_registered_port() {
        let announced = vec![address(1), address(2)];
        let mut source = PacketSource::choose(None, bound(5), Some(5), announced);
        assert!(source.accepts(Some(address(2)), HANDSHAKE));
        assert!(!source.accepts(Some(address(3)), HANDSHAKE));
    }

    #[test]
    fn the_first_speaker_counts_on_another_port() {
        let mut source = PacketSource::choose(None, bound(6), Some(5), vec![address(1)]);
        assert!(!source.accepts(Some(address(3)), b"noise"));
        assert!(source.accepts(Some(address(4)), HANDSHAKE));
        assert!(!source.accepts(Some(address(1)), HANDSHAKE));
        assert!(source.accepts(Some(address(4)), b"a game's packet"));
    }

    #[test]
    fn the_first_speaker_counts_when_nothing_is_announced() {
        let source = PacketSource::choose(None, bound(5), Some(5), Vec::new());
        assert_eq!(source, PacketSource::FirstSpeaker);
    }
}
