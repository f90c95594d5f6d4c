//! Counts what passed, failed and was skipped.

use std::time::Instant;

use anyhow::Result;

/// The sum over all steps, and the filter that chooses them.
pub(crate) struct Report {
    filter: Option<String>,
    passed: usize,
    failed: usize,
    skipped: usize,
}

impl Report {
    /// Runs only steps whose name holds the filter, where there is one.
    pub(crate) fn new(filter: Option<String>) -> Self {
        Self {
            filter,
            passed: 0,
            failed: 0,
            skipped: 0,
        }
    }

    /// The filter.
    pub(crate) fn filter(&self) -> Option<&str> {
        self.filter.as_deref()
    }

    /// Whether a step of this name is to run.
    pub(crate) fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|part| name.contains(part))
    }

    /// Runs one test, unless the filter leaves it out, and tells how it went.
    ///
    /// Returns whether it ran and passed.
    pub(crate) fn test(&mut self, name: &str, test: impl FnOnce() -> Result<()>) -> bool {
        if !self.wants(name) {
            return false;
        }
        let started = Instant::now();
        let result = test();
        let passed = result.is_ok();
        let seconds = started.elapsed().as_secs_f32();
        self.record(name, &format!("{seconds:.1} s"), result);
        passed
    }

    /// Counts a test that has run, and tells how it went, with a remark.
    pub(crate) fn record(&mut self, name: &str, remark: &str, result: Result<()>) {
        let remark = match remark {
            "" => String::new(),
            remark => format!(" ({remark})"),
        };
        match result {
            Ok(()) => {
                self.passed += 1;
                println!("ok {name}{remark}");
            }
            Err(error) => {
                self.failed += 1;
                println!("FAILED {name}{remark}\n    {}", indent(&error));
            }
        }
    }

    /// Tells that a test cannot run here, and why.
    pub(crate) fn skip(&mut self, name: &str, why: &str) {
        if self.wants(name) {
            self.skipped += 1;
            println!("SKIPPED {name}: {why}");
        }
    }

    /// Tells that nothing of a part can run here, and why: one skip, whatever the filter.
    pub(crate) fn skip_all(&mut self, part: &str, why: &str) {
        self.skipped += 1;
        println!("SKIPPED {part}: {why}");
    }

    /// Adds tests that another runner counted.
    pub(crate) fn add(&mut self, passed: usize, failed: usize, skipped: usize) {
        self.passed += passed;
        self.failed += failed;
        self.skipped += skipped;
    }

    /// Prints the last line. Fails when a test failed or none ran.
    pub(crate) fn finish(self) -> bool {
        let Self {
            passed,
            failed,
            skipped,
            ..
        } = self;
        if passed + failed == 0 {
            println!("no test ran");
        }
        println!("{passed} passed, {failed} failed, {skipped} skipped");
        failed == 0 && passed > 0
    }
}

fn indent(error: &anyhow::Error) -> String {
    format!("{error:#}").replace('\n', "\n    ")
}

#[cfg(test)]
mod tests {
    use anyhow::bail;

    use super::*;

    #[test]
    fn counts_and_judges() {
        let mut report = Report::new(None);
        assert!(report.test("good", || Ok(())));
        report.skip("absent", "there is none");
        report.add(3, 0, 1);
        assert_eq!((report.passed, report.failed, report.skipped), (4, 0, 2));
        assert!(!report.test("bad", || bail!("wrong")));
        assert!(!report.finish());
    }

    #[test]
    fn nothing_run_is_a_failure() {
        let mut report = Report::new(Some("x".to_owned()));
        assert!(!report.test("other", || bail!("must not run")));
        report.skip("other", "not wanted");
        assert_eq!(report.skipped, 0);
        assert!(!report.finish());
    }
}
