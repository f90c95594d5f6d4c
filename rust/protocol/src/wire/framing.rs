//! Cuts bytes into lines, in the framing of both server generations.

use std::fmt;

use crate::defaults::MAX_LINE;

/// How a server marks the end of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Framing {
    /// Generation 1: every LF ends a line.
    #[default]
    Plain,
    /// Generation 2 (trimsock): an LF outside double quotes ends a line, `\"` is not a quote, and a
    /// line that begins with CR announces raw bytes.
    Quoted,
}

/// Why a [`LineDecoder`] left out a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LineError {
    /// The line was longer than the decoder's limit, in bytes, and was skipped whole.
    #[error("a line was longer than {0} bytes and was skipped")]
    TooLong(usize),
}

/// Cuts a byte stream into lines, no matter how the stream arrives in pieces.
///
/// Buffers an incomplete line of at most `limit` bytes and a CR. Skips raw frames of generation 2.
/// Bytes that are not UTF-8 become U+FFFD.
pub struct LineDecoder {
    framing: Framing,
    limit: usize,
    buffer: Vec<u8>,
    /// Where the current line begins in `buffer`; everything before was returned.
    start: usize,
    /// How far `buffer` has been searched for the end of the line.
    searched: usize,
    in_quotes: bool,
    skip: Skip,
}

/// What the decoder skips.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Skip {
    Nothing,
    /// Everything up to the next LF.
    Line,
    /// This many bytes of a raw frame, then its closing LF.
    Raw(usize),
}

/// Where the current line ends.
enum End {
    /// At the LF here.
    Found(usize),
    /// Not known until more bytes arrive.
    Unknown,
    /// Beyond the limit.
    TooFar,
}

impl Default for LineDecoder {
    fn default() -> Self {
        Self::new(Framing::default(), MAX_LINE)
    }
}

impl fmt::Debug for LineDecoder {
    /// Leaves the buffer out: it can hold a PrivateID.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LineDecoder")
            .field("framing", &self.framing)
            .field("limit", &self.limit)
            .field("buffered", &self.buffered())
            .finish_non_exhaustive()
    }
}

impl LineDecoder {
    /// Returns a decoder for lines of at most `limit` bytes, not counting their end.
    #[must_use]
    pub fn new(framing: Framing, limit: usize) -> Self {
        Self {
            framing,
            limit,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            in_quotes: false,
            skip: Skip::Nothing,
        }
    }

    /// Changes the framing from the next line on: a server's greeting tells its generation.
    pub fn set_framing(&mut self, framing: Framing) {
        self.framing = framing;
        self.begin_line(self.start);
    }

    /// Takes bytes as they arrive. Read all lines with [`Self::next_line`] before pushing more, so
    /// that the buffer stays bounded.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// Returns how many bytes wait to be returned as a line or to be skipped.
    #[must_use]
    pub fn buffered(&self) -> usize {
        self.buffer.len() - self.start
    }

    /// Returns the next complete line without its LF or CR LF, or `None` when more bytes are
    /// needed. Empty lines count.
    ///
    /// # Errors
    /// [`LineError::TooLong`] once for each skipped line; the lines after it follow. If an
    /// unbalanced quote made the line too long, those are the lines after its first LF.
    pub fn next_line(&mut self) -> Option<Result<String, LineError>> {
        while self.skip() {
            match self.find_end() {
                End::Unknown => return None,
                End::TooFar => {
                    self.skip = Skip::Line;
                    return Some(Err(LineError::TooLong(self.limit)));
                }
                End::Found(end) => {
                    let line = self.start..end;
                    self.begin_line(end + 1);
                    let line = &self.buffer[line];
                    if self.framing == Framing::Quoted && line.len() > 1 && line[0] == b'\r' {
                        self.skip = raw_frame(&line[1..], self.limit);
                        continue;
                    }
                    let line = line.strip_suffix(b"\r").unwrap_or(line);
                    return Some(Ok(String::from_utf8_lossy(line).into_owned()));
                }
            }
        }
        None
    }

    /// Skips what is to be skipped. Returns `false` when more bytes are needed.
    fn skip(&mut self) -> bool {
        loop {
            let rest = &self.buffer[self.start..];
            match self.skip {
                Skip::Nothing => return true,
                Skip::Line => match rest.iter().position(|&byte| byte == b'\n') {
                    Some(end) => {
                        self.begin_line(self.start + end + 1);
                        self.skip = Skip::Nothing;
                    }
                    None => {
                        self.begin_line(self.buffer.len());
                        return false;
                    }
                },
                // Bytes between the frame and its LF prove that the length was wrong.
                Skip::Raw(0) => self.skip = Skip::Line,
                Skip::Raw(_) if rest.is_empty() => return false,
                Skip::Raw(length) => {
                    let skipped = length.min(rest.len());
                    self.begin_line(self.start + skipped);
                    self.skip = Skip::Raw(length - skipped);
                }
            }
        }
    }

    /// Searches for the LF that ends the current line, but no further than a line may reach:
    /// otherwise the result would depend on how the stream was cut.
    fn find_end(&mut self) -> End {
        let quoted = self.framing == Framing::Quoted;
        loop {
            let next = self.buffer.get(self.searched);
            let length = self.searched - self.start;
            if length > self.limit {
                // Only the LF of a CR LF may still follow.
                let after_cr = length == self.limit + 1 && self.buffer[self.searched - 1] == b'\r';
                return match next {
                    None if after_cr && !self.in_quotes => End::Unknown,
                    Some(b'\n') if after_cr && !self.in_quotes => End::Found(self.searched),
                    _ => End::TooFar,
                };
            }
            match next {
                None => return End::Unknown,
                Some(b'\n') if !self.in_quotes => return End::Found(self.searched),
                Some(b'"') if quoted => self.in_quotes = !self.in_quotes,
                Some(b'\\') if quoted => match self.buffer.get(self.searched + 1) {
                    None => return End::Unknown,
                    Some(b'"') => self.searched += 1,
                    Some(_) => {}
                },
                Some(_) => {}
            }
            self.searched += 1;
        }
    }

    fn begin_line(&mut self, start: usize) {
        self.start = start;
        self.searched = start;
        self.in_quotes = false;
    }
}

/// Returns what to skip after the announcement `name length` of a raw frame: nothing if the length
/// is no number or too large.
fn raw_frame(announcement: &[u8], limit: usize) -> Skip {
    std::str::from_utf8(announcement)
        .ok()
        .and_then(|text| text.trim().rsplit(' ').next())
        .and_then(|length| length.parse().ok())
        .filter(|length| *length <= limit)
        .map_or(Skip::Nothing, Skip::Raw)
}

#[cfg(test)]
mod tests {
    use proptest::{collection::vec, prelude::*};

    use super::*;

    proptest! {
        /// Fails when the buffer grows with what the peer sends.
        #[test]
        fn memory_is_bounded(
            quoted in any::<bool>(),
            limit in 0..30_usize,
            pushes in vec("[\\r\\n\"\\\\ a0-9]{0,40}", 0..40),
        ) {
            let framing = if quoted { Framing::Quoted } else { Framing::Plain };
            let mut decoder = LineDecoder::new(framing, limit);
            for push in pushes {
                decoder.push(push.as_bytes());
                // An incomplete line and its CR, and what has just come.
                prop_assert!(decoder.buffer.len() <= limit + 1 + push.len());
                while decoder.next_line().is_some() {}
            }
        }
    }
}
