//! The public server's behaviour, fact by fact. Ours does the same, or differs on purpose.
//!
//! Each fact is tested with our server, and with the public one (version 1.4) if the environment's
//! `PUBLIC_NORAY_DIR` names the folder of an installed copy. Notes say what version 2 does.
//!
//! ```text
//! fact          what a fact is
//! program       the two programs, started with the same settings
//! commands      commands and their answers
//! framing       what is a line, and what is not
//! registration  the registrar
//! relays        who is relayed to whom
//! limits        players who want too much
//! client        what today's client relies on
//! operation     settings, metrics, log, end
//! guide         docs/SERVER.md tells every difference, and no other
//! ```

mod client;
mod commands;
mod fact;
mod framing;
mod guide;
mod limits;
mod operation;
mod program;
mod registration;
mod relays;

use std::process::ExitCode;

use libtest_mimic::{Arguments, Trial};

use crate::{
    fact::{Fact, Ours},
    program::Program,
};

/// All facts, by topic.
const FACTS: &[(&str, &[Fact])] = &[
    ("commands", commands::FACTS),
    ("framing", framing::FACTS),
    ("registration", registration::FACTS),
    ("relays", relays::FACTS),
    ("limits", limits::FACTS),
    ("client", client::FACTS),
    ("operation", operation::FACTS),
];

fn main() -> ExitCode {
    let public = Program::public();
    let mut trials = guide::trials();
    for (about, facts) in FACTS {
        for fact in *facts {
            let name = |place: &str| format!("{place}::{about}::{}", fact.name);
            let check = match fact.ours {
                Ours::Same => fact.public,
                Ours::Differs { check, .. } => check,
            };
            let ours = Program::ours();
            trials.push(Trial::test(name("our_server"), move || {
                fact.test(check, &ours)
            }));
            let program = public.clone();
            trials.push(
                Trial::test(name("public_server"), move || match program {
                    Some(program) => fact.test(fact.public, &program),
                    None => Err("PUBLIC_NORAY_DIR names no copy of the public server".into()),
                })
                .with_ignored_flag(public.is_none()),
            );
        }
    }
    libtest_mimic::run(&Arguments::from_args(), trials).exit_code()
}
