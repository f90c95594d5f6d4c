//! Commands: accepts connections, and serves each in a task of its own.

use std::{
    io,
    net::{IpAddr, SocketAddr},
    pin::pin,
    sync::{Arc, atomic::Ordering::Relaxed},
    time::{Duration, Instant},
};

use noray_protocol::{
    server::host_table::Introduction,
    wire::{
        command::{ConnectKind, HOSTING, PlayerCommand, RefusalReason, ServerCommand, has_word},
        framing::{Framing, LineDecoder, LineError},
        id::{OpenId, PrivateId},
    },
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    config::Config,
    counters::{CommandIndex, Counters},
    defaults::{ACCEPT_PAUSE, BYTES_PER_LINE, READ_CHUNK},
    directory::{Directory, Member, lock},
    outbox::OutboxFull,
    sockets::{is_sockets_end, listen_tcp, prepare_connection},
    standstill,
    throttle::Throttle,
};

/// What the tasks of all connections share.
#[derive(Debug)]
pub(crate) struct Commands {
    pub(crate) config: Config,
    pub(crate) directory: Arc<Directory>,
    pub(crate) tasks: TaskTracker,
    pub(crate) stop: CancellationToken,
    /// Cancelled when no more players may come.
    pub(crate) drain: CancellationToken,
}

impl Commands {
    /// Accepts connections until the server drains. A socket that is none any more is replaced by
    /// one that listens at `address`.
    pub(crate) async fn accept(self: Arc<Self>, listener: TcpListener, address: SocketAddr) {
        let mut was_failing = false;
        let mut current = Some(listener);
        loop {
            let accepted = match &current {
                Some(listener) => tokio::select! {
                    biased;
                    () = self.drain.cancelled() => break,
                    accepted = listener.accept() => accepted,
                },
                None => match listen_tcp(address).and_then(TcpListener::from_std) {
                    Ok(listener) => {
                        tracing::warn!(%address, "listens for commands anew");
                        current = Some(listener);
                        continue;
                    }
                    Err(error) => Err(error),
                },
            };
            match accepted {
                Ok((stream, peer)) => {
                    was_failing = false;
                    self.clone().admit(stream, peer.ip());
                }
                Err(error) if is_connections_fault(&error) => tokio::task::yield_now().await,
                Err(error) => {
                    if is_sockets_end(&error) {
                        // At once, so that the port is free.
                        current = None;
                    }
                    if !std::mem::replace(&mut was_failing, true) {
                        tracing::warn!(%error, "cannot accept connections for now");
                    }
                    tokio::select! {
                        () = self.drain.cancelled() => break,
                        () = tokio::time::sleep(ACCEPT_PAUSE) => {}
                    }
                }
            }
        }
    }

    fn admit(self: Arc<Self>, stream: TcpStream, peer: IpAddr) {
        // Fails if the player has left already.
        let Ok(local) = stream.local_addr() else {
            return;
        };
        let member = match self.directory.admit(peer, local.ip()) {
            Ok(member) => member,
            Err(reason) => {
                let refused = &self.directory.counters().connections_refused;
                refused.fetch_add(1, Relaxed);
                tracing::debug!(%peer, %reason, "connection closed");
                return;
            }
        };
        tracing::debug!(%peer, "connection opened");
        let tasks = self.tasks.clone();
        tasks.spawn(async move {
            let end = PlayerConnection::new(self, stream, member).run().await;
            tracing::debug!(%peer, %end, "connection closed");
        });
    }
}

