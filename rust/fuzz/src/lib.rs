//! What fuzzing passes to the protocol and the server, and the checks of the results.
//!
//! ```text
//! framing     bytes of a TCP connection: lines and commands, on both sides
//! commands    several connections to a real server, against what each must be told
//! registrar   steps of the host table against simple rules
//! relay       steps of the relay table against what must always hold
//! datagrams   bytes of a UDP datagram, for everything that reads one
//!
//! input       turns bytes into choices; the same bytes always give the same choices
//! corpus      the inputs in the corpus, and inputs made from them
//! ```
//!
//! Each target is a plain function that panics when something is wrong. `cargo test` passes it the
//! inputs in the corpus and a limited number made from them; `cargo xtask fuzz` searches for new
//! ones.

pub mod commands;
pub mod corpus;
pub mod datagrams;
pub mod framing;
pub mod input;
pub mod registrar;
pub mod relay;

/// A target of fuzzing.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// The name of the target, and of its folder in `corpus`.
    pub name: &'static str,
    /// Checks an input, and panics if something is wrong.
    pub check: fn(&[u8]),
    /// How many inputs `cargo test` makes from the corpus: enough for a few seconds.
    pub mutations: usize,
}

/// All targets.
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
