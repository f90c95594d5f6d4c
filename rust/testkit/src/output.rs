//! Reads what a process prints, line by line.

use std::io::BufRead;

use crate::defaults;

/// Returns the next line without its end, and whether it was too long to be kept whole; `None` at
/// the end.
pub(crate) fn next_line(reader: &mut impl BufRead) -> Option<(String, bool)> {
    let mut line = Vec::new();
    let mut cut = false;
    loop {
        let available = match reader.fill_buf() {
            Ok([]) | Err(_) if line.is_empty() => return None,
            Ok([]) | Err(_) => break,
            Ok(available) => available,
        };
        let end = available.iter().position(|&byte| byte == b'\n');
        let part = &available[..end.unwrap_or(available.len())];
        let room = defaults::LINE_BYTES - line.len();
        cut |= part.len() > room;
        line.extend_from_slice(&part[..part.len().min(room)]);
        let used = end.map_or(available.len(), |end| end + 1);
        reader.consume(used);
        if end.is_some() {
            break;
        }
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    Some((String::from_utf8_lossy(&line).into_owned(), cut))
}
