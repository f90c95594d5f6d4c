//! Typed commands, as the player's side and the server's side read and write them.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use crate::wire::{
    framing::Framing,
    id::{OpenId, OpenIdError, PrivateId},
};

/// The two ways in which a server connects players.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ConnectKind {
    /// `connect`: both players get each other's external address.
    Nat,
    /// `connect-relay`: both players get a port on the server.
    Relay,
}

impl ConnectKind {
    /// The command's name on the wire.
    #[must_use]
    pub fn command(self) -> &'static str {
        match self {
            Self::Nat => "connect",
            Self::Relay => "connect-relay",
        }
    }

    fn from_command(name: &str) -> Option<Self> {
        [Self::Nat, Self::Relay]
            .into_iter()
            .find(|kind| kind.command() == name)
    }
}

/// The name of our own command for an identity that shall be given back.
const RESUME: &str = "resume-host";

/// What a player asks of a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlayerCommand {
    /// `register-host`: give me an OpenID and a PrivateID.
    RegisterHost,
    /// `resume-host <oid> <pid>`: I had this identity before my connection broke, let me have it
    /// again. Goes out in one write with a `register-host`, which alone counts for servers that do
    /// not know this, or will not; one that gives the identity back passes over that.
    ResumeHost(OpenId, PrivateId),
    /// `connect <oid>` or `connect-relay <oid>`.
    Connect(ConnectKind, Result<OpenId, OpenIdError>),
    /// `echo <text>`: send it back.
    Echo(String),
    /// Anything else, which servers pass over.
    Unknown,
}

impl PlayerCommand {
    /// Reads a line that a player sent.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        let (name, data) = line.split_once(' ').unwrap_or((line, ""));
        match name {
            "register-host" => Self::RegisterHost,
            RESUME => data
                .split_once(' ')
                .and_then(|(oid, pid)| Some((OpenId::new(oid).ok()?, PrivateId::new(pid)?)))
                .map_or(Self::Unknown, |(oid, pid)| Self::ResumeHost(oid, pid)),
            "echo" => Self::Echo(data.to_owned()),
            _ => match ConnectKind::from_command(name) {
                Some(kind) => Self::Connect(kind, OpenId::new(data)),
                None => Self::Unknown,
            },
        }
    }
}

impl fmt::Display for PlayerCommand {
    /// The line without its LF; never to be logged, as it can hold a PrivateID.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RegisterHost => f.write_str("register-host"),
            Self::ResumeHost(oid, pid) => write!(f, "{RESUME} {oid} {}", pid.reveal()),
            Self::Connect(kind, Ok(oid)) => write!(f, "{} {oid}", kind.command()),
            Self::Connect(kind, Err(_)) => f.write_str(kind.command()),
            Self::Echo(text) => write!(f, "echo {text}"),
            Self::Unknown => Ok(()),
        }
    }
}

/// Why a server refuses a `connect` or `connect-relay`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RefusalReason {
    /// No player with this OpenID is connected.
    UnknownHost,
    /// The host has not registered its remote address.
    HostUnregistered,
    /// The asking player has not registered its remote address.
    PlayerUnregistered,
    /// The asking player has no identity: it never sent `register-host`.
    NoIdentity,
    /// Every relay port is in use.
    RelaysFull,
    /// The OpenID could not be read.
    InvalidOpenId,
    /// The player asks too often.
    TooManyRequests,
    /// A reason that this version does not know.
    Other,
}

impl RefusalReason {
    const NAMES: [(Self, &'static str, &'static str); 7] = [
        (
            Self::UnknownHost,
            "unknown-host",
            "no player with this OpenID is connected to the server",
        ),
        (
            Self::HostUnregistered,
            "host-unregistered",
            "the host has not registered its remote address",
        ),
        (
            Self::PlayerUnregistered,
            "player-unregistered",
            "this player has not registered its remote address",
        ),
        (
            Self::NoIdentity,
            "no-identity",
            "this player has not asked for an OpenID",
        ),
        (
            Self::RelaysFull,
            "relays-full",
            "the server has no free relay",
        ),
        (
            Self::InvalidOpenId,
            "invalid-openid",
            "the OpenID is not valid",
        ),
        (
            Self::TooManyRequests,
            "too-many-requests",
            "this player asks too often",
        ),
    ];

