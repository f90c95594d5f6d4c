//! The program `noray-server`: reads its settings, runs a server, logs to standard error, and stops
//! on request.

mod command_line;
mod http;
mod metrics;
mod probe;
mod probe_from_outside;
mod settings;
mod settings_file;
mod signals;

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    process::ExitCode,
    sync::Arc,
};

use command_line::{Orders, Probe, SettingsError};
use noray_server::{Config, Server, StartError, defaults};
use probe::ProbeError;
use probe_from_outside::OutsideError;
use settings::{LogFormat, LogLevel, ProgramSettings, Settings};
use signals::StopRequests;
use tracing_subscriber::filter::LevelFilter;

/// Why the program failed.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Settings(#[from] SettingsError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error(transparent)]
    Outside(#[from] OutsideError),
    #[error("cannot listen for metrics on {address} (TCP): {source}")]
    Http {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("cannot start threads: {0}")]
    Runtime(#[source] io::Error),
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] io::Error),
}

impl Failure {
    /// Returns 2 for bad settings, as clap does for bad flags, and 1 for everything else.
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Settings(_) | Self::Start(StartError::Config(_)) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}

fn main() -> ExitCode {
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            say(io::stderr(), &format!("noray-server: {failure}"));
            failure.exit_code()
        }
    }
}

fn run() -> Result<(), Failure> {
    let orders = Orders::read()?;
    if orders.check {
        say(io::stdout(), orders.show().trim_end());
        return Ok(());
    }
    match &orders.probe {
        None => {}
        Some(Probe::Here) => return Ok(probe::probe(&orders.settings.program)?),
        Some(Probe::Elsewhere(target)) => {
            let registrar_port = orders.settings.server.registrar_port;
            return Ok(probe_from_outside::probe(target, registrar_port)?);
        }
    }
    let Settings { server, program } = orders.settings;
    start_log(program.log_level, program.log_format);
    raise_descriptor_limit(&server);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    runtime.block_on(serve(server, program))
}

async fn serve(config: Config, program: ProgramSettings) -> Result<(), Failure> {
    let mut stop_requests = StopRequests::new().map_err(Failure::Signals)?;
    let relays = config.relay_ports.to_string();
    let http = listen_http(&program)?;
    let server = Arc::new(Server::start(config, &tokio::runtime::Handle::current())?);
    let mut addresses = format!(
        "commands on {} (TCP), registrar on {} (UDP), relays on {relays} (UDP)",
        server.command_address(),
        server.registrar_address(),
    );
    if let Some((address, listener)) = http {
        addresses += &format!(", metrics on {address} (HTTP)");
        http::start(listener, server.clone()).map_err(Failure::Runtime)?;
    }
    let version = env!("CARGO_PKG_VERSION");
    say(
        io::stdout(),
        &format!("noray-server v{version}: {addresses}"),
    );
    stop_requests.next().await;
    server.drain();
    let why = tokio::select! {
        () = server.drained() => "no game goes through a relay",
        () = tokio::time::sleep(*program.drain_timeout) => "the time for draining is over",
        () = stop_requests.next() => "asked a second time",
    };
    tracing::info!(why, "server stops now");
    server.stop();
    let _ = tokio::time::timeout(defaults::STOP_TIMEOUT, server.stopped()).await;
    Ok(())
}

/// Listens for requests for metrics, unless that is off.
fn listen_http(program: &ProgramSettings) -> Result<Option<(SocketAddr, TcpListener)>, Failure> {
    let Some(port) = program.http_port.0 else {
        return Ok(None);
    };
    let address = SocketAddr::new(program.http_host, port);
    let listen = || {
        let listener = TcpListener::bind(address)?;
        Ok((listener.local_addr()?, listener))
    };
    listen()
        .map(Some)
        .map_err(|source| Failure::Http { address, source })
}

fn start_log(level: LogLevel, format: LogFormat) {
    let level = match level {
        LogLevel::Silent => LevelFilter::OFF,
        LogLevel::Fatal | LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    let log = tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr);
    match format {
        LogFormat::Text => log.init(),
        LogFormat::Json => log.json().flatten_event(true).init(),
    }
}

/// Writes a line, and ignores that nobody may read it any more.
fn say(mut to: impl Write, line: &str) {
    let _ = writeln!(to, "{line}");
}

/// Raises the limit of descriptors as far as the system allows: each player and each relay needs
/// one, and systems start with 1,024.
#[cfg(unix)]
fn raise_descriptor_limit(config: &Config) {
    use rustix::process::{Resource, getrlimit, setrlimit};

    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    if let Err(error) = setrlimit(Resource::Nofile, limit) {
        tracing::debug!(%error, "the system keeps its limit of descriptors");
    }
    let needed = (config.max_connections + config.relay_ports.len()) as u64;
    if let Some(allowed) = getrlimit(Resource::Nofile)
        .current
        .filter(|it| *it < needed)
    {
        tracing::warn!(
            allowed,
            needed,
            "the system allows fewer descriptors than there may be players and relays"
        );
    }
}

/// Does nothing: Windows has no such limit.
#[cfg(not(unix))]
fn raise_descriptor_limit(_config: &Config) {}
