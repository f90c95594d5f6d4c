//! Which request failed, on simulated servers of all kinds.

mod deadlines;
mod generation1;
mod greeted;
mod world;
