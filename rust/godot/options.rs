//! The options of `host` and `join`, read from a game's dictionary.

use std::time::Duration;

use godot::{
    builtin::{AnyDictionary, GString, StringName, Variant, VariantType},
    meta::{GodotConvert, GodotImmutable},
    obj::EngineEnum,
};
use noray_client::Identity;
use noray_player::{
    Options, OptionsError,
    defaults::{MAX_BANDWIDTH, MAX_CHANNELS, MAX_COMPRESSION},
    saved_identity, valid_port, valid_seconds,
};

use crate::settings;

/// The argument `options`, as the game gives it: a dictionary, or nothing. As a `Dictionary`, the
/// bindings would refuse `null` with an error of the engine's.
#[derive(Clone, Default, Debug, GodotConvert)]
#[godot(transparent)]
pub(crate) struct OptionsArgument(Variant);

// SAFETY: the default is null, which nobody can change.
#[expect(
    unsafe_code,
    reason = "the bindings allow no Variant as a default without it"
)]
unsafe impl GodotImmutable for OptionsArgument {}

/// Reads a game's dictionary; what it does not name has its default, and so has everything without
/// one: scripts hand on `null` where there are no options.
///
/// # Errors
/// See [`OptionsError`].
pub(crate) fn read(argument: &OptionsArgument) -> Result<Options, OptionsError> {
    let OptionsArgument(value) = argument;
    let mut options = Options::new(settings::lan());
    if value.is_nil() {
        return Ok(options);
    }
    let dictionary: AnyDictionary = value
        .try_to()
        .map_err(|_| OptionsError::NoDictionary(type_name(value.get_type())))?;
    for (key, value) in dictionary.iter_shared() {
        set(&mut options, &key, &value)?;
    }
    Ok(options)
}

fn set(options: &mut Options, key: &Variant, value: &Variant) -> Result<(), OptionsError> {
    let name = match key.get_type() {
        VariantType::STRING => key.to::<GString>().to_string(),
        VariantType::STRING_NAME => key.to::<StringName>().to_string(),
        _ => return Err(OptionsError::Unknown(key.stringify().to_string())),
    };
    match name.as_str() {
        "force_relay" => options.force_relay = boolean("force_relay", value)?,
        "lan" => options.lan = boolean("lan", value)?,
        "identity" => options.identity = identity(value)?,
        "timeout" => options.timeout = seconds("timeout", value)?,
        "registrar_port" => {
            let port = integer("registrar_port", value, u16::MAX.into())?;
            options.registrar_port =
                valid_port(port.into()).ok_or_else(|| out_of_range("registrar_port", value))?;
        }
        "channels" => options.enet.channels = integer("channels", value, MAX_CHANNELS)?,
        "in_bandwidth" => {
            options.enet.in_bandwidth = integer("in_bandwidth", value, MAX_BANDWIDTH)?;
        }
        "compression" => {
            options.enet.compression = integer("compression", value, MAX_COMPRESSION)?;
        }
        "out_bandwidth" => {
            options.enet.out_bandwidth = integer("out_bandwidth", value, MAX_BANDWIDTH)?;
        }
        _ => return Err(OptionsError::Unknown(name)),
    }
    Ok(())
}

/// Returns a saved identity: what `Noray.get_identity` gave, or both parts in a text. Nothing is saved
/// yet when a program starts for the first time.
fn identity(value: &Variant) -> Result<Option<Identity>, OptionsError> {
    let (oid, pid) = match value.get_type() {
        VariantType::NIL => return Ok(None),
        VariantType::DICTIONARY => {
            let saved = value.to::<AnyDictionary>();
            if saved.is_empty() {
                return Ok(None);
            }
            let part = |name: &str| saved.get(name).map(|part| part.stringify().to_string());
            (part("oid"), part("pid"))
        }
        VariantType::STRING => {
            let text = value.to::<GString>().to_string();
            if text.trim().is_empty() {
                return Ok(None);
            }
            let mut parts = text.split_whitespace().map(str::to_owned);
            let both = (parts.next(), parts.next());
            if parts.next().is_some() {
                return Err(OptionsError::Identity);
            }
            both
        }
        _ => return Err(wrong_type("identity", "Dictionary", value)),
    };
    oid.zip(pid)
        .and_then(|(oid, pid)| saved_identity(&oid, &pid))
        .map(Some)
        .ok_or(OptionsError::Identity)
}

fn boolean(name: &'static str, value: &Variant) -> Result<bool, OptionsError> {
    value.try_to().map_err(|_| wrong_type(name, "bool", value))
}

/// Returns a number from 0 to `most`. A whole `float` counts too: JSON has no other numbers.
fn integer(name: &'static str, value: &Variant, most: i32) -> Result<i32, OptionsError> {
    let number = value
        .try_to::<i64>()
        .ok()
        .or_else(|| whole(value.try_to().ok()?))
        .ok_or_else(|| wrong_type(name, "int", value))?;
    i32::try_from(number)
        .ok()
        .filter(|number| (0..=most).contains(number))
        .ok_or_else(|| out_of_range(name, value))
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "what i64 cannot hold saturates, and is out of range all the same"
)]
fn whole(number: f64) -> Option<i64> {
    (number.fract() == 0.0).then_some(number as i64)
}

/// Returns a time above zero. A whole number counts too, as it does for a parameter.
fn seconds(name: &'static str, value: &Variant) -> Result<Duration, OptionsError> {
    let number = value
        .try_to::<f64>()
        .or_else(|_| value.try_to::<i64>().map(|whole| whole as f64))
        .map_err(|_| wrong_type(name, "float", value))?;
    valid_seconds(number)
        .filter(|seconds| !seconds.is_zero())
        .ok_or_else(|| out_of_range(name, value))
}

fn wrong_type(name: &'static str, wanted: &'static str, value: &Variant) -> OptionsError {
    OptionsError::WrongType {
        name,
        wanted,
        got: type_name(value.get_type()),
    }
}

fn out_of_range(name: &'static str, value: &Variant) -> OptionsError {
    OptionsError::OutOfRange {
        name,
        value: value.stringify().to_string(),
    }
}

/// Returns a type's name in GDScript.
fn type_name(kind: VariantType) -> String {
    godot::global::type_string(kind.ord().into()).to_string()
}
