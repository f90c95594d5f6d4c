//! The table of results.

/// The rows of a measurement, and what is to be known about them.
#[derive(Default)]
pub(super) struct Part {
    pub rows: Vec<Row>,
    /// A sentence each.
    pub notes: Vec<String>,
}

/// A row of the table.
pub(super) struct Row {
    what: String,
    ours: String,
    other: String,
    ratio: String,
    to_reach: &'static str,
}

impl Row {
    /// Ours and the other server's value, each with its unit, and ours for each of the other's.
    pub(super) fn new(
        what: &str,
        ours: f64,
        other: Option<Result<f64, String>>,
        show: impl Fn(f64) -> String,
        to_reach: &'static str,
    ) -> Self {
        let (text, ratio) = match other {
            None => ("not measured".to_owned(), String::new()),
            Some(Ok(other)) => (show(other), show_ratio(ours / other)),
            Some(Err(why)) => (one_line(&why), String::new()),
        };
        Self {
            what: what.to_owned(),
            ours: show(ours),
            other: text,
            ratio,
            to_reach,
        }
    }

    /// What cannot be compared by a number.
    pub(super) fn of_words(
        what: &str,
        ours: &str,
        other: Option<&str>,
        to_reach: &'static str,
    ) -> Self {
        Self {
            what: what.to_owned(),
            ours: one_line(ours),
            other: one_line(other.unwrap_or("not measured")),
            ratio: String::new(),
            to_reach,
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
            to_reach,
        } = row;
        println!("| {what} | {ours} | {other} | {ratio} | {to_reach} |");
    }
    println!();
    for note in parts.iter().flat_map(|part| &part.notes) {
        println!("- {note}");
    }
}

fn show_ratio(ratio: f64) -> String {
    if !ratio.is_finite() {
        // Nothing of nothing.
        String::new()
    } else if ratio >= 2.0 {
        format!("{ratio:.1}")
    } else {
        format!("{ratio:.2}")
    }
}

/// The first line, short, without what would end a cell.
fn one_line(text: &str) -> String {
    let line = text.lines().next().unwrap_or_default();
    line.chars().take(120).collect::<String>().replace('|', "/")
}

/// A whole number with its thousands apart.
pub(super) fn thousands(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_readable() {
        assert_eq!(thousands(5.0), "5");
        assert_eq!(thousands(999.6), "1,000");
        assert_eq!(thousands(1_234_567.0), "1,234,567");
        assert_eq!(show_ratio(0.305), "0.30");
        assert_eq!(show_ratio(12.34), "12.3");
    }

    #[test]
    fn what_failed_fits_a_cell() {
        let row = Row::new("x", 1.0, Some(Err("a | b\nc".to_owned())), thousands, "");
        assert_eq!(row.other, "a / b");
    }
}
