//! The identity that a server gives, and the requests for one.

use std::{
    collections::VecDeque,
    time::{Duration, Instant},
};

use noray_protocol::{
    defaults::LONGEST_WAIT,
    wire::id::{OpenId, PrivateId},
};

/// An OpenID and its PrivateID.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Identity {
    /// The OpenID.
    pub oid: OpenId,
    /// Its PrivateID.
    pub pid: PrivateId,
}

/// The `register-host` requests of one connection, and what the server answered.
#[derive(Debug)]
pub(super) struct IdentityRequests {
    answer_timeout: Duration,
    /// When each open request times out, the oldest first.
    deadlines: VecDeque<Instant>,
    /// The latest OpenID; its PrivateID follows in a line of its own.
    oid: Option<OpenId>,
    identity: Option<Identity>,
}

impl IdentityRequests {
    pub(super) fn new(answer_timeout: Duration) -> Self {
        Self {
            answer_timeout,
            deadlines: VecDeque::new(),
            oid: None,
            identity: None,
        }
    }

    /// Notes that a request is sent at `now`.
    pub(super) fn sent(&mut self, now: Instant) {
        self.deadlines
            .push_back(now + self.answer_timeout.min(LONGEST_WAIT));
    }

    /// Whether a request waits for its answer.
    pub(super) fn is_pending(&self) -> bool {
        !self.deadlines.is_empty()
    }

    /// Takes the text of `set-oid`.
    pub(super) fn set_open_id(&mut self, oid: &str) {
        self.oid = OpenId::new(oid).ok();
    }

    /// Takes the PrivateID of `set-pid`, which answers the oldest request.
    pub(super) fn set_private_id(&mut self, pid: &PrivateId) {
        self.deadlines.pop_front();
        self.identity = self.oid.clone().map(|oid| Identity {
            oid,
            pid: pid.clone(),
        });
    }

    /// Returns the player's identity on this connection, once the server has given one.
    pub(super) fn identity(&self) -> Option<&Identity> {
        self.identity.as_ref()
    }

    /// Gives the identity up; the next one has to be requested.
    pub(super) fn forget(&mut self) {
        self.identity = None;
    }

    /// When the oldest request times out.
    pub(super) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.front().copied()
    }

    /// Removes the oldest request if it has timed out, and returns whether it had.
    pub(super) fn expire(&mut self, now: Instant) -> bool {
        self.deadlines
            .pop_front_if(|deadline| now >= *deadline)
            .is_some()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TIMEOUT: Duration = Duration::from_secs(5);

    fn pid(text: &str) -> PrivateId {
        PrivateId::new(text).unwrap()
    }

    #[test]
    fn an_identity_is_an_open_id_and_the_private_id_that_follows_it() {
        let mut requests = IdentityRequests::new(TIMEOUT);
        requests.sent(Instant::now());
        requests.set_open_id("alice");
        assert!(requests.identity().is_none() && requests.is_pending());
        requests.set_private_id(&pid("secret"));
        let identity = requests.identity().unwrap();
        assert_eq!(
            (identity.oid.as_str(), &identity.pid),
            ("alice", &pid("secret"))
        );
        assert!(!requests.is_pending());

        // The next OpenID belongs to a PrivateID that is yet to come.
        requests.set_open_id("bob");
        assert_eq!(requests.identity().unwrap().oid.as_str(), "alice");
        requests.forget();
        assert!(requests.identity().is_none());
        requests.set_private_id(&pid("another"));
        assert_eq!(requests.identity().unwrap().oid.as_str(), "bob");
    }

    #[test]
    fn each_request_times_out_by_itself() {
        let start = Instant::now();
        let later = start + Duration::from_secs(1);
        let mut requests = IdentityRequests::new(TIMEOUT);
        requests.sent(start);
        requests.sent(later);
        assert_eq!(requests.next_deadline(), Some(start + TIMEOUT));
        assert!(requests.expire(start + TIMEOUT));
        assert!(!requests.expire(start + TIMEOUT));
        assert_eq!(requests.next_deadline(), Some(later + TIMEOUT));
        requests.set_open_id("alice");
        requests.set_private_id(&pid("secret"));
        assert_eq!(requests.next_deadline(), None);
    }

    #[test]
    fn a_time_out_beyond_the_clock_is_a_long_one() {
        let mut requests = IdentityRequests::new(Duration::MAX);
        requests.sent(Instant::now());
        assert!(requests.is_pending() && !requests.expire(Instant::now()));
    }
}
