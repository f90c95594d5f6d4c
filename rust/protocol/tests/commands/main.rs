//! Lines to commands, and back.

mod addresses;
mod ids;
mod properties;
mod recorded;
