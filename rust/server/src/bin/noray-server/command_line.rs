//! Reads the settings: from the command line, else the environment, else a file, else the default.

use std::{
    collections::HashMap,
    env,
    error::Error as _,
    ffi::{OsStr, OsString},
    fmt, fs, io,
    path::{Path, PathBuf},
};

use clap::{
    Arg, Args, Command, CommandFactory, FromArgMatches, Parser,
    builder::{OsStr as ArgText, Resettable},
    error::{ContextKind, ContextValue},
    parser::ValueSource,
    value_parser,
};
use noray_server::ConfigError;

use crate::{
    settings::Settings,
    settings_file::{parse_line, quoted},
};

/// A noray server: players meet, punch through their routers, or are relayed.
#[derive(Debug, Parser)]
#[command(
    name = "noray-server",
    version,
    after_help = "A flag overrides the environment, the environment the file, the file the default.\n\
        An empty value counts as none.\n\
        Times have a unit: us, ms, s, m, h, d, w. So do sizes: b, kb, mb, gb, 1,024 to the next.\n\
        Players must reach the TCP port, the registrar's UDP port and the relays' UDP ports.\n\
        Exit codes: 0 stopped as asked, 1 failed, 2 bad settings."
)]
struct CommandLine {
    /// Read settings from a file: lines of NAME=value, by the names below.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,

    /// Show every setting and where it comes from, and run no server.
    #[arg(long)]
    check: bool,

    /// Ask whether players can come: the server that runs here with these settings or, with a HOST,
    /// a server elsewhere, which is asked as two players would (TCP, registrar and a relay). The
    /// exit code is 0 or 1.
    #[arg(long, conflicts_with = "check", value_name = "HOST[:PORT]")]
    probe: Option<Option<String>>,

    #[command(flatten)]
    settings: Settings,
}

/// What the program was told.
#[derive(Debug)]
pub(crate) struct Orders {
    pub(crate) settings: Settings,
    /// Show the settings.
    pub(crate) check: bool,
    /// Ask a running server whether players can come.
    pub(crate) probe: Option<Probe>,
    origins: Origins,
}

/// The server that is asked whether players can come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Probe {
    /// The one on this machine.
    Here,
    /// The one at `HOST` or `HOST:PORT`.
    Elsewhere(String),
}

/// Where a setting's value comes from.
#[derive(Clone, Debug)]
enum Origin {
    Flag(String),
    Environment,
    File(PathBuf, usize),
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => write!(f, "--{flag}"),
            Self::Environment => f.write_str("environment"),
            Self::File(path, line) => write!(f, "{}:{line}", path.display()),
        }
    }
}

/// The origin of each setting without its default, by name.
type Origins = HashMap<String, Origin>;

/// A setting's value as text, not read yet.
#[derive(Debug)]
struct Given<'a> {
    arg: &'a Arg,
    text: String,
    origin: Origin,
}

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SettingsError {
    #[error(transparent)]
    Unworkable(#[from] ConfigError),
    #[error("{0}")]
    Value(String),
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        path: PathBuf,
        line: usize,
        problem: String,
    },
}

impl Orders {
    /// Reads everything; ends the process when help is asked for or a flag is unknown.
    ///
    /// # Errors
    /// See [`SettingsError`].
    pub(crate) fn read() -> Result<Self, SettingsError> {
        // Flags are text at first: like other values they may be empty.
        let command = CommandLine::command().mut_args(|arg| match arg.get_env() {
            Some(_) => arg
                .value_parser(value_parser!(OsString))
                .hide_env_values(true),
            None => arg,
        });
        let matches = command.clone().get_matches();
        let mut given = match matches.get_one::<PathBuf>("config") {
            Some(path) => from_file(&command, path)?,
            None => Vec::new(),
        };
        for arg in settings(&command) {
            if let Some(value) = env::var_os(name(arg)) {
                given.push(Given::new(arg, &value, Origin::Environment)?);
            }
            let id = arg.get_id().as_str();
            if matches.value_source(id) == Some(ValueSource::CommandLine)
                && let Some(value) = matches.get_one::<OsString>(id)
            {
                let origin = Origin::Flag(flag(arg).to_owned());
                given.push(Given::new(arg, value, origin)?);
            }
        }
        let (settings, origins) = read_settings(given)?;
        Ok(Self {
            settings,
            check: matches.get_flag("check"),
            probe: match matches.get_one::<String>("probe") {
                Some(target) => Some(Probe::Elsewhere(target.clone())),
                None => matches.contains_id("probe").then_some(Probe::Here),
            },
            origins,
        })
    }

