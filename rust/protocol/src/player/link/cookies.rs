//! Questions to addresses that have proven nothing, without remembering any of them.
//!
//! A question is a number that only this link can compute again, from the address and the session.
//! Whoever sends it back receives what is sent to that address. So a flood of datagrams with forged
//! senders costs no memory, and each forged sender gets one datagram for one.

use std::{
    fmt,
    hash::{Hash, Hasher},
    net::SocketAddr,
    time::Instant,
};

use siphasher::sip::SipHasher24;

use super::{session::Session, transmit::Transmit};
use crate::{
    defaults::COOKIE_TIME,
    wire::{
        check::{Check, Note, SessionId},
        handshake_status::Status,
    },
};

pub(super) struct Cookies {
    /// Known to nobody else.
    secret: [u8; 16],
    began: Option<Instant>,
}

impl fmt::Debug for Cookies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Cookies(…)")
    }
}

impl Cookies {
    pub(super) fn new(secret: [u8; 16]) -> Self {
        Self {
            secret,
            began: None,
        }
    }

    /// Returns whether a check from an address that has not proven itself does so now, by answering
    /// an earlier question. If it does not, but asks a question itself, it is asked one.
    pub(super) fn proves_address(
        &mut self,
        now: Instant,
        from: SocketAddr,
        session: &Session,
        check: &Check,
        out: &mut Vec<Transmit>,
    ) -> bool {
        let began = *self.began.get_or_insert(now);
        let turn = now.saturating_duration_since(began).as_secs() / COOKIE_TIME.as_secs();
        let valid = [Some(turn), turn.checked_sub(1)];
        if valid
            .into_iter()
            .flatten()
            .any(|turn| self.number(turn, from, session.id) == check.answer)
        {
            return true;
        }
        if check.question != 0 {
            let reply = Check {
                status: Status {
                    read: true,
                    duplex: false,
                },
                note: Note::None,
                question: self.number(turn, from, session.id),
                answer: check.question,
                ..*check
            };
            out.push(Transmit::new(from, &session.encode(&reply)));
        }
        false
    }

    /// Never 0, which stands for no question.
    fn number(&self, turn: u64, from: SocketAddr, session: SessionId) -> u32 {
        let mut hasher = SipHasher24::new_with_key(&self.secret);
        (turn, from, session).hash(&mut hasher);
        u32::try_from(hasher.finish() >> 32)
            .unwrap_or_default()
            .max(1)
    }
}
