//! A real server on loopback sockets, and players who speak to it byte by byte.
//!
//! ```text
//! flow       what players do to meet
//! nat        relays for players behind routers that change ports
//! refusals   every way in which the server says no
//! limits     what it does when somebody wants too much, and when relays expire
//! garbage    senders of nonsense, while others are served
//! corpus     what fuzzing found worth keeping, while others are served
//! resume     a player who comes back has its OpenID back
//! lifecycle  start, stop, two at once
//! binary     the program: settings and exit codes
//! settings   the program: where its settings come from
//! guide      docs/SERVER.md and packaging/ speak of what there is
//! http       the program: metrics, health, and who floods them
//! unix       the program: signals, log
//! ```

#[cfg(feature = "cli")]
mod binary;
mod corpus;
mod flow;
mod garbage;
#[cfg(feature = "cli")]
mod guide;
#[cfg(feature = "cli")]
mod http;
mod lifecycle;
mod limits;
#[cfg(target_os = "linux")]
mod nat;
#[cfg(feature = "cli")]
#[path = "../common/program.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod program;
mod refusals;
mod resume;
#[cfg(feature = "cli")]
mod settings;
#[cfg(all(unix, feature = "cli"))]
mod unix;
