//! One TCP connection to a server, from its first byte to its end.

use std::{convert::Infallible, future::pending, net::SocketAddr, time::Instant};

use noray_protocol::{
    player::{
        link::ServerKind,
        requests::{ConnectFailure, Requests},
    },
    wire::{
        command::{ConnectKind, HOSTING, PlayerCommand, ServerCommand, ServerLine, has_word},
        id::{OpenId, PrivateId},
    },
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpStream, tcp::OwnedWriteHalf},
    sync::mpsc,
    task::JoinSet,
    time::{sleep_until, timeout},
};
use tracing::{debug, info};

use super::{
    command::Command,
    event::{ConnectionEvent, DisconnectReason, ReadyError},
    identity::{Identity, IdentityRequests},
    link_setup::{LinkSetup, Stage},
    options::{ConnectOptions, RegisterOptions},
    server_lines::ServerLines,
};
use crate::{
    defaults::{MIN_REGISTER_INTERVAL, SEND_TIMEOUT},
    link::{LinkHandle, LinkMessage},
    registrar::{RegisterError, register},
};

/// How our own server's greeting starts.
const OWN_SERVER: &str = "noray-server";

/// Why a connection ended.
pub(super) enum End {
    /// It was lost.
    Lost(DisconnectReason),
    /// The game dropped its handle: nobody is left to be told.
    Dropped,
}

impl From<DisconnectReason> for End {
    fn from(reason: DisconnectReason) -> Self {
        Self::Lost(reason)
    }
}

impl From<mpsc::error::SendError<ConnectionEvent>> for End {
    fn from(_: mpsc::error::SendError<ConnectionEvent>) -> Self {
        Self::Dropped
    }
}

/// A TCP connection, and what the player asked of the server over it.
pub(super) struct Connected {
    /// The server's address, with the IP address of its registrar and its relays.
    server: SocketAddr,
    server_kind: ServerKind,
    lines: ServerLines,
    /// Whether the server has sent a line.
    has_answered: bool,
    writer: OwnedWriteHalf,
    events: mpsc::Sender<ConnectionEvent>,
    requests: Requests,
    identity: IdentityRequests,
    /// What the game has saved of an earlier connection.
    saved_identity: Option<Identity>,
    /// The registrations that the game began itself.
    registrations: JoinSet<(PrivateId, Result<u16, RegisterError>)>,
    /// What the last of them registered, and from which local port.
    registered: Option<(PrivateId, u16)>,
    setup: Option<LinkSetup>,
    /// The server wants to know whether this player hosts.
    hears_hosting: bool,
    /// What it takes for true: it can be told otherwise.
    is_open: bool,
    /// The game uses the plain flow too, in which only it knows whether it hosts.
    is_plain: bool,
}

impl Connected {
    pub(super) fn new(
        stream: TcpStream,
        server: SocketAddr,
        options: &ConnectOptions,
        events: mpsc::Sender<ConnectionEvent>,
        setup: Option<LinkSetup>,
    ) -> Self {
        let (reader, writer) = stream.into_split();
        Self {
            server,
            server_kind: ServerKind::Silent,
            lines: ServerLines::new(reader),
            has_answered: false,
            writer,
            events,
            requests: Requests::new(options.answer_timeout),
            identity: IdentityRequests::new(options.answer_timeout),
            saved_identity: options.identity.clone(),
            registrations: JoinSet::new(),
            registered: None,
            setup,
            hears_hosting: false,
            is_open: true,
            is_plain: false,
        }
    }

    /// Runs until the connection ends. Starts with the commands that came before it was there.
    /// Returns the setup of the link, which the next connection goes on with.
    pub(super) async fn run(
        mut self,
        commands: &mut mpsc::Receiver<Command>,
        waiting: Vec<Command>,
    ) -> (End, Option<LinkSetup>) {
        let Err(end) = self.serve(commands, waiting).await;
        let end = self.explain(end);
        // Stops early when the game has dropped its handle.
        let _ = self.fail_open_requests().await;
        (end, self.setup)
    }

