//! Our server under load, and the public one beside it: the same run measures both, by turns, with
//! the same generator.
//!
//! ```text
//! measurements              runs them and prints the table
//! ├─ throughput             packets a second of one relayed pair
//! ├─ latency                how long a packet takes through a relay
//! ├─ registration           thousands of players register and ask for each other
//! ├─ startup                from the process's start to its first answer
//! └─ resilience             floods and garbage, and whether others notice
//!    ├─ comparison, table   the same of each server, and the results
//!    └─ packet_stream, batch_receiver, socket_pair   packets at any rate, received cheaply
//! ```

mod batch_receiver;
mod comparison;
mod latency;
mod measurements;
mod packet_stream;
mod registration;
mod resilience;
mod socket_pair;
mod startup;
mod table;
mod throughput;

pub(crate) use measurements::run;
