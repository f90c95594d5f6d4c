//! Decodes a stream that arrives in pieces, as a client does.

use noray_protocol::wire::framing::{Framing, LineDecoder, LineError};

/// A decoded line, or the error in its place.
pub(crate) type Line = Result<String, LineError>;

/// Decodes `stream` as it arrives in the pieces that `cuts` (ascending positions) make.
pub(crate) fn decode(framing: Framing, limit: usize, stream: &[u8], cuts: &[usize]) -> Vec<Line> {
    let mut decoder = LineDecoder::new(framing, limit);
    let mut lines = Vec::new();
    let mut from = 0;
    for &to in cuts.iter().chain([&stream.len()]) {
        decoder.push(&stream[from..to]);
        while let Some(line) = decoder.next_line() {
            lines.push(line);
        }
        from = to;
    }
    lines
}

/// Asserts that `stream` gives `expected` in one piece, byte by byte, and for every cut and pair of
/// cuts.
#[track_caller]
pub(crate) fn check_every_cut(framing: Framing, limit: usize, stream: &[u8], expected: &[Line]) {
    let check = |cuts: &[usize]| {
        let lines = decode(framing, limit, stream, cuts);
        assert_eq!(lines, expected, "{framing:?}, cut at {cuts:?}");
    };
    let each_byte: Vec<usize> = (0..=stream.len()).collect();
    check(&[]);
    check(&each_byte);
    for first in 0..=stream.len() {
        check(&[first]);
        for second in first..=stream.len() {
            check(&[first, second]);
        }
    }
}

/// Returns lines without errors.
pub(crate) fn lines(texts: &[&str]) -> Vec<Line> {
    texts.iter().map(|text| Ok((*text).to_owned())).collect()
}
