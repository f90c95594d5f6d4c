//! The handshake on a simulated network, in simulated time.

#![expect(
    clippy::disallowed_methods,
    reason = "a test begins at the present instant"
)]

mod edges;
mod loss;
mod netfox_client;
mod network;
mod no_loss;
mod pairs;
mod time_out;
