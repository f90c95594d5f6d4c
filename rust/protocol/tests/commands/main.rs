//! Commands: from lines, and back.

mod addresses;
mod ids;
mod properties;
mod recorded;
