//! Framing: bytes to lines, wherever the stream is cut.

mod cuts;
mod generation2;
mod pieces;
mod properties;
