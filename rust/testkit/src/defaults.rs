//! Time-outs and limits, with the reason for each.

use std::time::Duration;

/// Pause between two looks at a process: no call waits for its end and for a time limit at once.
pub const POLL: Duration = Duration::from_millis(20);

/// From asking a process to end until it is killed.
pub const POLITE_END: Duration = Duration::from_secs(5);

/// From a process's end until nothing of its group may be left.
pub const LEFTOVERS: Duration = Duration::from_secs(2);

/// Lines kept of one process. One that prints more is broken, which is reported.
pub const LOG_LINES: usize = 200_000;

/// Bytes kept of one line.
pub const LINE_BYTES: usize = 16 * 1024;

/// From a server's start until it takes commands. Ours needs milliseconds; Node needs a second or
/// two, and many times that on a busy machine.
pub const SERVER_START: Duration = Duration::from_secs(60);

/// Longer than a server takes for any one answer, on a busy machine too.
pub const ANSWER: Duration = Duration::from_secs(10);

/// From one PrivateID to its repeat while the registrar is silent.
pub const REGISTRATION_REPEAT: Duration = Duration::from_millis(500);

/// How long nothing must come before a test believes that nothing comes.
pub const SILENCE: Duration = Duration::from_millis(150);

/// One `--import` of a small project takes 2 to 5 s; a cold disk and a busy machine several times
/// that.
pub const IMPORT: Duration = Duration::from_secs(180);

/// From a game's last step to its process's end.
pub const GAME_EXIT: Duration = Duration::from_secs(20);
