//! What a server decides.

pub mod host_table;
pub mod relay_table;
