//! Every kept input, and a bounded number of inputs made of them, without libFuzzer.

use std::fmt::Write;

use noray_fuzz::{TARGETS, Target, corpus};

/// Tells the input that fails, to be kept.
struct Telltale<'a>(&'a str, &'a [u8]);

impl Drop for Telltale<'_> {
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
    let kept = corpus::kept(name).expect("the kept inputs");
    assert!(kept.len() >= 10, "only {} inputs are kept", kept.len());
    for input in &kept {
        let _telltale = Telltale(&input.name, &input.bytes);
        check(&input.bytes);
    }
    for number in 0..*mutations {
        let input = corpus::mutated(&kept, number);
        let _telltale = Telltale("made of kept inputs", &input);
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
