//! The binary `noray-server`: settings from the environment and the command line, a
//! log on standard error, and a stop on request.

mod http;
mod metrics;
mod probe;
mod signals;
mod sources;

use std::{
    io::{self, Write},
    net::{SocketAddr, TcpListener},
    process::ExitCode,
    sync::Arc,
};

use noray_server::{Config, LogFormat, LogLevel, Server, Setting, StartError, defaults};
use probe::ProbeError;
use signals::StopRequests;
use sources::{Orders, SourceError, Task};
use tracing_subscriber::filter::LevelFilter;

/// Why the server ended other than as asked.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Settings(#[from] SourceError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error(transparent)]
    Probe(#[from] ProbeError),
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
    /// 2 as for other mistakes on a command line, 1 for everything else.
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
    match orders.task {
        Task::Serve => {}
        Task::Probe => return Ok(probe::probe(&orders.config)?),
        Task::Check => {
            say(io::stdout(), orders.show().trim_end());
            return Ok(());
        }
    }
    let config = orders.config;
    start_log(config.log_level, config.log_format);
    raise_descriptor_limit(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), Failure> {
    let mut stop_requests = StopRequests::new().map_err(Failure::Signals)?;
    let drain_timeout = config.drain_timeout;
    let relays = setting("NORAY_UDP_RELAY_PORTS", &config);
    let http = listen_http(&config)?;
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
        () = tokio::time::sleep(drain_timeout) => "the time for draining is over",
        () = stop_requests.next() => "asked a second time",
    };
    tracing::info!(why, "server stops now");
    server.stop();
    let _ = tokio::time::timeout(defaults::STOP_TIMEOUT, server.stopped()).await;
    Ok(())
}

/// Where metrics are served, if they are.
fn listen_http(config: &Config) -> Result<Option<(SocketAddr, TcpListener)>, Failure> {
    let Some(port) = config.http_port else {
        return Ok(None);
    };
    let address = SocketAddr::new(config.http_host, port);
    let listen = || {
        let listener = TcpListener::bind(address)?;
        Ok((listener.local_addr()?, listener))
    };
    listen()
        .map(Some)
        .map_err(|source| Failure::Http { address, source })
}

fn setting(name: &str, config: &Config) -> String {
    Setting::named(name).map_or_else(String::new, |setting| setting.show(config))
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

/// Writes a line; a reader that is gone is no reason to stop.
fn say(mut to: impl Write, line: &str) {
    let _ = writeln!(to, "{line}");
}

/// Each player and each relay is a descriptor, and systems start with 1,024.
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

/// Windows has no such limit.
#[cfg(not(unix))]
fn raise_descriptor_limit(_config: &Config) {}
