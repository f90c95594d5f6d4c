//! The relay table in simulated time, without sockets.
//!
//! ```text
//! table    a relay table with players
//! ports    which relay is where, and when it ends
//! limits   how much may pass
//! nat      whose packet it is: symmetric routers, moves, strangers
//! model    random steps against simple rules
//! ```

#![expect(
    clippy::disallowed_methods,
    reason = "a test begins at the present instant"
)]

mod limits;
mod model;
mod nat;
mod ports;
mod table;
