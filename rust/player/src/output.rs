//! What the game sees: the properties, the last failure, and the effects.

use std::rc::Rc;

use noray_protocol::wire::id::PrivateId;
use tracing::{info, warn};

use crate::{
    calls::CallId,
    effect::{Answer, Deferred, Effect, LinkCommand, Signal, Step, Turns},
    failure::{Failed, Failure},
};

/// What the game sees of this player.
#[derive(Default, Debug)]
pub(crate) struct Output {
    pub(crate) server_info: ServerInfo,
    pub(crate) last_failure: Option<Failed>,
    pub(crate) last_sentence: String,
    pub(crate) turns: Turns,
}

/// What the server gave, or knows.
#[derive(Default, Debug)]
pub(crate) struct ServerInfo {
    /// Empty when the server has given none.
    pub(crate) oid: String,
    pub(crate) pid: Option<PrivateId>,
    /// The UDP port that is registered.
    pub(crate) local_port: Option<u16>,
    /// Empty when the server did not introduce itself.
    pub(crate) server_version: String,
}

impl ServerInfo {
    pub(crate) fn pid_text(&self) -> &str {
        self.pid.as_ref().map_or("", PrivateId::reveal)
    }
}

impl Output {
    pub(crate) fn push(&mut self, effect: Effect) {
        self.turns.push(Step::Effect(effect));
    }

    pub(crate) fn defer(&mut self, step: Deferred) {
        self.turns.push(Step::Deferred(step));
    }

    pub(crate) fn emit(&mut self, signal: Signal) {
        self.push(Effect::Emit(signal));
    }

    pub(crate) fn link(&mut self, command: LinkCommand) {
        self.push(Effect::Link(command));
    }

    pub(crate) fn end(&mut self, call: CallId, answer: Answer) {
        self.push(Effect::EndCall(call, answer));
    }

    pub(crate) fn end_later(&mut self, call: CallId, answer: Answer) {
        self.push(Effect::EndCallLater(call, answer));
    }

    /// Keeps a failure for the game and the log.
    pub(crate) fn fail(&mut self, failure: impl Into<Failure>) -> Failed {
        self.keep(failure.into())
    }

    fn keep(&mut self, failure: Failure) -> Failed {
        let report = failure.report(self.server_info.pid_text());
        if failure.is_cancelled() {
            info!("{report}");
        } else {
            warn!("{report}");
        }
        let sentence = failure.sentence(self.server_info.pid_text());
        let failed = Rc::new(failure);
        self.last_failure = Some(Rc::clone(&failed));
        self.last_sentence = sentence;
        failed
    }

    /// A call has succeeded: no failure is the last.
    pub(crate) fn succeed(&mut self) {
        self.last_failure = None;
        self.last_sentence.clear();
    }

    /// A call ends: its own failure is the last, or none is.
    pub(crate) fn note_end(&mut self, answer: &Answer) {
        match answer {
            Answer::Ok | Answer::Peer(_) => self.succeed(),
            Answer::Failed(failed) | Answer::Null(failed) => {
                self.last_sentence = failed.sentence(self.server_info.pid_text());
                self.last_failure = Some(Rc::clone(failed));
            }
        }
    }

    /// Wakes whoever awaits an identity that will not come.
    pub(crate) fn emit_no_identity(&mut self) {
        self.emit(Signal::OpenId(String::new()));
        self.emit(Signal::PrivateId(None));
    }
}
