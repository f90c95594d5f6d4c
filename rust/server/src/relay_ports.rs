//! The UDP ports of relays.

use std::{fmt, ops::Deref, str::FromStr};

use crate::setting_values::digits;

/// UDP ports for relays, one for each relayed player.
///
/// As text: single ports, first and last (`49152-51200`), or first and how many more (`2048+3`),
/// joined by commas. Ports that are read are in order, each once.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RelayPorts(Vec<u16>);

/// A part of a list of ports that is neither a port nor a range of ports.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is no port from 1 to 65535 and no range such as 49152-51200 or 2048+3")]
pub struct RelayPortsError(String);

impl FromStr for RelayPorts {
    type Err = RelayPortsError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let mut ports = Vec::new();
        for part in text.split(',').map(str::trim) {
            match range(part) {
                Some((first, last)) if 0 < first && first <= last => ports.extend(first..=last),
                _ => return Err(RelayPortsError(part.to_owned())),
            }
        }
        ports.sort_unstable();
        ports.dedup();
        Ok(Self(ports))
    }
}

fn range(part: &str) -> Option<(u16, u16)> {
    if let Some((first, last)) = part.split_once('-') {
        Some((digits(first.trim_end())?, digits(last.trim_start())?))
    } else if let Some((first, more)) = part.split_once('+') {
        let first: u16 = digits(first.trim_end())?;
        Some((first, first.checked_add(digits(more.trim_start())?)?))
    } else {
        let port = digits(part)?;
        Some((port, port))
    }
}

impl fmt::Display for RelayPorts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ranges = self
            .0
            .chunk_by(|port, next| port.checked_add(1) == Some(*next));
        for (index, range) in ranges.enumerate() {
            if index > 0 {
                f.write_str(", ")?;
            }
            match range {
                [first, .., last] => write!(f, "{first}-{last}")?,
                [port] => write!(f, "{port}")?,
                [] => {}
            }
        }
        Ok(())
    }
}

impl Deref for RelayPorts {
    type Target = [u16];

    fn deref(&self) -> &[u16] {
        &self.0
    }
}

impl From<Vec<u16>> for RelayPorts {
    fn from(ports: Vec<u16>) -> Self {
        Self(ports)
    }
}

impl FromIterator<u16> for RelayPorts {
    fn from_iter<I: IntoIterator<Item = u16>>(ports: I) -> Self {
        Self(ports.into_iter().collect())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// The forms that the public server's own tests and example file have.
    #[test]
    fn the_public_servers_forms_are_read() {
        for (text, expected) in [
            ("1024", vec![1024]),
            ("1024-1026", vec![1024, 1025, 1026]),
            ("2048+3", vec![2048, 2049, 2050, 2051]),
            ("1024-1024", vec![1024]),
            ("1024+0", vec![1024]),
            ("2048+1, 1024-1025", vec![1024, 1025, 2048, 2049]),
            ("1-4, 2, 2-6", vec![1, 2, 3, 4, 5, 6]),
            ("65535", vec![65535]),
        ] {
            assert_eq!(text.parse(), Ok(RelayPorts(expected)), "{text}");
        }
    }

    proptest! {
        #[test]
        fn shown_ports_are_read_back(mut list in proptest::collection::vec(1u16.., 1..20)) {
            list.sort_unstable();
            list.dedup();
            let ports = RelayPorts(list);
            prop_assert_eq!(ports.to_string().parse(), Ok(ports));
        }
    }
}
