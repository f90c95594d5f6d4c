//! The datagrams with which two links check the paths between them.
//!
//! ```text
//! $rwx;<50 hex digits>
//! ```
//!
//! The first four bytes are a [handshake datagram](crate::wire::handshake_status) with the status
//! of the path. The rest contains none of its letters, so that a peer that knows only the handshake
//! reads the whole as one. A check cannot be mistaken for a packet of ENet's: as one, it would be
//! for a peer beyond the 1,134th, and lack the proof.
//!
//! The digits encode: version, note and path kind (1 byte), the session (8), a question and an
//! answer (4 each, big endian, 0 for none), and the proof (8). A question is any number; whoever
//! receives it sends it back as the answer, to the address that it came from. The answer proves
//! that both directions of that path work.
//!
//! The proof is SipHash-2-4 over everything before it and the sender's side, with the host's OpenID
//! as the key: only those who know the OpenID, and so may ask the server to connect them, can make
//! a proof. The side keeps a check from being sent back to its own sender.

use std::{fmt, hash::Hasher};

use siphasher::sip::SipHasher24;
use siphasher::sip128::{Hasher128, SipHasher24 as SipHasher24Wide};

use crate::wire::{
    handshake_status::{STATUS_LENGTH, Status},
    id::OpenId,
};

/// Length of a check in bytes.
pub const CHECK_LENGTH: usize = STATUS_LENGTH + 1 + 2 * BODY;

/// Bytes before the proof.
const SIGNED: usize = 17;
/// Bytes that the digits encode.
const BODY: usize = SIGNED + 8;
const SEPARATOR: u8 = b';';
/// In the upper half of the first byte. A peer of another version counts as one that knows only the
/// handshake.
const VERSION: u8 = 1;
/// Tells our keys apart from those that another program could derive from OpenIDs.
const DOMAIN: [u8; 16] = *b"noray link key 1";

/// The kinds of paths between two players, the best first.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum PathKind {
    /// Within the local network.
    Lan,
    /// To the outside address of the peer's router.
    Direct,
    /// Through the noray server.
    Relay,
}

/// Names a session of a host and a joining player, whatever addresses they use. The joining player
/// chooses it at random.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct SessionId(pub [u8; 8]);

/// A side of a session.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Side {
    /// The player who hosts.
    Hosting,
    /// The player who joins.
    Joining,
}

impl Side {
    /// Returns the other side.
    #[must_use]
    pub fn other(self) -> Self {
        match self {
            Self::Hosting => Self::Joining,
            Self::Joining => Self::Hosting,
        }
    }
}

/// What a check says in addition.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Note {
    /// Nothing.
    None,
    /// The host has no place left.
    Full,
    /// The sender has left the session.
    Bye,
    /// The host takes no new players at present. A player that does not know it takes the host for
    /// one that does not answer.
    Closed,
}

/// A key that is derived from a host's OpenID.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Key([u8; 16]);

impl Key {
    /// Returns the key of the host with this OpenID.
    #[must_use]
    pub fn new(oid: &OpenId) -> Self {
        let mut hasher = SipHasher24Wide::new_with_key(&DOMAIN);
        hasher.write(oid.as_str().as_bytes());
        Self(hasher.finish128().as_bytes())
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Key(…)")
    }
}

/// A check, with or without a question and an answer.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Check {
    /// What the sender knows of the path that it sends this on.
    pub status: Status,
    /// What else it says.
    pub note: Note,
    /// The kind of path that the sender takes it for.
    pub kind: PathKind,
    /// The session that it belongs to.
    pub session: SessionId,
    /// A number to send back as [`Self::answer`]; 0 for none.
    pub question: u32,
    /// The question that this answers; 0 for none.
    pub answer: u32,
}

