//! Faults of networks, machines and bad neighbours, which the server survives.
//!
//! ```text
//! loss         a fifth of all datagrams is lost in each direction
//! slow         players who do not read
//! vanished     players whose machine disappears without a word
//! crowd        one address opens 10,000 connections
//! descriptors  the process has as many descriptors as it may have
//! dead_sockets the system takes a socket away, as from an application that sleeps
//! options      the system lacks socket options
//! clock        the wall clock jumps
//! standstill   the process stands still for a while, as on a machine that sleeps
//! killed       the process is killed in mid-game and started again
//! ```

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod clock;
#[cfg(all(target_os = "linux", feature = "cli"))]
mod crowd;
#[cfg(target_os = "linux")]
mod dead_sockets;
#[cfg(all(target_os = "linux", feature = "cli"))]
mod descriptors;
#[cfg(feature = "cli")]
mod killed;
mod loss;
#[cfg(all(
    target_os = "linux",
    feature = "cli",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod options;
#[cfg(feature = "cli")]
#[path = "../common/program.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod program;
#[cfg(all(target_os = "linux", feature = "cli"))]
mod slow;
#[cfg(all(target_os = "linux", feature = "cli"))]
mod standstill;
#[cfg(target_os = "linux")]
mod vanished;