    /// Returns the end, with another reason if the server gave nothing that was asked of it.
    fn explain(&self, end: End) -> End {
        match end {
            End::Lost(reason)
                if reason.is_by_server() && self.identity.is_pending() && !self.has_answered =>
            {
                DisconnectReason::Unanswered.into()
            }
            end => end,
        }
    }

    async fn serve(
        &mut self,
        commands: &mut mpsc::Receiver<Command>,
        waiting: Vec<Command>,
    ) -> Result<Infallible, End> {
        info!(server = %self.server, "connected");
        self.tell(ConnectionEvent::Connected(self.server)).await?;
        for command in waiting {
            self.obey(command).await?;
        }
        self.continue_setup().await?;
        loop {
            let deadline = self.next_deadline();
            tokio::select! {
                read = self.lines.read() => {
                    read?;
                    while let Some(line) = self.lines.next_line() {
                        self.receive(line).await?;
                    }
                }
                command = commands.recv() => self.obey(command.ok_or(End::Dropped)?).await?,
                Some(ended) = self.registrations.join_next() => match ended {
                    Ok((pid, result)) => self.plain_registration_ended(pid, result).await?,
                    Err(_) => {
                        let error = RegisterError::Disconnected;
                        self.tell(ConnectionEvent::Registered(Err(error))).await?;
                    }
                },
                message = next_message(&mut self.setup) => self.receive_from_link(message).await?,
                () = wait_until(deadline) => self.expire().await?,
            }
        }
    }

    fn next_deadline(&self) -> Option<Instant> {
        let request = self.requests.next_deadline();
        request
            .into_iter()
            .chain(self.identity.next_deadline())
            .min()
    }

    async fn receive(&mut self, line: ServerLine) -> Result<(), End> {
        self.has_answered = true;
        let mut identified = false;
        match &line.command {
            ServerCommand::Greeting(version) => {
                debug!(version, "server greeted");
                self.server_kind = if version.starts_with(OWN_SERVER) {
                    ServerKind::Ours
                } else {
                    ServerKind::Greeting
                };
            }
            ServerCommand::Offers(words) => {
                if has_word(words, HOSTING) {
                    self.hears_hosting = true;
                    let can = PlayerCommand::Can(HOSTING.to_owned());
                    self.write(&format!("{can}\n")).await?;
                    self.tell_hosting().await?;
                }
                return Ok(());
            }
            ServerCommand::SetOpenId(oid) => self.identity.set_open_id(oid),
            ServerCommand::SetPrivateId(pid) => {
                self.identity.set_private_id(pid);
                identified = true;
            }
            ServerCommand::ConnectNat(address) => self.announce(ConnectKind::Nat, *address),
            ServerCommand::ConnectRelay(port) => {
                let relay = SocketAddr::new(self.server.ip(), *port);
                self.announce(ConnectKind::Relay, relay);
            }
            _ => {}
        }
        let reaction = self.requests.receive(&line.command);
        if !reaction.internal {
            self.tell(ConnectionEvent::Line(line)).await?;
        }
        if let Some(text) = reaction.send {
            self.write(&text).await?;
        }
        if let Some(failure) = reaction.failure {
            self.request_failed(failure).await?;
        }
        if identified {
            self.continue_setup().await?;
        }
        Ok(())
    }

    fn announce(&mut self, kind: ConnectKind, address: SocketAddr) {
        if let Some(setup) = &mut self.setup {
            setup.announce(kind, address);
        }
    }

    async fn obey(&mut self, command: Command) -> Result<(), End> {
        if matches!(command, Command::RegisterHost | Command::RegisterRemote(..)) {
            self.is_plain = true;
            self.tell_hosting().await?;
        }
        match command {
            Command::RegisterHost => self.request_identity(None).await,
            Command::Connect(kind, oid) => match self.requests.request(Instant::now(), kind, oid) {
                Ok(text) => self.write(&text).await,
                Err(failure) => self.request_failed(failure).await,
            },
            Command::RegisterRemote(pid, options) => {
                self.register_plainly(pid, options);
                Ok(())
            }
            Command::UseLink {
                link,
                registrar_port,
            } => self.use_link(link, registrar_port).await,
        }
    }

