//! What a real server tells several connections, against what each of them must be told.
//!
//! The server runs in this process, behind real sockets on the loopback address. An input is a
//! script: it is sent as it is, except for the marks below, which choose the sender and stand for
//! what cannot be known in advance. The server answers everything before the next sender's turn, so
//! that an input always has the same result.

use std::{
    collections::VecDeque,
    io::{ErrorKind, Read, Write},
    net::{Ipv4Addr, SocketAddr, SocketAddrV4, TcpStream, UdpSocket},
    sync::{Mutex, OnceLock, PoisonError},
    time::{Duration, Instant},
};

use noray_protocol::wire::{
    command::{ConnectKind, HOSTING, PlayerCommand, RefusalReason, ServerCommand, has_word},
    framing::Framing,
    id::OpenId,
};
use noray_server::{ByteSize, Config, Server};
use socket2::SockRef;
use tokio::runtime::{Builder, Runtime};

use crate::framing::expected_lines;

/// Marks the next sender; there are three such marks.
pub const SENDERS: [u8; 3] = [1, 2, 3];
/// Stands for the sender's OpenID.
pub const OWN_OPEN_ID: u8 = 4;
/// Stands for the sender's PrivateID.
pub const OWN_PRIVATE_ID: u8 = 5;
/// Stands for the next sender's OpenID.
pub const NEXT_OPEN_ID: u8 = 6;
/// Stands for the next sender's PrivateID.
pub const NEXT_PRIVATE_ID: u8 = 7;
/// Lets the sender register its address for all its identities.
pub const REGISTER: u8 = 8;
/// Begins a datagram to the registrar.
pub const DATAGRAM: u8 = 11;
/// Lets the sender leave; it connects again in its next turn.
pub const LEAVE: u8 = 12;
/// Lets the sender send to every relay port that it was told.
pub const PLAY: u8 = 14;

/// Longer than any answer takes, even on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Longest turn that is sent, with the marks replaced: the turn and its answers fit into the
/// system's buffers, so that neither side waits for the other.
const LONGEST_TURN: usize = 16 * 1024;
/// Contains a mark, so that no input can contain it.
const END_OF_TURN: &str = "end of turn \u{1}";
const MAX_HOSTS: usize = 3;
const RELAY_TIMEOUT: Duration = Duration::from_secs(10);
/// A relay that was requested at most this long ago is still open.
const SOON: Duration = Duration::from_secs(5);
/// What the players send each other by relay.
const GAME: &[u8] = b"\x8f\xffgame";

/// Checks an input.
///
/// # Panics
/// If a connection is told anything but what the protocol says, or nothing within half a minute, or
/// if the server does not forget players that have left.
pub fn check(data: &[u8]) {
    static STAGE: OnceLock<Mutex<Stage>> = OnceLock::new();
    let stage = STAGE.get_or_init(|| Mutex::new(Stage::build()));
    // One input at a time; the stage is still usable after a failed one.
    let mut stage = stage.lock().unwrap_or_else(PoisonError::into_inner);
    stage.wait_for_nobody();
    Play::new(&mut stage).run(data);
    stage.wait_for_nobody();
}

/// The server, and the players' sockets.
struct Stage {
    server: Server,
    udp: [UdpSocket; 3],
    relay_ports: Vec<u16>,
    /// The runtime that the server runs on.
    _runtime: Runtime,
}

