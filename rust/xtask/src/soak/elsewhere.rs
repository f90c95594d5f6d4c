//! What the soak looks at, Linux alone tells.

use anyhow::{Result, bail};

use super::Options;

const NEEDS: &str = "it needs what Linux tells of a process";

/// Tells that it cannot run here.
pub fn run(_options: Options) -> Result<()> {
    bail!("{NEEDS}")
}

/// The soak beside other tests.
pub mod background {
    use crate::report::Report;

    /// A soak that is going on: there is none here.
    pub enum Soak {}

    /// Tells that it cannot run here.
    pub fn begin(report: &mut Report, _minutes: u32) -> Option<Soak> {
        report.skip(super::super::NAME, super::NEEDS);
        None
    }

    impl Soak {
        /// There is nothing to wait for.
        pub fn finish(self, _report: &mut Report) {
            match self {}
        }
    }
}
