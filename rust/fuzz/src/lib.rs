//! What fuzzing feeds to the protocol and the server, and the checks of what comes out.
//!
//! ```text
//! framing     bytes of a TCP connection: lines and commands, on both sides
//! commands    several connections to a real server, against what each must be told
//! registrar   steps of the host table against simple rules
//! relay       steps of the relay table against what must always hold
//! datagrams   bytes of a UDP datagram, to whoever reads one
//!
//! input       bytes as choices; the same bytes always give the same
//! corpus      the kept inputs, and inputs made of them
//! ```
//!
//! Each target is one plain function that panics when something is wrong. `cargo test` gives it
//! the kept inputs and a bounded number made of them; `cargo xtask fuzz` searches for new ones.

pub mod commands;
pub mod corpus;
pub mod datagrams;
pub mod framing;
pub mod input;
pub mod registrar;
pub mod relay;

/// One target: what is fuzzed.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// Its name, and that of its folder in `corpus`.
    pub name: &'static str,
    /// Feeds one input and panics when something is wrong.
    pub check: fn(&[u8]),
    /// Inputs a `cargo test` makes of the kept ones: a few seconds' worth.
    pub mutations: usize,
}

/// Every target.
pub const TARGETS: [Target; 5] = [
    Target {
        name: "framing",
        check: framing::check,
        mutations: 2000,
    },
    Target {
        name: "commands",
        check: commands::check,
        mutations: 500,
    },
    Target {
        name: "registrar",
        check: registrar::check,
        mutations: 5000,
    },
    Target {
        name: "relay",
        check: relay::check,
        mutations: 5000,
    },
    Target {
        name: "datagrams",
        check: datagrams::check,
        mutations: 5000,
    },
];
