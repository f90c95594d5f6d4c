//! The bytes of one TCP connection, as a server and as a player read them.
//!
//! An input is what is sent, and nothing else: those in the corpus can be sent to any server.

use noray_protocol::{
    defaults::MAX_LINE,
    wire::{
        command::{PlayerCommand, RefusalReason, ServerCommand, ServerLine},
        framing::{Framing, LineDecoder, LineError},
    },
};
use noray_server::defaults::MAX_LINE_LENGTH;

use crate::input::Noise;

/// What a decoder returns for one line.
pub type Line = Result<String, LineError>;

/// A line that is shorter than every limit here.
const SENSIBLE: &str = "echo on";

/// Checks an input.
///
/// # Panics
/// If a line depends on where the stream was cut, differs from what the rules say, costs more
/// memory than allowed or puts the reader out of step, or if a command is not written as it was
/// read.
pub fn check(data: &[u8]) {
    let short = SENSIBLE.len() + Noise::of(data).below(40);
    for framing in [Framing::Plain, Framing::Quoted] {
        for limit in [short, MAX_LINE_LENGTH, MAX_LINE] {
            let expected = expected_lines(framing, limit, data);
            for cut in CUTS {
                let lines = decode(framing, limit, data, cut);
                assert_eq!(lines, expected, "{framing:?}, {limit} bytes, {cut:?}");
            }
        }
        stays_in_step(framing, short, data);
    }
    for line in decode(Framing::Plain, MAX_LINE, data, Cut::Nowhere)
        .into_iter()
        .flatten()
    {
        check_player_command(&line);
        check_server_line(&line);
    }
    let read = read_as_player(data, Cut::Nowhere);
    for cut in CUTS {
        assert_eq!(read_as_player(data, cut), read, "{cut:?}");
    }
}

/// How a stream arrives.
#[derive(Clone, Copy, Debug)]
enum Cut {
    Nowhere,
    Everywhere,
    Somewhere,
}

const CUTS: [Cut; 3] = [Cut::Nowhere, Cut::Everywhere, Cut::Somewhere];

/// Decodes the input as it arrives in pieces.
fn pieces(data: &[u8], cut: Cut, mut each: impl FnMut(&[u8])) {
    let mut noise = Noise::of(data);
    let mut rest = data;
    while !rest.is_empty() {
        let length = match cut {
            Cut::Nowhere => rest.len(),
            Cut::Everywhere => 1,
            Cut::Somewhere => 1 + noise.below(30),
        };
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        each(piece);
        rest = behind;
    }
}

fn decode(framing: Framing, limit: usize, data: &[u8], cut: Cut) -> Vec<Line> {
    let mut decoder = LineDecoder::new(framing, limit);
    let mut lines = Vec::new();
    pieces(data, cut, |piece| {
        decoder.push(piece);
        while let Some(line) = decoder.next_line() {
            lines.push(line);
        }
        // A line and its CR.
        assert!(
            decoder.buffered() <= limit + 1,
            "{} bytes wait",
            decoder.buffered()
        );
    });
    lines
}

/// Returns the lines of a whole stream, by the rules.
#[must_use]
pub fn expected_lines(framing: Framing, limit: usize, mut rest: &[u8]) -> Vec<Line> {
    let mut lines = Vec::new();
    while !rest.is_empty() {
        let end = end_of_line(framing, rest);
        let content = end.map_or(rest, |end| &rest[..end]);
        let body = content.strip_suffix(b"\r").unwrap_or(content);
        let is_too_long = match end {
            Ok(_) => body.len() > limit,
            Err(in_quotes) => is_surely_too_long(framing, limit, rest, in_quotes),
        };
        if is_too_long {
            lines.push(Err(LineError::TooLong(limit)));
            rest = behind_lf(rest);
            continue;
        }
        let Ok(end) = end else { break };
        rest = &rest[end + 1..];
        match content {
            [b'\r', announcement @ ..]
                if framing == Framing::Quoted && !announcement.is_empty() =>
            {
                if let Some(length) = raw_length(announcement).filter(|length| *length <= limit) {
                    rest = behind_lf(rest.get(length..).unwrap_or_default());
                }
            }
            _ => lines.push(Ok(String::from_utf8_lossy(body).into_owned())),
        }
    }
    lines
}

