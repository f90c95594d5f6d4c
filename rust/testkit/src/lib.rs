//! What tests, the lab of NATs, the benchmarks and the soak share.
//!
//! Functions without a `Result` are for tests: they panic, and say what did not happen.
//!
//! | module | holds |
//! | --- | --- |
//! | [`child`] | a started program with its log, and never left behind |
//! | [`tool`] | a program that shares our terminal, such as cargo |
//! | [`server`] | a running noray server: ours or the public one |
//! | `library_server` | our server inside this process (feature `library-server`) |
//! | [`player`] | a player on the wire and two that are relayed |
//! | `process_info` | what Linux knows of a process: memory, time, descriptors, ports |
//! | [`metrics`] | what a server reports over HTTP |
//! | [`statistics`] | medians and percentiles |
//! | [`godot`], [`game`], [`log_scan`] | a Godot on a project, staged games, and the judgement of a run |
//! | [`interrupt`], [`system`] | what ends with us, signals |
//! | [`report`] | passed, failed and skipped |
//! | [`files`], [`paths`], [`ports`] | files that change in one step, where things are, free ports |

pub mod child;
pub mod defaults;
pub mod files;
pub mod game;
pub mod godot;
pub mod interrupt;
#[cfg(feature = "library-server")]
pub mod library_server;
pub mod log_scan;
pub mod metrics;
mod output;
pub mod paths;
pub mod player;
pub mod ports;
#[cfg(target_os = "linux")]
pub mod process_info;
pub mod report;
pub mod server;
pub mod statistics;
pub mod system;
pub mod tool;
