//! Many players at one server for some minutes: they meet, are relayed, leave and come back; and
//! afterwards the server is as it was.
//!
//! ```text
//! here        runs it
//! ├─ players  what they do, and what each of them counts
//! ├─ watched  the server's process, and what it tells of itself
//! └─ judge    whether all is well
//! background  the same beside other tests
//! ```

use std::path::PathBuf;

#[cfg(target_os = "linux")]
pub(crate) mod background;
#[cfg(target_os = "linux")]
mod here;
#[cfg(target_os = "linux")]
mod judge;
#[cfg(target_os = "linux")]
mod players;
#[cfg(target_os = "linux")]
mod watched;
#[cfg(target_os = "linux")]
pub(crate) use here::run;

#[cfg(not(target_os = "linux"))]
mod elsewhere;
#[cfg(not(target_os = "linux"))]
pub use elsewhere::{background, run};

/// Its name among the tests.
const NAME: &str = "server::soak";

/// What is asked for.
#[cfg_attr(not(target_os = "linux"), allow(dead_code))]
pub(crate) struct Options {
    /// How long players come and go.
    pub minutes: u32,
    /// How many players there are.
    pub players: u32,
    /// An executable of the server; else it is built.
    pub server: Option<PathBuf>,
    /// Whether others are to have the processor first.
    pub nice: bool,
}
