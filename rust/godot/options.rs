//! The options of `host` and `join`, out of a game's dictionary.

use std::time::Duration;

use godot::{
    builtin::{GString, StringName, VarDictionary, Variant, VariantType},
    meta::{GodotConvert, GodotImmutable},
    obj::EngineEnum,
};

use crate::{
    defaults::{MAX_BANDWIDTH, MAX_CHANNELS},
    noray::{valid_port, valid_seconds},
    settings,
};

/// A game's dictionary, as it was given.
#[derive(Clone, Default, Debug, GodotConvert)]
#[godot(transparent)]
pub(crate) struct OptionDictionary(VarDictionary);

// SAFETY: the dictionary that serves as the default is read-only.
unsafe impl GodotImmutable for OptionDictionary {
    fn into_runtime_immutable(self) -> Self {
        Self(self.0.into_read_only())
    }
}

/// How `host` and `join` go about it.
#[derive(Clone, PartialEq, Debug)]
pub(crate) struct Options {
    /// Only relays are used.
    pub(crate) force_relay: bool,
    /// The local network is used too.
    pub(crate) lan: bool,
    /// The longest wait.
    pub(crate) timeout: Duration,
    /// The server's UDP port for registrations.
    pub(crate) registrar_port: u16,
    /// What ENet is made with.
    pub(crate) enet: ENetOptions,
}

/// What ENet is made with; 0 is ENet's own default for each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
pub(crate) struct ENetOptions {
    /// Channels of each connection.
    pub(crate) channels: i32,
    /// Bytes a second that come in at most.
    pub(crate) in_bandwidth: i32,
    /// Bytes a second that go out at most.
    pub(crate) out_bandwidth: i32,
}

/// Why options are refused.
#[derive(PartialEq, Eq, Debug, thiserror::Error)]
pub(crate) enum OptionsError {
    /// A key that names no option.
    #[error("there is no option '{0}'")]
    Unknown(String),
    /// A value of another type.
    #[error("the option '{name}' is a {wanted}, not a {got}")]
    WrongType {
        /// The option.
        name: &'static str,
        /// The type that it has.
        wanted: &'static str,
        /// The type of what was given.
        got: String,
    },
    /// A value that is out of range.
    #[error("the option '{name}' cannot be {value}")]
    OutOfRange {
        /// The option.
        name: &'static str,
        /// What was given.
        value: String,
    },
}

impl Options {
    /// Reads a dictionary; what it does not name has its default.
    pub(crate) fn read(dictionary: &OptionDictionary) -> Result<Self, OptionsError> {
        let mut options = Self {
            force_relay: false,
            lan: settings::lan(),
            timeout: crate::defaults::MEETING_TIMEOUT,
            registrar_port: noray_protocol::defaults::REGISTRAR_PORT,
            enet: ENetOptions::default(),
        };
        for (key, value) in dictionary.0.iter_shared() {
            options.set(&key, &value)?;
        }
        Ok(options)
    }

    fn set(&mut self, key: &Variant, value: &Variant) -> Result<(), OptionsError> {
        let name = match key.get_type() {
            VariantType::STRING => key.to::<GString>().to_string(),
            VariantType::STRING_NAME => key.to::<StringName>().to_string(),
            _ => return Err(OptionsError::Unknown(key.stringify().to_string())),
        };
        match name.as_str() {
            "force_relay" => self.force_relay = boolean("force_relay", value)?,
            "lan" => self.lan = boolean("lan", value)?,
            "timeout" => self.timeout = seconds("timeout", value)?,
            "registrar_port" => {
                let port = integer("registrar_port", value, u16::MAX.into())?;
                self.registrar_port =
                    valid_port(port.into()).ok_or_else(|| out_of_range("registrar_port", value))?;
            }
            "channels" => self.enet.channels = integer("channels", value, MAX_CHANNELS)?,
            "in_bandwidth" => {
                self.enet.in_bandwidth = integer("in_bandwidth", value, MAX_BANDWIDTH)?;
            }
            "out_bandwidth" => {
                self.enet.out_bandwidth = integer("out_bandwidth", value, MAX_BANDWIDTH)?;
            }
            _ => return Err(OptionsError::Unknown(name)),
        }
        Ok(())
    }
}

fn boolean(name: &'static str, value: &Variant) -> Result<bool, OptionsError> {
    value.try_to().map_err(|_| wrong_type(name, "bool", value))
}

/// 0 or more.
fn integer(name: &'static str, value: &Variant, most: i32) -> Result<i32, OptionsError> {
    let number: i64 = value.try_to().map_err(|_| wrong_type(name, "int", value))?;
    i32::try_from(number)
        .ok()
        .filter(|number| (0..=most).contains(number))
        .ok_or_else(|| out_of_range(name, value))
}

/// More than none. A whole number counts too, as it does for a parameter.
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

/// A type's name in GDScript.
fn type_name(kind: VariantType) -> String {
    godot::global::type_string(kind.ord().into()).to_string()
}
