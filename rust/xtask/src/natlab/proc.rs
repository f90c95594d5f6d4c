//! What Linux tells about a process.

use std::collections::BTreeSet;
use std::fs;
use std::net::{Ipv4Addr, SocketAddrV4};

use anyhow::{Context, Result};

/// What a process holds.
#[derive(Clone, Copy, Debug)]
pub(super) struct Holdings {
    /// Bytes of memory of its own.
    pub memory: u64,
    /// Open files and sockets.
    pub files: usize,
    /// Threads.
    pub threads: usize,
}

/// What a process holds now.
pub(super) fn holdings(process: u32) -> Result<Holdings> {
    let gone = || format!("process {process} is gone");
    let status = fs::read_to_string(format!("/proc/{process}/status")).with_context(gone)?;
    Ok(Holdings {
        memory: status_bytes(&status, "RssAnon:").with_context(gone)?,
        files: fs::read_dir(format!("/proc/{process}/fd"))
            .with_context(gone)?
            .count(),
        threads: fs::read_dir(format!("/proc/{process}/task"))
            .with_context(gone)?
            .count(),
    })
}

fn status_bytes(status: &str, key: &str) -> Option<u64> {
    let line = status.lines().find_map(|line| line.strip_prefix(key))?;
    let kilobytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kilobytes * 1024)
}

/// The UDP sockets of a process: the address that each is bound to.
pub(super) fn udp_sockets(process: u32) -> Result<Vec<SocketAddrV4>> {
    let own: BTreeSet<u64> = fs::read_dir(format!("/proc/{process}/fd"))
        .with_context(|| format!("process {process} is gone"))?
        .flatten()
        .filter_map(|file| fs::read_link(file.path()).ok())
        .filter_map(|target| {
            let target = target.to_str()?;
            target
                .strip_prefix("socket:[")?
                .strip_suffix(']')?
                .parse()
                .ok()
        })
        .collect();
    let mut found = Vec::new();
    for table in ["udp", "udp6"] {
        // A system without IPv6 has no such table.
        let Ok(table) = fs::read_to_string(format!("/proc/{process}/net/{table}")) else {
            continue;
        };
        found.extend(
            table
                .lines()
                .filter_map(socket)
                .filter(|(inode, _)| own.contains(inode))
                .map(|(_, address)| address),
        );
    }
    Ok(found)
}

/// The inode and the bound address in a line of `/proc/net/udp` or `udp6`. IPv6 sockets count
/// as bound to any address: they take IPv4 too.
fn socket(line: &str) -> Option<(u64, SocketAddrV4)> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (address, port) = words.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let address = match address.len() {
        // As the processor lays the four bytes out.
        8 => Ipv4Addr::from(u32::from_str_radix(address, 16).ok()?.to_ne_bytes()),
        32 => Ipv4Addr::UNSPECIFIED,
        _ => return None,
    };
    Some((
        words.get(9)?.parse().ok()?,
        SocketAddrV4::new(address, port),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_status_is_read() {
        let status = "Name:\tgodot\nRssAnon:\t   43210 kB\nRssFile:\t 1 kB\n";
        assert_eq!(status_bytes(status, "RssAnon:"), Some(43210 * 1024));
        assert_eq!(status_bytes(status, "VmSwap:"), None);
    }

    #[test]
    fn sockets_are_read() {
        let line = "  12: 0100007F:9C40 00000000:0000 07 00000000:00000000 00:00000000 \
                    00000000     0        0 4711 2 0000000000000000 0";
        let (inode, address) = socket(line).unwrap();
        assert_eq!(inode, 4711);
        assert_eq!(address.port(), 40000);
        assert_eq!(
            u32::from(*address.ip()).to_be_bytes(),
            0x0100_007F_u32.to_ne_bytes()
        );
        assert_eq!(socket("  sl  local_address rem_address   st"), None);
    }
}
