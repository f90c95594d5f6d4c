//! Reads what a process prints, line by line.

use std::io::{BufRead, Read as _};

use crate::defaults;

/// Returns the next line without its end, and whether it was cut there: the rest of one that is too
/// long comes as the next. `None` at the end.
pub(crate) fn next_line(reader: &mut impl BufRead) -> Option<(String, bool)> {
    let mut line = Vec::new();
    let mut part = reader.take(defaults::LINE_BYTES as u64);
    // Who cannot be read any more has ended.
    let _ = part.read_until(b'\n', &mut line);
    let cut = line.len() == defaults::LINE_BYTES && line.last() != Some(&b'\n');
    if line.is_empty() {
        return None;
    }
    let line = String::from_utf8_lossy(&line);
    Some((line.trim_end_matches(['\r', '\n']).to_owned(), cut))
}
