//! What only generation 2's framing has: raw frames, and quotes that may never close.

use noray_protocol::wire::{
    command::ServerLine,
    framing::{
        Framing::{Plain, Quoted},
        LineDecoder, LineError,
    },
};

use crate::pieces::{check_every_cut, lines};

const LIMIT: usize = 40;

/// Fails when a frame's bytes, which contain LFs and quotes, are read as lines.
#[test]
fn raw_frames_are_skipped() {
    let stream =
        b"echo a\n\rblob 9\n\"x\ny\n\"\rz\\\necho b\n\rempty 0\n\n\rid?7 2\n\n\n\necho c\n";
    check_every_cut(
        Quoted,
        LIMIT,
        stream,
        &lines(&["echo a", "echo b", "echo c"]),
    );
}

/// Fails when generation 1's lines, which may begin with CR, are taken for frames.
#[test]
fn plain_framing_has_no_raw_frames() {
    let stream = b"\rblob 3\nabc\necho b\n";
    check_every_cut(Plain, LIMIT, stream, &lines(&["\rblob 3", "abc", "echo b"]));
}

/// Fails when an invalid length swallows the lines after it.
#[test]
fn lengths_that_are_none() {
    for length in ["", "x", "-1", "4x", "41", "99999999999999999999", "1.5"] {
        let stream = format!("\rblob {length}\necho a\necho b\n");
        let expected = lines(&["echo a", "echo b"]);
        check_every_cut(Quoted, LIMIT, stream.as_bytes(), &expected);
    }
}

/// Fails when the decoder stays out of step, or returns the rest of a frame that is longer than
/// announced as a command.
#[test]
fn lying_lengths() {
    let too_short = b"\rblob 3\nabcset-pid x\necho a\necho b\n";
    check_every_cut(Quoted, LIMIT, too_short, &lines(&["echo a", "echo b"]));
    // The frame ends inside `echo a`, the rest of which is no command.
    let too_long = b"\rblob 6\nabc\necho a\necho b\n";
    check_every_cut(Quoted, LIMIT, too_long, &lines(&["echo b"]));
}

/// Fails when an unbalanced quote swallows everything that follows.
#[test]
fn unbalanced_quotes_recover() {
    let mut stream = b"echo \"a\n".to_vec();
    let mut expected = vec![Err(LineError::TooLong(LIMIT))];
    for number in 10..20 {
        stream.extend_from_slice(format!("echo {number}\n").as_bytes());
        expected.push(Ok(format!("echo {number}")));
    }
    check_every_cut(Quoted, LIMIT, &stream, &expected);
}

/// Fails when a long quoted line, whose quote closes beyond the limit, gives different lines for
/// different cuts.
#[test]
fn quotes_that_close_too_late() {
    let stream = b"x \"aaaaaaaaaaaaaaaaaaaa\nbbbbbbbbbbbbbbbbbbbbbbbbbbbbb\ncc\"\necho a\n";
    let expected = [
        Err(LineError::TooLong(LIMIT)),
        Ok("bbbbbbbbbbbbbbbbbbbbbbbbbbbbb".to_owned()),
        // The quote that closes opens another one, up to the end.
    ];
    check_every_cut(Quoted, LIMIT, stream, &expected);
}

/// Fails when lines that arrived with the greeting are read in the earlier framing.
#[test]
fn framing_changes_with_the_greeting() {
    let stream = b"hi \"noray v2\"\nconnect \"Error: a\nb\"\necho c\n";
    for cut in 0..=stream.len() {
        let mut decoder = LineDecoder::new(Plain, LIMIT);
        let mut framing = Plain;
        let mut data = Vec::new();
        for piece in [&stream[..cut], &stream[cut..]] {
            decoder.push(piece);
            while let Some(line) = decoder.next_line() {
                let line = ServerLine::parse(&line.unwrap(), framing).unwrap();
                framing = Quoted;
                decoder.set_framing(Quoted);
                data.push(line.data);
            }
        }
        assert_eq!(data, ["noray v2", "Error: a\nb", "c"], "cut at {cut}");
    }
}

/// Fails when a change of framing keeps what was searched in the earlier one.
#[test]
fn framing_can_change_inside_a_line() {
    let mut decoder = LineDecoder::new(Plain, LIMIT);
    decoder.push(b"x \"a");
    assert_eq!(decoder.next_line(), None);
    decoder.set_framing(Quoted);
    decoder.push(b"\nb\"\n");
    assert_eq!(decoder.next_line(), Some(Ok("x \"a\nb\"".to_owned())));
}
