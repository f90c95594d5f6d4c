//! `--probe`: asks a running server for its health, for container engines.

use std::{
    io::{self, Read, Write},
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpStream},
    time::Duration,
};

use crate::{http::HEALTH, settings::ProgramSettings};

/// The limit for each step. A server on this machine answers in milliseconds.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Why the server does not seem to serve.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ProbeError {
    #[error("the server has no port to ask (NORAY_HTTP_PORT)")]
    NoPort,
    #[error("no answer from {address}: {source}")]
    NoAnswer {
        address: SocketAddr,
        source: io::Error,
    },
    #[error("not serving: {0}")]
    NotServing(String),
}

/// Asks the server that runs on this machine with these settings.
///
/// # Errors
/// See [`ProbeError`].
pub(crate) fn probe(settings: &ProgramSettings) -> Result<(), ProbeError> {
    let port = settings.http_port.0.filter(|port| *port != 0);
    let address = SocketAddr::new(here(settings.http_host), port.ok_or(ProbeError::NoPort)?);
    let answer = ask(address).map_err(|source| ProbeError::NoAnswer { address, source })?;
    let status = answer.lines().next().unwrap_or_default();
    match status.split_once(' ') {
        Some((version, rest)) if version.starts_with("HTTP/1.") && rest.starts_with("200") => {
            Ok(())
        }
        _ => Err(ProbeError::NotServing(status.to_owned())),
    }
}

fn ask(address: SocketAddr) -> io::Result<String> {
    let mut stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    stream.write_all(format!("GET {HEALTH} HTTP/1.0\r\n\r\n").as_bytes())?;
    let mut answer = Vec::new();
    // Something else may answer there, without end.
    stream.take(4096).read_to_end(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

/// Returns the address at which this machine finds a server that listens on `host`.
fn here(host: IpAddr) -> IpAddr {
    match host {
        IpAddr::V4(host) if host.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(host) if host.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        host => host,
    }
}
