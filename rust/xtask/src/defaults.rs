//! Time-outs, limits and pinned versions, with the reason for each.

use std::time::Duration;

/// The `cargo fuzz` that is installed in the target folder.
pub(crate) const CARGO_FUZZ: &str = "0.13.2";

/// The `cargo deny` that is installed in the target folder.
pub(crate) const CARGO_DENY: &str = "0.20.2";

/// Bytes of an input that fuzzing makes: what the longest line takes. Longer ones find little more
/// and take longer.
pub(crate) const FUZZ_INPUT: usize = 4096;

/// One fuzzed input takes milliseconds; one for so long hangs, on any machine.
pub(crate) const FUZZ_STEP: Duration = Duration::from_secs(120);

/// Megabytes that a fuzzed program may use. It uses less than 100.
pub(crate) const FUZZ_MEMORY: u32 = 1024;

/// One act of the demo, from the first process to the last player having met the others.
pub(crate) const DEMO: Duration = Duration::from_secs(90);

/// The test runner in Godot prints a line per test, and a test may take up to 20 s unless its
/// suite says otherwise: silence for longer than this means that the runner itself hangs.
pub(crate) const TEST_SILENCE: Duration = Duration::from_secs(90);

/// How long the soak among the tests lasts.
pub(crate) const SOAK_MINUTES: u32 = 10;

/// Beyond its minutes: the last games' ends, 80 s until the relays expire, and a look at the log.
pub(crate) const SOAK_OVERTIME: Duration = Duration::from_secs(200);