impl Stage {
    fn build() -> Self {
        let runtime = Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .expect("a runtime");
        let udp = || UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        // More ports than the players can use before idle relays are closed; free a moment ago.
        let ports: Vec<_> = (0..64).map(|_| udp()).collect();
        let port = |socket: &UdpSocket| socket.local_addr().expect("it is bound").port();
        let relay_ports: Vec<_> = ports.iter().map(port).collect();
        drop(ports);
        let config = Config {
            socket_host: Ipv4Addr::LOCALHOST.into(),
            socket_port: 0,
            udp_host: Ipv4Addr::LOCALHOST,
            registrar_port: 0,
            relay_ports: relay_ports.clone().into(),
            relay_timeout: RELAY_TIMEOUT.into(),
            max_individual_traffic: ByteSize(u64::from(u32::MAX)),
            max_hosts_per_connection: MAX_HOSTS,
            // How long something takes must not change the answers.
            max_lines_per_second: u32::MAX,
            max_lines_per_second_per_address: u32::MAX,
            max_connects_per_second: u32::MAX,
            max_connects_per_second_per_address: u32::MAX,
            max_registrations_per_second_per_address: u32::MAX,
            ..Config::default()
        };
        let server = Server::start(config, runtime.handle()).expect("a server");
        let udp = [udp(), udp(), udp()];
        for socket in &udp {
            socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        }
        Self {
            server,
            udp,
            relay_ports,
            _runtime: runtime,
        }
    }

    /// Asserts that nothing of closed connections stays, once the server has noticed.
    fn wait_for_nobody(&self) {
        self.wait_until("the server forgets who has left", |stage| {
            let stats = stage.server.stats();
            stats.connections == 0 && stats.players == 0
        });
    }

    fn wait_until(&self, what: &str, condition: impl Fn(&Self) -> bool) {
        let until = Instant::now() + PATIENCE;
        while !condition(self) {
            assert!(Instant::now() < until, "never: {what}");
            std::thread::yield_now();
        }
    }
}

/// An identity that the server gave.
struct Identity {
    oid: String,
    pid: String,
    /// The sender to whose connection it belongs; `None` when it has left.
    sender: Option<usize>,
    /// The sender that had it last.
    last: usize,
    registered: Option<SocketAddr>,
    relay: Option<Relay>,
}

/// A relay port that stands for a player.
struct Relay {
    port: u16,
    when: Instant,
}

/// A relay port that a sender was told, and the identity for which it was told.
struct Told {
    port: u16,
    requester: String,
    when: Instant,
}

struct Sender {
    tcp: TcpStream,
    unread: Vec<u8>,
    /// The lines that others' requests must have brought.
    announced: VecDeque<String>,
    resumed: bool,
    /// It has said that it tells whether it hosts.
    tells_hosting: bool,
    /// It has said that it does not host.
    is_shut: bool,
    /// The relay ports that the sender was told.
    told: Vec<Told>,
}

struct Play<'a> {
    stage: &'a mut Stage,
    senders: [Option<Sender>; 3],
    /// In the order in which they came to their connections.
    identities: Vec<Identity>,
}

impl<'a> Play<'a> {
    fn new(stage: &'a mut Stage) -> Self {
        Self {
            stage,
            senders: [None, None, None],
            identities: Vec::new(),
        }
    }

    fn run(&mut self, data: &[u8]) {
        let mut who = 0;
        let mut datagram = false;
        let mut turn = Vec::new();
        for byte in data.iter().copied() {
            let text = match byte {
                OWN_OPEN_ID => self.own(who).map(|own| own.oid.clone()),
                OWN_PRIVATE_ID => self.own(who).map(|own| own.pid.clone()),
                NEXT_OPEN_ID => self.own((who + 1) % 3).map(|own| own.oid.clone()),
                NEXT_PRIVATE_ID => self.own((who + 1) % 3).map(|own| own.pid.clone()),
                1..=3 | REGISTER | DATAGRAM | LEAVE | PLAY => {
                    self.take_turn(who, std::mem::take(&mut turn), datagram);
                    datagram = byte == DATAGRAM;
                    match byte {
                        REGISTER => self.register(who),
                        LEAVE => self.leave(who),
                        PLAY => self.play(who),
                        _ => {}
                    }
                    if let Some(next) = SENDERS.iter().position(|sender| *sender == byte) {
                        who = next;
                    }
                    continue;
                }
                _ => {
                    turn.push(byte);
                    continue;
                }
            };
            if turn.len() < LONGEST_TURN {
                turn.extend(text.unwrap_or_default().into_bytes());
            }
        }
        self.take_turn(who, turn, datagram);
        for who in 0..3 {
            if self.senders[who].is_some() {
                self.take_turn(who, b"\n".to_vec(), false);
            }
        }
    }