    fn register_plainly(&mut self, pid: PrivateId, options: RegisterOptions) {
        let registrar = SocketAddr::new(self.server.ip(), options.registrar_port);
        let interval = options.interval.max(MIN_REGISTER_INTERVAL);
        self.registrations.spawn(async move {
            let result = register(registrar, &pid, options.timeout, interval).await;
            (pid, result)
        });
    }

    async fn plain_registration_ended(
        &mut self,
        pid: PrivateId,
        result: Result<u16, RegisterError>,
    ) -> Result<(), End> {
        if let Ok(port) = result {
            self.registered = Some((pid, port));
        }
        self.tell(ConnectionEvent::Registered(result)).await?;
        self.continue_setup().await
    }

    async fn use_link(&mut self, link: LinkHandle, registrar_port: u16) -> Result<(), End> {
        let same = (self.setup.as_mut()).filter(|setup| setup.is_for(&link));
        let former = same.as_ref().and_then(|setup| setup.former());
        if let Some(setup) = same.filter(|setup| setup.registers_at(registrar_port)) {
            match setup.stage {
                Stage::Ready => {
                    setup.set_ready(self.server_kind);
                    return self.tell(ConnectionEvent::Ready(Ok(()))).await;
                }
                Stage::NeedsIdentity | Stage::Registering => return Ok(()),
                Stage::Failed => {}
            }
        }
        self.setup = Some(LinkSetup::new(link, registrar_port, former));
        self.continue_setup().await
    }

    /// Has the link register the player's identity, or requests an identity first. A registration
    /// of the game's own that still runs may provide both, so the link waits for it.
    async fn continue_setup(&mut self) -> Result<(), End> {
        let Some(setup) = &mut self.setup else {
            return Ok(());
        };
        if setup.stage != Stage::NeedsIdentity || !self.registrations.is_empty() {
            return Ok(());
        }
        match self.identity.identity() {
            Some(identity) => {
                let registered = self.registered.as_ref();
                let port = registered.filter(|(pid, _)| *pid == identity.pid);
                setup.register(self.server.ip(), identity, port.map(|(_, port)| *port));
                Ok(())
            }
            None if self.identity.is_pending() => Ok(()),
            None => {
                let resume = (setup.former().or_else(|| self.saved_identity.clone()))
                    .map(|former| PlayerCommand::ResumeHost(former.oid, former.pid));
                self.request_identity(resume).await
            }
        }
    }

    async fn receive_from_link(&mut self, message: LinkMessage) -> Result<(), End> {
        match message {
            LinkMessage::Request(kind, oid) => self.send_link_request(kind, oid).await,
            LinkMessage::Registered(result) => self.link_registration_ended(result).await,
            LinkMessage::AddressInDoubt => self.register_new_address(),
            LinkMessage::Hosting(hosts) => {
                if let Some(setup) = &mut self.setup {
                    setup.hosts = Some(hosts);
                }
                self.tell_hosting().await
            }
        }
    }

    /// Tells the server whether others can join this player, if it wants to know and does not.
    async fn tell_hosting(&mut self) -> Result<(), End> {
        let hosts = self.setup.as_ref().and_then(|setup| setup.hosts);
        let is_open = self.is_plain || hosts.unwrap_or(true);
        if !self.hears_hosting || is_open == self.is_open {
            return Ok(());
        }
        self.is_open = is_open;
        let command = if is_open {
            PlayerCommand::Open
        } else {
            PlayerCommand::Shut
        };
        debug!(is_open, "told the server whether this player hosts");
        self.write(&format!("{command}\n")).await
    }

    async fn send_link_request(&mut self, kind: ConnectKind, oid: OpenId) -> Result<(), End> {
        let Some(setup) = &mut self.setup else {
            return Ok(());
        };
        match self.requests.request(Instant::now(), kind, oid.clone()) {
            Ok(text) => {
                setup.request_sent(kind, oid);
                self.write(&text).await
            }
            Err(failure) => {
                setup.link().request_failed(failure);
                Ok(())
            }
        }
    }

