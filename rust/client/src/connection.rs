//! The connection to a noray server: a task, and the handle that a game holds.

use std::{
    collections::VecDeque,
    future::pending,
    io,
    net::SocketAddr,
    time::{Duration, Instant},
};

use noray_protocol::{
    command::{ConnectKind, PlayerCommand, ServerCommand, ServerLine},
    defaults::{ANSWER_TIMEOUT, COMMAND_PORT, MAX_LINE, REGISTRAR_PORT},
    id::{OpenId, PrivateId},
    line::{Framing, LineDecoder},
    requests::{ConnectFailure, Requests},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{
        TcpStream,
        tcp::{OwnedReadHalf, OwnedWriteHalf},
    },
    runtime::Handle,
    sync::mpsc,
    task::JoinSet,
    time::{sleep_until, timeout},
};
use tokio_util::sync::{CancellationToken, DropGuard};
use tracing::{debug, info, warn};

use crate::{
    defaults::{
        COMMAND_QUEUE, CONNECT_TIMEOUT, EVENT_QUEUE, MIN_REGISTER_INTERVAL, READ_CHUNK,
        REGISTER_INTERVAL, REGISTER_TIMEOUT, SEND_TIMEOUT,
    },
    dial::{DialError, dial},
    registrar::{RegisterError, register},
};

/// Where to connect to, and how long to wait.
#[derive(Clone, Debug)]
pub struct ConnectOptions {
    /// The server's name or IP address.
    pub host: String,
    /// The server's command port; 8890 by default.
    pub port: u16,
    /// The longest wait for the connection; 8 s by default.
    pub timeout: Duration,
    /// The longest wait for the answer to a connect request; 5 s by default.
    pub answer_timeout: Duration,
}

impl ConnectOptions {
    /// The defaults for a server's name or IP address.
    #[must_use]
    pub fn new(host: impl Into<String>) -> Self {
        Self {
            host: host.into(),
            port: COMMAND_PORT,
            timeout: CONNECT_TIMEOUT,
            answer_timeout: ANSWER_TIMEOUT,
        }
    }
}

/// How to register this player's UDP address.
#[derive(Clone, Copy, Debug)]
pub struct RegisterOptions {
    /// The registrar's UDP port; 8809 by default.
    pub registrar_port: u16,
    /// The longest wait for an answer; 8 s by default.
    pub timeout: Duration,
    /// The pause between repeats; 0.1 s by default, at least 20 ms.
    pub interval: Duration,
}

impl Default for RegisterOptions {
    fn default() -> Self {
        Self {
            registrar_port: REGISTRAR_PORT,
            timeout: REGISTER_TIMEOUT,
            interval: REGISTER_INTERVAL,
        }
    }
}

/// What happened on a connection, in order.
#[derive(Debug)]
pub enum Event {
    /// The server at this address accepted.
    Connected(SocketAddr),
    /// No server was reached; the last event.
    NotConnected(DialError),
    /// A command came from the server.
    Line(ServerLine),
    /// The server did not answer a [`Connection::register_host`] in time.
    NoIdentity,
    /// A registration ended; with the local port that is registered now.
    Registered(Result<u16, RegisterError>),
    /// A connect request came to nothing.
    ConnectFailed(ConnectFailure),
    /// The connection is lost; the last event.
    Disconnected(DisconnectReason),
}

/// Why a connection ended by itself.
#[derive(Debug, thiserror::Error)]
pub enum DisconnectReason {
    /// The server closed the connection.
    #[error("the server closed the connection")]
    Closed,
    /// The system gave up on the connection.
    #[error("the connection to the server is lost: {0}")]
    Lost(#[from] io::Error),
    /// The server does not take what is sent to it.
    #[error("the server does not take commands any more")]
    Stuck,
}

/// Why a command was not taken.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum SendError {
    /// The connection has ended.
    #[error("not connected to a server")]
    Disconnected,
    /// Too many commands wait to be sent.
    #[error("too many commands wait to be sent")]
    Full,
}

