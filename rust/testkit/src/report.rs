//! Counts what passed, failed and was skipped.

use std::time::Instant;

use anyhow::Result;

/// How many tests passed, failed and were skipped.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Counts {
    /// Passed.
    pub passed: usize,
    /// Failed.
    pub failed: usize,
    /// Skipped.
    pub skipped: usize,
}

impl Counts {
    /// Reads the last line of another run: `3 passed, 1 failed, 2 skipped`; the last part may be
    /// missing.
    pub fn parse(line: &str) -> Option<Self> {
        let mut parts = line.trim().split(", ");
        let mut count = |word: &str| {
            parts
                .next()
                .map(|part| part.strip_suffix(word)?.parse().ok())
        };
        let (passed, failed) = (count(" passed")??, count(" failed")??);
        let skipped = match count(" skipped") {
            Some(skipped) => skipped?,
            None => 0,
        };
        Some(Self {
            passed,
            failed,
            skipped,
        })
    }
}

/// The sum over all steps, and the filter that chooses them.
#[derive(Default)]
pub struct Report {
    filter: Option<String>,
    counts: Counts,
}

impl Report {
    /// Runs only steps whose name holds the filter, where there is one.
    pub fn new(filter: Option<String>) -> Self {
        Self {
            filter,
            counts: Counts::default(),
        }
    }

    /// Returns the filter.
    pub fn filter(&self) -> Option<&str> {
        self.filter.as_deref()
    }

    /// Returns whether a step of this name is to run.
    pub fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|part| name.contains(part))
    }

    /// Runs one test, unless the filter leaves it out, and prints how it went. Returns whether it
    /// ran and passed.
    pub fn test(&mut self, name: &str, test: impl FnOnce() -> Result<()>) -> bool {
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

    /// Counts a test that has run, and prints how it went, with a remark.
    pub fn record(&mut self, name: &str, remark: &str, result: Result<()>) {
        let remark = match remark {
            "" => String::new(),
            remark => format!(" ({remark})"),
        };
        match result {
            Ok(()) => {
                self.counts.passed += 1;
                println!("ok {name}{remark}");
            }
            Err(error) => {
                self.counts.failed += 1;
                println!("FAILED {name}{remark}\n    {}", indent(&error));
            }
        }
    }

    /// Counts as failed what other tests need, whatever the filter.
    pub fn fail(&mut self, what: &str, error: &anyhow::Error) {
        self.counts.failed += 1;
        println!("FAILED {what}: {error:#}");
    }

    /// Prints that a test cannot run here, and why.
    pub fn skip(&mut self, name: &str, why: &str) {
        if self.wants(name) {
            self.skip_all(name, why);
        }
    }

    /// Prints that nothing of a part can run here, and why: one skip, whatever the filter.
    pub fn skip_all(&mut self, part: &str, why: &str) {
        self.counts.skipped += 1;
        println!("SKIPPED {part}: {why}");
    }

    /// Adds tests that another run counted.
    pub fn add(&mut self, counts: Counts) {
        self.counts.passed += counts.passed;
        self.counts.failed += counts.failed;
        self.counts.skipped += counts.skipped;
    }

    /// Prints the last line. Returns whether no test failed and one ran.
    pub fn finish(self) -> bool {
        let Counts {
            passed,
            failed,
            skipped,
        } = self.counts;
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

    fn counts(passed: usize, failed: usize, skipped: usize) -> Counts {
        Counts {
            passed,
            failed,
            skipped,
        }
    }

    #[test]
    fn counts_and_judges() {
        let mut report = Report::new(None);
        assert!(report.test("good", || Ok(())));
        report.skip("absent", "there is none");
        report.add(counts(3, 0, 1));
        assert_eq!(report.counts, counts(4, 0, 2));
        assert!(!report.test("bad", || bail!("wrong")));
        assert!(!report.finish());
    }

    #[test]
    fn nothing_run_is_a_failure() {
        let mut report = Report::new(Some("x".to_owned()));
        assert!(!report.test("other", || bail!("must not run")));
        report.skip("other", "not wanted");
        assert_eq!(report.counts.skipped, 0);
        assert!(!report.finish());
    }

    #[test]
    fn the_last_line_of_another_run_is_read() {
        assert_eq!(Counts::parse("3 passed, 1 failed"), Some(counts(3, 1, 0)));
        let line = "3 passed, 1 failed, 2 skipped";
        assert_eq!(Counts::parse(line), Some(counts(3, 1, 2)));
        assert_eq!(Counts::parse("ok suite.test_a (0.1 s)"), None);
        assert_eq!(Counts::parse("3 passed, 1 failed, more"), None);
    }
}
