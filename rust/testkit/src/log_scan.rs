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

    /// Logs, and the problems in each.
    const LOGS: &[(&[&str], &[&str])] = &[
        // A clean one.
        (
            &[
                "Godot Engine v4.6.3.stable.official - https://godotengine.org",
                "[test] ok suite.an_error_is_told",
                "   at: push_warning (core/variant/variant_utility.cpp:1034)",
                "",
            ],
            &[],
        ),
        // What is expected is no problem, in either order.
        (
            &["[expect] no address", "WARNING: x: no address found"],
            &[],
        ),
        (
            &["WARNING: x: no address found", "[expect] no address"],
            &[],
        ),
        // An expectation covers one line only, and nothing else.
        (
            &[
                "[expect] no address",
                "WARNING: no address",
                "ERROR: no address",
            ],
            &["ERROR: no address"],
        ),
        (
            &["[expect] no address", "WARNING: no address", "ERROR: other"],
            &["ERROR: other"],
        ),
        // What is expected must come, and its announcement is not that.
        (
            &["[expect] no address"],
            &["expected in the log, but not there: no address"],
        ),
        (
            &["[expect] WARNING: x"],
            &["expected in the log, but not there: WARNING: x"],
        ),
        // A general expectation leaves a special one's line.
        (
            &[
                "[expect] refused",
                "[expect] refused by the registrar",
                "WARNING: refused by the registrar",
                "WARNING: refused",
            ],
            &[],
        ),
    ];

    #[test]
    fn expected_lines_are_no_problems() {
        for (log, problems) in LOGS {
            assert_eq!(scan(log.iter().copied()), *problems, "{log:?}");
        }
    }
}