enum Command {
    RegisterHost,
    Connect(ConnectKind, OpenId),
    RegisterRemote(PrivateId, RegisterOptions),
}

/// A connection to a server, or the attempt at one. Dropping it ends it.
#[derive(Debug)]
pub struct Connection {
    commands: mpsc::Sender<Command>,
    events: mpsc::Receiver<Event>,
    _cancel: DropGuard,
}

impl Connection {
    /// Begins to connect, on the given runtime; what becomes of it are events.
    #[must_use]
    pub fn open(runtime: &Handle, options: ConnectOptions) -> Self {
        let (command_sender, command_receiver) = mpsc::channel(COMMAND_QUEUE);
        let (event_sender, event_receiver) = mpsc::channel(EVENT_QUEUE);
        let cancel = CancellationToken::new();
        let task = run(options, command_receiver, event_sender);
        runtime.spawn(cancel.clone().run_until_cancelled_owned(task));
        Self {
            commands: command_sender,
            events: event_receiver,
            _cancel: cancel.drop_guard(),
        }
    }

    /// The next event, if there is one; never waits. When the task has ended
    /// without a last event, that is told as a lost connection.
    pub fn next_event(&mut self) -> Option<Event> {
        match self.events.try_recv() {
            Ok(event) => Some(event),
            Err(mpsc::error::TryRecvError::Empty) => None,
            Err(mpsc::error::TryRecvError::Disconnected) => {
                let error = io::Error::other("the connection task has ended");
                Some(Event::Disconnected(error.into()))
            }
        }
    }

