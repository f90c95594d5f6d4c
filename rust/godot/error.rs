//! The one map from our errors to Godot's.

use std::io;

use godot::global::Error;
use noray_client::{DialError, JoinError, ReadyError, RegisterError, SendError};
use noray_player::{
    ConnectPeerError, ConnectToHostError, Failure, HostCallError, JoinCallError, KeepAliveError,
    RegisterHostError, RegisterRemoteError, SetupError,
};
use noray_protocol::{player::requests::ConnectError, wire::command::RefusalReason};
use noray_server::StartError;

/// Returns the `Error` that a game can act on.
pub(crate) fn code(failure: &Failure) -> Error {
    match failure {
        Failure::ConnectToHost(error) => connect_to_host(error),
        Failure::RegisterHost(error) => match error {
            RegisterHostError::NotConnected => Error::ERR_CONNECTION_ERROR,
            RegisterHostError::Send(error) => send(*error),
            RegisterHostError::NoAnswer => Error::ERR_TIMEOUT,
        },
        Failure::RegisterRemote(error) => register_remote(error),
        Failure::ConnectPeer(error) => match error {
            ConnectPeerError::OpenId(_) => Error::ERR_INVALID_PARAMETER,
            ConnectPeerError::NotConnected => Error::ERR_CONNECTION_ERROR,
            ConnectPeerError::Send(error) => send(*error),
            ConnectPeerError::Request { error, .. } => request(error),
        },
        Failure::KeepAlive(error) => match error {
            KeepAliveError::NoConnection => Error::ERR_INVALID_PARAMETER,
            KeepAliveError::Unregistered => Error::ERR_UNCONFIGURED,
        },
        Failure::Host(error) => match error {
            HostCallError::Setup(error) => setup(error),
            HostCallError::MaxClients(_) => Error::ERR_INVALID_PARAMETER,
            HostCallError::Cancelled => Error::ERR_SKIP,
            HostCallError::TimedOut(_) => Error::ERR_TIMEOUT,
        },
        Failure::Join(error) => match error {
            JoinCallError::Setup(error) => setup(error),
            JoinCallError::OpenId(_) | JoinCallError::OwnOpenId => Error::ERR_INVALID_PARAMETER,
            JoinCallError::Link(error) => join(error),
            JoinCallError::GameSilent => Error::ERR_UNAVAILABLE,
            JoinCallError::HostLoading(_) => Error::ERR_TIMEOUT,
        },
        Failure::Disconnected(_) | Failure::ConnectionEnded => Error::ERR_CONNECTION_ERROR,
    }
}

/// Returns the `Error` of a server that did not start.
pub(crate) fn start(error: &StartError) -> Error {
    match error {
        StartError::Config(_) => Error::ERR_INVALID_PARAMETER,
        StartError::Commands { source, .. } | StartError::Registrar { source, .. } => {
            match source.kind() {
                io::ErrorKind::AddrInUse => Error::ERR_ALREADY_IN_USE,
                _ => Error::ERR_CANT_CREATE,
            }
        }
    }
}

fn connect_to_host(error: &ConnectToHostError) -> Error {
    match error {
        ConnectToHostError::Address { .. } => Error::ERR_INVALID_PARAMETER,
        ConnectToHostError::Thread(_) => Error::ERR_CANT_CREATE,
        ConnectToHostError::Dial(error) => match **error {
            DialError::NotFound { .. } => Error::ERR_CANT_RESOLVE,
            DialError::Unreachable { .. } => Error::ERR_CONNECTION_ERROR,
            DialError::TimedOut { .. } => Error::ERR_TIMEOUT,
        },
    }
}

fn register_remote(error: &RegisterRemoteError) -> Error {
    match error {
        RegisterRemoteError::NotConnected => Error::ERR_CONNECTION_ERROR,
        RegisterRemoteError::NoPrivateId => Error::ERR_UNAUTHORIZED,
        RegisterRemoteError::Arguments { .. } => Error::ERR_INVALID_PARAMETER,
        RegisterRemoteError::PortInUse => Error::ERR_ALREADY_IN_USE,
        RegisterRemoteError::Busy => Error::ERR_BUSY,
        RegisterRemoteError::Send(error) => send(*error),
        RegisterRemoteError::Register(error) => register(error),
    }
}

