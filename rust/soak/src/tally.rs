//! What all players did and saw together.

use std::collections::HashSet;
use std::fmt;

use anyhow::{Context, Result};

/// How much of a PrivateID must not be in the log.
const SECRET_BYTES: usize = 16;

/// Failures that are shown; all are counted.
const SHOWN_FAILURES: usize = 20;

/// What all players did and saw together.
#[derive(Default)]
pub(crate) struct Tally {
    /// Players who registered themselves and their addresses.
    pub joined: u64,
    /// Pairs who learned each other's address and got a relay for each.
    pub met: u64,
    /// Pairs who played until their time was over.
    pub played: u64,
    /// Packets sent.
    pub sent: u64,
    /// Packets that arrived, in order.
    pub delivered: u64,
    /// Packets that the system dropped because a socket's buffer was full.
    pub dropped_by_system: u64,
    /// Packets that arrived at somebody else, or changed, or out of order.
    pub astray: u64,
    /// The relay ports that the server gave.
    pub relay_ports: HashSet<u16>,
    /// Pairs for whom something failed.
    pub failed: u64,
    /// The first failures, a sentence each.
    pub failures: Vec<String>,
    /// The PrivateIDs that the server gave.
    pub secrets: Secrets,
}

impl Tally {
    /// Counts a pair's failure.
    pub(crate) fn fail(&mut self, failure: String) {
        self.failed += 1;
        if self.failures.len() < SHOWN_FAILURES {
            self.failures.push(failure);
        }
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} joins, {} relays on {} ports, {} packets sent, {} delivered, {} astray",
            self.joined,
            2 * self.met,
            self.relay_ports.len(),
            self.sent,
            self.delivered,
            self.astray
        )
    }
}

/// The beginnings of PrivateIDs. It has no `Debug`, which would show them.
#[derive(Default)]
pub(crate) struct Secrets(HashSet<[u8; SECRET_BYTES]>);

impl Secrets {
    /// Remembers a PrivateID.
    ///
    /// # Errors
    /// It is too short to be one.
    pub(crate) fn add(&mut self, private_id: &str) -> Result<()> {
        let bytes = private_id.as_bytes();
        self.0
            .insert(*bytes.first_chunk().context("a short PrivateID")?);
        Ok(())
    }

    /// Returns how many of them are in a log.
    pub(crate) fn count_in(&self, log: &[String]) -> usize {
        let parts = log
            .iter()
            .flat_map(|line| line.as_bytes().windows(SECRET_BYTES));
        let found: HashSet<&[u8]> = parts.filter(|part| self.0.contains(*part)).collect();
        found.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_private_id_is_found_anywhere_in_the_log() {
        let mut secrets = Secrets::default();
        assert!(secrets.add("short").is_err());
        secrets.add("abcdefghijklmnopqrstuvwxyz").unwrap();
        secrets.add("ABCDEFGHIJKLMNOPQRSTUVWXYZ").unwrap();
        let log = |line: &str| [String::new(), line.to_owned()];
        assert_eq!(secrets.count_in(&log("pid=abcdefghijklmnopqr and on")), 1);
        assert_eq!(secrets.count_in(&log("pid=abcdefghijklmno")), 0);
    }
}
