//! Which request failed, on simulated servers of all kinds.

#![expect(
    clippy::disallowed_methods,
    reason = "a test begins at the present instant"
)]

mod deadlines;
mod generation1;
mod greeted;
mod simulation;
