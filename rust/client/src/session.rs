//! The connection task: dialling, reading and obeying, and doing it again while a game goes on.

use std::{
    collections::VecDeque,
    future::pending,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use noray_protocol::{
    defaults::MAX_LINE,
    player::{
        link::ServerKind,
        requests::{ConnectFailure, Requests},
    },
    wire::{
        check::PathKind,
        command::{ConnectKind, PlayerCommand, ServerCommand, ServerLine},
        framing::{Framing, LineDecoder},
        id::{OpenId, PrivateId},
    },
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    sync::mpsc,
    task::JoinSet,
    time::{sleep_until, timeout},
};
use tracing::{debug, info, warn};

use crate::{
    connection::{Command, ConnectOptions, ConnectionEvent, DisconnectReason, ReadyError},
    defaults::{
        COMMAND_QUEUE, MAX_RECONNECT_PAUSE, MIN_REGISTER_INTERVAL, READ_CHUNK, RECONNECT_PAUSE,
        SEND_TIMEOUT,
    },
    dial::dial,
    link::{LinkHandle, ToConnection},
    play::{Play, Stage},
    registrar::{RegisterError, register},
};

/// What our own server's greeting begins with.
const OWN_SERVER: &str = "noray-server";

pub(crate) async fn run(
    options: ConnectOptions,
    mut commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<ConnectionEvent>,
) {
    debug!(host = options.host, port = options.port, "connecting");
    let mut early = Vec::new();
    let mut play = None;
    let mut stream = match dial(&options.host, options.port, options.timeout).await {
        Ok(stream) => stream,
        Err(error) => {
            // Fails when the game let go of the connection meanwhile: nobody to tell.
            let _ = events.send(ConnectionEvent::NotConnected(error)).await;
            return;
        }
    };
    loop {
        let (reason, played) = match Session::open(stream, &options, events.clone(), play).await {
            Err((error, played)) => (error.into(), played),
            Ok(None) => return,
            Ok(Some(session)) => match session.run(&mut commands, early).await {
                Some(ended) => ended,
                None => return,
            },
        };
        let Some(mut player) = played.filter(|play| play.link.is_used()) else {
            let _ = events.send(ConnectionEvent::Disconnected(reason)).await;
            return;
        };
        player.begin_again();
        if events.send(ConnectionEvent::Lost(reason)).await.is_err() {
            return;
        }
        let again = reconnect(&options, &mut commands, &player.link).await;
        let Some((next, waiting)) = again else {
            let reason = DisconnectReason::Closed;
            let _ = events.send(ConnectionEvent::Disconnected(reason)).await;
            return;
        };
        (stream, early, play) = (next, waiting, Some(player));
    }
}

/// Connects again, with growing pauses, as long as the link is used. Gives what the game asked for
/// meanwhile.
async fn reconnect(
    options: &ConnectOptions,
    commands: &mut mpsc::Receiver<Command>,
    link: &LinkHandle,
) -> Option<(TcpStream, Vec<Command>)> {
    let mut early = Vec::new();
    let mut pause = RECONNECT_PAUSE;
    loop {
        // A host or join that begins now does not wait for the pause.
        let waited = timeout(with_jitter(pause), async {
            while early.len() < COMMAND_QUEUE {
                let command = commands.recv().await?;
                let hurry = matches!(command, Command::Play(..));
                early.push(command);
                if hurry {
                    return Some(());
                }
            }
            pending().await
        });
        if let Ok(None) = waited.await {
            return None;
        }
        let wanted = early
            .iter()
            .any(|command| matches!(command, Command::Play(..)));
        if !link.is_used() && !wanted {
            return None;
        }
        match dial(&options.host, options.port, options.timeout).await {
            Ok(stream) => return Some((stream, early)),
            Err(error) => debug!(%error, "no new connection"),
        }
        pause = (pause * 2).min(MAX_RECONNECT_PAUSE);
    }
}

/// Up to a quarter more or less, so that players whose server was restarted do not all come at the
/// same time.
fn with_jitter(pause: Duration) -> Duration {
    let random = getrandom::u32().unwrap_or(u32::MAX / 2);
    pause.mul_f64(0.75 + 0.5 * f64::from(random) / f64::from(u32::MAX))
}

/// The task's state while it is connected.
struct Session {
    server: SocketAddr,
    reader: OwnedReadHalf,
    writer: OwnedWriteHalf,
    decoder: LineDecoder,
    framing: Framing,
    requests: Requests,
    /// Until when each `register-host` that was sent waits for its PrivateID.
    identities: VecDeque<Instant>,
    answer_timeout: Duration,
    registrations: JoinSet<(PrivateId, Result<u16, RegisterError>)>,
    events: mpsc::Sender<ConnectionEvent>,
    /// How the server introduced itself.
    kind: ServerKind,
    /// The OpenID that came last, whose PrivateID follows.
    oid: Option<OpenId>,
    identity: Option<PrivateId>,
    /// What `register_remote` registered, from which port.
    registered: Option<(PrivateId, u16)>,
    play: Option<Play>,
}

/// The game let go of the connection.
struct Abandoned;

/// Why the session ended: a reason to tell, or nobody to tell it to.
type Ended = Result<DisconnectReason, Abandoned>;

impl From<mpsc::error::SendError<ConnectionEvent>> for Abandoned {
    fn from(_: mpsc::error::SendError<ConnectionEvent>) -> Self {
        Self
    }
}

impl Session {
    /// `None` when nobody waits for the connection any more.
    async fn open(
        stream: TcpStream,
        options: &ConnectOptions,
        events: mpsc::Sender<ConnectionEvent>,
        play: Option<Play>,
    ) -> Result<Option<Self>, (io::Error, Option<Play>)> {
        let server = match stream.peer_addr() {
            Ok(server) => server,
            Err(error) => return Err((error, play)),
        };
        info!(%server, "connected");
        if events
            .send(ConnectionEvent::Connected(server))
            .await
            .is_err()
        {
            return Ok(None);
        }
        let (reader, writer) = stream.into_split();
        Ok(Some(Self {
            server,
            reader,
            writer,
            decoder: LineDecoder::new(Framing::Plain, MAX_LINE),
            framing: Framing::Plain,
            requests: Requests::new(options.answer_timeout),
            identities: VecDeque::new(),
            answer_timeout: options.answer_timeout,
            registrations: JoinSet::new(),
            events,
            kind: ServerKind::Silent,
            oid: None,
            identity: None,
            registered: None,
            play,
        }))
    }

    /// Runs until the connection ends; `None` when the game let go of it.
    async fn run(
        mut self,
        commands: &mut mpsc::Receiver<Command>,
        early: Vec<Command>,
    ) -> Option<(DisconnectReason, Option<Play>)> {
        let mut chunk = [0; READ_CHUNK];
        let mut step = self.begin(early).await;
        loop {
            if let Err(ended) = step {
                self.fail_open_requests().await;
                return Some((ended.ok()?, self.play));
            }
            let deadline = self.next_deadline();
            step = tokio::select! {
                read = self.reader.read(&mut chunk) => match read {
                    Ok(0) => Err(Ok(DisconnectReason::Closed)),
                    Ok(length) => self.receive(&chunk[..length]).await,
                    Err(error) => Err(Ok(error.into())),
                },
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => Err(Err(Abandoned)),
                },
                Some(result) = self.registrations.join_next() => match result {
                    Ok((pid, result)) => self.plainly_registered(pid, result).await,
                    Err(_) => self.tell(ConnectionEvent::Registered(Err(RegisterError::Disconnected))).await,
                },
                message = next_message(&mut self.play) => self.hear_link(message).await,
                () = wait_until(deadline) => self.expire().await,
            };
        }
    }

    /// What was asked for before the connection was there.
    async fn begin(&mut self, early: Vec<Command>) -> Result<(), Ended> {
        for command in early {
            self.obey(command).await?;
        }
        self.advance().await
    }

    fn next_deadline(&self) -> Option<Instant> {
        let identity = self.identities.front().copied();
        self.requests
            .next_deadline()
            .into_iter()
            .chain(identity)
            .min()
    }

    async fn receive(&mut self, bytes: &[u8]) -> Result<(), Ended> {
        self.decoder.push(bytes);
        while let Some(line) = self.decoder.next_line() {
            let line = match line {
                Ok(line) => line,
                Err(error) => {
                    warn!(%error, "from the server");
                    continue;
                }
            };
            let Some(line) = ServerLine::parse(&line, self.framing) else {
                continue;
            };
            match &line.command {
                ServerCommand::Greeting(version) => {
                    debug!(version, "the server greets");
                    self.kind = if version.starts_with(OWN_SERVER) {
                        ServerKind::Ours
                    } else {
                        ServerKind::Greeting
                    };
                    self.framing = Framing::Quoted;
                    self.decoder.set_framing(Framing::Quoted);
                }
                ServerCommand::SetOpenId(oid) => self.oid = OpenId::new(oid).ok(),
                ServerCommand::SetPrivateId(pid) => {
                    self.identities.pop_front();
                    self.identity = Some(pid.clone());
                }
                ServerCommand::ConnectNat(address) => {
                    self.announce(ConnectKind::Nat, PathKind::Direct, *address);
                }
                ServerCommand::ConnectRelay(port) => {
                    let relay = SocketAddr::new(self.server.ip(), *port);
                    self.announce(ConnectKind::Relay, PathKind::Relay, relay);
                }
                _ => {}
            }
            let identified = matches!(line.command, ServerCommand::SetPrivateId(_));
            let reaction = self.requests.receive(&line.command);
            if !reaction.internal {
                self.tell(ConnectionEvent::Line(line)).await?;
            }
            if let Some(text) = reaction.send {
                self.write(&text).await?;
            }
            if let Some(failure) = reaction.failure {
                self.fail(failure).await?;
            }
            if identified {
                self.advance().await?;
            }
        }
        Ok(())
    }

    async fn obey(&mut self, command: Command) -> Result<(), Ended> {
        match command {
            Command::RegisterHost => self.register_host(None).await,
            Command::Connect(kind, oid) => match self.requests.request(Instant::now(), kind, oid) {
                Ok(text) => self.write(&text).await,
                Err(failure) => self.fail(failure).await,
            },
            Command::RegisterRemote(pid, options) => {
                let registrar = SocketAddr::new(self.server.ip(), options.registrar_port);
                let interval = options.interval.max(MIN_REGISTER_INTERVAL);
                self.registrations.spawn(async move {
                    let result = register(registrar, &pid, options.timeout, interval).await;
                    (pid, result)
                });
                Ok(())
            }
            Command::Play(link, registrar_port) => self.play(link, registrar_port).await,
        }
    }

    async fn plainly_registered(
        &mut self,
        pid: PrivateId,
        result: Result<u16, RegisterError>,
    ) -> Result<(), Ended> {
        if let Ok(port) = result {
            self.registered = Some((pid, port));
        }
        self.tell(ConnectionEvent::Registered(result)).await?;
        self.advance().await
    }

    async fn play(&mut self, link: LinkHandle, registrar_port: u16) -> Result<(), Ended> {
        let again = self
            .play
            .as_ref()
            .filter(|play| play.link.is_same(&link) && play.registrar_port == registrar_port);
        match again.map(|play| play.stage) {
            Some(Stage::Ready) => {
                link.set_server(Some(self.kind));
                return self.tell(ConnectionEvent::Ready(Ok(()))).await;
            }
            Some(Stage::NeedsIdentity | Stage::Registering) => return Ok(()),
            Some(Stage::Failed) | None => {}
        }
        self.play = Some(Play::new(link, registrar_port));
        self.advance().await
    }

    /// Does what is next for the link.
    async fn advance(&mut self) -> Result<(), Ended> {
        let Some(play) = self.play.as_mut() else {
            return Ok(());
        };
        if play.stage != Stage::NeedsIdentity || !self.registrations.is_empty() {
            return Ok(());
        }
        let (Some(oid), Some(pid)) = (&self.oid, &self.identity) else {
            if !self.identities.is_empty() {
                return Ok(());
            }
            let resume = play
                .identity
                .take()
                .map(|(oid, pid)| PlayerCommand::ResumeHost(oid, pid));
            return self.register_host(resume).await;
        };
        let registrar = SocketAddr::new(self.server.ip(), play.registrar_port);
        let port = self
            .registered
            .as_ref()
            .filter(|(registered, _)| registered == pid)
            .map(|(_, port)| *port);
        play.stage = Stage::Registering;
        play.identity = Some((oid.clone(), pid.clone()));
        play.link.set_identity(oid.clone());
        play.link.register(registrar, pid.clone(), port);
        Ok(())
    }

    async fn hear_link(&mut self, message: ToConnection) -> Result<(), Ended> {
        let Some(play) = self.play.as_mut() else {
            return Ok(());
        };
        match message {
            ToConnection::Ask(kind, oid) => {
                match self.requests.request(Instant::now(), kind, oid.clone()) {
                    Ok(text) => {
                        play.asked(kind, oid);
                        self.write(&text).await
                    }
                    Err(failure) => {
                        play.refuse(failure);
                        Ok(())
                    }
                }
            }
            ToConnection::Registered(Ok(port)) => {
                play.stage = Stage::Ready;
                play.link.set_server(Some(self.kind));
                self.tell(ConnectionEvent::Registered(Ok(port))).await?;
                self.tell(ConnectionEvent::Ready(Ok(()))).await
            }
            ToConnection::Registered(Err(RegisterError::Socket(error)))
                if self.registered.is_some() =>
            {
                // The game holds the port that it registered itself: the link gets its own.
                debug!(%error, "the registered port is in use");
                self.registered = None;
                self.identity = None;
                play.stage = Stage::NeedsIdentity;
                self.advance().await
            }
            ToConnection::Registered(Err(error)) => {
                play.stage = Stage::Failed;
                self.tell(ConnectionEvent::Ready(Err(error.into()))).await
            }
            ToConnection::AddressInDoubt => match (self.kind, &self.identity) {
                // Our server takes the new address for the same identity.
                (ServerKind::Ours, Some(pid)) => {
                    let registrar = SocketAddr::new(self.server.ip(), play.registrar_port);
                    play.link.register(registrar, pid.clone(), None);
                    Ok(())
                }
                _ => Err(Ok(DisconnectReason::AddressInDoubt)),
            },
        }
    }

    fn announce(&mut self, kind: ConnectKind, way: PathKind, address: SocketAddr) {
        if let Some(play) = &mut self.play {
            play.answered(kind);
            play.link.announced(way, address);
        }
    }

    /// Tells whoever asked that a request came to nothing.
    async fn fail(&mut self, failure: ConnectFailure) -> Result<(), Ended> {
        let failure = match &mut self.play {
            Some(play) => play.take_failure(failure),
            None => Some(failure),
        };
        match failure {
            Some(failure) => self.tell(ConnectionEvent::ConnectFailed(failure)).await,
            None => Ok(()),
        }
    }

    async fn register_host(&mut self, resume: Option<PlayerCommand>) -> Result<(), Ended> {
        self.identities
            .push_back(Instant::now() + self.answer_timeout);
        let commands = resume.into_iter().chain([PlayerCommand::RegisterHost]);
        let text: String = commands.map(|command| format!("{command}\n")).collect();
        self.write(&text).await
    }

    async fn write(&mut self, text: &str) -> Result<(), Ended> {
        match timeout(SEND_TIMEOUT, self.writer.write_all(text.as_bytes())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Ok(error.into())),
            Err(_) => Err(Ok(DisconnectReason::Stuck)),
        }
    }

    async fn tell(&self, event: ConnectionEvent) -> Result<(), Ended> {
        self.events
            .send(event)
            .await
            .map_err(|error| Err(error.into()))
    }

    async fn expire(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        for failure in self.requests.expire(now) {
            self.fail(failure).await?;
        }
        if let Some(text) = self.requests.unsent() {
            self.write(&text).await?;
        }
        while self
            .identities
            .pop_front_if(|until| now >= *until)
            .is_some()
        {
            self.tell(ConnectionEvent::NoIdentity).await?;
            if let Some(play) =
                (self.play.as_mut()).filter(|play| play.stage == Stage::NeedsIdentity)
            {
                play.stage = Stage::Failed;
                self.tell(ConnectionEvent::Ready(Err(ReadyError::NoIdentity)))
                    .await?;
            }
        }
        Ok(())
    }

    async fn fail_open_requests(&mut self) {
        for failure in self.requests.abandon() {
            if self.fail(failure).await.is_err() {
                return;
            }
        }
    }
}

async fn next_message(play: &mut Option<Play>) -> ToConnection {
    match play {
        // The link is gone with the game: the connection goes on without it.
        Some(play) => match play.messages.recv().await {
            Some(message) => message,
            None => pending().await,
        },
        None => pending().await,
    }
}

async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => pending().await,
    }
}
