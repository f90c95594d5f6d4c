//! What a connection does for a link: it gets an identity, has the link register it, and sends the
//! link's requests.

use std::net::{IpAddr, SocketAddr};

use noray_protocol::{
    player::{link::ServerKind, requests::ConnectFailure},
    wire::{check::PathKind, command::ConnectKind, id::OpenId},
};
use tokio::sync::mpsc;

use super::identity::Identity;
use crate::{
    defaults::LINK_MESSAGE_QUEUE,
    link::{LinkHandle, LinkMessage},
};

/// The stage of the setup.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Stage {
    /// The server has not given an identity.
    NeedsIdentity,
    /// The link registers the identity.
    Registering,
    /// The player can host and join.
    Ready,
    /// The server gave no identity, or the registrar did not accept it.
    Failed,
}

/// The link that a connection serves, and how far it is.
#[derive(Debug)]
pub(super) struct LinkSetup {
    link: LinkHandle,
    registrar_port: u16,
    messages: mpsc::Receiver<LinkMessage>,
    pub(super) stage: Stage,
    /// The identity that the link last used. After a broken connection it is resumed, so that an
    /// OpenID which players have shared stays valid.
    former: Option<Identity>,
    /// Whether the player hosts with the link, once that is known.
    pub(super) hosts: Option<bool>,
    /// The link's requests that have no answer yet.
    requests: Vec<(ConnectKind, OpenId)>,
}

impl LinkSetup {
    /// Begins the setup. `former` is the identity to resume, if there was one.
    pub(super) fn new(link: LinkHandle, registrar_port: u16, former: Option<Identity>) -> Self {
        let (sender, messages) = mpsc::channel(LINK_MESSAGE_QUEUE);
        link.attach(sender);
        Self {
            link,
            registrar_port,
            messages,
            stage: Stage::NeedsIdentity,
            former,
            hosts: None,
            requests: Vec::new(),
        }
    }

    pub(super) fn link(&self) -> &LinkHandle {
        &self.link
    }

    /// Whether this is the setup of `link`.
    pub(super) fn is_for(&self, link: &LinkHandle) -> bool {
        self.link.is_same(link)
    }

    /// Whether the link registers at this port of the server.
    pub(super) fn registers_at(&self, registrar_port: u16) -> bool {
        self.registrar_port == registrar_port
    }

    /// Waits for what the link says; `None` when the game has dropped the link.
    pub(super) async fn next_message(&mut self) -> Option<LinkMessage> {
        self.messages.recv().await
    }

    /// Starts over: the next connection needs an identity of its own.
    pub(super) fn connection_lost(&mut self) {
        self.link.set_server(None);
        self.stage = Stage::NeedsIdentity;
        self.requests.clear();
    }

    /// Returns the identity to resume. It is kept until the link has another: the next connection
    /// may break as well before the server has given it back.
    pub(super) fn former(&self) -> Option<Identity> {
        self.former.clone()
    }

    /// Has the link register `identity`, or take over the local port that is registered already.
    pub(super) fn register(&mut self, server: IpAddr, identity: &Identity, port: Option<u16>) {
        self.stage = Stage::Registering;
        self.former = Some(identity.clone());
        self.link.set_identity(identity.oid.clone());
        let registrar = SocketAddr::new(server, self.registrar_port);
        self.link.register(registrar, identity.pid.clone(), port);
    }

    /// Has the link register its new address for the identity that it has.
    pub(super) fn register_new_address(&self, server: IpAddr, identity: &Identity) {
        let registrar = SocketAddr::new(server, self.registrar_port);
        self.link.register(registrar, identity.pid.clone(), None);
    }

    /// The link is registered: it can send requests.
    pub(super) fn set_ready(&mut self, server: ServerKind) {
        self.stage = Stage::Ready;
        self.link.set_server(Some(server));
    }

    /// Notes that a request of the link was sent.
    pub(super) fn request_sent(&mut self, kind: ConnectKind, oid: OpenId) {
        self.requests.push((kind, oid));
    }

    /// Passes on what the server announced. It may answer a request of the link.
    pub(super) fn announce(&mut self, kind: ConnectKind, address: SocketAddr) {
        self.remove_request(|(sent, _)| *sent == kind);
        let path = match kind {
            ConnectKind::Nat => PathKind::Direct,
            ConnectKind::Relay => PathKind::Relay,
        };
        self.link.announced(path, address);
    }

    /// Passes the failure on if the request was the link's, and returns any other.
    pub(super) fn take_failure(&mut self, failure: ConnectFailure) -> Option<ConnectFailure> {
        let is_ours =
            self.remove_request(|(kind, oid)| *kind == failure.kind && oid.as_str() == failure.oid);
        if !is_ours {
            return Some(failure);
        }
        self.link.request_failed(failure);
        None
    }

    /// Removes the oldest request that matches, and returns whether there was one.
    fn remove_request(&mut self, matches: impl Fn(&(ConnectKind, OpenId)) -> bool) -> bool {
        let index = self.requests.iter().position(matches);
        index.is_some_and(|index| {
            self.requests.remove(index);
            true
        })
    }
}
