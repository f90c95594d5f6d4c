//! What passes between the link's task and those who hold a handle.

use std::net::SocketAddr;

use noray_protocol::{
    player::{
        link::{PeerId, ServerKind},
        requests::ConnectFailure,
    },
    wire::{
        check::PathKind,
        command::ConnectKind,
        id::{OpenId, PrivateId},
    },
};
use tokio::sync::mpsc;

use super::options::{HostOptions, JoinOptions};
use crate::registrar::RegisterError;

/// A call of the game, or of the connection that serves the link.
#[derive(Debug)]
pub(super) enum Command {
    Host(HostOptions),
    StopHosting,
    SetClosed(bool),
    Join(JoinOptions),
    CancelJoin,
    ConnectEnet(PeerId, u16),
    Release(PeerId),
    Attach(mpsc::Sender<LinkMessage>),
    Register {
        registrar: SocketAddr,
        pid: PrivateId,
        /// The local port from which this PrivateID is registered already.
        port: Option<u16>,
    },
    SetServer(Option<ServerKind>),
    SetIdentity(OpenId),
    Announced(PathKind, SocketAddr),
    RequestFailed(ConnectFailure),
}

/// What the link tells the connection that it is attached to.
#[derive(Debug)]
pub(crate) enum LinkMessage {
    /// Request that the server connects this player with the host.
    Request(ConnectKind, OpenId),
    /// A registration ended; on success with the local port.
    Registered(Result<u16, RegisterError>),
    /// The registered address may have changed.
    AddressInDoubt,
    /// Whether the player hosts: said when the connection is attached, and at each change.
    Hosting(bool),
}
