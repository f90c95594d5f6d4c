//! What the handle tells the connection's task.

use noray_protocol::wire::{
    command::ConnectKind,
    id::{OpenId, PrivateId},
};

use super::options::RegisterOptions;
use crate::link::LinkHandle;

/// A call of the game.
#[derive(Debug)]
pub(super) enum Command {
    RegisterHost,
    Connect(ConnectKind, OpenId),
    RegisterRemote(PrivateId, RegisterOptions),
    UseLink {
        link: LinkHandle,
        registrar_port: u16,
    },
}