/// `ERR_TIMEOUT` is for the time that the game allowed `host` or `join`, so another time-out is an
/// `ERR_CONNECTION_ERROR`.
fn setup(error: &SetupError) -> Error {
    match error {
        SetupError::Options(_) | SetupError::ServerAddress(_) => Error::ERR_INVALID_PARAMETER,
        SetupError::Hosts => Error::ERR_ALREADY_IN_USE,
        SetupError::HostRuns | SetupError::Joins => Error::ERR_BUSY,
        SetupError::Thread(_) | SetupError::Enet(_) => Error::ERR_CANT_CREATE,
        SetupError::Dial(error) => match **error {
            DialError::NotFound { .. } => Error::ERR_CANT_RESOLVE,
            DialError::Unreachable { .. } | DialError::TimedOut { .. } => {
                Error::ERR_CONNECTION_ERROR
            }
        },
        SetupError::Send(error) => send(*error),
        SetupError::Ready(ReadyError::NoIdentity) => Error::ERR_CONNECTION_ERROR,
        SetupError::Ready(ReadyError::Register(RegisterError::TimedOut { .. })) => {
            Error::ERR_CONNECTION_ERROR
        }
        SetupError::Ready(ReadyError::Register(error)) => register(error),
        SetupError::Disconnected | SetupError::Lost(_) => Error::ERR_CONNECTION_ERROR,
    }
}

fn register(error: &RegisterError) -> Error {
    match error {
        RegisterError::Socket(_) => Error::ERR_CANT_CREATE,
        RegisterError::Refused => Error::FAILED,
        RegisterError::TimedOut { .. } => Error::ERR_TIMEOUT,
        RegisterError::Disconnected => Error::ERR_CONNECTION_ERROR,
    }
}

fn send(error: SendError) -> Error {
    match error {
        SendError::Disconnected => Error::ERR_CONNECTION_ERROR,
        SendError::Full => Error::ERR_BUSY,
    }
}

fn request(error: &ConnectError) -> Error {
    match error {
        ConnectError::Refused(reason, _) => match reason {
            RefusalReason::UnknownHost => Error::ERR_DOES_NOT_EXIST,
            RefusalReason::HostUnregistered => Error::ERR_UNAVAILABLE,
            RefusalReason::PlayerUnregistered | RefusalReason::NoIdentity => {
                Error::ERR_UNAUTHORIZED
            }
            RefusalReason::RelaysFull | RefusalReason::TooManyRequests => Error::ERR_BUSY,
            RefusalReason::InvalidOpenId => Error::ERR_INVALID_PARAMETER,
            RefusalReason::Other => Error::ERR_CANT_CONNECT,
        },
        ConnectError::ServerText(_) | ConnectError::NoAnswer => Error::ERR_CANT_CONNECT,
        ConnectError::TooMany => Error::ERR_BUSY,
        ConnectError::Disconnected => Error::ERR_CONNECTION_ERROR,
        ConnectError::TimedOut(_) => Error::ERR_TIMEOUT,
    }
}

fn join(error: &JoinError) -> Error {
    match error {
        JoinError::NoSuchHost(_) => Error::ERR_DOES_NOT_EXIST,
        JoinError::HostUnreachable(_) => Error::ERR_CANT_CONNECT,
        JoinError::HostFull => Error::ERR_CANT_ACQUIRE_RESOURCE,
        JoinError::HostClosed => Error::ERR_LOCKED,
        JoinError::Cancelled => Error::ERR_SKIP,
        JoinError::TimedOut(_) => Error::ERR_TIMEOUT,
        JoinError::ServerSilent(_) => Error::ERR_CONNECTION_ERROR,
    }
}
