//! What the player's effects act on.

use godot::{
    builtin::{Callable, Signal, varray},
    classes::{ENetMultiplayerPeer, Object},
    obj::Gd,
};
use noray_client::{Connection, Link, PeerEvent, SendError};
use noray_player::{CallId, Command, EnetPeer, LinkCommand};

use crate::{enet, request::Request};

const ENTERED_SIGNAL: &str = "peer_connected";
const LEFT_SIGNAL: &str = "peer_disconnected";

/// The connection, the link, the calls that scripts await, and the ENet peers that are not handed
/// over yet.
#[derive(Default)]
pub(crate) struct Handles {
    pub(crate) connection: Option<Connection>,
    pub(crate) link: Option<Link>,
    calls: Vec<(CallId, Request)>,
    last_call: u64,
    /// ENet peers that a call is to give to the game.
    peers: Vec<Gd<ENetMultiplayerPeer>>,
    server: Option<WatchedServer>,
}

/// An ENet server whose peers are told of.
struct WatchedServer {
    enet: EnetPeer,
    entered: Callable,
    left: Callable,
}

impl Handles {
    /// Returns a fresh call, and the signal that its method returns.
    pub(crate) fn begin_call(&mut self) -> (CallId, Signal) {
        let (request, signal) = Request::new();
        self.last_call += 1;
        let call = CallId(self.last_call);
        self.calls.push((call, request));
        (call, signal)
    }

    /// Takes a call in order to end it.
    pub(crate) fn take_call(&mut self, call: CallId) -> Option<Request> {
        let index = self.calls.iter().position(|(known, _)| *known == call)?;
        Some(self.calls.swap_remove(index).1)
    }

    /// Returns whether a script awaits a call that has not ended.
    pub(crate) fn is_awaited(&self, call: CallId) -> bool {
        let mut calls = self.calls.iter();
        calls.any(|(known, request)| *known == call && request.is_awaited())
    }

    /// Holds an ENet peer until it is taken.
    pub(crate) fn hold(&mut self, peer: Gd<ENetMultiplayerPeer>) {
        self.peers.push(peer);
    }

    /// Returns an ENet peer that is held.
    pub(crate) fn held(&self, enet: EnetPeer) -> Option<Gd<ENetMultiplayerPeer>> {
        let mut peers = self.peers.iter();
        peers.find(|peer| enet::id(peer) == enet).cloned()
    }

    /// Takes an ENet peer that is held.
    pub(crate) fn take(&mut self, enet: EnetPeer) -> Option<Gd<ENetMultiplayerPeer>> {
        let index = self.peers.iter().position(|peer| enet::id(peer) == enet)?;
        Some(self.peers.swap_remove(index))
    }

    /// Lets these methods of `object` hear of the server's peers; each gets the server's id too.
    pub(crate) fn watch_server(
        &mut self,
        object: &Gd<Object>,
        entered_method: &str,
        left_method: &str,
        server: &mut Gd<ENetMultiplayerPeer>,
    ) {
        let enet = enet::id(server);
        let bound = |method| Callable::from_object_method(object, method).bindv(&varray![enet.0]);
        let (entered, left) = (bound(entered_method), bound(left_method));
        server.connect(ENTERED_SIGNAL, &entered);
        server.connect(LEFT_SIGNAL, &left);
        self.server = Some(WatchedServer {
            enet,
            entered,
            left,
        });
    }

    /// Lets nobody hear of the server's peers any longer.
    pub(crate) fn forget_server(&mut self, enet: EnetPeer) {
        let Some(server) = self.server.take_if(|server| server.enet == enet) else {
            return;
        };
        if let Some(mut peer) = enet::live_peer(enet) {
            peer.disconnect(ENTERED_SIGNAL, &server.entered);
            peer.disconnect(LEFT_SIGNAL, &server.left);
        }
    }

    /// Sends a command on the connection.
    pub(crate) fn send(&self, command: &Command) -> Result<(), SendError> {
        let connection = self.connection.as_ref().ok_or(SendError::Disconnected)?;
        match command {
            Command::RegisterHost => connection.register_host(),
            Command::RegisterRemote(pid, options) => {
                connection.register_remote(pid.clone(), *options)
            }
            Command::ConnectPeer(kind, oid) => connection.connect(*kind, oid.clone()),
            Command::UseLink { registrar_port } => {
                let link = self.link.as_ref().ok_or(SendError::Disconnected)?;
                connection.use_link(link.handle(), *registrar_port)
            }
        }
    }

    /// Tells the link.
    pub(crate) fn tell_link(&self, command: LinkCommand) {
        let Some(link) = &self.link else { return };
        match command {
            LinkCommand::Host(options) => link.host(options),
            LinkCommand::StopHosting => link.stop_hosting(),
            LinkCommand::SetClosed(is_closed) => link.set_closed(is_closed),
            LinkCommand::Join(options) => link.join(options),
            LinkCommand::CancelJoin => link.cancel_join(),
            LinkCommand::ConnectEnet(peer, port) => link.connect_enet(peer, port),
            LinkCommand::Release(peer) => link.release(peer),
        }
    }

    /// Returns the link's next event.
    pub(crate) fn next_link_event(&mut self) -> Option<PeerEvent> {
        self.link.as_mut()?.next_event()
    }
}
