//! What a server reports over HTTP.

use std::collections::HashMap;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::{Context, Result, ensure};

use crate::defaults;

/// An HTTP answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Answer {
    /// The first line.
    pub status: String,
    /// The header's lines.
    pub head: String,
    /// All that comes behind the header.
    pub body: String,
}

/// Asks for a path and returns the answer.
pub fn get(address: SocketAddr, path: &str) -> Result<Answer> {
    let request = format!("GET {path} HTTP/1.1\r\nHost: noray\r\nConnection: close\r\n\r\n");
    request_raw(address, &request)
}

/// Sends a whole request as it is and returns the answer. The server must close the connection.
pub fn request_raw(address: SocketAddr, request: &str) -> Result<Answer> {
    let mut stream = TcpStream::connect_timeout(&address, defaults::ANSWER)?;
    stream.set_read_timeout(Some(defaults::ANSWER))?;
    stream.write_all(request.as_bytes())?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let (head, body) = answer.split_once("\r\n\r\n").context("no HTTP answer")?;
    let (status, head) = head.split_once("\r\n").unwrap_or((head, ""));
    Ok(Answer {
        status: status.to_owned(),
        head: head.to_owned(),
        body: body.to_owned(),
    })
}

/// A server's metrics at one moment, by name and labels.
#[derive(Clone, Default, Debug)]
pub struct Metrics(HashMap<String, f64>);

impl Metrics {
    /// Asks the server for them.
    pub fn fetch(http: SocketAddr) -> Result<Self> {
        let answer = get(http, "/metrics")?;
        ensure!(answer.status.contains(" 200 "), "no metrics: {answer:?}");
        Ok(Self::parse(&answer.body))
    }

    /// Reads Prometheus' text.
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().filter(|line| !line.starts_with('#'));
        let values = lines.filter_map(|line| {
            let (name, value) = line.rsplit_once(' ')?;
            Some((name.to_owned(), value.parse().ok()?))
        });
        Self(values.collect())
    }

    /// Returns a metric by its name and labels.
    pub fn value(&self, name: &str) -> Result<f64> {
        let value = self.0.get(name).copied();
        value.with_context(|| format!("the server does not tell {name}"))
    }

    /// Returns the sum of all metrics whose names begin so.
    pub fn sum(&self, begin: &str) -> f64 {
        let metrics = self.0.iter().filter(|(name, _)| name.starts_with(begin));
        metrics.map(|(_, value)| value).sum()
    }
}
