//! Progress of long steps on stderr: a bar on a terminal, a line elsewhere.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// Returns the progress of a step of `length` things.
pub(crate) fn of_things(what: &str, length: u64) -> ProgressBar {
    bar(what, length, "{pos}/{len}")
}

/// Returns the progress of a step of `length` bytes.
pub(crate) fn of_bytes(what: &str, length: u64) -> ProgressBar {
    bar(what, length, "{bytes}/{total_bytes}, {bytes_per_sec}")
}

fn bar(what: &str, length: u64, amount: &str) -> ProgressBar {
    if !stderr().is_terminal() {
        eprintln!("{what} ...");
    }
    let bar = ProgressBar::new(length).with_message(what.to_owned());
    match ProgressStyle::with_template(&format!("{{msg}} [{{bar:30}}] {amount}")) {
        Ok(style) => bar.with_style(style.progress_chars("=> ")),
        Err(_) => bar,
    }
}