    async fn link_registration_ended(
        &mut self,
        result: Result<u16, RegisterError>,
    ) -> Result<(), End> {
        let Some(setup) = &mut self.setup else {
            return Ok(());
        };
        match result {
            Ok(port) => {
                setup.set_ready(self.server_kind);
                self.tell(ConnectionEvent::Registered(Ok(port))).await?;
                self.tell(ConnectionEvent::Ready(Ok(()))).await
            }
            Err(RegisterError::Socket(error)) if self.registered.is_some() => {
                // The game itself uses the port that it registered. The link gets a port of its
                // own, and an identity for it.
                debug!(%error, "registered port is in use");
                setup.stage = Stage::NeedsIdentity;
                self.registered = None;
                self.identity.forget();
                self.continue_setup().await
            }
            Err(error) => {
                setup.stage = Stage::Failed;
                self.tell(ConnectionEvent::Ready(Err(error.into()))).await
            }
        }
    }

    /// Our server takes a new address for the same identity; with any other the player needs a
    /// new connection.
    fn register_new_address(&self) -> Result<(), End> {
        let Some(setup) = &self.setup else {
            return Ok(());
        };
        match (self.server_kind, self.identity.identity()) {
            (ServerKind::Ours, Some(identity)) => {
                setup.register_new_address(self.server.ip(), identity);
                Ok(())
            }
            _ => Err(DisconnectReason::AddressInDoubt.into()),
        }
    }

    async fn request_identity(&mut self, resume: Option<PlayerCommand>) -> Result<(), End> {
        self.identity.sent(Instant::now());
        let commands = resume.into_iter().chain([PlayerCommand::RegisterHost]);
        let text: String = commands.map(|command| format!("{command}\n")).collect();
        self.write(&text).await
    }

    async fn expire(&mut self) -> Result<(), End> {
        let now = Instant::now();
        for failure in self.requests.expire(now) {
            self.request_failed(failure).await?;
        }
        if let Some(text) = self.requests.unsent() {
            self.write(&text).await?;
        }
        while self.identity.expire(now) {
            self.tell(ConnectionEvent::NoIdentity).await?;
            if let Some(setup) = &mut self.setup
                && setup.stage == Stage::NeedsIdentity
            {
                setup.stage = Stage::Failed;
                let error = ReadyError::NoIdentity;
                self.tell(ConnectionEvent::Ready(Err(error))).await?;
            }
        }
        Ok(())
    }

    async fn fail_open_requests(&mut self) -> Result<(), End> {
        for failure in self.requests.abandon() {
            self.request_failed(failure).await?;
        }
        Ok(())
    }

    /// Tells the link, if it sent the request, or else the game.
    async fn request_failed(&mut self, failure: ConnectFailure) -> Result<(), End> {
        let failure = match &mut self.setup {
            Some(setup) => setup.take_failure(failure),
            None => Some(failure),
        };
        match failure {
            Some(failure) => self.tell(ConnectionEvent::ConnectFailed(failure)).await,
            None => Ok(()),
        }
    }

    async fn write(&mut self, text: &str) -> Result<(), End> {
        match timeout(SEND_TIMEOUT, self.writer.write_all(text.as_bytes())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(DisconnectReason::from(error).into()),
            Err(_) => Err(DisconnectReason::Stuck.into()),
        }
    }

    async fn tell(&self, event: ConnectionEvent) -> Result<(), End> {
        Ok(self.events.send(event).await?)
    }
}

/// A link that the game has dropped says nothing more; the connection goes on without it.
async fn next_message(setup: &mut Option<LinkSetup>) -> LinkMessage {
    if let Some(setup) = setup
        && let Some(message) = setup.next_message().await
    {
        return message;
    }
    pending().await
}

async fn wait_until(deadline: Option<Instant>) {
    match deadline {
        Some(deadline) => sleep_until(deadline.into()).await,
        None => pending().await,
    }
}
