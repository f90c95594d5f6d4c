//! Shows a host in the local network.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use noray_protocol::wire::id::OpenId;
use tokio::{
    task::spawn_blocking,
    time::{sleep, timeout},
};
use tokio_util::task::AbortOnDropHandle;
use tracing::debug;

use super::{
    name::hashed_name,
    responder::{Responder, held_records},
};
use crate::defaults::{
    LAN_FLOOD_PAUSE, LAN_METRICS_TIMEOUT, LAN_WATCH_INTERVAL, MAX_LAN_HELD_RECORDS,
};

/// Why a host is not shown in the local network.
#[derive(Debug, thiserror::Error)]
pub(crate) enum AdvertError {
    /// Port 0 is no port.
    #[error("port 0 cannot be advertised")]
    Port,
    /// The responder did not start.
    #[error("cannot answer on the local network: {0}")]
    Responder(#[from] mdns_sd::Error),
}

/// Shows a host in the local network while it is held. Dropping it says goodbye and ends the
/// responder's thread, which takes a few milliseconds, and
/// [`LAN_SHUTDOWN_TIMEOUT`](crate::defaults::LAN_SHUTDOWN_TIMEOUT) at most.
///
/// Shows only local addresses of this machine, each only in its own network.
#[derive(Debug)]
pub(crate) struct LanAdvert {
    responder: SharedResponder,
    watch: AbortOnDropHandle<()>,
}

/// Empty only between two responders.
type SharedResponder = Arc<Mutex<Option<Responder>>>;

impl LanAdvert {
    /// Announces that the host of this OpenID listens on this UDP port of every local address of
    /// this machine, also of networks that come later.
    ///
    /// # Errors
    /// [`AdvertError`]. A machine without a network is no error.
    ///
    /// # Panics
    /// Outside of a tokio runtime.
    pub(crate) fn start(oid: &OpenId, port: u16) -> Result<Self, AdvertError> {
        if port == 0 {
            return Err(AdvertError::Port);
        }
        let name = hashed_name(oid);
        let responder = Arc::new(Mutex::new(Some(Responder::start(&name, port)?)));
        let watch = tokio::spawn(watch(responder.clone(), name, port));
        Ok(Self {
            responder,
            watch: AbortOnDropHandle::new(watch),
        })
    }
}

impl Drop for LanAdvert {
    fn drop(&mut self) {
        self.watch.abort();
        // A responder that the watch puts in after this is dropped with the watch.
        let responder = lock(&self.responder).take();
        drop(responder);
    }
}

fn lock(responder: &SharedResponder) -> MutexGuard<'_, Option<Responder>> {
    responder.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Replaces the responder when it holds too much or its thread has died: mdns-sd keeps what others
/// in the network say, with no limit, and does not report a dead thread.
async fn watch(responder: SharedResponder, name: String, port: u16) {
    loop {
        sleep(LAN_WATCH_INTERVAL).await;
        if is_healthy(&responder).await {
            continue;
        }
        debug!("local network flooded, or the responder's thread died: pausing");
        let old = lock(&responder).take();
        // In a flood its end may take a while.
        let _ = spawn_blocking(move || drop(old)).await;
        sleep(LAN_FLOOD_PAUSE).await;
        match Responder::start(&name, port) {
            Ok(new) => *lock(&responder) = Some(new),
            Err(error) => debug!(%error, "no responder in the local network"),
        }
    }
}

async fn is_healthy(responder: &SharedResponder) -> bool {
    let asked = lock(responder).as_ref().and_then(Responder::ask_metrics);
    let Some(metrics) = asked else {
        return false;
    };
    let counts = timeout(LAN_METRICS_TIMEOUT, metrics.recv_async()).await;
    matches!(counts, Ok(Ok(counts)) if held_records(&counts) <= MAX_LAN_HELD_RECORDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_advert_needs_a_port() {
        let oid = OpenId::new("host").expect("a good OpenID");
        let error = LanAdvert::start(&oid, 0).expect_err("no port");
        assert_eq!(error.to_string(), "port 0 cannot be advertised");
    }
}
