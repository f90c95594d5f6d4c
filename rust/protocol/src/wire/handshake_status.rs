//! The handshake's datagrams.
//!
//! A datagram is `$` and three flags: `r` read (a datagram came in), `w` written
//! (datagrams went out, always set), `x` duplex (the other side is known to have
//! read). `-` stands for a flag that is not set.

/// Length of a handshake datagram in bytes.
pub const STATUS_LENGTH: usize = 4;

/// What one side knows, and tells the other with each packet.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// A packet of the other side came in.
    pub read: bool,
    /// The other side is known to have read.
    pub duplex: bool,
}

impl Status {
    /// What the side whose socket belongs to an ENet host sends: it cannot read,
    /// so it claims that all is well and lets the joining side finish.
    pub const BLIND: Self = Self {
        read: true,
        duplex: true,
    };

    /// The status in a datagram; `None` when it is something else.
    #[must_use]
    pub fn parse(packet: &[u8]) -> Option<Self> {
        match packet {
            &[
                b'$',
                read @ (b'r' | b'-'),
                b'w' | b'-',
                duplex @ (b'x' | b'-'),
            ] => Some(Self {
                read: read == b'r',
                duplex: duplex == b'x',
            }),
            _ => None,
        }
    }

    /// The datagram that tells this status.
    #[must_use]
    pub fn packet(self) -> [u8; STATUS_LENGTH] {
        let flag = |set, letter| if set { letter } else { b'-' };
        [b'$', flag(self.read, b'r'), b'w', flag(self.duplex, b'x')]
    }
}