    /// The reason's name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().map_or("other", |entry| entry.1)
    }

    /// The reason in words, for a player's log.
    #[must_use]
    pub fn sentence(self) -> &'static str {
        self.entry().map_or("the server refused", |entry| entry.2)
    }

    fn entry(self) -> Option<&'static (Self, &'static str, &'static str)> {
        Self::NAMES.iter().find(|entry| entry.0 == self)
    }

    fn from_name(name: &str) -> Self {
        Self::NAMES
            .iter()
            .find(|entry| entry.1 == name)
            .map_or(Self::Other, |entry| entry.0)
    }
}

/// What a server tells a player.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ServerCommand {
    /// `hi "<text>"`: the greeting of generation 2, with the server's version.
    Greeting(String),
    /// `set-oid <oid>`.
    SetOpenId(String),
    /// `set-pid <pid>`.
    SetPrivateId(PrivateId),
    /// `connect <ip>:<port>`: the other player's external address.
    ConnectNat(SocketAddr),
    /// `connect-relay <port>`: the port on the server that stands for the other
    /// player.
    ConnectRelay(u16),
    /// A `connect` or `connect-relay` without address or port: generation 2's way
    /// to say no, with its text.
    ConnectError(ConnectKind, String),
    /// `refused <command> <oid> <reason> <sentence>`: our own server's way to say
    /// no, which old clients pass over.
    Refused {
        /// What was asked for.
        kind: ConnectKind,
        /// The OpenID that was asked for; empty when the server could not read it.
        oid: String,
        /// Why it was refused.
        reason: RefusalReason,
        /// The same in words.
        sentence: String,
    },
    /// `echo <text>`.
    Echo(String),
    /// Anything else.
    Unknown,
}

/// The name of generation 2's first line.
const GREETING: &str = "hi";
/// The name of our own server's refusals.
const REFUSED: &str = "refused";
/// Stands for an OpenID that could not be read.
const NO_OPEN_ID: &str = "-";

/// A line that came from a server: its name and data as text, and what they mean.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerLine {
    /// The part before the first space.
    pub name: String,
    /// The rest, its quotes and escapes resolved.
    pub data: String,
    /// What it means.
    pub command: ServerCommand,
}

impl fmt::Debug for ServerLine {
    /// Leaves the data out: it can be a PrivateID.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerLine")
            .field("name", &self.name)
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

impl ServerLine {
    /// Reads a line that a server sent; `None` for an empty one and for the
    /// requests, answers and streams of generation 2, which noray does not use.
    #[must_use]
    pub fn parse(line: &str, framing: Framing) -> Option<Self> {
        let quoted = framing == Framing::Quoted;
        let (name, data) = line.split_once(' ').unwrap_or((line, ""));
        if name.is_empty() || quoted && name.contains(['?', '.', '!', '|']) {
            return None;
        }
        // The greeting is what tells the generation, so it comes before that is known.
        let data = if quoted || name == GREETING {
            unquote(data)
        } else {
            data.to_owned()
        };
        let command = ServerCommand::from_parts(name, &data);
        Some(Self {
            name: name.to_owned(),
            data,
            command,
        })
    }
}

impl ServerCommand {
    fn from_parts(name: &str, data: &str) -> Self {
        match name {
            GREETING => Self::Greeting(data.to_owned()),
            "set-oid" => Self::SetOpenId(data.to_owned()),
            "set-pid" => PrivateId::new(data).map_or(Self::Unknown, Self::SetPrivateId),
            "connect" => parse_address(data).map_or_else(
                || Self::ConnectError(ConnectKind::Nat, data.to_owned()),
                Self::ConnectNat,
            ),
            "connect-relay" => parse_port(data).map_or_else(
                || Self::ConnectError(ConnectKind::Relay, data.to_owned()),
                Self::ConnectRelay,
            ),
            "echo" => Self::Echo(data.to_owned()),
            REFUSED => parse_refusal(data).unwrap_or(Self::Unknown),
            _ => Self::Unknown,
        }
    }

