//! Times and limits of what a player does, each with its reason.

use std::time::Duration;

/// Longest wait of `host` and `join` when the game names none. Twice what the slowest path takes, a
/// relay on a bad line, and no longer than a player looks at a progress bar.
pub const GAME_TIMEOUT: Duration = Duration::from_secs(15);

/// Longest wait for the game of a host that is reached, when nothing else tells that its machine is
/// there. It answers within one of its frames and a round trip, unless it is full.
pub const ENTER_TIMEOUT: Duration = Duration::from_secs(5);

/// When a host whose link answers, but whose game does not, is told to be loading: later than a slow
/// frame and a lost packet, sooner than a player wonders.
pub const LOADING_NOTICE: Duration = Duration::from_millis(1500);

/// Pause between two looks at the ENet peers that the game holds: a host whose peer the game let go
/// of still takes players in for that long.
pub const LOOK_INTERVAL: Duration = Duration::from_millis(250);

/// Most players that a host can take: ENet's limit.
pub const MAX_CLIENTS: i32 = 4095;

/// Most channels that a game may ask for: ENet has 255, and Godot keeps two of them.
pub const MAX_CHANNELS: i32 = 253;

/// Most bytes a second that a game may name: what Godot's ENet can be told.
pub const MAX_BANDWIDTH: i32 = i32::MAX;

/// The last of Godot's ways to compress packets, `ENetConnection.COMPRESS_ZSTD`.
pub const MAX_COMPRESSION: i32 = 4;

/// Longest time that a game may ask for, in seconds: a day. More is a mistake.
pub const MAX_SECONDS: f64 = 24.0 * 60.0 * 60.0;

/// Addresses that are kept of those that the server announced: all that a busy host can be in
/// handshakes with.
pub const ANNOUNCED_ADDRESSES: usize = 64;

/// Characters of a failure that its sentence keeps, since it can hold a server's own text.
pub const MAX_SENTENCE: usize = 200;