    /// Returns every setting, its value and where that comes from, in a form that `--config` reads.
    pub(crate) fn show(&self) -> String {
        let mut text = format!(
            "# Settings as noray-server v{} understands them.\n",
            env!("CARGO_PKG_VERSION")
        );
        let settings = self.settings.shown();
        for (name, value) in &settings {
            let line = format!("{name}={}", quoted(value));
            let origin = self.origins.get(*name);
            let origin = origin.map_or_else(|| "default".to_owned(), Origin::to_string);
            text += &format!("{line:<60} # {origin}\n");
        }
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("NORAY_") && settings.iter().all(|(known, _)| *known != name) {
                text += &format!("# In the environment, without effect: {name}\n");
            }
        }
        text
    }
}

/// Returns what all lines of a file give.
fn from_file<'a>(command: &'a Command, path: &Path) -> Result<Vec<Given<'a>>, SettingsError> {
    let text = fs::read_to_string(path).map_err(|source| SettingsError::File {
        path: path.to_owned(),
        source,
    })?;
    let mut given = Vec::new();
    let mut seen = HashMap::new();
    for (line, text) in (1..).zip(text.trim_start_matches('\u{feff}').lines()) {
        let fail = |problem| SettingsError::Line {
            path: path.to_owned(),
            line,
            problem,
        };
        let Some((name_in_file, text)) = parse_line(text).map_err(fail)? else {
            continue;
        };
        let Some(arg) = settings(command).find(|arg| name(arg) == name_in_file) else {
            return Err(fail(format!("there is no setting named {name_in_file:?}")));
        };
        if let Some(before) = seen.insert(name_in_file, line) {
            let problem = format!("{name_in_file} is in line {before} already");
            return Err(fail(problem));
        }
        given.push(Given {
            arg,
            text: text.trim().to_owned(),
            origin: Origin::File(path.to_owned(), line),
        });
    }
    Ok(given)
}

impl<'a> Given<'a> {
    fn new(arg: &'a Arg, value: &OsStr, origin: Origin) -> Result<Self, SettingsError> {
        match value.to_str() {
            Some(text) => Ok(Self {
                arg,
                text: text.trim().to_owned(),
                origin,
            }),
            None => Err(SettingsError::Value(format!(
                "{} ({origin}) is no UTF-8 text",
                name(arg)
            ))),
        }
    }

    /// Returns what is wrong with the value, by what clap says of it.
    fn error(&self, error: &clap::Error) -> SettingsError {
        let problem = match (error.source(), error.get(ContextKind::ValidValue)) {
            (Some(source), _) => source.to_string(),
            (None, Some(ContextValue::Strings(valid))) => {
                format!("`{}` is none of {}", self.text, valid.join(", "))
            }
            _ => error.to_string(),
        };
        let problem = format!("{} (--{}): {problem}", name(self.arg), flag(self.arg));
        match self.origin.clone() {
            Origin::Flag(_) | Origin::Environment => SettingsError::Value(problem),
            Origin::File(path, line) => SettingsError::Line {
                path,
                line,
                problem,
            },
        }
    }
}