    /// Returns the identity with which a sender makes requests: its first one, or the last that it
    /// had.
    fn own(&self, who: usize) -> Option<&Identity> {
        let mut all = self.identities.iter();
        let has = all.find(|identity| identity.sender == Some(who));
        let mut all = self.identities.iter();
        has.or_else(|| all.rfind(|identity| identity.last == who))
    }

    fn take_turn(&mut self, who: usize, mut turn: Vec<u8>, datagram: bool) {
        turn.truncate(LONGEST_TURN);
        if datagram {
            self.send_datagram(who, &turn);
        } else if !turn.is_empty() {
            self.say(who, &turn);
        }
    }

    fn connect(&mut self, who: usize) {
        let tcp = TcpStream::connect(self.stage.server.command_address()).expect("a connection");
        tcp.set_nodelay(true).expect("no delay");
        tcp.set_read_timeout(Some(PATIENCE)).expect("a time-out");
        tcp.set_write_timeout(Some(PATIENCE)).expect("a time-out");
        // Closed with a reset, so that no port of this machine stays in use for a minute.
        SockRef::from(&tcp)
            .set_linger(Some(Duration::ZERO))
            .expect("no linger");
        let mut sender = Sender {
            tcp,
            unread: Vec::new(),
            announced: VecDeque::new(),
            resumed: false,
            tells_hosting: false,
            is_shut: false,
            told: Vec::new(),
        };
        let greeting = sender.line();
        assert!(greeting.starts_with("hi \"noray-server v"), "{greeting}");
        assert_eq!(sender.line(), format!("offers {HOSTING}"));
        self.senders[who] = Some(sender);
    }

    fn sender(&mut self, who: usize) -> &mut Sender {
        if self.senders[who].is_none() {
            self.connect(who);
        }
        self.senders[who].as_mut().expect("it is connected")
    }

    /// Sends bytes, and checks everything that is told until they are answered.
    fn say(&mut self, who: usize, bytes: &[u8]) {
        let sender = self.sender(who);
        let end = PlayerCommand::Echo(END_OF_TURN.to_owned()).to_string();
        let all = [bytes, b"\n", end.as_bytes(), b"\n"].concat();
        sender.tcp.write_all(&all).expect("the server reads");
        for announced in std::mem::take(&mut sender.announced) {
            assert_eq!(sender.line(), announced, "of another's request");
        }
        let limit = noray_server::defaults::MAX_LINE_LENGTH;
        for line in expected_lines(Framing::Plain, limit, &all)
            .into_iter()
            .flatten()
        {
            self.expect_answer(who, PlayerCommand::parse(&line));
        }
        assert!(
            self.sender(who).unread.is_empty(),
            "more than was asked for"
        );
    }