/// Returns whether accepting failed for one connection only.
fn is_connections_fault(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted
            | io::ErrorKind::ConnectionReset
            | io::ErrorKind::Interrupted
    )
}

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
enum End {
    #[error("the player left")]
    Left,
    #[error("the server stops")]
    Stopped,
    #[error("the server accepts no more players")]
    Draining,
    #[error("the player did not register")]
    Unregistered,
    #[error(transparent)]
    NotReading(#[from] OutboxFull),
    #[error("the player did not read in time")]
    WriteTimeout,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// Whether a command did what the player asked.
enum Outcome {
    Done,
    Failed,
}

/// Why the connection handles no more lines for now.
enum Paused {
    /// No complete line is there.
    NoLine,
    /// The answers must be written first.
    Crowded,
    /// The player sends too much, and must wait for this time.
    Throttled(Duration),
}

/// One player's connection.
///
/// It writes before it reads, and does not read while the player does not take what it writes. So
/// it holds at most one chunk of input and one outbox of output.
struct PlayerConnection {
    commands: Arc<Commands>,
    stream: TcpStream,
    member: Member,
    decoder: LineDecoder,
    lines: Throttle,
    connects: Throttle,
    is_registered: bool,
    /// The player resumed its identity, and the `register-host` that it sent along is still to come.
    resumed: bool,
    /// The player has said that it tells whether it hosts.
    tells_hosting: bool,
}

impl PlayerConnection {
    fn new(commands: Arc<Commands>, stream: TcpStream, member: Member) -> Self {
        let config = &commands.config;
        let now = Instant::now();
        Self {
            decoder: LineDecoder::new(Framing::Plain, config.max_line_length.as_usize()),
            lines: Throttle::new(config.max_lines_per_second, now),
            connects: Throttle::new(config.max_connects_per_second, now),
            is_registered: false,
            resumed: false,
            tells_hosting: false,
            commands,
            stream,
            member,
        }
    }

    /// Serves the connection and returns why it ended.
    async fn run(mut self) -> End {
        let stop = self.commands.stop.clone();
        tokio::select! {
            biased;
            () = stop.cancelled() => End::Stopped,
            result = self.serve() => result.err().unwrap_or(End::Left),
        }
    }

    async fn serve(&mut self) -> Result<(), End> {
        let drain = self.commands.drain.clone();
        let mut time_to_register = pin!(standstill::sleep(
            *self.commands.config.unregistered_timeout
        ));
        prepare_connection(&self.stream, *self.commands.config.vanished_timeout);
        self.send(&ServerCommand::Greeting(format!(
            "noray-server v{}",
            env!("CARGO_PKG_VERSION")
        )))?;
        self.send(&ServerCommand::Offers(HOSTING.to_owned()))?;
        loop {
            let paused = self.handle_lines().await?;
            self.flush().await?;
            let pause = match paused {
                Paused::Crowded => continue,
                Paused::NoLine => None,
                Paused::Throttled(time) => Some(time),
            };
            tokio::select! {
                // What the player sent counts before its time is up.
                biased;
                () = self.member.outbox().filled() => {}
                () = tokio::time::sleep(pause.unwrap_or_default()), if pause.is_some() => {}
                ready = self.stream.readable(), if pause.is_none() => {
                    ready?;
                    // Everything that came before the end is answered and written by now.
                    if self.read()? {
                        return Ok(());
                    }
                }
                () = drain.cancelled(), if !self.is_registered => return Err(End::Draining),
                () = &mut time_to_register, if !self.is_registered => {
                    return Err(End::Unregistered);
                }
            }
        }
    }

    /// Reads what is there, up to a chunk. Returns `true` if the player will send no more.
    fn read(&mut self) -> io::Result<bool> {
        let mut chunk = [0; READ_CHUNK];
        match self.stream.try_read(&mut chunk) {
            Ok(0) => Ok(true),
            Ok(length) => {
                self.decoder.push(chunk.get(..length).unwrap_or_default());
                self.lines.charge(length as f64 / BYTES_PER_LINE);
                Ok(false)
            }
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(false),
            Err(error) => Err(error),
        }
    }

    async fn handle_lines(&mut self) -> Result<Paused, End> {
        loop {
            if self.member.outbox().is_crowded() {
                return Ok(Paused::Crowded);
            }
            let now = Instant::now();
            let address = &self.member.address_limits().lines;
            let wait = self.lines.wait(now).max(lock(address).wait(now));
            if !wait.is_zero() {
                self.counters().waits.fetch_add(1, Relaxed);
                return Ok(Paused::Throttled(wait));
            }
            match self.decoder.next_line() {
                None => return Ok(Paused::NoLine),
                Some(line) => {
                    self.lines.charge(1.0);
                    lock(&self.member.address_limits().lines).charge(1.0);
                    self.handle_line(line).await?;
                }
            }
        }
    }

    async fn handle_line(&mut self, line: Result<String, LineError>) -> Result<(), End> {
        let line = match line {
            Ok(line) => line,
            Err(LineError::TooLong(_)) => return Ok(()),
        };
        let command = PlayerCommand::parse(&line);
        let (index, began) = (CommandIndex::of(&command), Instant::now());
        let result = self.handle_command(command).await;
        self.counters().command(index, began.elapsed());
        if let Ok(Outcome::Failed) = result {
            self.counters().command_failed(index);
        }
        result.map(drop)
    }

    async fn handle_command(&mut self, command: PlayerCommand) -> Result<Outcome, End> {
        match command {
            // Clients send it right after `resume-host`, for servers that do not know that.
            PlayerCommand::RegisterHost if std::mem::take(&mut self.resumed) => Ok(Outcome::Done),
            PlayerCommand::RegisterHost | PlayerCommand::ResumeHost(..)
                if self.commands.drain.is_cancelled() =>
            {
                Ok(Outcome::Failed)
            }
            PlayerCommand::RegisterHost => {
                self.wait_to_register().await;
                self.register()
            }
            PlayerCommand::ResumeHost(open_id, private_id) => self.resume(&open_id, private_id),
            PlayerCommand::Connect(kind, Ok(host)) => self.connect(kind, &host).await,
            PlayerCommand::Connect(kind, Err(_)) => {
                self.refuse(kind, None, RefusalReason::InvalidOpenId)
            }
            PlayerCommand::Can(words) => {
                self.tells_hosting |= has_word(&words, HOSTING);
                Ok(Outcome::Done)
            }
            PlayerCommand::Open | PlayerCommand::Shut if self.tells_hosting => {
                self.member.set_open(command == PlayerCommand::Open);
                Ok(Outcome::Done)
            }
            PlayerCommand::Echo(text) => {
                self.send(&ServerCommand::Echo(text))?;
                Ok(Outcome::Done)
            }
            PlayerCommand::Open | PlayerCommand::Shut | PlayerCommand::Unknown => Ok(Outcome::Done),
        }
    }

    /// Waits until this connection's address may register again.
    async fn wait_to_register(&self) {
        let limit = &self.member.address_limits().registrations;
        loop {
            let now = Instant::now();
            // A block of its own: the lock must not be held while waiting.
            let wait = {
                let mut limit = lock(limit);
                match limit.try_take(now) {
                    true => return,
                    false => limit.wait(now),
                }
            };
            tokio::time::sleep(wait).await;
        }
    }

    fn register(&mut self) -> Result<Outcome, End> {
        match self.member.register() {
            Ok((open_id, private_id)) => {
                self.is_registered = true;
                tracing::debug!(%open_id, "player registered");
                self.tell_identity(&open_id, private_id)
            }
            // The protocol has no way to say no.
            Err(reason) => {
                tracing::debug!(%reason, "player not registered");
                Ok(Outcome::Failed)
            }
        }
    }

    fn resume(&mut self, open_id: &OpenId, private_id: PrivateId) -> Result<Outcome, End> {
        if !self.member.resume(open_id, &private_id) {
            tracing::debug!(%open_id, "identity not given back");
            return Ok(Outcome::Failed);
        }
        tracing::debug!(%open_id, "identity given back");
        self.is_registered = true;
        self.resumed = true;
        self.tell_identity(open_id, private_id)
    }

    fn tell_identity(&self, open_id: &OpenId, private_id: PrivateId) -> Result<Outcome, End> {
        self.send(&ServerCommand::SetOpenId(open_id.to_string()))?;
        self.send(&ServerCommand::SetPrivateId(private_id))?;
        Ok(Outcome::Done)
    }

    async fn connect(&mut self, kind: ConnectKind, host: &OpenId) -> Result<Outcome, End> {
        match self.try_connect(kind, host).await {
            Ok(introduction) => {
                tracing::debug!(
                    host = %introduction.host.registered,
                    player = %introduction.player.registered,
                    command = kind.command(),
                    "players introduced"
                );
                Ok(Outcome::Done)
            }
            Err(reason) => self.refuse(kind, Some(host), reason),
        }
    }

    async fn try_connect(
        &mut self,
        kind: ConnectKind,
        host: &OpenId,
    ) -> Result<Introduction, RefusalReason> {
        let now = Instant::now();
        let address = &self.member.address_limits().connects;
        if !self.connects.try_take(now) || !lock(address).try_take(now) {
            return Err(RefusalReason::TooManyRequests);
        }
        let introduction = self.member.introduce(host)?;
        let [player, host] = match kind {
            ConnectKind::Nat => {
                let addresses = self.member.addresses(&introduction);
                addresses.map(|address| ServerCommand::ConnectNat(address.into()))
            }
            ConnectKind::Relay => {
                let ports = self.member.relay(&introduction).await?;
                ports.map(ServerCommand::ConnectRelay)
            }
        };
        self.member.tell(&introduction, &host, &player)?;
        Ok(introduction)
    }

    fn refuse(
        &self,
        kind: ConnectKind,
        host: Option<&OpenId>,
        reason: RefusalReason,
    ) -> Result<Outcome, End> {
        self.counters().refused(kind, reason);
        tracing::debug!(
            command = kind.command(),
            reason = reason.name(),
            "player refused"
        );
        self.send(&ServerCommand::refusal(kind, host, reason))?;
        Ok(Outcome::Failed)
    }

    fn counters(&self) -> &Counters {
        self.commands.directory.counters()
    }

    fn send(&self, command: &ServerCommand) -> Result<(), End> {
        Ok(self.member.outbox().push(&command.to_line())?)
    }

    /// Writes everything in the outbox.
    async fn flush(&mut self) -> Result<(), End> {
        let timeout = *self.commands.config.write_timeout;
        loop {
            let lines = self.member.outbox().take();
            if lines.is_empty() {
                return Ok(());
            }
            tokio::select! {
                biased;
                written = self.stream.write_all(&lines) => written?,
                () = standstill::sleep(timeout) => return Err(End::WriteTimeout),
            }
        }
    }
}
