//! A real server on loopback sockets, and players on the wire.
//!
//! ```text
//! flow       what players do to meet
//! addresses  a server with several addresses
//! nat        relays for players behind routers that change ports
//! refusals   every refusal
//! limits     players who want too much, and relays that expire
//! garbage    players who send nonsense, while the server serves others
//! corpus     the fuzzers' inputs, while the server serves others
//! resume     a player who comes back gets its OpenID back
//! hosting    players who say whether they host
//! lifecycle  start, stop, two at once
//! binary     the program: help and exit codes
//! settings   the program: where its settings come from, and the health probe
//! guide      docs/SERVER.md and packaging/ name only what exists
//! http       the program: metrics, health, and floods of requests
//! unix       the program: signals, log
//! ```

#[cfg(target_os = "linux")]
mod addresses;
#[cfg(feature = "cli")]
mod binary;
mod corpus;
mod flow;
mod garbage;
#[cfg(feature = "cli")]
mod guide;
mod hosting;
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