    /// A refusal of our own server's.
    #[must_use]
    pub fn refusal(kind: ConnectKind, oid: Option<&OpenId>, reason: RefusalReason) -> Self {
        Self::Refused {
            kind,
            oid: oid.map_or_else(String::new, |oid| oid.as_str().to_owned()),
            reason,
            sentence: reason.sentence().to_owned(),
        }
    }

    /// The line that a server writes, without its LF.
    ///
    /// Not a `Display`, which a log could call: the line can hold a PrivateID.
    #[must_use]
    pub fn to_line(&self) -> String {
        match self {
            Self::Greeting(text) => format!("{GREETING} \"{text}\""),
            Self::SetOpenId(oid) => format!("set-oid {oid}"),
            Self::SetPrivateId(pid) => format!("set-pid {}", pid.reveal()),
            Self::ConnectNat(address) => {
                // An IPv4 address in IPv6 form would be cut at its first colon by
                // today's client.
                let ip = address.ip().to_canonical();
                format!("connect {}", SocketAddr::new(ip, address.port()))
            }
            Self::ConnectRelay(port) => format!("connect-relay {port}"),
            Self::ConnectError(kind, text) => format!("{} {text}", kind.command()),
            Self::Refused {
                kind,
                oid,
                reason,
                sentence,
            } => {
                let oid = if oid.is_empty() { NO_OPEN_ID } else { oid };
                let command = kind.command();
                format!("{REFUSED} {command} {oid} {} {sentence}", reason.name())
            }
            Self::Echo(text) => format!("echo {text}"),
            Self::Unknown => String::new(),
        }
    }
}

/// `<ip>:<port>` of one host; an IPv6 address stands in brackets or bare, as both
/// were seen from servers.
fn parse_address(data: &str) -> Option<SocketAddr> {
    let (ip, port) = data.rsplit_once(':')?;
    let port = parse_port(port)?;
    let in_brackets = ip.strip_prefix('[').and_then(|ip| ip.strip_suffix(']'));
    let ip = match in_brackets {
        Some(ip) => IpAddr::V6(ip.parse().ok()?),
        None => ip.parse().ok()?,
    };
    let ip: IpAddr = ip.to_canonical();
    let one_host = !ip.is_unspecified() && !ip.is_multicast() && ip != Ipv4Addr::BROADCAST;
    one_host.then(|| SocketAddr::new(ip, port))
}

/// A whole number from 1 to 65535, digits only, written as a server writes it.
fn parse_port(data: &str) -> Option<u16> {
    let plain = data.bytes().all(|byte| byte.is_ascii_digit()) && !data.starts_with('0');
    data.parse().ok().filter(|_| plain)
}

fn parse_refusal(data: &str) -> Option<ServerCommand> {
    let mut parts = data.splitn(4, ' ');
    let kind = ConnectKind::from_command(parts.next()?)?;
    let oid = parts.next().filter(|oid| !oid.is_empty())?;
    let reason = RefusalReason::from_name(parts.next()?);
    let sentence = parts.next().unwrap_or_default();
    Some(ServerCommand::Refused {
        kind,
        oid: if oid == NO_OPEN_ID { "" } else { oid }.to_owned(),
        reason,
        sentence: if sentence.is_empty() {
            reason.sentence().to_owned()
        } else {
            sentence.to_owned()
        },
    })
}

/// Joins the plain and quoted chunks of generation 2's data and resolves their
/// escapes.
fn unquote(data: &str) -> String {
    if !data.contains(['"', '\\']) {
        return data.to_owned();
    }
    let mut text = String::with_capacity(data.len());
    let mut chars = data.chars().peekable();
    while let Some(char) = chars.next() {
        match (char, chars.peek()) {
            ('"', _) => {}
            ('\\', Some('"')) => text.extend(chars.next()),
            ('\\', Some('n')) => {
                chars.next();
                text.push('\n');
            }
            ('\\', Some('r')) => {
                chars.next();
                text.push('\r');
            }
            _ => text.push(char),
        }
    }
    text
}
