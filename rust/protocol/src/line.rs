//! Bytes to lines, in the framing of both server generations.

use crate::defaults::MAX_LINE;

/// How a peer marks the end of a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Framing {
    /// Generation 1: every LF ends a line.
    #[default]
    Plain,
    /// Generation 2 (trimsock): an LF outside double quotes ends a line, `\"` is
    /// no quote, and a line that begins with CR announces raw bytes.
    Quoted,
}

/// Why a line is missing from what a [`LineDecoder`] gives.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum LineError {
    /// The line was longer than the decoder's limit; all of it was skipped.
    #[error("a line was longer than {0} bytes and was skipped")]
    TooLong(usize),
}

/// Cuts a byte stream into lines, however the stream itself was cut.
///
/// Holds one incomplete line of at most `limit` bytes. Raw frames of generation
/// 2 are skipped. Bytes that are no UTF-8 become U+FFFD.
#[derive(Debug)]
pub struct LineDecoder {
    framing: Framing,
    limit: usize,
    buffer: Vec<u8>,
    /// Where the current line begins in `buffer`; what lies before was given.
    start: usize,
    /// How far `buffer` was searched for the end of the line.
    searched: usize,
    in_quotes: bool,
    /// A line that was too long is being skipped up to its LF.
    skipping_line: bool,
    /// Bytes of a raw frame still to be skipped.
    skipping_raw: usize,
}

impl Default for LineDecoder {
    fn default() -> Self {
        Self::new(Framing::default(), MAX_LINE)
    }
}

impl LineDecoder {
    /// A decoder for lines of at most `limit` bytes, without their end.
    #[must_use]
    pub fn new(framing: Framing, limit: usize) -> Self {
        Self {
            framing,
            limit,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            in_quotes: false,
            skipping_line: false,
            skipping_raw: 0,
        }
    }

    /// Changes the framing from the next line on: a server tells its generation
    /// by its greeting.
    pub fn set_framing(&mut self, framing: Framing) {
        self.framing = framing;
    }

    /// Takes bytes as they came; read the lines out with [`Self::next_line`]
    /// before pushing more, so that the buffer stays bounded.
    pub fn push(&mut self, bytes: &[u8]) {
        self.buffer.drain(..self.start);
        self.searched -= self.start;
        self.start = 0;
        self.buffer.extend_from_slice(bytes);
    }

    /// The next complete line without its LF or CR LF; `None` when more bytes are
    /// needed. Empty lines are given too.
    ///
    /// # Errors
    /// [`LineError::TooLong`] once for each line that was skipped; the lines
    /// behind it follow.
    pub fn next_line(&mut self) -> Option<Result<String, LineError>> {
        loop {
            self.skip_raw();
            if self.skipping_raw > 0 {
                return None;
            }
            let Some(end) = self.find_end() else {
                return self.check_length();
            };
            let line = self.start..end;
            self.begin_line(end + 1);
            if std::mem::take(&mut self.skipping_line) {
                continue;
            }
            if line.len() > self.limit {
                return Some(Err(LineError::TooLong(self.limit)));
            }
            let line = &self.buffer[line];
            if self.framing == Framing::Quoted && line.len() > 1 && line[0] == b'\r' {
                self.skipping_raw = raw_frame_length(&line[1..], self.limit);
                continue;
            }
            let line = line.strip_suffix(b"\r").unwrap_or(line);
            return Some(Ok(String::from_utf8_lossy(line).into_owned()));
        }
    }

    fn skip_raw(&mut self) {
        let skipped = self.skipping_raw.min(self.buffer.len() - self.start);
        if skipped > 0 {
            self.skipping_raw -= skipped;
            self.begin_line(self.start + skipped);
        }
    }

    /// Where the LF is that ends the current line.
    fn find_end(&mut self) -> Option<usize> {
        let quoted = self.framing == Framing::Quoted;
        while let Some(&byte) = self.buffer.get(self.searched) {
            match byte {
                b'\n' if !self.in_quotes => return Some(self.searched),
                b'\\' if quoted => match self.buffer.get(self.searched + 1) {
                    Some(b'"') => self.searched += 1,
                    Some(_) => {}
                    None => return None,
                },
                b'"' if quoted => self.in_quotes = !self.in_quotes && !self.skipping_line,
                _ => {}
            }
            self.searched += 1;
        }
        None
    }

    fn begin_line(&mut self, start: usize) {
        self.start = start;
        self.searched = start;
        self.in_quotes = false;
    }

    /// Lets go of an incomplete line that is too long already.
    fn check_length(&mut self) -> Option<Result<String, LineError>> {
        if self.skipping_line {
            self.begin_line(self.buffer.len());
            return None;
        }
        let line = &self.buffer[self.start..];
        if line.len() <= self.limit {
            return None;
        }
        // An unbalanced quote hides every LF: go on behind the first one.
        match line.iter().position(|&byte| byte == b'\n') {
            Some(end) => self.begin_line(self.start + end + 1),
            None => {
                self.begin_line(self.buffer.len());
                self.skipping_line = true;
            }
        }
        Some(Err(LineError::TooLong(self.limit)))
    }
}

/// How many bytes follow the announcement `name length` of a raw frame, its
/// closing LF included; 0 when the length is a lie.
fn raw_frame_length(announcement: &[u8], limit: usize) -> usize {
    std::str::from_utf8(announcement)
        .ok()
        .and_then(|text| text.rsplit(' ').next())
        .and_then(|length| length.trim().parse::<usize>().ok())
        .filter(|length| *length <= limit)
        .map_or(0, |length| length + 1)
}
