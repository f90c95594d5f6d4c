//! Time-outs and the pinned release, with the reason for each.

use std::time::Duration;

/// The official release that is downloaded when a machine has no Godot.
pub(crate) const OFFICIAL_GODOT: &str = "4.6.3";

/// Name look-up and TCP connect for a download, each. Short: an offline machine turns to
/// the next source at once, and a working one answers well within it.
pub(crate) const DOWNLOAD_CONNECT: Duration = Duration::from_secs(5);

/// From a request to the response's header. A release host may redirect first.
pub(crate) const DOWNLOAD_RESPONSE: Duration = Duration::from_secs(20);

/// A whole download: 80 MB at 1 Mbit/s take eleven minutes.
pub(crate) const DOWNLOAD_BODY: Duration = Duration::from_secs(900);