impl Check {
    /// Returns the bytes to send.
    #[must_use]
    pub fn encode(&self, key: &Key, side: Side) -> [u8; CHECK_LENGTH] {
        let mut body = [0; BODY];
        body[0] = VERSION << 4 | self.note.code() << 2 | self.kind.code();
        body[1..9].copy_from_slice(&self.session.0);
        body[9..13].copy_from_slice(&self.question.to_be_bytes());
        body[13..17].copy_from_slice(&self.answer.to_be_bytes());
        let proof = prove(key, side, &self.status.packet(), &body[..SIGNED]);
        body[SIGNED..].copy_from_slice(&proof);

        let mut bytes = [SEPARATOR; CHECK_LENGTH];
        bytes[..STATUS_LENGTH].copy_from_slice(&self.status.packet());
        for (digits, byte) in bytes[STATUS_LENGTH + 1..].chunks_exact_mut(2).zip(body) {
            digits.copy_from_slice(&[digit(byte >> 4), digit(byte & 0xf)]);
        }
        bytes
    }
}

/// A check whose proof has not been verified.
#[derive(Clone, Copy, Debug)]
pub struct UnprovenCheck {
    check: Check,
    packet: [u8; STATUS_LENGTH],
    signed: [u8; SIGNED],
    proof: [u8; 8],
}

impl UnprovenCheck {
    /// Reads a check. Returns `None` if the bytes are something else, or of another version.
    #[must_use]
    pub fn parse(bytes: &[u8]) -> Option<Self> {
        if bytes.len() != CHECK_LENGTH || bytes[STATUS_LENGTH] != SEPARATOR {
            return None;
        }
        let packet = *bytes.first_chunk()?;
        let status = Status::parse(&packet)?;
        let mut body = [0; BODY];
        for (byte, digits) in body
            .iter_mut()
            .zip(bytes[STATUS_LENGTH + 1..].chunks_exact(2))
        {
            *byte = value(digits[0])? << 4 | value(digits[1])?;
        }
        if body[0] >> 4 != VERSION {
            return None;
        }
        let mut signed = [0; SIGNED];
        signed.copy_from_slice(&body[..SIGNED]);
        let mut proof = [0; 8];
        proof.copy_from_slice(&body[SIGNED..]);
        let mut session = [0; 8];
        session.copy_from_slice(&body[1..9]);
        let number =
            |at: usize| u32::from_be_bytes([body[at], body[at + 1], body[at + 2], body[at + 3]]);
        Some(Self {
            check: Check {
                status,
                note: Note::from_code(body[0] >> 2 & 3)?,
                kind: PathKind::from_code(body[0] & 3)?,
                session: SessionId(session),
                question: number(9),
                answer: number(13),
            },
            packet,
            signed,
            proof,
        })
    }

    /// Returns the session that the check claims to belong to.
    #[must_use]
    pub fn session(&self) -> SessionId {
        self.check.session
    }

    /// Returns the check if its sender knows the key and is on this side.
    #[must_use]
    pub fn prove(&self, key: &Key, side: Side) -> Option<Check> {
        let proof = prove(key, side, &self.packet, &self.signed);
        (proof == self.proof).then_some(self.check)
    }
}

fn prove(key: &Key, side: Side, status: &[u8; STATUS_LENGTH], signed: &[u8]) -> [u8; 8] {
    let mut hasher = SipHasher24::new_with_key(&key.0);
    hasher.write(status);
    hasher.write(&[side.code()]);
    hasher.write(signed);
    hasher.finish().to_be_bytes()
}

/// Returns a hex digit. None of them is a letter of the handshake's.
fn digit(value: u8) -> u8 {
    b"0123456789abcdef"[usize::from(value & 0xf)]
}

fn value(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        _ => None,
    }
}

impl Side {
    fn code(self) -> u8 {
        match self {
            Self::Hosting => 0,
            Self::Joining => 1,
        }
    }
}

impl PathKind {
    fn code(self) -> u8 {
        match self {
            Self::Lan => 0,
            Self::Direct => 1,
            Self::Relay => 2,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::Lan, Self::Direct, Self::Relay]
            .into_iter()
            .find(|kind| kind.code() == code)
    }
}

impl Note {
    fn code(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Full => 1,
            Self::Bye => 2,
            Self::Closed => 3,
        }
    }

    fn from_code(code: u8) -> Option<Self> {
        [Self::None, Self::Full, Self::Bye, Self::Closed]
            .into_iter()
            .find(|note| note.code() == code)
    }
}
