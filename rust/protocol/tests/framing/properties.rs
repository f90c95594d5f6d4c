//! Arbitrary bytes, arbitrarily cut.

use noray_protocol::wire::{
    command::ServerLine,
    framing::{Framing, LineError},
};
use proptest::{collection::vec, prelude::*, sample::Index};

use crate::pieces::{Line, decode};

fn framings() -> impl Strategy<Value = Framing> {
    prop_oneof![Just(Framing::Plain), Just(Framing::Quoted)]
}

/// Returns streams that consist mostly of the bytes that matter to the framing.
fn streams() -> impl Strategy<Value = Vec<u8>> {
    let piece = prop_oneof![
        8 => prop::sample::select(vec!["\n", "\r", "\"", "\\", " ", "\\\"", "\r\n"])
            .prop_map(|text| text.as_bytes().to_vec()),
        4 => "[a-z0-9é🦀]{1,6}".prop_map(String::into_bytes),
        2 => (0..40_u32).prop_map(|length| format!("\n\rblob {length}\n").into_bytes()),
        1 => vec(any::<u8>(), 1..4),
    ];
    vec(piece, 0..60).prop_map(|pieces| pieces.concat())
}

fn cut_positions(cuts: &[Index], stream: &[u8]) -> Vec<usize> {
    let mut positions: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
    positions.sort_unstable();
    positions
}

/// Returns what plain framing has to give, computed from the whole stream.
fn split_plainly(stream: &[u8], limit: usize) -> Vec<Line> {
    let Some(end) = stream.iter().rposition(|&byte| byte == b'\n') else {
        let unfinished = stream.strip_suffix(b"\r").unwrap_or(stream);
        let too_long = unfinished.len() > limit;
        return too_long
            .then_some(Err(LineError::TooLong(limit)))
            .into_iter()
            .collect();
    };
    let mut lines: Vec<_> = stream[..end]
        .split(|&byte| byte == b'\n')
        .map(|line| line.strip_suffix(b"\r").unwrap_or(line))
        .map(|line| match line.len() > limit {
            true => Err(LineError::TooLong(limit)),
            false => Ok(String::from_utf8_lossy(line).into_owned()),
        })
        .collect();
    lines.extend(split_plainly(&stream[end + 1..], limit));
    lines
}

/// Returns how generation 2 writes a text inside quotes: quotes escaped, everything else raw.
fn quote(text: &str) -> String {
    format!("\"{}\"", text.replace('"', "\\\""))
}

proptest! {
    /// Fails when the result depends on the cuts, or anything makes it panic.
    #[test]
    fn every_cut_gives_the_same(
        framing in framings(),
        limit in 0..50_usize,
        stream in streams(),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let whole = decode(framing, limit, &stream, &[]);
        let pieces = decode(framing, limit, &stream, &cut_positions(&cuts, &stream));
        prop_assert_eq!(whole, pieces);
    }

    /// Fails when a line is lost, changed, or has the wrong length limit.
    #[test]
    fn plain_framing_splits_at_lf(limit in 0..50_usize, stream in streams()) {
        let lines = decode(Framing::Plain, limit, &stream, &[]);
        prop_assert_eq!(lines, split_plainly(&stream, limit));
    }

    /// Fails when any bytes can make parsing panic.
    #[test]
    fn nothing_makes_parsing_panic(framing in framings(), stream in streams()) {
        for line in decode(framing, 60, &stream, &[]).into_iter().flatten() {
            let _ = ServerLine::parse(&line, framing);
        }
    }

    /// Fails when text that generation 2 writes in quotes, with line breaks and quotes, is not read
    /// back. (It does not escape backslashes, so they cannot be told from escapes.)
    #[test]
    fn quoted_texts_are_read_as_written(
        texts in vec(r#"[a-z "\r\né🦀?:.]{0,30}"#, 1..8),
        cuts in vec(any::<Index>(), 0..20),
    ) {
        let mut stream = Vec::new();
        for text in &texts {
            stream.extend_from_slice(format!("connect {}\n", quote(text)).as_bytes());
        }
        let cuts = cut_positions(&cuts, &stream);
        let data: Vec<_> = decode(Framing::Quoted, 500, &stream, &cuts)
            .into_iter()
            .map(|line| ServerLine::parse(&line.unwrap(), Framing::Quoted).unwrap().data)
            .collect();
        prop_assert_eq!(data, texts);
    }

    /// Fails when any garbage silences the decoder for good: short lines of the limit's length
    /// together close whatever was open.
    #[test]
    fn the_decoder_recovers(framing in framings(), stream in streams()) {
        let mut stream = stream;
        stream.extend_from_slice("\necho on\n".repeat(40).as_bytes());
        let lines = decode(framing, 60, &stream, &[]);
        prop_assert_eq!(lines.last(), Some(&Ok("echo on".to_owned())));
    }
}