/// Returns where the LF of the first line is, or else whether a quote is open.
fn end_of_line(framing: Framing, stream: &[u8]) -> Result<usize, bool> {
    let mut in_quotes = false;
    let mut escaped = false;
    for (index, byte) in stream.iter().enumerate() {
        match byte {
            b'\n' if !in_quotes => return Ok(index),
            b'"' if framing == Framing::Quoted && !escaped => in_quotes = !in_quotes,
            _ => {}
        }
        escaped = *byte == b'\\';
    }
    Err(in_quotes)
}

/// Whether an incomplete line is too long, whatever follows.
fn is_surely_too_long(framing: Framing, limit: usize, line: &[u8], in_quotes: bool) -> bool {
    if line.len() != limit + 1 {
        return line.len() > limit;
    }
    match line.last() {
        Some(b'\r') => in_quotes,
        // The next byte may belong to the line, so a decoder waits for it.
        Some(b'\\') => framing == Framing::Plain,
        _ => true,
    }
}

fn behind_lf(stream: &[u8]) -> &[u8] {
    let end = stream.iter().position(|byte| *byte == b'\n');
    end.map_or(&[], |end| &stream[end + 1..])
}

fn raw_length(announcement: &[u8]) -> Option<usize> {
    let text = std::str::from_utf8(announcement).ok()?.trim();
    text.split(' ').next_back()?.parse().ok()
}

/// Asserts that garbage does not swallow what comes after it.
fn stays_in_step(framing: Framing, limit: usize, data: &[u8]) {
    let repeats = match framing {
        Framing::Plain => 1,
        // An open quote or raw frame may swallow as much as a line.
        Framing::Quoted => 3 + 2 * limit / SENSIBLE.len(),
    };
    let sensible = format!("{SENSIBLE}\n").repeat(repeats);
    let stream = [data, b"\n", sensible.as_bytes()].concat();
    let lines = decode(framing, limit, &stream, Cut::Somewhere);
    assert_eq!(
        lines.last(),
        Some(&Ok(SENSIBLE.to_owned())),
        "{framing:?}, {limit} bytes"
    );
}

/// Asserts that a player's command is written as it was read, and that its answer can be read.
fn check_player_command(line: &str) {
    let command = PlayerCommand::parse(line);
    let again = PlayerCommand::parse(&command.to_string());
    match (&command, &again) {
        // An invalid OpenID is not written.
        (PlayerCommand::Connect(kind, Err(_)), PlayerCommand::Connect(again, Err(_))) => {
            assert_eq!(kind, again);
        }
        _ => assert!(command == again, "a command is written otherwise than read"),
    }
    if let PlayerCommand::Connect(kind, oid) = &command {
        let oid = oid.as_ref().ok();
        let refusal = ServerCommand::refusal(*kind, oid, RefusalReason::UnknownHost);
        let answer = format!("{}\n", refusal.to_line());
        let lines = expected_lines(Framing::Quoted, MAX_LINE, answer.as_bytes());
        let [Ok(line)] = &lines[..] else {
            panic!("a refusal is no line: {answer:?}");
        };
        let read = ServerLine::parse(line, Framing::Quoted);
        assert_eq!(read.map(|line| line.command), Some(refusal));
    }
}

/// Asserts that a server's command is written as it was read.
fn check_server_line(line: &str) {
    // Whatever it is, it must be readable in this framing too.
    let _ = ServerLine::parse(line, Framing::Quoted);
    let Some(read) = ServerLine::parse(line, Framing::Plain) else {
        return;
    };
    match &read.command {
        ServerCommand::Unknown => return,
        // A server's own greeting contains no quotes.
        ServerCommand::Greeting(text) if text.contains(['"', '\\']) => return,
        _ => {}
    }
    let again = ServerLine::parse(&read.command.to_line(), Framing::Plain);
    let is_same = again.is_some_and(|again| again.command == read.command);
    assert!(is_same, "{:?} is written otherwise than read", read.name);
}

/// Checks what a player's game is told, which depends on whether the server greets.
fn read_as_player(data: &[u8], cut: Cut) -> Vec<Result<ServerLine, LineError>> {
    let mut framing = Framing::Plain;
    let mut decoder = LineDecoder::new(framing, MAX_LINE);
    let mut told = Vec::new();
    pieces(data, cut, |piece| {
        decoder.push(piece);
        while let Some(line) = decoder.next_line() {
            let line = match line {
                Ok(line) => ServerLine::parse(&line, framing).map(Ok),
                Err(error) => Some(Err(error)),
            };
            if let Some(Ok(line)) = &line
                && matches!(line.command, ServerCommand::Greeting(_))
            {
                framing = Framing::Quoted;
                decoder.set_framing(framing);
            }
            told.extend(line);
        }
    });
    told
}