    /// Reads what a command must bring its sender, and notes what it must bring others.
    fn expect_answer(&mut self, who: usize, command: PlayerCommand) {
        match command {
            PlayerCommand::RegisterHost => {
                if std::mem::take(&mut self.sender(who).resumed) || !self.has_room(who) {
                    return;
                }
                let identity = self.read_identity(who);
                let is_new =
                    |other: &Identity| other.oid != identity.oid && other.pid != identity.pid;
                assert!(self.identities.iter().all(is_new), "an id is given twice");
                self.identities.push(identity);
            }
            PlayerCommand::ResumeHost(oid, pid) => {
                let is_meant = |identity: &Identity| {
                    identity.oid == oid.as_str() && identity.pid == pid.reveal()
                };
                let Some(at) = self.identities.iter().position(is_meant) else {
                    return;
                };
                if self.identities[at].sender != Some(who) {
                    if !self.has_room(who) {
                        return;
                    }
                    let mut identity = self.identities.remove(at);
                    identity.last = who;
                    if identity.sender.replace(who).is_none() {
                        (identity.registered, identity.relay) = (None, None);
                    }
                    self.identities.push(identity);
                }
                let identity = self.read_identity(who);
                assert!(identity.oid == oid.as_str() && identity.pid == pid.reveal());
                self.sender(who).resumed = true;
            }
            PlayerCommand::Echo(text) => {
                let answer = self.sender(who).line();
                assert_eq!(answer, ServerCommand::Echo(text).to_line());
            }
            PlayerCommand::Connect(kind, Err(_)) => {
                self.expect_refusal(who, kind, None, RefusalReason::InvalidOpenId);
            }
            PlayerCommand::Connect(kind, Ok(host)) => match self.introduce(who, &host) {
                Ok(both) => self.expect_introduction(who, kind, &host, both),
                Err(reason) => self.expect_refusal(who, kind, Some(&host), reason),
            },
            PlayerCommand::Can(words) => {
                self.sender(who).tells_hosting |= has_word(&words, HOSTING);
            }
            PlayerCommand::Open | PlayerCommand::Shut => {
                let sender = self.sender(who);
                sender.is_shut = sender.tells_hosting && command == PlayerCommand::Shut;
            }
            PlayerCommand::Unknown => {}
        }
    }

    fn has_room(&self, who: usize) -> bool {
        let own = self
            .identities
            .iter()
            .filter(|identity| identity.sender == Some(who));
        own.count() < MAX_HOSTS
    }

    fn read_identity(&mut self, who: usize) -> Identity {
        let sender = self.sender(who);
        let (oid, pid) = (sender.line(), sender.line());
        let is_id = |text: &str, length| {
            text.len() == length
                && text
                    .chars()
                    .all(|char| noray_server::defaults::ID_CHARSET.contains(char))
        };
        let oid = oid.strip_prefix("set-oid ").expect("an OpenID").to_owned();
        assert!(is_id(&oid, noray_server::defaults::OPEN_ID_LENGTH), "{oid}");
        let pid = pid
            .strip_prefix("set-pid ")
            .expect("a PrivateID")
            .to_owned();
        assert!(is_id(&pid, noray_server::defaults::PRIVATE_ID_LENGTH));
        Identity {
            oid,
            pid,
            sender: Some(who),
            last: who,
            registered: None,
            relay: None,
        }
    }

    /// Returns the indexes of the player that asks and the host.
    fn introduce(&self, who: usize, host: &OpenId) -> Result<[usize; 2], RefusalReason> {
        let find = |is_meant: &dyn Fn(&Identity) -> bool| {
            let is_meant = |identity: &Identity| identity.sender.is_some() && is_meant(identity);
            self.identities.iter().position(is_meant)
        };
        let host = find(&|identity| identity.oid == host.as_str());
        let host = host.ok_or(RefusalReason::UnknownHost)?;
        let host_sender = self.identities[host].sender;
        let host_sender = host_sender.and_then(|sender| self.senders[sender].as_ref());
        if host_sender.is_some_and(|sender| sender.is_shut) {
            return Err(RefusalReason::UnknownHost);
        }
        if self.identities[host].registered.is_none() {
            return Err(RefusalReason::HostUnregistered);
        }
        let player = find(&|identity| identity.sender == Some(who));
        let player = player.ok_or(RefusalReason::NoIdentity)?;
        if self.identities[player].registered.is_none() {
            return Err(RefusalReason::PlayerUnregistered);
        }
        Ok([player, host])
    }

