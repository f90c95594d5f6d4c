//! Typed commands, as both the player and the server read and write them.

use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

use crate::wire::{
    framing::Framing,
    id::{OpenId, OpenIdError, PrivateId},
};

/// How a server connects two players.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ConnectKind {
    /// `connect`: each player gets the other's registered address.
    Nat,
    /// `connect-relay`: each player gets a port of the server that stands for the other.
    Relay,
}

impl ConnectKind {
    /// Returns the command's name on the wire.
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

/// The name of our own command that asks for an identity back.
const RESUME: &str = "resume-host";

/// By this word a server offers to hear whether a player hosts (`offers hosting`), and a player says
/// that it will tell (`can hosting`). A server never refuses whom it does not know to be able to
/// tell: players of netfox.noray host without a word.
pub const HOSTING: &str = "hosting";

/// Returns whether the words of an `offers` or a `can` have this one among them.
#[must_use]
pub fn has_word(words: &str, word: &str) -> bool {
    words.split(' ').any(|other| other == word)
}

/// What a player tells a server.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum PlayerCommand {
    /// `register-host`: give me an OpenID and a PrivateID.
    RegisterHost,
    /// `resume-host <oid> <pid>`: give me back the identity that I had before my connection broke.
    /// Sent in one write with a `register-host`, which is all that other servers, and one that
    /// declines, act on; a server that gives the identity back ignores the `register-host`.
    ResumeHost(OpenId, PrivateId),
    /// `connect <oid>` or `connect-relay <oid>`.
    Connect(ConnectKind, Result<OpenId, OpenIdError>),
    /// `can <word> …`: which of the words that the server offered this player uses.
    Can(String),
    /// `open`: others can join my game. So it is until a player says `shut`.
    Open,
    /// `shut`: I host no game.
    Shut,
    /// `echo <text>`: send it back.
    Echo(String),
    /// Anything else, which servers ignore.
    Unknown,
}

impl PlayerCommand {
    /// Parses a line that a player sent.
    #[must_use]
    pub fn parse(line: &str) -> Self {
        let (name, data) = line.split_once(' ').unwrap_or((line, ""));
        match name {
            "register-host" => Self::RegisterHost,
            RESUME => data
                .split_once(' ')
                .and_then(|(oid, pid)| Some((OpenId::new(oid).ok()?, PrivateId::new(pid)?)))
                .map_or(Self::Unknown, |(oid, pid)| Self::ResumeHost(oid, pid)),
            "can" => Self::Can(data.to_owned()),
            "open" if data.is_empty() => Self::Open,
            "shut" if data.is_empty() => Self::Shut,
            "echo" => Self::Echo(data.to_owned()),
            _ => match ConnectKind::from_command(name) {
                Some(kind) => Self::Connect(kind, OpenId::new(data)),
                None => Self::Unknown,
            },
        }
    }
}

impl fmt::Display for PlayerCommand {
    /// Writes the line without its LF. Never log it: it can contain a PrivateID.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::RegisterHost => f.write_str("register-host"),
            Self::ResumeHost(oid, pid) => write!(f, "{RESUME} {oid} {}", pid.reveal()),
            Self::Connect(kind, Ok(oid)) => write!(f, "{} {oid}", kind.command()),
            Self::Connect(kind, Err(_)) => f.write_str(kind.command()),
            Self::Can(words) => write!(f, "can {words}"),
            Self::Open => f.write_str("open"),
            Self::Shut => f.write_str("shut"),
            Self::Echo(text) => write!(f, "echo {text}"),
            Self::Unknown => Ok(()),
        }
    }
}

