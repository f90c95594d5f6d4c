//! Measures, and prints tables in Markdown.

pub(crate) mod game;

#[cfg(target_os = "linux")]
pub(crate) mod server;

/// The measurements of the server need what Linux alone has.
#[cfg(not(target_os = "linux"))]
pub mod server {
    use std::path::Path;

    use anyhow::Result;

    /// Tells that nothing can be measured here.
    pub fn run(_noray: Option<&Path>, _filter: Option<String>) -> Result<()> {
        println!("skipped: it needs Linux's loopback addresses, time stamps and /proc");
        Ok(())
    }
}
