//! What a connection does for the game that its link carries: an identity, its registration, and
//! requests for the link's joins.

use noray_protocol::{
    player::requests::ConnectFailure,
    wire::{
        command::ConnectKind,
        id::{OpenId, PrivateId},
    },
};
use tokio::sync::mpsc;

use crate::{
    defaults::LINK_MESSAGE_QUEUE,
    link::{LinkHandle, ToConnection},
};

/// How far it is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Stage {
    /// The server has not given an identity.
    NeedsIdentity,
    /// The identity's address is being registered.
    Registering,
    /// All is done.
    Ready,
    /// The server did not do its part.
    Failed,
}

#[derive(Debug)]
pub(crate) struct Play {
    pub(crate) link: LinkHandle,
    pub(crate) registrar_port: u16,
    pub(crate) messages: mpsc::Receiver<ToConnection>,
    pub(crate) stage: Stage,
    /// What the server gave; asked for again after a broken connection, so that an OpenID which
    /// players have shared stays good.
    pub(crate) identity: Option<(OpenId, PrivateId)>,
    /// The link's requests that have no answer yet.
    asks: Vec<(ConnectKind, OpenId)>,
}

impl Play {
    pub(crate) fn new(link: LinkHandle, registrar_port: u16) -> Self {
        let (sender, messages) = mpsc::channel(LINK_MESSAGE_QUEUE);
        link.attach(sender);
        Self {
            link,
            registrar_port,
            messages,
            stage: Stage::NeedsIdentity,
            identity: None,
            asks: Vec::new(),
        }
    }

    /// The connection is lost; the next one begins anew.
    pub(crate) fn begin_again(&mut self) {
        self.link.set_server(None);
        self.stage = Stage::NeedsIdentity;
        self.asks.clear();
    }

    pub(crate) fn asked(&mut self, kind: ConnectKind, oid: OpenId) {
        self.asks.push((kind, oid));
    }

    /// The server answered a request of this kind; perhaps the link's.
    pub(crate) fn answered(&mut self, kind: ConnectKind) {
        if let Some(index) = self.asks.iter().position(|ask| ask.0 == kind) {
            self.asks.remove(index);
        }
    }

    /// Takes the failure of a request of the link's; gives back any other.
    pub(crate) fn take_failure(&mut self, failure: ConnectFailure) -> Option<ConnectFailure> {
        let ours = self
            .asks
            .iter()
            .position(|(kind, oid)| *kind == failure.kind && oid.as_str() == failure.oid);
        let Some(index) = ours else {
            return Some(failure);
        };
        self.asks.remove(index);
        self.link.refused(failure);
        None
    }

    /// Tells the link that a request cannot even be sent.
    pub(crate) fn refuse(&self, failure: ConnectFailure) {
        self.link.refused(failure);
    }
}
