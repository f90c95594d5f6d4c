//! The handshake's datagrams.
//!
//! A datagram is `$` and three flags: `r` for read (a datagram came in), `w` for written (datagrams
//! went out; always set), `x` for duplex (the other side is known to have read). `-` stands for a
//! flag that is not set.

/// Length of a handshake datagram in bytes.
pub const STATUS_LENGTH: usize = 4;

/// What one side knows, and tells the other with each datagram.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Status {
    /// A datagram of the other side came in.
    pub read: bool,
    /// The other side is known to have read.
    pub duplex: bool,
}

impl Status {
    /// The status that a side sends whose socket belongs to an ENet host: it cannot read, so it
    /// claims that all is well and lets the joining side finish.
    pub const BLIND: Self = Self {
        read: true,
        duplex: true,
    };

    /// Returns the status in a datagram, or `None` if it is something else.
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

    /// Returns the datagram with this status.
    #[must_use]
    pub fn packet(self) -> [u8; STATUS_LENGTH] {
        let flag = |set, letter| if set { letter } else { b'-' };
        [b'$', flag(self.read, b'r'), b'w', flag(self.duplex, b'x')]
    }
}
