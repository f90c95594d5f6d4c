//! Decodes a stream that arrives in pieces, as a client does.

use noray_protocol::line::{Framing, LineDecoder, LineError};

/// A line that came out, or the error in its place.
pub type Line = Result<String, LineError>;

/// Everything that comes out of `stream` when it arrives in the pieces that `cuts`
/// (ascending positions) make.
pub fn decode(framing: Framing, limit: usize, stream: &[u8], cuts: &[usize]) -> Vec<Line> {
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
