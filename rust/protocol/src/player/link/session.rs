//! What the checks of one session have in common.

use crate::wire::check::{Check, Key, SessionId, Side, UnprovenCheck};

/// A session, as one of its two sides sees it.
#[derive(Clone, Copy, Debug)]
pub(super) struct Session {
    pub(super) id: SessionId,
    /// Our side.
    pub(super) side: Side,
    /// The key of the host's OpenID.
    pub(super) key: Key,
}

/// A check of the other side, or one of ours that came back.
pub(super) enum Proof {
    Theirs(Check),
    Reflected,
    Invalid,
}

impl Session {
    /// Tells whose check it is.
    pub(super) fn prove(&self, check: &UnprovenCheck) -> Proof {
        if let Some(check) = check.prove(&self.key, self.side.other()) {
            Proof::Theirs(check)
        } else if check.prove(&self.key, self.side).is_some() {
            Proof::Reflected
        } else {
            Proof::Invalid
        }
    }

    /// Returns the bytes of a check of ours.
    pub(super) fn encode(&self, check: &Check) -> Vec<u8> {
        check.encode(&self.key, self.side).to_vec()
    }
}
