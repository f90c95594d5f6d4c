//! The handshake on a simulated network, in simulated time.

mod edges;
mod loss;
mod network;
mod no_loss;
mod old_client;
mod pairs;
mod time_out;
