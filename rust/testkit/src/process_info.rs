//! What Linux knows of a process.

use std::collections::BTreeSet;
use std::fs;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context, Result};
use procfs::net::TcpState;
use procfs::process::{FDTarget, Process};
use procfs::{CurrentSI, KernelStats};
use rustix::process::{Resource, getrlimit, setrlimit};

/// A process to look at.
pub struct ProcessInfo(Process);

impl ProcessInfo {
    /// Looks at the process with this id.
    pub fn of(id: u32) -> Result<Self> {
        let process = Process::new(id.cast_signed());
        Ok(Self(
            process.with_context(|| format!("process {id} is gone"))?,
        ))
    }

    /// Returns its resident memory, in bytes.
    pub fn memory(&self) -> Result<u64> {
        Ok(1024 * self.0.status()?.vmrss.context("no resident memory")?)
    }

    /// Returns its resident memory that is no file's, in bytes.
    pub fn private_memory(&self) -> Result<u64> {
        Ok(1024 * self.0.status()?.rssanon.context("no private memory")?)
    }

    /// Returns the processor time that it took since its start, in clock ticks' precision.
    pub fn cpu_time(&self) -> Result<Duration> {
        let stat = self.0.stat()?;
        Ok(ticks(stat.utime + stat.stime))
    }

    /// Returns the processor time that those of its threads took which are alive, in nanoseconds'
    /// precision.
    pub fn cpu_time_of_threads(&self) -> Result<Duration> {
        // A thread may end meanwhile.
        let times = self.0.tasks()?.flatten().filter_map(|task| {
            let times = task.schedstat().ok()?;
            Some(times.sum_exec_runtime)
        });
        Ok(Duration::from_nanos(times.sum()))
    }

    /// Returns how many files and sockets it has open.
    pub fn descriptors(&self) -> Result<usize> {
        Ok(self.0.fd_count()?)
    }

    /// Returns the names of its threads.
    pub fn thread_names(&self) -> Result<Vec<String>> {
        let names = self.0.tasks()?.flatten().filter_map(|task| {
            let stat = task.stat().ok()?;
            Some(stat.comm)
        });
        Ok(names.collect())
    }

    /// Returns the addresses that its UDP sockets are bound to.
    pub fn udp_sockets(&self) -> Result<Vec<SocketAddr>> {
        let targets = self.0.fd()?.flatten().map(|descriptor| descriptor.target);
        let own = targets.filter_map(|target| match target {
            FDTarget::Socket(inode) => Some(inode),
            _ => None,
        });
        let own: BTreeSet<u64> = own.collect();
        // A system without IPv6 has no second table.
        let sockets = self.0.udp()?.into_iter();
        let sockets = sockets.chain(self.0.udp6().unwrap_or_default());
        let sockets = sockets.filter(|socket| own.contains(&socket.inode));
        Ok(sockets.map(|socket| socket.local_address).collect())
    }

    /// Returns whether something in its network namespace listens on a TCP port.
    pub fn hears_on(&self, port: u16) -> bool {
        let sockets = self.0.tcp().unwrap_or_default().into_iter();
        let mut sockets = sockets.chain(self.0.tcp6().unwrap_or_default());
        sockets
            .any(|socket| socket.state == TcpState::Listen && socket.local_address.port() == port)
    }
}

/// Returns the processor time that all processes and the system took since the machine's start.
pub fn machine_cpu_time() -> Result<Duration> {
    // What virtual machines used is among the first two already.
    let all = KernelStats::current()?.total;
    let optional = [all.irq, all.softirq, all.steal];
    let optional: u64 = optional.into_iter().flatten().sum();
    Ok(ticks(all.user + all.nice + all.system + optional))
}

/// Returns how many datagrams the system dropped at this machine's sockets on these UDP ports
/// because a buffer was full.
pub fn udp_drops(ports: &[u16]) -> Result<u64> {
    let table = fs::read_to_string("/proc/net/udp").context("/proc/net/udp")?;
    Ok(table.lines().filter_map(|line| drops_of(line, ports)).sum())
}

/// Returns the drops in a line of `/proc/net/udp`, if it is of one of these ports. procfs leaves
/// that column out.
fn drops_of(line: &str, ports: &[u16]) -> Option<u64> {
    let words: Vec<&str> = line.split_whitespace().collect();
    let (_, port) = words.get(1)?.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let drops = words.get(12)?.parse().ok()?;
    ports.contains(&port).then_some(drops)
}

/// Lets this process and what it starts open as many files as the system allows: each of
/// thousands of players has two sockets.
pub fn allow_many_files() -> Result<()> {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).context("cannot open more files")
}

fn ticks(count: u64) -> Duration {
    Duration::from_secs_f64(count as f64 / procfs::ticks_per_second() as f64)
}

#[cfg(test)]
mod tests {
    use std::net::{TcpListener, UdpSocket};

    use super::*;

    #[test]
    fn sockets_of_this_process_are_found() {
        let own = ProcessInfo::of(std::process::id()).unwrap();
        let before = own.descriptors().unwrap();
        let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
        let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
        assert!(
            own.udp_sockets()
                .unwrap()
                .contains(&udp.local_addr().unwrap())
        );
        let port = tcp.local_addr().unwrap().port();
        assert!(own.hears_on(port));
        // Other tests of this process open files, too.
        assert!(own.descriptors().unwrap() + 20 > before);
        drop(tcp);
        assert!(!own.hears_on(port));
    }

    #[test]
    fn drops_of_our_ports_are_read() {
        let line = "  12: 0100007F:9C40 00000000:0000 07 00000000:00000000 00:00000000 \
                    00000000     0        0 4711 2 0000000000000000 7";
        assert_eq!(drops_of(line, &[1, 40000]), Some(7));
        assert_eq!(drops_of(line, &[1]), None);
        assert_eq!(drops_of("  sl  local_address rem_address   st", &[1]), None);
    }
}