/// Why a server refuses a `connect` or `connect-relay`.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum RefusalReason {
    /// No player with this OpenID is connected, or it has said that it hosts no game.
    UnknownHost,
    /// The host has not registered its remote address.
    HostUnregistered,
    /// The player that asks has not registered its remote address.
    PlayerUnregistered,
    /// The player that asks has no identity: it never sent `register-host`.
    NoIdentity,
    /// Every relay port is in use.
    RelaysFull,
    /// The OpenID is not valid.
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

    /// Returns the reason's name on the wire.
    #[must_use]
    pub fn name(self) -> &'static str {
        self.entry().map_or("other", |entry| entry.1)
    }

    /// Returns the reason as a sentence for a player's log.
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
    /// `offers <word> …`: what our own server knows beyond the protocol.
    Offers(String),
    /// `set-oid <oid>`.
    SetOpenId(String),
    /// `set-pid <pid>`.
    SetPrivateId(PrivateId),
    /// `connect <ip>:<port>`: the other player's registered address.
    ConnectNat(SocketAddr),
    /// `connect-relay <port>`: the port of the server that stands for the other player.
    ConnectRelay(u16),
    /// A `connect` or `connect-relay` without an address or port: a refusal of generation 2, with
    /// its text.
    ConnectError(ConnectKind, String),
    /// `refused <command> <oid> <reason> <sentence>`: a refusal of our own server, which old
    /// clients ignore.
    Refused {
        /// What was requested.
        kind: ConnectKind,
        /// The OpenID that was requested; empty if the server could not read it.
        oid: String,
        /// Why it was refused.
        reason: RefusalReason,
        /// The reason as a sentence.
        sentence: String,
    },
    /// `echo <text>`.
    Echo(String),
    /// Anything else.
    Unknown,
}

/// The name of generation 2's first line.
const GREETING: &str = "hi";
/// The name of our own server's second line.
const OFFERS: &str = "offers";
/// The name of our own server's refusal.
const REFUSED: &str = "refused";
/// Stands for an OpenID that the server could not read.
const NO_OPEN_ID: &str = "-";

/// A line from a server: its name and data as text, and what they mean.
#[derive(Clone, PartialEq, Eq)]
pub struct ServerLine {
    /// The part before the first space.
    pub name: String,
    /// The rest, with its quotes and escapes resolved.
    pub data: String,
    /// What the line means.
    pub command: ServerCommand,
}

impl fmt::Debug for ServerLine {
    /// Leaves out the data, which can be a PrivateID.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ServerLine")
            .field("name", &self.name)
            .field("command", &self.command)
            .finish_non_exhaustive()
    }
}

impl ServerLine {
    /// Parses a line that a server sent. Returns `None` for an empty line, and for the requests,
    /// answers and streams of generation 2, which noray does not use.
    #[must_use]
    pub fn parse(line: &str, framing: Framing) -> Option<Self> {
        let quoted = framing == Framing::Quoted;
        let (name, data) = line.split_once(' ').unwrap_or((line, ""));
        if name.is_empty() || quoted && name.contains(['?', '.', '!', '|']) {
            return None;
        }
        // The greeting comes before the generation is known, which it tells.
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
            OFFERS => Self::Offers(data.to_owned()),
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

    /// Returns a refusal of our own server.
    #[must_use]
    pub fn refusal(kind: ConnectKind, oid: Option<&OpenId>, reason: RefusalReason) -> Self {
        Self::Refused {
            kind,
            oid: oid.map_or_else(String::new, |oid| oid.as_str().to_owned()),
            reason,
            sentence: reason.sentence().to_owned(),
        }
    }

    /// Returns the line that a server writes, without its LF.
    ///
    /// This is no `Display`, which a log could call: the line can contain a PrivateID.
    #[must_use]
    pub fn to_line(&self) -> String {
        match self {
            Self::Greeting(text) => format!("{GREETING} \"{text}\""),
            Self::Offers(words) => format!("{OFFERS} {words}"),
            Self::SetOpenId(oid) => format!("set-oid {oid}"),
            Self::SetPrivateId(pid) => format!("set-pid {}", pid.reveal()),
            Self::ConnectNat(address) => {
                // netfox.noray would cut an IPv4 address in IPv6 form at its first colon.
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

/// Parses `<ip>:<port>` of a single machine. An IPv6 address stands in brackets or bare: servers
/// send both.
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

/// Parses a number from 1 to 65535 as a server writes it: digits only, without leading zeros.
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

/// Joins the plain and quoted chunks of generation 2's data, and resolves their escapes.
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
