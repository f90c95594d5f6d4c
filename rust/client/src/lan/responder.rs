//! The responder: mdns-sd's thread, which answers for one service.

use std::{fmt, thread::sleep, time::Instant};

use mdns_sd::{
    DaemonEvent, IfKind, IfPredicate, Metrics, Receiver, RecvTimeoutError, ServiceDaemon,
    ServiceInfo,
};
use tracing::debug;

use super::{address::is_local, name::SERVICE_TYPE};
use crate::defaults::{LAN_SHUTDOWN_TIMEOUT, LAN_THREAD_EXIT};

pub(super) struct Responder {
    daemon: ServiceDaemon,
    /// Closed when the thread drops its last belongings.
    ended: Receiver<DaemonEvent>,
}

impl fmt::Debug for Responder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Responder").finish_non_exhaustive()
    }
}

impl Responder {
    pub(super) fn start(name: &str, port: u16) -> mdns_sd::Result<Self> {
        let daemon = ServiceDaemon::new()?;
        let ended = daemon.monitor()?;
        let responder = Self { daemon, ended };
        // An address that the whole internet can reach must not answer: it would send strangers
        // more than they sent.
        let not_local = IfPredicate::new(|interface| !is_local(interface.ip()));
        responder
            .daemon
            .disable_interface(IfKind::Predicate(not_local))?;
        let mut service = ServiceInfo::new(
            SERVICE_TYPE,
            name,
            // Not the machine's own name: it tells who plays, and two hosts on one machine would
            // quarrel over it.
            &format!("noray-{name}.local."),
            (),
            port,
            None,
        )?
        .enable_addr_auto();
        // Nobody else has this name, so probing for it would only cost 750 ms.
        service.set_requires_probe(false);
        responder.daemon.register(service)?;
        Ok(responder)
    }

    /// Asks how much the responder holds; returns `None` when its thread has died.
    pub(super) fn ask_metrics(&self) -> Option<Receiver<Metrics>> {
        self.daemon.get_metrics().ok()
    }
}

impl Drop for Responder {
    fn drop(&mut self) {
        // mdns-sd says goodbye for its services as it ends.
        if self.daemon.shutdown().is_err() {
            return;
        }
        let deadline = Instant::now() + LAN_SHUTDOWN_TIMEOUT;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.ended.recv_timeout(left) {
                Ok(_) => {}
                Err(RecvTimeoutError::Disconnected) => {
                    sleep(LAN_THREAD_EXIT);
                    break;
                }
                Err(RecvTimeoutError::Timeout) => {
                    debug!("responder's thread ends late");
                    break;
                }
            }
        }
    }
}

/// Returns how many records of others the responder holds.
pub(super) fn held_records(counts: &Metrics) -> i64 {
    const KINDS: [&str; 6] = [
        "cached-ptr",
        "cached-srv",
        "cached-addr",
        "cached-txt",
        "cached-nsec",
        "cached-subtype",
    ];
    KINDS.iter().filter_map(|kind| counts.get(*kind)).sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_records_of_others_are_counted() {
        let counts: Metrics = [("cached-srv", 3), ("cached-txt", 4), ("respond", 100)]
            .map(|(name, count)| (name.to_owned(), count))
            .into();
        assert_eq!(held_records(&counts), 7);
    }
}