/// Reads what is given and is not empty. Of several values for one setting the last counts; none may
/// be wrong.
fn read_settings(given: Vec<Given<'_>>) -> Result<(Settings, Origins), SettingsError> {
    // The environment and the defaults are here already.
    let command = Settings::augment_args_for_update(Command::new("settings"))
        .no_binary_name(true)
        .mut_args(|arg| {
            arg.env(Resettable::<ArgText>::Reset)
                .default_value(Resettable::<ArgText>::Reset)
        });
    let mut settings = Settings::default();
    let mut origins = Origins::new();
    for it in given.into_iter().filter(|it| !it.text.is_empty()) {
        let argument = format!("--{}={}", flag(it.arg), it.text);
        (command.clone().try_get_matches_from([argument]))
            .and_then(|matches| settings.update_from_arg_matches(&matches))
            .map_err(|error| it.error(&error))?;
        origins.insert(name(it.arg).to_owned(), it.origin);
    }
    settings.server.check()?;
    Ok((settings, origins))
}

/// Returns the arguments that are settings.
fn settings(command: &Command) -> impl Iterator<Item = &Arg> {
    let arguments = command.get_arguments();
    arguments.filter(|arg| arg.get_env().is_some())
}

/// Returns the environment variable of a setting.
fn name(arg: &Arg) -> &str {
    arg.get_env().and_then(OsStr::to_str).unwrap_or_default()
}

