//! Questions to addresses that have proven nothing, without remembering any of them.
//!
//! The question is a number that only this link can work out again, from the address and the
//! session. Who sends it back receives what is sent to that address. So a flood of datagrams with
//! forged senders costs no memory, and brings each forged sender one datagram for one.

use std::{
    hash::{BuildHasher, RandomState},
    net::SocketAddr,
    time::Instant,
};

use super::transmit::Transmit;
use crate::wire::check::{Check, Key, Note, SessionId, Side};
use crate::{defaults::COOKIE_TIME, wire::handshake_status::Status};

#[derive(Debug, Default)]
pub(super) struct Cookies {
    /// Keys that nobody else knows.
    secret: RandomState,
    began: Option<Instant>,
}

impl Cookies {
    /// Takes a datagram with proof from an address that has not proven itself. Whether it does so
    /// now, by the answer to an earlier question; else it is asked one, if it asked one itself.
    pub(super) fn ask(
        &mut self,
        now: Instant,
        from: SocketAddr,
        key: &Key,
        side: Side,
        datagram: &Check,
        out: &mut Vec<Transmit>,
    ) -> bool {
        let began = *self.began.get_or_insert(now);
        let turn = now.saturating_duration_since(began).as_secs() / COOKIE_TIME.as_secs();
        let number = |turn| self.number(turn, from, datagram.session);
        let valid = [Some(turn), turn.checked_sub(1)];
        if valid
            .into_iter()
            .flatten()
            .map(number)
            .any(|valid| valid == datagram.answer)
        {
            return true;
        }
        if datagram.question != 0 {
            let reply = Check {
                status: Status {
                    read: true,
                    duplex: false,
                },
                note: Note::None,
                question: number(turn),
                answer: datagram.question,
                ..*datagram
            };
            out.push(Transmit::new(from, &reply.encode(key, side)));
        }
        false
    }

    /// Never 0, which stands for no question.
    fn number(&self, turn: u64, from: SocketAddr, session: SessionId) -> u32 {
        let hash = self.secret.hash_one((turn, from, session));
        u32::try_from(hash >> 32).unwrap_or_default().max(1)
    }
}
