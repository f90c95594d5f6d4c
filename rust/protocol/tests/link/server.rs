//! A noray server's registrar, announcements and relays, for each kind of server.

use std::{
    collections::BTreeMap,
    net::{IpAddr, SocketAddr},
    time::{Duration, Instant},
};

use noray_protocol::{
    defaults::REGISTRAR_PORT,
    player::{link::ServerKind, requests::ConnectError},
    wire::command::{ConnectKind, RefusalReason},
};

use crate::dice::Dice;

const FIRST_RELAY: u16 = 49_152;
const LAST_RELAY: u16 = 51_200;
const RELAY_IDLE: Duration = Duration::from_secs(30);

/// What a server does with a datagram that comes to a relay from an unregistered address.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Kind {
    /// 1.4: forwards the datagram from a further relay, on a random free port.
    Generation1,
    /// 2.x: forwards the datagram from a further relay, on the next free port.
    Generation2,
    /// A newer 2.x: takes the datagram for the one registered player's with that IP address, until
    /// that player's registered address sends again.
    Takeover,
    /// Our server: takes the datagram for that of the player with that IP address that is linked
    /// with the relay's player, and answers there.
    Ours,
}

impl Kind {
    pub(crate) const ALL: [Self; 4] = [
        Self::Generation1,
        Self::Generation2,
        Self::Takeover,
        Self::Ours,
    ];

    pub(crate) fn greeting(self) -> ServerKind {
        match self {
            Self::Generation1 => ServerKind::Silent,
            Self::Generation2 | Self::Takeover => ServerKind::Greeting,
            Self::Ours => ServerKind::Ours,
        }
    }
}

/// What the server tells a player.
#[derive(Clone, Debug)]
pub(crate) enum Line {
    Connect(SocketAddr),
    Relay(SocketAddr),
    Refused(ConnectKind, String, ConnectError),
}

/// A datagram that the server sends.
pub(crate) struct Forward {
    pub from: u16,
    pub to: SocketAddr,
    pub bytes: Vec<u8>,
}

struct Account {
    player: usize,
    oid: String,
    pid: String,
    registered: Option<SocketAddr>,
}

struct Relay {
    /// The registered address of the player, or the address of the stranger for which it was
    /// opened.
    registered: SocketAddr,
    /// Where the player is answered.
    answered: SocketAddr,
    used: Instant,
}

pub(crate) struct Server {
    pub kind: Kind,
    pub ip: IpAddr,
    /// Whether the registrar answers.
    pub answers: bool,
    /// Whether requests are left unanswered.
    pub hangs: bool,
    /// The most ports that other players randomly take before each of our relays.
    pub crowd: u16,
    /// The most relays that were open at one time.
    pub most_relays: usize,
    accounts: Vec<Account>,
    relays: BTreeMap<u16, Relay>,
    next_port: u16,
    /// On our own server: the address from which the second relay's player sends to the first
    /// relay.
    learned: BTreeMap<(u16, u16), SocketAddr>,
    linked: Vec<[u16; 2]>,
}

impl Server {
    pub(crate) fn new(kind: Kind, ip: IpAddr) -> Self {
        Self {
            kind,
            ip,
            answers: true,
            hangs: false,
            crowd: 0,
            most_relays: 0,
            accounts: Vec::new(),
            relays: BTreeMap::new(),
            next_port: FIRST_RELAY,
            learned: BTreeMap::new(),
            linked: Vec::new(),
        }
    }

    pub(crate) fn register_host(&mut self, player: usize, oid: &str, pid: &str) {
        self.accounts.push(Account {
            player,
            oid: oid.to_owned(),
            pid: pid.to_owned(),
            registered: None,
        });
    }

    /// Returns the ports of all open relays.
    pub(crate) fn relay_ports(&self) -> Vec<u16> {
        self.relays.keys().copied().collect()
    }

    pub(crate) fn registered(&self, player: usize) -> Option<SocketAddr> {
        self.account(player)?.registered
    }

    fn account(&self, player: usize) -> Option<&Account> {
        self.accounts
            .iter()
            .find(|account| account.player == player)
    }

    /// Takes a player's request for a host. Returns which player is told what.
    pub(crate) fn ask(
        &mut self,
        now: Instant,
        dice: &mut Dice,
        player: usize,
        kind: ConnectKind,
        oid: &str,
    ) -> Vec<(usize, Line)> {
        if self.hangs {
            return Vec::new();
        }
        let host = self.accounts.iter().find(|account| account.oid == oid);
        let own = self.account(player).and_then(|account| account.registered);
        let (Some(own), Some((host, Some(address)))) =
            (own, host.map(|host| (host.player, host.registered)))
        else {
            return vec![(
                player,
                Line::Refused(kind, oid.to_owned(), self.refusal(kind)),
            )];
        };
        match kind {
            ConnectKind::Nat => vec![(player, Line::Connect(address)), (host, Line::Connect(own))],
            ConnectKind::Relay => {
                let hosts = self.relay_of(now, dice, address);
                let owns = self.relay_of(now, dice, own);
                let link = [hosts.min(owns), hosts.max(owns)];
                if !self.linked.contains(&link) {
                    self.linked.push(link);
                }
                let at = |port| Line::Relay(SocketAddr::new(self.ip, port));
                vec![(player, at(hosts)), (host, at(owns))]
            }
        }
    }

