//! What a fact is.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use libtest_mimic::Failed;

use crate::program::Program;

/// For version 2, where nobody has looked.
pub(crate) const NOT_MEASURED: &str = "not measured";

/// Starts a program and fails unless it does what is expected.
pub(crate) type Check = fn(&Program);

/// One thing that a noray server does.
pub(crate) struct Fact {
    pub name: &'static str,
    /// What version 1.4 of the public server does.
    pub v1: &'static str,
    /// What version 2 does.
    pub v2: &'static str,
    /// Holds of version 1.4.
    pub public: Check,
    pub ours: Ours,
}

/// What ours does.
pub(crate) enum Ours {
    /// What version 1.4 does, by the same check.
    Same,
    /// Something else, on purpose.
    Differs {
        /// The words in bold under which docs/SERVER.md tells it.
        difference: &'static str,
        /// What it does.
        does: &'static str,
        /// Holds of ours.
        check: Check,
    },
}

impl Fact {
    /// Runs a check; a failure names what each server does.
    pub(crate) fn test(&self, check: Check, program: &Program) -> Result<(), Failed> {
        catch_unwind(AssertUnwindSafe(|| check(program))).map_err(|panic| {
            let ours = match self.ours {
                Ours::Same => "the same as version 1.4",
                Ours::Differs { does, .. } => does,
            };
            format!(
                "{}\nversion 1.4: {}\nversion 2: {}\nours: {ours}",
                message(panic.as_ref()),
                self.v1,
                self.v2
            )
            .into()
        })
    }
}

fn message(panic: &(dyn Any + Send)) -> &str {
    let text = panic.downcast_ref::<&str>().copied();
    text.or_else(|| panic.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("a panic")
}
