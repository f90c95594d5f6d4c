//! The table of results.

use indicatif::HumanCount;

/// The rows of a measurement, and notes about it.
#[derive(Default)]
pub(super) struct Part {
    pub rows: Vec<Row>,
    /// A few sentences each.
    pub notes: Vec<String>,
}

/// A row of the table.
pub(super) struct Row {
    what: String,
    ours: String,
    other: String,
    ratio: String,
    target: &'static str,
}

impl Row {
    /// Returns a row with our value, the other server's, and their ratio.
    pub(super) fn new(
        what: &str,
        ours: f64,
        other: Option<Result<f64, &String>>,
        show: impl Fn(f64) -> String,
        target: &'static str,
    ) -> Self {
        let (shown, ratio) = match other {
            None => (None, String::new()),
            Some(Ok(other)) => (Some(show(other)), ratio(ours / other)),
            Some(Err(why)) => (Some(why.to_owned()), String::new()),
        };
        Self {
            ratio,
            ..Self::of_words(what, &show(ours), shown.as_deref(), target)
        }
    }

    /// Returns a row whose values have no ratio.
    pub(super) fn of_words(
        what: &str,
        ours: &str,
        other: Option<&str>,
        target: &'static str,
    ) -> Self {
        Self {
            what: what.to_owned(),
            ours: one_line(ours),
            other: one_line(other.unwrap_or("not measured")),
            ratio: String::new(),
            target,
        }
    }
}

/// Prints all rows in Markdown, then the notes.
pub(super) fn print(parts: &[Part]) {
    println!("| on loopback | ours | noray 1.4 | ratio | to reach |");
    println!("| --- | --- | --- | --- | --- |");
    for row in parts.iter().flat_map(|part| &part.rows) {
        let Row {
            what,
            ours,
            other,
            ratio,
            target,
        } = row;
        println!("| {what} | {ours} | {other} | {ratio} | {target} |");
    }
    println!();
    for note in parts.iter().flat_map(|part| &part.notes) {
        println!("- {note}");
    }
}

fn ratio(ratio: f64) -> String {
    match ratio {
        // Nothing of nothing.
        ratio if !ratio.is_finite() => String::new(),
        ratio if ratio >= 2.0 => format!("{ratio:.1}"),
        ratio => format!("{ratio:.2}"),
    }
}

/// Returns the first line, cut short, without what would end a cell.
fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(120).collect::<String>().replace('|', "/")
}

/// Shows milliseconds.
pub(super) fn milliseconds(value: f64) -> String {
    format!("{value:.2} ms")
}

/// Shows whole microseconds.
pub(super) fn microseconds(value: f64) -> String {
    format!("{value:.0} µs")
}

/// Shows a whole number with its thousands apart.
pub(super) fn thousands(value: f64) -> String {
    HumanCount(value.round() as u64).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(5.0), "5");
        assert_eq!(thousands(999.6), "1,000");
        assert_eq!(thousands(1_234_567.0), "1,234,567");
        assert_eq!(ratio(0.305), "0.30");
        assert_eq!(ratio(12.34), "12.3");
    }

    #[test]
    fn what_failed_fits_a_cell() {
        let row = Row::new("x", 1.0, Some(Err(&"a | b\nc".to_owned())), thousands, "");
        assert_eq!(row.other, "a / b");
    }
}
