//! Serves `/metrics` and `/health`.
//!
//! It has a thread of its own, so that the players' threads never wait for it. A connection carries
//! one request, and everything about it has a limit.

use std::{
    collections::HashMap,
    convert::Infallible,
    io,
    net::{IpAddr, SocketAddr, TcpListener},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Instant,
};

use http_body_util::Full;
use hyper::{
    Method, Request, Response, StatusCode,
    body::{Bytes, Incoming},
    header::{ALLOW, CACHE_CONTROL, CONTENT_TYPE, HeaderValue},
    server::conn::http1,
    service::service_fn,
};
use hyper_util::rt::{TokioIo, TokioTimer};
use noray_server::{
    Server,
    defaults::{
        ACCEPT_PAUSE, HTTP_ACCEPT_INTERVAL, HTTP_BUFFER, HTTP_TIMEOUT, MAX_HTTP_CONNECTIONS,
        MAX_HTTP_CONNECTIONS_PER_ADDRESS, METRICS_AGE,
    },
};
use tokio::net::TcpStream;

use crate::metrics;

/// The path of the metrics.
const METRICS: &str = "/metrics";
/// The path that tells whether players can come.
pub(crate) const HEALTH: &str = "/health";

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

/// Answers requests on `listener` until the process ends.
///
/// # Errors
/// The system starts no thread, or the listener does not work.
pub(crate) fn start(listener: TcpListener, server: Arc<Server>) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let listener = {
        let _context = runtime.enter();
        tokio::net::TcpListener::from_std(listener)?
    };
    thread::Builder::new()
        .name("noray-http".to_owned())
        .spawn(move || runtime.block_on(accept(listener, Arc::new(Pages::new(server)))))?;
    Ok(())
}

async fn accept(listener: tokio::net::TcpListener, pages: Arc<Pages>) {
    let limit = Arc::new(ConnectionLimit::default());
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Without a permit the connection closes right here.
                if let Some(permit) = limit.take(peer) {
                    tokio::spawn(answer_one(stream, pages.clone(), permit));
                }
                tokio::time::sleep(HTTP_ACCEPT_INTERVAL).await;
            }
            Err(error) => {
                tracing::debug!(%error, "cannot accept HTTP connections for now");
                tokio::time::sleep(ACCEPT_PAUSE).await;
            }
        }
    }
}

async fn answer_one(stream: TcpStream, pages: Arc<Pages>, _permit: Permit) {
    let service = service_fn(|request| {
        let response = pages.answer(&request);
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HTTP_BUFFER)
        .timer(TokioTimer::new())
        .header_read_timeout(HTTP_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    // A bad request or an early end is of no concern.
    let _ = tokio::time::timeout(HTTP_TIMEOUT, connection).await;
}

/// How many connections each address has.
#[derive(Debug, Default)]
struct ConnectionLimit {
    taken: Mutex<HashMap<IpAddr, usize>>,
}

impl ConnectionLimit {
    /// Returns a permit for one more connection, unless the limit is reached.
    fn take(self: &Arc<Self>, peer: SocketAddr) -> Option<Permit> {
        let address = peer.ip().to_canonical();
        let mut taken = self.taken();
        let of_others = (taken.iter())
            .filter(|(other, _)| !other.is_loopback())
            .map(|(_, count)| count)
            .sum::<usize>();
        let is_full = !address.is_loopback() && of_others >= MAX_HTTP_CONNECTIONS;
        let count = taken.get(&address).copied().unwrap_or_default();
        if is_full || count >= MAX_HTTP_CONNECTIONS_PER_ADDRESS {
            return None;
        }
        taken.insert(address, count + 1);
        Some(Permit {
            address,
            limit: self.clone(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Permits one connection until it is dropped.
#[derive(Debug)]
struct Permit {
    address: IpAddr,
    limit: Arc<ConnectionLimit>,
}

impl Drop for Permit {
    fn drop(&mut self) {
        let mut taken = self.limit.taken();
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

/// The pages of a server; the metrics are kept for a moment.
struct Pages {
    server: Arc<Server>,
    cached: Mutex<Option<(Instant, Bytes)>>,
}

impl Pages {
    fn new(server: Arc<Server>) -> Self {
        Self {
            server,
            cached: Mutex::default(),
        }
    }

    fn answer(&self, request: &Request<Incoming>) -> Response<Full<Bytes>> {
        let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
        let (status, kind, body) = match request.uri().path() {
            METRICS | HEALTH if !is_read => (
                StatusCode::METHOD_NOT_ALLOWED,
                PLAIN,
                Bytes::from_static(b"only GET and HEAD\n"),
            ),
            HEALTH if self.server.is_serving() => {
                (StatusCode::OK, PLAIN, Bytes::from_static(b"serving\n"))
            }
            HEALTH => (
                StatusCode::SERVICE_UNAVAILABLE,
                PLAIN,
                Bytes::from_static(b"not serving\n"),
            ),
            METRICS => match self.metrics() {
                Ok(text) => (StatusCode::OK, PROMETHEUS, text),
                Err(error) => {
                    tracing::warn!(%error, "metrics could not be gathered");
                    let status = StatusCode::INTERNAL_SERVER_ERROR;
                    (status, PLAIN, Bytes::from_static(b"no metrics\n"))
                }
            },
            _ => (
                StatusCode::NOT_FOUND,
                PLAIN,
                Bytes::from_static(b"there are /metrics and /health\n"),
            ),
        };
        let mut response = Response::new(Full::new(body));
        *response.status_mut() = status;
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, kind);
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-store"));
        if status == StatusCode::METHOD_NOT_ALLOWED {
            headers.insert(ALLOW, HeaderValue::from_static("GET, HEAD"));
        }
        response
    }

    fn metrics(&self) -> Result<Bytes, prometheus::Error> {
        let mut cached = self.cached.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, text)) = &*cached
            && when.elapsed() < METRICS_AGE
        {
            return Ok(text.clone());
        }
        let text = metrics::to_text(&self.server.metrics(), self.server.is_serving())?;
        let text = Bytes::from(text);
        *cached = Some((Instant::now(), text.clone()));
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_leave_room_for_this_machine() {
        let limit = Arc::new(ConnectionLimit::default());
        let peer = |text: &str| format!("{text}:1").parse::<SocketAddr>().unwrap();
        let mut held = Vec::new();
        for host in 1..=100 {
            for _ in 0..100 {
                held.extend(limit.take(peer(&format!("192.0.2.{host}"))));
            }
        }
        assert_eq!(held.len(), MAX_HTTP_CONNECTIONS);
        for permit in &held {
            let of_address = held.iter().filter(|other| other.address == permit.address);
            assert_eq!(of_address.count(), MAX_HTTP_CONNECTIONS_PER_ADDRESS);
        }
        // An IPv4 address by way of an IPv6 socket is the same address.
        let mapped = "[::ffff:127.0.0.1]";
        let own: Vec<_> = (0..100).filter_map(|_| limit.take(peer(mapped))).collect();
        assert_eq!(own.len(), MAX_HTTP_CONNECTIONS_PER_ADDRESS);
        assert!(limit.take(peer("127.0.0.1")).is_none());
        held.pop();
        assert!(limit.take(peer("198.51.100.1")).is_some());
        held.clear();
        drop(own);
        assert!(limit.taken().is_empty());
    }
}
