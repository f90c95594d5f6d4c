//! Measures, and prints tables in Markdown.

pub mod game;
pub mod server;
