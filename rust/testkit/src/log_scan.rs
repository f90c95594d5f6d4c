//! Reads the log of a Godot process: it exits 0 on script errors, panics and leaks.
//!
//! A line `[expect] text` in the log says that one error or warning whose line holds the text
//! is to come; it is then no problem, and its absence is one.

use anstream::adapter::strip_str;

/// Words that stand in a line only when something is wrong.
const SIGNS: &[&str] = &[
    "SCRIPT ERROR",
    "SHADER ERROR",
    "ERROR:",
    "WARNING:",
    "panicked",
    "Leaked instance",
    "ObjectDB instances leaked",
    "resources still in use",
    "were leaked",
    "handle_crash",
    "Program crashed",
];

/// What begins a line that announces an error or a warning.
const EXPECT: &str = "[expect] ";

/// Returns what is wrong in a log, a sentence each, in the log's order.
pub fn scan<'a>(lines: impl IntoIterator<Item = &'a str>) -> Vec<String> {
    let mut expected = Vec::new();
    let mut found = Vec::new();
    // Godot prints to stdout but warns on stderr: which comes first here says nothing.
    for line in lines {
        // Without the terminal's colours.
        let line = strip_str(line).to_string();
        let line = line.trim();
        if let Some(text) = line.strip_prefix(EXPECT) {
            expected.push(text.trim().to_owned());
        } else if SIGNS.iter().any(|sign| line.contains(sign)) {
            found.push(line.to_owned());
        }
    }
    // The longest first, so that a general expectation does not use up a special one's line.
    expected.sort_by_key(|text| std::cmp::Reverse(text.len()));
    let mut missing = Vec::new();
    for text in expected {
        match found.iter().position(|line| line.contains(&text)) {
            Some(index) => drop(found.remove(index)),
            None => missing.push(format!("expected in the log, but not there: {text}")),
        }
    }
    found.append(&mut missing);
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::paths;

    /// The tests in Godot scan the logs of their own processes by a list of their own.
    #[test]
    fn the_tests_in_godot_look_for_the_same_signs() {
        let script = paths::godot_tests().join("support/child.gd");
        let script = std::fs::read_to_string(script).unwrap();
        let list = script.split_once("const SIGNS").unwrap().1;
        let list = list.split_once("\n]").unwrap().0;
        let signs: Vec<_> = list.split('"').skip(1).step_by(2).collect();
        assert_eq!(signs, SIGNS);
    }

    #[test]
    fn finds_each_sign() {
        for line in [
            "SCRIPT ERROR: Cannot call method 'call' on a null value.",
            "\u{1b}[1;31mERROR:\u{1b}[0;91m Condition \"x\" is true.\u{1b}[0m",
            "USER ERROR: an old Godot's push_error",
            "WARNING: ObjectDB instances leaked at exit (run with --verbose for details).",
            "thread 'main' panicked at src/lib.rs:1:1:",
            "Leaked instance: Node:26256344498 - Node path: ",
            "ERROR: 1 resources still in use at exit.",
            "ERROR: 2 RID allocations of type 'Texture' were leaked at exit.",
            "handle_crash: Program crashed with signal 11",
        ] {
            assert_eq!(scan([line]).len(), 1, "{line}");
        }
    }

    #[test]
    fn is_content_with_a_clean_log() {
        let log = [
            "Godot Engine v4.6.3.stable.official - https://godotengine.org",
            "[test] ok suite.an_error_is_told",
            "   at: push_warning (core/variant/variant_utility.cpp:1034)",
            "",
        ];
        assert_eq!(scan(log), Vec::<String>::new());
    }

    #[test]
    fn an_expected_line_is_no_problem_in_either_order() {
        assert!(scan(["[expect] no address", "WARNING: x: no address found"]).is_empty());
        assert!(scan(["WARNING: x: no address found", "[expect] no address"]).is_empty());
    }

    #[test]
    fn an_expectation_covers_one_line_only() {
        let log = [
            "[expect] no address",
            "WARNING: no address",
            "ERROR: no address",
        ];
        assert_eq!(scan(log), ["ERROR: no address"]);
    }

    #[test]
    fn an_expectation_covers_nothing_else() {
        let log = ["[expect] no address", "WARNING: no address", "ERROR: other"];
        assert_eq!(scan(log), ["ERROR: other"]);
    }

    #[test]
    fn an_expected_line_that_does_not_come_is_a_problem() {
        assert_eq!(
            scan(["[expect] no address"]),
            ["expected in the log, but not there: no address"]
        );
        // The announcement itself is not what it announces.
        assert_eq!(scan(["[expect] WARNING: x"]).len(), 1);
    }

    #[test]
    fn a_general_expectation_leaves_the_special_ones_line() {
        let log = [
            "[expect] refused",
            "[expect] refused by the registrar",
            "WARNING: refused by the registrar",
            "WARNING: refused",
        ];
        assert_eq!(scan(log), Vec::<String>::new());
    }
}