    /// The next event; waits for it.
    pub async fn wait_event(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Asks for an OpenID and a PrivateID.
    ///
    /// # Errors
    /// See [`SendError`]; nothing is sent then.
    pub fn register_host(&self) -> Result<(), SendError> {
        self.send(Command::RegisterHost)
    }

    /// Asks the server to connect this player and a host.
    ///
    /// # Errors
    /// See [`SendError`]; nothing is sent then.
    pub fn connect(&self, kind: ConnectKind, oid: OpenId) -> Result<(), SendError> {
        self.send(Command::Connect(kind, oid))
    }

    /// Registers a UDP address of this player's; ends with [`Event::Registered`].
    ///
    /// # Errors
    /// See [`SendError`]; nothing is sent then.
    pub fn register_remote(
        &self,
        pid: PrivateId,
        options: RegisterOptions,
    ) -> Result<(), SendError> {
        self.send(Command::RegisterRemote(pid, options))
    }

    fn send(&self, command: Command) -> Result<(), SendError> {
        self.commands
            .try_send(command)
            .map_err(|error| match error {
                mpsc::error::TrySendError::Full(_) => SendError::Full,
                mpsc::error::TrySendError::Closed(_) => SendError::Disconnected,
            })
    }
}

async fn run(
    options: ConnectOptions,
    commands: mpsc::Receiver<Command>,
    events: mpsc::Sender<Event>,
) {
    debug!(host = options.host, port = options.port, "connecting");
    let last = match dial(&options.host, options.port, options.timeout).await {
        Err(error) => Event::NotConnected(error),
        Ok(stream) => match Session::open(stream, &options, events.clone()).await {
            Err(error) => Event::Disconnected(error.into()),
            Ok(None) => return,
            Ok(Some(session)) => match session.run(commands).await {
                Some(reason) => Event::Disconnected(reason),
                None => return,
            },
        },
    };
    // Fails when the game let go of the connection meanwhile: nobody to tell.
    let _ = events.send(last).await;
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
    registrations: JoinSet<Result<u16, RegisterError>>,
    events: mpsc::Sender<Event>,
}

/// The game let go of the connection.
struct Abandoned;

/// Why the session ended: a reason to tell, or nobody to tell it to.
type Ended = Result<DisconnectReason, Abandoned>;

impl From<mpsc::error::SendError<Event>> for Abandoned {
    fn from(_: mpsc::error::SendError<Event>) -> Self {
        Self
    }
}

impl Session {
    /// `None` when nobody waits for the connection any more.
    async fn open(
        stream: TcpStream,
        options: &ConnectOptions,
        events: mpsc::Sender<Event>,
    ) -> io::Result<Option<Self>> {
        let server = stream.peer_addr()?;
        info!(%server, "connected");
        if events.send(Event::Connected(server)).await.is_err() {
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
        }))
    }

    /// Runs until the connection ends; `None` when the game let go of it.
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) -> Option<DisconnectReason> {
        let mut chunk = [0; READ_CHUNK];
        loop {
            let deadline = self.next_deadline();
            let step = tokio::select! {
                read = self.reader.read(&mut chunk) => match read {
                    Ok(0) => Err(Ok(DisconnectReason::Closed)),
                    Ok(length) => self.receive(&chunk[..length]).await,
                    Err(error) => Err(Ok(error.into())),
                },
                command = commands.recv() => match command {
                    Some(command) => self.obey(command).await,
                    None => Err(Err(Abandoned)),
                },
                Some(result) = self.registrations.join_next() => {
                    let result = result.unwrap_or(Err(RegisterError::Disconnected));
                    self.tell(Event::Registered(result)).await
                }
                () = wait_until(deadline) => self.expire().await,
            };
            if let Err(ended) = step {
                self.fail_open_requests().await;
                return ended.ok();
            }
        }
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
                    self.framing = Framing::Quoted;
                    self.decoder.set_framing(Framing::Quoted);
                }
                ServerCommand::SetPrivateId(_) => drop(self.identities.pop_front()),
                _ => {}
            }
            let reaction = self.requests.receive(&line.command);
            if !reaction.internal {
                self.tell(Event::Line(line)).await?;
            }
            if let Some(text) = reaction.send {
                self.write(&text).await?;
            }
            if let Some(failure) = reaction.failure {
                self.tell(Event::ConnectFailed(failure)).await?;
            }
        }
        Ok(())
    }

    async fn obey(&mut self, command: Command) -> Result<(), Ended> {
        match command {
            Command::RegisterHost => {
                self.identities
                    .push_back(Instant::now() + self.answer_timeout);
                self.write(&format!("{}\n", PlayerCommand::RegisterHost))
                    .await
            }
            Command::Connect(kind, oid) => match self.requests.request(Instant::now(), kind, oid) {
                Ok(text) => self.write(&text).await,
                Err(failure) => self.tell(Event::ConnectFailed(failure)).await,
            },
            Command::RegisterRemote(pid, options) => {
                let registrar = SocketAddr::new(self.server.ip(), options.registrar_port);
                let interval = options.interval.max(MIN_REGISTER_INTERVAL);
                self.registrations.spawn(async move {
                    register(registrar, &pid, options.timeout, interval).await
                });
                Ok(())
            }
        }
    }

    async fn write(&mut self, text: &str) -> Result<(), Ended> {
        match timeout(SEND_TIMEOUT, self.writer.write_all(text.as_bytes())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(Ok(error.into())),
            Err(_) => Err(Ok(DisconnectReason::Stuck)),
        }
    }

    async fn tell(&self, event: Event) -> Result<(), Ended> {
        self.events
            .send(event)
            .await
            .map_err(|error| Err(error.into()))
    }

    async fn expire(&mut self) -> Result<(), Ended> {
        let now = Instant::now();
        for failure in self.requests.expire(now) {
            self.tell(Event::ConnectFailed(failure)).await?;
        }
        if let Some(text) = self.requests.unsent() {
            self.write(&text).await?;
        }
        while self
            .identities
            .pop_front_if(|until| now >= *until)
            .is_some()
        {
            self.tell(Event::NoIdentity).await?;
        }
        Ok(())
    }

    async fn fail_open_requests(&mut self) {
        for failure in self.requests.abandon() {
            if self.tell(Event::ConnectFailed(failure)).await.is_err() {
                return;
            }
        }
    }
}

async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => pending().await,
    }
}
