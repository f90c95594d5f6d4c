//! Time-outs, limits and pinned versions, with the reason for each.

use std::time::Duration;

/// The oldest Godot that the extension is built for (`api-4-3` in Cargo.toml).
pub(crate) const OLDEST_GODOT: (u32, u32) = (4, 3);

/// The official release that is downloaded when a machine has no Godot.
pub(crate) const OFFICIAL_GODOT: &str = "4.6.3";

/// The `cargo fuzz` that is installed in the target folder.
pub(crate) const CARGO_FUZZ: &str = "0.13.2";

/// Bytes of an input that fuzzing makes: what the longest line takes. Longer ones find little more
/// and take longer.
pub(crate) const FUZZ_INPUT: usize = 4096;

/// One fuzzed input takes milliseconds; one for so long hangs, on any machine.
pub(crate) const FUZZ_STEP: Duration = Duration::from_secs(120);

/// Megabytes that a fuzzed program may use. It uses less than 100.
pub(crate) const FUZZ_MEMORY: u32 = 1024;

/// Name look-up and TCP connect for a download, each. Short: an offline machine goes on to
/// the next way at once, and a working one answers well within it.
pub(crate) const DOWNLOAD_CONNECT: Duration = Duration::from_secs(5);

/// From a request to the response's header. A release host may redirect first.
pub(crate) const DOWNLOAD_RESPONSE: Duration = Duration::from_secs(20);

/// A whole download: 80 MB at 1 Mbit/s take eleven minutes.
pub(crate) const DOWNLOAD_BODY: Duration = Duration::from_secs(900);

/// `godot --version` answers in well under a second, the first start from a cold disk in a few.
pub(crate) const VERSION_ANSWER: Duration = Duration::from_secs(30);

/// One `--import` of a small project takes 2-5 s; a cold disk and a busy machine several times that.
pub(crate) const IMPORT: Duration = Duration::from_secs(180);

/// A noray server prints its ports within milliseconds; Node needs a second or two.
pub(crate) const SERVER_START: Duration = Duration::from_secs(30);

/// One step of a game (registering, connecting, an RPC). The longest honest one is the old
/// client's host side, whose handshake always runs for 8 s.
pub(crate) const GAME_STEP: Duration = Duration::from_secs(40);

/// From a game's last step to its process's end.
pub(crate) const GAME_EXIT: Duration = Duration::from_secs(20);

/// A game that asks its own host to linger (see `scenario`) does so for this long: the old
/// addon's host handshake cannot be ended early and lasts 8 s.
pub(crate) const OLD_HOST_LINGERS: Duration = Duration::from_secs(10);

/// One act of the demo, from the first process to the last player having met the others.
pub(crate) const DEMO: Duration = Duration::from_secs(90);

/// The test runner in Godot prints a line per test, and a test may take up to 20 s unless its
/// suite says otherwise: silence for longer than this means that the runner itself hangs.
pub(crate) const TEST_SILENCE: Duration = Duration::from_secs(90);

/// From asking a process to end until it is killed.
pub(crate) const POLITE_END: Duration = Duration::from_secs(5);

/// From a process's end until nothing of its group may be left.
pub(crate) const LEFTOVERS: Duration = Duration::from_secs(2);

/// Lines kept of one process. A game that prints more is broken, and is told so.
pub(crate) const LOG_LINES: usize = 200_000;

/// Bytes kept of one line.
pub(crate) const LINE_BYTES: usize = 16 * 1024;

/// How often progress is printed where there is no terminal to draw a bar on.
pub(crate) const PLAIN_PROGRESS: Duration = Duration::from_secs(10);

/// From a player's process to its first frame in the lab of NATs: a second by itself, several
/// when dozens start at once.
pub(crate) const PLAYER_START: Duration = Duration::from_secs(60);

/// What a player of the lab does by itself, in a frame or two.
pub(crate) const LAB_STEP: Duration = Duration::from_secs(15);

/// From telling a player of the lab to host until it does: connecting and registering.
pub(crate) const LAB_HOST: Duration = Duration::from_secs(30);

/// From telling a player of the lab to join to its answer, by `join()`: 15 s of its own and 5 s
/// for the host's answer, or a crowd's.
pub(crate) const LAB_JOIN: Duration = Duration::from_secs(40);

/// The same by the guide's plain flow: two handshakes of 8 s and two of ENet's attempts, of 6 s.
pub(crate) const LAB_PLAIN_JOIN: Duration = Duration::from_secs(60);

/// A hundred joins in a row: at a second each something is wrong, at two it hangs.
pub(crate) const LAB_HUNDRED_JOINS: Duration = Duration::from_secs(200);

/// How long the soak lasts by itself, and among the tests.
pub(crate) const SOAK_MINUTES: u32 = 10;

/// How many players the soak has.
pub(crate) const SOAK_PLAYERS: u32 = 500;

/// Beyond its minutes: the last games' ends, 80 s until the relays expire, and a look at the log.
pub(crate) const SOAK_OVERTIME: Duration = Duration::from_secs(200);
