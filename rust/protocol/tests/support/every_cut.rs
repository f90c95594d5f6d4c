//! Checks that the lines stay the same wherever the stream is cut.

use noray_protocol::line::Framing;

use crate::cuts::{Line, decode};

/// Checks that `stream` gives `expected` in one piece, byte by byte, and for every
/// cut and pair of cuts.
#[track_caller]
pub fn check_every_cut(framing: Framing, limit: usize, stream: &[u8], expected: &[Line]) {
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

/// Lines without errors.
pub fn lines(texts: &[&str]) -> Vec<Line> {
    texts.iter().map(|text| Ok((*text).to_owned())).collect()
}