    fn expect_introduction(
        &mut self,
        who: usize,
        kind: ConnectKind,
        oid: &OpenId,
        [player, host]: [usize; 2],
    ) {
        let host_sender = self.identities[host].sender.expect("the host is here");
        let answer = self.sender(who).line();
        let to_host = match kind {
            ConnectKind::Nat => {
                let line = |at: usize| {
                    let address = self.identities[at].registered.expect("it is registered");
                    ServerCommand::ConnectNat(address).to_line()
                };
                assert_eq!(answer, line(host));
                line(player)
            }
            ConnectKind::Relay => {
                let full = ServerCommand::refusal(kind, Some(oid), RefusalReason::RelaysFull);
                if answer == full.to_line() {
                    // Relays of players that have left stay open for a while.
                    return;
                }
                let port = answer.strip_prefix("connect-relay ").expect("a relay");
                let port = port.parse().expect("a port");
                self.note_relay(host, port);
                self.tell(who, player, port);
                // The host is told the port of the player's relay.
                let waiting = self.sender(host_sender);
                if host_sender != who {
                    for announced in std::mem::take(&mut waiting.announced) {
                        assert_eq!(waiting.line(), announced, "of another's request");
                    }
                }
                let line = waiting.line();
                let port = line.strip_prefix("connect-relay ").expect("a relay");
                let port = port.parse().expect("a port");
                self.note_relay(player, port);
                self.tell(host_sender, host, port);
                return;
            }
        };
        let to_host_sender = self.sender(host_sender);
        if host_sender == who {
            assert_eq!(to_host_sender.line(), to_host);
        } else {
            to_host_sender.announced.push_back(to_host);
        }
    }

    /// Asserts that a player keeps its port, and that no two players have the same.
    fn note_relay(&mut self, at: usize, port: u16) {
        assert!(
            self.stage.relay_ports.contains(&port),
            "{port} is none of the server's"
        );
        for (index, identity) in self.identities.iter_mut().enumerate() {
            let is_soon = |relay: &&mut Relay| relay.when.elapsed() < SOON;
            if let Some(relay) = identity.relay.as_mut().filter(is_soon) {
                let is_same = index == at;
                assert!(
                    identity.sender.is_none() || is_same == (relay.port == port),
                    "port {port}, and {} before",
                    relay.port
                );
            }
        }
        self.identities[at].relay = Some(Relay {
            port,
            when: Instant::now(),
        });
    }

    fn tell(&mut self, who: usize, at: usize, port: u16) {
        let requester = self.identities[at].pid.clone();
        let told = Told {
            port,
            requester,
            when: Instant::now(),
        };
        let sender = self.sender(who);
        let is_other = |other: &Told| other.port != told.port || other.requester != told.requester;
        sender.told.retain(is_other);
        sender.told.push(told);
    }

    fn expect_refusal(
        &mut self,
        who: usize,
        kind: ConnectKind,
        host: Option<&OpenId>,
        reason: RefusalReason,
    ) {
        let refusal = ServerCommand::refusal(kind, host, reason).to_line();
        assert_eq!(self.sender(who).line(), refusal);
    }

    /// Registers the sender's address for all its identities.
    fn register(&mut self, who: usize) {
        let pids: Vec<_> = (self.identities.iter())
            .filter(|identity| identity.sender == Some(who))
            .map(|identity| identity.pid.clone())
            .collect();
        for pid in pids {
            self.send_datagram(who, pid.as_bytes());
        }
    }

    /// Sends a datagram to the registrar and checks the answer.
    fn send_datagram(&mut self, who: usize, datagram: &[u8]) {
        let udp = &self.stage.udp[who];
        let registrar = self.stage.server.registrar_address();
        let address = udp.local_addr().expect("it is bound");
        // Unread refusals would fill the socket's buffer.
        while receive_now(udp).is_some() {}
        udp.send_to(datagram, registrar).expect("it goes out");
        let text = std::str::from_utf8(datagram).ok();
        let known = self
            .identities
            .iter_mut()
            .find(|identity| identity.sender.is_some() && Some(identity.pid.as_str()) == text);
        if let Some(identity) = known {
            identity.registered = Some(address);
            expect_ok(udp, registrar);
            return;
        }
        // Whether it is refused or ignored, it is done when a later one is answered.
        let is_own = |identity: &&Identity| {
            identity.sender.is_some() && identity.registered == Some(address)
        };
        if let Some(own) = self.identities.iter().find(is_own) {
            udp.send_to(own.pid.as_bytes(), registrar)
                .expect("it goes out");
            expect_ok(udp, registrar);
        }
    }

