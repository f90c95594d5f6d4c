//! The file with settings: lines of `NAME=value`.
//!
//! It is the public server's, which its `dotenv` reads. Rust's `dotenvy` reads another language: it
//! refuses values with spaces, puts variables into them, and cannot tell which line is wrong.

/// Reads a line: `NAME=value`, `export NAME=value`, quotes of three kinds around a value, a
/// comment behind `#`. Returns `None` when nothing is set.
///
/// # Errors
/// Returns what is wrong with the line.
pub(crate) fn parse_line(line: &str) -> Result<Option<(&str, &str)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line
        .split_once('=')
        .ok_or_else(|| "no `=`; a line is NAME=value".to_owned())?;
    let (name, value) = (name.trim(), value.trim());
    let Some(quote) = value
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\'' | '`'))
    else {
        let value = value.split('#').next().unwrap_or_default();
        return Ok(Some((name, value.trim_end())));
    };
    let (value, rest) = value[quote.len_utf8()..]
        .split_once(quote)
        .ok_or_else(|| format!("no second {quote}"))?;
    match rest.trim_start() {
        rest if rest.is_empty() || rest.starts_with('#') => Ok(Some((name, value))),
        _ => Err(format!("there is something behind the second {quote}")),
    }
}

/// Returns a value as a line needs it.
pub(crate) fn quoted(value: &str) -> String {
    // No setting's value can hold a double quote.
    match value.contains(['#', '\'', '`']) {
        true => format!("\"{value}\""),
        false => value.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_the_public_server_reads_them() {
        for (line, expected) in [
            ("", None),
            ("   # NORAY_OID_LENGTH=4 ", None),
            ("NORAY_OID_LENGTH=21 ", Some(("NORAY_OID_LENGTH", "21"))),
            (
                "NORAY_OID_LENGTH=21 # For 10",
                Some(("NORAY_OID_LENGTH", "21")),
            ),
            ("export A = b c", Some(("A", "b c"))),
            ("A=", Some(("A", ""))),
            ("A=\"b # c\" # d", Some(("A", "b # c"))),
            ("A='b \"c'", Some(("A", "b \"c"))),
            ("A=`b`", Some(("A", "b"))),
            ("A=b=c\r", Some(("A", "b=c"))),
            ("A=b'c'", Some(("A", "b'c'"))),
        ] {
            assert_eq!(parse_line(line), Ok(expected), "{line:?}");
        }
        for line in ["A", "export A", "A='b", "A=\"b\" c", "ä"] {
            assert!(parse_line(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for value in ["a#b", "a'b", "a`b", "ab", "1024, 2000-3000", "#", "ä#"] {
            let line = format!("A={}  # default", quoted(value));
            assert_eq!(parse_line(&line), Ok(Some(("A", value))), "{line}");
        }
    }
}