    fn refusal(&self, kind: ConnectKind) -> ConnectError {
        let text = "Error: Unknown host oid";
        match (self.kind, kind) {
            (Kind::Generation1, _) => ConnectError::NoAnswer,
            (_, ConnectKind::Nat) => {
                ConnectError::Refused(RefusalReason::UnknownHost, text.to_owned())
            }
            (_, ConnectKind::Relay) => ConnectError::ServerText(text.to_owned()),
        }
    }

    fn relay_of(&mut self, now: Instant, dice: &mut Dice, registered: SocketAddr) -> u16 {
        self.expire(now);
        let known = (self.relays.iter()).find(|(_, relay)| relay.registered == registered);
        if let Some((port, _)) = known {
            return *port;
        }
        if self.crowd > 0 {
            self.next_port += dice.port(0, self.crowd);
        }
        let port = loop {
            let port = if self.kind == Kind::Generation1 {
                dice.port(FIRST_RELAY, LAST_RELAY)
            } else {
                self.next_port += 1;
                self.next_port - 1
            };
            if !self.relays.contains_key(&port) {
                break port;
            }
        };
        self.relays.insert(
            port,
            Relay {
                registered,
                answered: registered,
                used: now,
            },
        );
        self.most_relays = self.most_relays.max(self.relays.len());
        port
    }

    fn expire(&mut self, now: Instant) {
        (self.relays).retain(|_, relay| now.saturating_duration_since(relay.used) < RELAY_IDLE);
        let relays = &self.relays;
        let open = |ports: &[u16]| ports.iter().all(|port| relays.contains_key(port));
        self.linked.retain(|link| open(link));
        self.learned.retain(|(one, other), _| open(&[*one, *other]));
    }

    /// Takes a datagram. Returns the one that the server sends for it.
    pub(crate) fn receive(
        &mut self,
        now: Instant,
        dice: &mut Dice,
        from: SocketAddr,
        port: u16,
        bytes: &[u8],
    ) -> Option<Forward> {
        if port == REGISTRAR_PORT {
            return self.register(from, bytes);
        }
        self.expire(now);
        let target = self.relays.get(&port)?.answered;
        let sender = self.sender(now, dice, from, port)?;
        for used in [sender, port] {
            if let Some(relay) = self.relays.get_mut(&used) {
                relay.used = now;
            }
        }
        let to = *self.learned.get(&(sender, port)).unwrap_or(&target);
        Some(Forward {
            from: sender,
            to,
            bytes: bytes.to_vec(),
        })
    }

    /// Returns the relay port of the sender.
    fn sender(&mut self, now: Instant, dice: &mut Dice, from: SocketAddr, to: u16) -> Option<u16> {
        let known = (self.relays.iter_mut()).find(|(_, relay)| relay.registered == from);
        if let Some((port, relay)) = known {
            relay.answered = from;
            return Some(*port);
        }
        match self.kind {
            Kind::Generation1 | Kind::Generation2 => Some(self.relay_of(now, dice, from)),
            Kind::Takeover => {
                let mut same = (self.relays.iter_mut())
                    .filter(|(_, relay)| relay.registered.ip() == from.ip());
                let (port, relay) = same.next()?;
                if same.next().is_some() {
                    return None;
                }
                relay.answered = from;
                Some(*port)
            }
            Kind::Ours => {
                let is_linked = |port: u16| self.linked.contains(&[port.min(to), port.max(to)]);
                let (port, _) = self.relays.iter().find(|(port, relay)| {
                    is_linked(**port) && relay.registered.ip() == from.ip()
                })?;
                self.learned.insert((to, *port), from);
                Some(*port)
            }
        }
    }

    fn register(&mut self, from: SocketAddr, bytes: &[u8]) -> Option<Forward> {
        if !self.answers {
            return None;
        }
        let account = (self.accounts.iter_mut()).find(|account| account.pid.as_bytes() == bytes);
        let answer: &[u8] = match account {
            Some(account) => {
                account.registered.get_or_insert(from);
                b"OK"
            }
            None => b"Unknown host pid!",
        };
        Some(Forward {
            from: REGISTRAR_PORT,
            to: from,
            bytes: answer.to_vec(),
        })
    }
}