    fn leave(&mut self, who: usize) {
        if self.senders[who].take().is_none() {
            return;
        }
        for identity in &mut self.identities {
            if identity.sender == Some(who) {
                identity.sender = None;
            }
        }
        let left = self.senders.iter().flatten().count();
        self.stage.wait_until("a connection is closed", |stage| {
            stage.server.stats().connections == left
        });
    }

    /// Asserts that what a player sends to a relay port that it was told leaves from its own relay.
    fn play(&mut self, who: usize) {
        let Some(sender) = &self.senders[who] else {
            return;
        };
        let udp = &self.stage.udp;
        let own_address = udp[who].local_addr().ok();
        for told in &sender.told {
            // From an identity that has left or is registered elsewhere, it would be a stranger's.
            let is_asker = |own: &&Identity| {
                own.pid == told.requester
                    && own.sender == Some(who)
                    && own.registered == own_address
            };
            if told.when.elapsed() > SOON || !self.identities.iter().any(|own| is_asker(&own)) {
                continue;
            }
            // Copies of earlier ones: who moves is answered at its old address as well.
            for udp in udp {
                while receive_now(udp).is_some() {}
            }
            let target = SocketAddrV4::new(Ipv4Addr::LOCALHOST, told.port);
            udp[who].send_to(GAME, target).expect("it goes out");
            let until = Instant::now() + PATIENCE;
            let from = loop {
                let mut came = udp.iter().filter_map(receive_now);
                if let Some((_, from)) = came.find(|(datagram, _)| datagram == GAME) {
                    break from;
                }
                assert!(
                    Instant::now() < until,
                    "a packet to port {} is lost",
                    told.port
                );
                std::thread::yield_now();
            };
            assert!(self.stage.relay_ports.contains(&from.port()), "from {from}");
        }
    }
}

/// Reads until the registrar accepts; refusals of earlier datagrams may come first.
fn expect_ok(udp: &UdpSocket, registrar: SocketAddr) {
    loop {
        let (answer, from) = receive(udp, PATIENCE).expect("an answer");
        if answer == GAME {
            continue;
        }
        assert_eq!(from, registrar);
        if answer == b"OK" {
            return;
        }
        assert_eq!(answer, b"Unknown host pid!");
    }
}

impl Sender {
    /// Returns the next line.
    fn line(&mut self) -> String {
        loop {
            if let Some(end) = self.unread.iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<_> = self.unread.drain(..=end).collect();
                line.pop();
                return String::from_utf8(line).expect("a server sends text");
            }
            let mut chunk = [0; 4096];
            match self.tcp.read(&mut chunk) {
                Ok(0) => panic!("the server closed the connection"),
                Ok(length) => self.unread.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => panic!("the server is silent: {error}"),
            }
        }
    }
}

/// Returns the next datagram.
fn receive(udp: &UdpSocket, time: Duration) -> Option<(Vec<u8>, SocketAddr)> {
    udp.set_read_timeout(Some(time)).expect("a time-out");
    receive_by(udp)
}

/// Returns a datagram that has already arrived.
fn receive_now(udp: &UdpSocket) -> Option<(Vec<u8>, SocketAddr)> {
    udp.set_nonblocking(true).expect("a socket");
    let received = receive_by(udp);
    udp.set_nonblocking(false).expect("a socket");
    received
}

fn receive_by(udp: &UdpSocket) -> Option<(Vec<u8>, SocketAddr)> {
    let mut buffer = [0; 2048];
    loop {
        match udp.recv_from(&mut buffer) {
            Ok((length, from)) => return Some((buffer[..length].to_vec(), from)),
            // libFuzzer's clock is a signal.
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                return None;
            }
            Err(error) => panic!("{error}"),
        }
    }
}