/// Returns the flag of a setting, without its dashes.
fn flag(arg: &Arg) -> &str {
    arg.get_long().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use proptest::prelude::*;

    use super::*;

    fn set(given: &[(&str, &str)]) -> Result<Settings, SettingsError> {
        let command = CommandLine::command();
        let given = given.iter().map(|(known, text)| {
            let arg = settings(&command).find(|arg| name(arg) == *known);
            Given::new(arg.expect(known), text.as_ref(), Origin::Environment)
        });
        read_settings(given.collect::<Result<_, _>>()?).map(|(settings, _)| settings)
    }

    /// The name of each setting, its flag and the kind of its value.
    fn all() -> Vec<(String, String, String)> {
        let command = CommandLine::command();
        let all = settings(&command).map(|arg| {
            let kind = arg.get_value_names().and_then(|names| names.first());
            let kind = kind.expect("a kind of value").to_string();
            (name(arg).to_owned(), flag(arg).to_owned(), kind)
        });
        all.collect()
    }

    #[test]
    fn without_values_there_are_the_defaults() {
        assert_eq!(set(&[]).unwrap(), Settings::default());
        let matches = CommandLine::command().get_matches_from(["noray-server"]);
        let by_clap = Settings::from_arg_matches(&matches).unwrap();
        assert_eq!(by_clap, Settings::default());
    }

    #[test]
    fn names_and_flags_agree_and_are_unique() {
        let shown = Settings::default().shown().into_iter();
        let shown: Vec<_> = shown.map(|(name, _)| name).collect();
        let names: Vec<_> = all().into_iter().map(|(name, ..)| name).collect();
        assert_eq!(names, shown);
        for (name, flag, _) in all() {
            let expected = name.strip_prefix("NORAY_").unwrap();
            assert_eq!(flag, expected.to_lowercase().replace('_', "-"));
        }
        let unique: HashSet<_> = names.iter().collect();
        assert_eq!(unique.len(), names.len());
    }

    #[test]
    fn every_setting_reads_what_it_shows() {
        for (name, shown) in Settings::default().shown() {
            let settings = set(&[(name, &shown)]).unwrap();
            assert_eq!(settings, Settings::default(), "{name}");
        }
    }

    /// A setting that wrote to another one's field would pass the test above.
    #[test]
    fn every_setting_changes_what_it_shows_and_nothing_else() {
        for (name, _, kind) in all() {
            let value = match kind.as_str() {
                "PORT" => "1234",
                "PORTS" => "1000+5",
                "ADDRESS" => "127.0.0.9",
                "TIME" => "77s",
                "SIZE" => "77kb",
                "COUNT" => "27",
                "CHARACTERS" => "abc",
                "BOOL" => "true",
                "FORMAT" => "json",
                "LEVEL" => "trace",
                other => panic!("no value for {other}"),
            };
            // It must be twice as long as a line.
            let room = ("NORAY_MAX_OUTBOUND_QUEUE", "1mb");
            let given = [room, (&name, value)];
            let with_room = set(&given[..1]).unwrap();
            let settings = set(&given).unwrap();
            for (other, shown) in settings.shown() {
                let same = with_room.shown().contains(&(other, shown));
                assert_eq!(same, other != name, "{name} and {other}");
            }
        }
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (name, value) in [
            ("NORAY_SOCKET_PORT", "65536"),
            ("NORAY_SOCKET_PORT", "-1"),
            ("NORAY_SOCKET_PORT", "+80"),
            ("NORAY_SOCKET_PORT", "http"),
            ("NORAY_HTTP_PORT", "no"),
            ("NORAY_UDP_HOST", "::1"),
            ("NORAY_UDP_RELAY_PORTS", "0"),
            ("NORAY_UDP_RELAY_PORTS", "5-4"),
            ("NORAY_UDP_RELAY_PORTS", "65535+1"),
            ("NORAY_UDP_RELAY_PORTS", "1,,2"),
            ("NORAY_UDP_RELAY_PORTS", "1-2-3"),
            ("NORAY_UDP_RELAY_TIMEOUT", "no6"),
            ("NORAY_UDP_RELAY_TIMEOUT", "64mh"),
            ("NORAY_UDP_RELAY_TIMEOUT", "0"),
            ("NORAY_UDP_RELAY_TIMEOUT", "1.2.3s"),
            ("NORAY_UDP_RELAY_TIMEOUT", "99999999999999999999999yr"),
            ("NORAY_UDP_RELAY_TRAFFIC_INTERVAL", "0ms"),
            ("NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC", "no6"),
            ("NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC", "64Bb"),
            ("NORAY_UDP_RELAY_MAX_GLOBAL_TRAFFIC", "0"),
            ("NORAY_OID_LENGTH", "0"),
            ("NORAY_OID_LENGTH", "1025"),
            ("NORAY_OID_CHARSET", "a"),
            ("NORAY_OID_CHARSET", "aaa"),
            ("NORAY_OID_CHARSET", "a b"),
            ("NORAY_OID_CHARSET", "a\"b"),
            ("NORAY_PID_LENGTH", "1201"),
            ("NORAY_ENABLE_WORDS_OID", "yes"),
            ("NORAY_WORDS_OID_LENGTH", "0"),
            ("NORAY_WORDS_OID_LENGTH", "33"),
            ("NORAY_PID_CHARSET", "a\\b"),
            ("NORAY_LOGLEVEL", "loud"),
            ("NORAY_LOG_FORMAT", "xml"),
            ("NORAY_DRAIN_TIMEOUT", "soon"),
            ("NORAY_MAX_CONNECTIONS", "0"),
            ("NORAY_MAX_LINE_LENGTH", "10"),
            ("NORAY_MAX_OUTBOUND_QUEUE", "4kb"),
        ] {
            let error = set(&[(name, value)]).expect_err(name).to_string();
            assert!(error.starts_with(&format!("{name} (--")), "{error}");
        }
    }

    #[test]
    fn an_empty_value_means_the_default() {
        for (name, ..) in all() {
            assert_eq!(set(&[(&name, " ")]).unwrap(), Settings::default());
        }
    }

    proptest! {
        #[test]
        fn no_text_panics(index in 0..all().len(), value in "[-+0-9., a-z]{0,24}|\\PC*") {
            let (name, _, kind) = &all()[index];
            // A host name would be looked up.
            prop_assume!(kind != "ADDRESS");
            let _ = set(&[(name, &value)]);
        }
    }
}
