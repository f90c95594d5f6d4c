//! `/metrics` and `/health`, for whoever watches the server.
//!
//! Runs on a thread of its own, so that the players' threads never wait for it. One connection is
//! one request, and everything about it is bounded.

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

/// Where the metrics are.
const METRICS: &str = "/metrics";
/// Where it is told whether players can come.
pub(crate) const HEALTH: &str = "/health";

const PLAIN: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");
const PROMETHEUS: HeaderValue = HeaderValue::from_static("text/plain; version=0.0.4");

/// Answers on `listener` as long as the process runs.
///
/// # Errors
/// No thread can be started, or the listener cannot be used.
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
        .spawn(move || runtime.block_on(accept(listener, Arc::new(Watched::new(server)))))?;
    Ok(())
}

async fn accept(listener: tokio::net::TcpListener, watched: Arc<Watched>) {
    let places = Arc::new(Places::default());
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => {
                // Else it is closed right here.
                if let Some(place) = places.take(peer) {
                    tokio::spawn(answer_one(stream, watched.clone(), place));
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

async fn answer_one(stream: TcpStream, watched: Arc<Watched>, _place: Place) {
    let service = service_fn(|request| {
        let response = watched.answer(&request);
        async { Ok::<_, Infallible>(response) }
    });
    let connection = http1::Builder::new()
        .keep_alive(false)
        .max_buf_size(HTTP_BUFFER)
        .timer(TokioTimer::new())
        .header_read_timeout(HTTP_TIMEOUT)
        .serve_connection(TokioIo::new(stream), service);
    // Who asks badly or leaves early is nobody's concern.
    let _ = tokio::time::timeout(HTTP_TIMEOUT, connection).await;
}

/// Who is connected.
#[derive(Debug, Default)]
struct Places {
    taken: Mutex<HashMap<IpAddr, usize>>,
}

impl Places {
    /// A place for a connection, if there is one left.
    fn take(self: &Arc<Self>, peer: SocketAddr) -> Option<Place> {
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
        Some(Place {
            address,
            places: self.clone(),
        })
    }

    fn taken(&self) -> MutexGuard<'_, HashMap<IpAddr, usize>> {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection's place, given back when it is dropped.
#[derive(Debug)]
struct Place {
    address: IpAddr,
    places: Arc<Places>,
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken();
        if let Some(count) = taken.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                taken.remove(&self.address);
            }
        }
    }
}

/// The server, and what was last told of it.
struct Watched {
    server: Arc<Server>,
    told: Mutex<Option<(Instant, Bytes)>>,
}

impl Watched {
    fn new(server: Arc<Server>) -> Self {
        Self {
            server,
            told: Mutex::default(),
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
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((when, text)) = &*told
            && when.elapsed() < METRICS_AGE
        {
            return Ok(text.clone());
        }
        let text = metrics::to_text(&self.server.metrics(), self.server.is_serving())?;
        let text = Bytes::from(text);
        *told = Some((Instant::now(), text.clone()));
        Ok(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn others_leave_room_for_this_machine() {
        let places = Arc::new(Places::default());
        let peer = |text: &str| format!("{text}:1").parse::<SocketAddr>().unwrap();
        let mut held = Vec::new();
        for host in 1..=100 {
            for _ in 0..100 {
                held.extend(places.take(peer(&format!("192.0.2.{host}"))));
            }
        }
        assert_eq!(held.len(), MAX_HTTP_CONNECTIONS);
        for place in &held {
            let of_address = held.iter().filter(|other| other.address == place.address);
            assert_eq!(of_address.count(), MAX_HTTP_CONNECTIONS_PER_ADDRESS);
        }
        // An IPv4 address by way of an IPv6 socket is the same address.
        let mapped = "[::ffff:127.0.0.1]";
        let own: Vec<_> = (0..100).filter_map(|_| places.take(peer(mapped))).collect();
        assert_eq!(own.len(), MAX_HTTP_CONNECTIONS_PER_ADDRESS);
        assert!(places.take(peer("127.0.0.1")).is_none());
        held.pop();
        assert!(places.take(peer("198.51.100.1")).is_some());
        held.clear();
        drop(own);
        assert!(places.taken().is_empty());
    }
}
