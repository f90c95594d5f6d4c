//! The binary `noray-server`: settings from the environment and the command line, a
//! log on standard error, and a stop on request.

use std::{
    io::{self, Write},
    process::ExitCode,
};

use clap::{Arg, Command};
use noray_server::{
    Config, ConfigError, LogLevel, SETTINGS, Server, Setting, StartError, defaults,
};
use tracing_subscriber::filter::LevelFilter;

/// Why the server ended other than as asked.
#[derive(Debug, thiserror::Error)]
enum Failure {
    #[error(transparent)]
    Config(#[from] ConfigError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("cannot start threads: {0}")]
    Runtime(#[source] io::Error),
    #[error("cannot wait for signals: {0}")]
    Signals(#[source] io::Error),
}

impl Failure {
    /// 2 as for other mistakes on a command line, 1 for everything else.
    fn exit_code(&self) -> ExitCode {
        match self {
            Self::Config(_) | Self::Start(StartError::Config(_)) => ExitCode::from(2),
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
    let config = read_config()?;
    start_log(config.log_level);
    raise_descriptor_limit(&config);
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(Failure::Runtime)?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Result<(), Failure> {
    let mut stop = std::pin::pin!(stop_request().map_err(Failure::Signals)?);
    let relays = setting("NORAY_UDP_RELAY_PORTS", &config);
    let server = Server::start(config, &tokio::runtime::Handle::current())?;
    say(
        io::stdout(),
        &format!(
            "noray-server v{}: commands on {} (TCP), registrar on {} (UDP), relays on {relays} (UDP)",
            env!("CARGO_PKG_VERSION"),
            server.command_address(),
            server.registrar_address(),
        ),
    );
    stop.as_mut().await;
    server.stop();
    let _ = tokio::time::timeout(defaults::STOP_TIMEOUT, server.stopped()).await;
    Ok(())
}

/// Settings from the command line, else from the environment, else by default.
fn read_config() -> Result<Config, ConfigError> {
    let matches = command_line().get_matches();
    let mut config = Config::default();
    for setting in SETTINGS {
        if let Some(value) = matches.get_one::<String>(setting.name) {
            config.set(setting.name, value)?;
        }
    }
    config.check()?;
    Ok(config)
}

fn command_line() -> Command {
    let default = Config::default();
    Command::new("noray-server")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A noray server: players meet, punch through their routers, or are relayed.")
        .after_help(
            "Times have a unit: us, ms, s, m, h, d, w; sizes too: b, kb, mb, gb, of 1,024 each.\n\
             An empty value means the default.\n\
             Players must reach the TCP port, the registrar's UDP port and the relays' UDP ports.",
        )
        .args(SETTINGS.iter().map(|setting| {
            let help = format!("{} [default: {}]", setting.help, setting.show(&default));
            Arg::new(setting.name)
                .long(setting.flag)
                .env(setting.name)
                .value_name(setting.value)
                .help(help)
                .hide_env_values(true)
        }))
}

fn setting(name: &str, config: &Config) -> String {
    Setting::named(name).map_or_else(String::new, |setting| setting.show(config))
}

fn start_log(level: LogLevel) {
    let level = match level {
        LogLevel::Silent => LevelFilter::OFF,
        LogLevel::Fatal | LogLevel::Error => LevelFilter::ERROR,
        LogLevel::Warn => LevelFilter::WARN,
        LogLevel::Info => LevelFilter::INFO,
        LogLevel::Debug => LevelFilter::DEBUG,
        LogLevel::Trace => LevelFilter::TRACE,
    };
    tracing_subscriber::fmt()
        .with_max_level(level)
        .with_writer(io::stderr)
        .init();
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

/// Completes when somebody asks the server to stop: Ctrl-C, or SIGTERM.
#[cfg(unix)]
fn stop_request() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};

    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Completes when somebody asks the server to stop: Ctrl-C or Ctrl-Break, a closed
/// console, or Windows' shutdown.
#[cfg(windows)]
fn stop_request() -> io::Result<impl Future<Output = ()>> {
    use tokio::signal::windows::{ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown};

    let (mut c, mut pause) = (ctrl_c()?, ctrl_break()?);
    let (mut close, mut shutdown) = (ctrl_close()?, ctrl_shutdown()?);
    Ok(async move {
        tokio::select! {
            _ = c.recv() => {}
            _ = pause.recv() => {}
            _ = close.recv() => {}
            _ = shutdown.recv() => {}
        }
    })
}
