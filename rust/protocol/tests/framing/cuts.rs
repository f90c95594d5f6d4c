//! Wherever the stream is cut, the lines stay the same.

use noray_protocol::wire::framing::{
    Framing::{Plain, Quoted},
    LineError,
};

use crate::pieces::{check_every_cut, lines};

const LIMIT: usize = 200;

/// Fails when a line is returned before its LF arrived, or is lost at a cut.
#[test]
fn plain_lines() {
    let stream = b"set-oid PbEzHoOOXM\nset-pid 1x2y3z\nconnect 203.0.113.7:54321\n";
    let expected = lines(&[
        "set-oid PbEzHoOOXM",
        "set-pid 1x2y3z",
        "connect 203.0.113.7:54321",
    ]);
    check_every_cut(Plain, LIMIT, stream, &expected);
    check_every_cut(Quoted, LIMIT, stream, &expected);
}

/// Fails when text is decoded before the line is complete.
#[test]
fn multi_byte_characters() {
    let stream = "set-oid größe-žlutý-🦀\necho 日本語\n".as_bytes();
    let expected = lines(&["set-oid größe-žlutý-🦀", "echo 日本語"]);
    check_every_cut(Plain, LIMIT, stream, &expected);
    check_every_cut(Quoted, LIMIT, stream, &expected);
}

/// Fails when CR and LF end one line only if they arrive together.
#[test]
fn crlf_and_empty_lines() {
    let stream = b"\n\r\necho a\r\n\n\necho b\rc\r\n\r\r\n ";
    let plain = ["", "", "echo a", "", "", "echo b\rc", "\r"];
    check_every_cut(Plain, LIMIT, stream, &lines(&plain));
    // The last line announces a raw frame without a length, and is skipped.
    check_every_cut(Quoted, LIMIT, stream, &lines(&plain[..6]));
}

/// Fails when quotes or escapes are forgotten at a cut.
#[test]
fn quotes_and_escapes() {
    let stream = b"connect \"Error: a\nb\"\nx \\\"\ny \"\\\"\n\"\nz \"a\" b \"c\n\"\n";
    let quoted = [
        "connect \"Error: a\nb\"",
        "x \\\"",
        "y \"\\\"\n\"",
        "z \"a\" b \"c\n\"",
    ];
    let plain = [
        "connect \"Error: a",
        "b\"",
        "x \\\"",
        "y \"\\\"",
        "\"",
        "z \"a\" b \"c",
        "\"",
    ];
    check_every_cut(Quoted, LIMIT, stream, &lines(&quoted));
    check_every_cut(Plain, LIMIT, stream, &lines(&plain));
}

/// Fails when a line's length depends on how much of it arrived at once.
#[test]
fn lines_around_the_limit() {
    let too_long = || Err(LineError::TooLong(4));
    let line = |text: &str| Ok(text.to_owned());
    let stream = b"abcd\nabcd\r\nabcde\nabcde\r\nabcd\re\nabcd\r\r\nabcdefghijkl\n\nabc\n";
    let expected = [
        line("abcd"),
        line("abcd"),
        too_long(),
        too_long(),
        too_long(),
        too_long(),
        too_long(),
        line(""),
        line("abc"),
    ];
    check_every_cut(Plain, 4, stream, &expected);
    check_every_cut(Quoted, 4, stream, &expected);
}

/// Fails when bytes that are not UTF-8 stop the decoder or spill into other lines.
#[test]
fn bytes_that_are_no_text() {
    let stream = b"a\xff\xfeb\n\xf0\x9f\n\x80\nok\n";
    let expected = lines(&["a\u{fffd}\u{fffd}b", "\u{fffd}", "\u{fffd}", "ok"]);
    check_every_cut(Plain, LIMIT, stream, &expected);
    check_every_cut(Quoted, LIMIT, stream, &expected);
}
