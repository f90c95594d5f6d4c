//! What stands under `noray/` in the project settings.

use std::time::Duration;

use godot::{
    builtin::{GString, VarDictionary, Variant, VariantType, vdict},
    classes::ProjectSettings,
    meta::ToGodot,
    obj::Singleton,
    register::info::PropertyHint,
};
use noray_client::defaults::CONNECT_TIMEOUT;
use noray_protocol::defaults::ANSWER_TIMEOUT;
use tracing::level_filters::LevelFilter;

const CONNECT_TIMEOUT_SETTING: &str = "noray/network/connect_timeout";
const ANSWER_TIMEOUT_SETTING: &str = "noray/network/answer_timeout";
/// The noray server of `host` and `join` calls that name none.
pub(crate) const SERVER_SETTING: &str = "noray/network/server";
const LAN_SETTING: &str = "noray/network/lan";
const LOG_LEVEL_SETTING: &str = "noray/logging/level";

/// The choices of [`LOG_LEVEL_SETTING`], in the order of the editor's list.
const LOG_LEVELS: [(&str, LevelFilter); 6] = [
    ("Off", LevelFilter::OFF),
    ("Errors", LevelFilter::ERROR),
    ("Warnings", LevelFilter::WARN),
    ("Information", LevelFilter::INFO),
    ("Debug", LevelFilter::DEBUG),
    ("Trace", LevelFilter::TRACE),
];
const DEFAULT_LOG_LEVEL: i64 = 2;

/// The times that a project may choose, in seconds.
const MIN_SECONDS: f64 = 0.1;
const MAX_SECONDS: f64 = 120.0;

/// Shows the settings in the editor, with their defaults and ranges.
pub(crate) fn register() {
    let seconds = format!("{MIN_SECONDS},{MAX_SECONDS},0.1,suffix:s");
    let levels = LOG_LEVELS.map(|level| level.0).join(",");
    add(
        CONNECT_TIMEOUT_SETTING,
        CONNECT_TIMEOUT.as_secs_f64().to_variant(),
        PropertyHint::RANGE,
        &seconds,
    );
    add(
        ANSWER_TIMEOUT_SETTING,
        ANSWER_TIMEOUT.as_secs_f64().to_variant(),
        PropertyHint::RANGE,
        &seconds,
    );
    add(
        SERVER_SETTING,
        GString::new().to_variant(),
        PropertyHint::PLACEHOLDER_TEXT,
        "noray.example.com",
    );
    add(LAN_SETTING, true.to_variant(), PropertyHint::NONE, "");
    add(
        LOG_LEVEL_SETTING,
        DEFAULT_LOG_LEVEL.to_variant(),
        PropertyHint::ENUM,
        &levels,
    );
}

fn add(name: &str, default: Variant, hint: PropertyHint, hint_text: &str) {
    let mut settings = ProjectSettings::singleton();
    if !settings.has_setting(name) {
        settings.set_setting(name, &default);
    }
    settings.set_initial_value(name, &default);
    settings.set_as_basic(name, true);
    let kind: VariantType = default.get_type();
    let info: VarDictionary = vdict! {
        "name" => name,
        "type" => kind,
        "hint" => hint,
        "hint_string" => hint_text,
    };
    settings.add_property_info(&info);
}

/// Returns the longest wait for a connection.
pub(crate) fn connect_timeout() -> Duration {
    seconds(CONNECT_TIMEOUT_SETTING, CONNECT_TIMEOUT)
}

/// Returns the longest wait for the answer to a connect request.
pub(crate) fn answer_timeout() -> Duration {
    seconds(ANSWER_TIMEOUT_SETTING, ANSWER_TIMEOUT)
}

/// Returns the server of calls that name none; may be empty.
pub(crate) fn server() -> String {
    let value = ProjectSettings::singleton().get_setting(SERVER_SETTING);
    value
        .try_to::<GString>()
        .map(|server| server.to_string())
        .unwrap_or_default()
}

/// Returns whether players look for each other in the local network too.
pub(crate) fn lan() -> bool {
    let value = ProjectSettings::singleton().get_setting(LAN_SETTING);
    value.try_to().unwrap_or(true)
}

/// Returns what reaches Godot's log.
pub(crate) fn log_level() -> LevelFilter {
    let level = ProjectSettings::singleton()
        .get_setting(LOG_LEVEL_SETTING)
        .try_to::<i64>()
        .unwrap_or(DEFAULT_LOG_LEVEL);
    usize::try_from(level)
        .ok()
        .and_then(|index| LOG_LEVELS.get(index))
        .map_or(LevelFilter::WARN, |level| level.1)
}

/// Returns a time of the settings, which a project file written by hand can get wrong.
fn seconds(name: &str, default: Duration) -> Duration {
    let value = ProjectSettings::singleton().get_setting(name);
    let value = value
        .try_to::<f64>()
        .or_else(|_| value.try_to::<i64>().map(|whole| whole as f64));
    match value {
        Ok(seconds) if seconds.is_finite() => {
            Duration::from_secs_f64(seconds.clamp(MIN_SECONDS, MAX_SECONDS))
        }
        _ => default,
    }
}
