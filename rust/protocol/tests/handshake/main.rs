//! The handshake on a simulated network, in simulated time.

#![expect(
    clippy::disallowed_methods,
    reason = "a test begins at the present instant"
)]

mod edges;
mod loss;
mod network;
mod no_loss;
mod old_client;
mod pairs;
mod time_out;
