//! Checks all inputs in the corpus, and a limited number made from them, without libFuzzer.

use std::fmt::Write;

use noray_fuzz::{TARGETS, Target, corpus};

/// Prints an input that fails, so that it can be added to the corpus.
struct ReportOnPanic<'a>(&'a str, &'a [u8]);

impl Drop for ReportOnPanic<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let hex = self.1.iter().fold(String::new(), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            });
            eprintln!(
                "{}: \"{}\"\nin hexadecimal: {hex}",
                self.0,
                self.1.escape_ascii()
            );
        }
    }
}

fn replay(name: &str) {
    let target = TARGETS.iter().find(|target| target.name == name);
    let Target {
        check, mutations, ..
    } = target.expect("a target");
    let inputs = corpus::inputs(name).expect("the corpus");
    assert!(
        inputs.len() >= 10,
        "only {} inputs in the corpus",
        inputs.len()
    );
    for input in &inputs {
        let _report = ReportOnPanic(&input.name, &input.bytes);
        check(&input.bytes);
    }
    for number in 0..*mutations {
        let input = corpus::mutated(&inputs, number);
        let _report = ReportOnPanic("made from the corpus", &input);
        check(&input);
    }
}

#[test]
fn framing() {
    replay("framing");
}

#[test]
fn commands() {
    replay("commands");
}

#[test]
fn registrar() {
    replay("registrar");
}

#[test]
fn relay() {
    replay("relay");
}

#[test]
fn datagrams() {
    replay("datagrams");
}
