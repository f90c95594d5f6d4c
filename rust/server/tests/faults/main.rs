//! What networks, machines and bad neighbours do to a server, and that it stands.
//!
//! ```text
//! loss         a fifth of all datagrams is lost, each way
//! slow         players who do not read
//! vanished     players whose machine is gone without a word
//! crowd        one address opens 10,000 connections
//! descriptors  the process has as many descriptors as it may have
//! clock        the wall clock jumps
//! standstill   the process is stopped for a while, as by a machine that sleeps
//! killed       the process is killed in mid-game and started again
//! ```

#[cfg(all(target_os = "linux", target_pointer_width = "64"))]
mod clock;
#[cfg(all(target_os = "linux", feature = "cli"))]
mod crowd;
#[cfg(all(target_os = "linux", feature = "cli"))]
mod descriptors;
#[cfg(feature = "cli")]
mod killed;
mod loss;
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
