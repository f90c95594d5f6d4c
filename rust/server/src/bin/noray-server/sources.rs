//! Where the settings come from: the command line, else the environment, else a file, else the
//! default.

use std::{
    collections::HashMap,
    env::{self, VarError},
    fmt, fs, io,
    path::PathBuf,
};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use noray_server::{Config, ConfigError, SETTINGS, Setting};

const CONFIG: &str = "config";
const CHECK: &str = "check";
const PROBE: &str = "probe";

/// What the program was told.
#[derive(Debug)]
pub(crate) struct Orders {
    pub config: Config,
    pub task: Task,
    /// Where each setting comes from that has not its default, by name.
    origins: HashMap<&'static str, Origin>,
}

/// What the program shall do.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Task {
    /// Run a server.
    Serve,
    /// Show the settings.
    Check,
    /// Ask a running server whether players can come.
    Probe,
}

/// Where a setting's value comes from.
#[derive(Clone, Debug)]
enum Origin {
    Flag(&'static str),
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

/// Why the settings cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SourceError {
    /// A value of the command line or the environment makes no sense, or all values together.
    #[error(transparent)]
    Setting(#[from] ConfigError),
    /// A variable of the environment is no text.
    #[error("{0} in the environment is no UTF-8 text")]
    NotText(&'static str),
    /// The file cannot be read.
    #[error("cannot read {}: {source}", path.display())]
    File { path: PathBuf, source: io::Error },
    /// A line of the file makes no sense.
    #[error("{}:{line}: {problem}", path.display())]
    Line {
        path: PathBuf,
        line: usize,
        problem: String,
    },
}

impl Orders {
    /// Reads everything; ends the process when help is asked for or a flag makes no sense.
    pub(crate) fn read() -> Result<Self, SourceError> {
        let matches = command_line().get_matches();
        let mut orders = Self {
            config: Config::default(),
            task: match (matches.get_flag(CHECK), matches.get_flag(PROBE)) {
                (true, _) => Task::Check,
                (_, true) => Task::Probe,
                _ => Task::Serve,
            },
            origins: HashMap::new(),
        };
        if let Some(path) = matches.get_one::<PathBuf>(CONFIG) {
            orders.read_file(path)?;
        }
        orders.read_environment()?;
        orders.read_flags(&matches)?;
        orders.config.check()?;
        Ok(orders)
    }

    fn read_file(&mut self, path: &PathBuf) -> Result<(), SourceError> {
        let text = fs::read_to_string(path).map_err(|source| SourceError::File {
            path: path.clone(),
            source,
        })?;
        let mut seen = HashMap::new();
        let lines = text.trim_start_matches('\u{feff}').lines();
        for (line, text) in (1..).zip(lines) {
            let fail = |problem| SourceError::Line {
                path: path.clone(),
                line,
                problem,
            };
            let Some((name, value)) = parse_line(text).map_err(fail)? else {
                continue;
            };
            let set = self.config.set(name, value);
            set.map_err(|error| fail(error.to_string()))?;
            if let Some(before) = seen.insert(name, line) {
                return Err(fail(format!("{name} is in line {before} already")));
            }
            self.note(name, value, Origin::File(path.clone(), line));
        }
        Ok(())
    }

    fn read_environment(&mut self) -> Result<(), SourceError> {
        for setting in SETTINGS {
            match env::var(setting.name) {
                Ok(value) => self.set(setting, &value, Origin::Environment)?,
                Err(VarError::NotPresent) => {}
                Err(VarError::NotUnicode(_)) => return Err(SourceError::NotText(setting.name)),
            }
        }
        Ok(())
    }

    fn read_flags(&mut self, matches: &ArgMatches) -> Result<(), SourceError> {
        for setting in SETTINGS {
            if let Some(value) = matches.get_one::<String>(setting.name) {
                self.set(setting, value, Origin::Flag(setting.flag))?;
            }
        }
        Ok(())
    }

    fn set(
        &mut self,
        setting: &'static Setting,
        value: &str,
        origin: Origin,
    ) -> Result<(), ConfigError> {
        self.config.set(setting.name, value)?;
        self.note(setting.name, value, origin);
        Ok(())
    }

    /// Notes where a value comes from; an empty one leaves the setting as it is.
    fn note(&mut self, name: &str, value: &str, origin: Origin) {
        if let Some(setting) = Setting::named(name).filter(|_| !value.trim().is_empty()) {
            self.origins.insert(setting.name, origin);
        }
    }

    /// Every setting, its value and where that comes from, in a form that `--config` reads.
    pub(crate) fn show(&self) -> String {
        let mut text = format!(
            "# Settings as noray-server v{} understands them.\n",
            env!("CARGO_PKG_VERSION")
        );
        for setting in SETTINGS {
            let line = format!("{}={}", setting.name, quoted(&setting.show(&self.config)));
            let origin = self.origins.get(setting.name);
            let origin = origin.map_or_else(|| "default".to_owned(), Origin::to_string);
            text += &format!("{line:<60} # {origin}\n");
        }
        for (name, _) in env::vars_os() {
            let name = name.to_string_lossy();
            if name.starts_with("NORAY_") && Setting::named(&name).is_none() {
                text += &format!("# In the environment, without effect: {name}\n");
            }
        }
        text
    }
}

/// A value as a file needs it.
fn quoted(value: &str) -> String {
    // No setting's value can hold a double quote.
    match value.contains(['#', '\'', '`']) {
        true => format!("\"{value}\""),
        false => value.to_owned(),
    }
}

/// A line of a file, as in the public server's (which its `dotenv` reads; Rust's `dotenvy` is
/// another language: it refuses values with spaces, puts variables into them, and cannot tell which
/// line is wrong): `NAME=value`, `export NAME=value`, quotes of three
/// kinds around a value, a comment behind `#`. `None` when nothing is set.
fn parse_line(line: &str) -> Result<Option<(&str, &str)>, String> {
    let line = line.trim();
    if line.is_empty() || line.starts_with('#') {
        return Ok(None);
    }
    let line = line.strip_prefix("export ").unwrap_or(line);
    let (name, value) = line
        .split_once('=')
        .ok_or_else(|| "no `=`; a line is NAME=value".to_owned())?;
    let (name, value) = (name.trim(), value.trim());
    let Some(quote) = value
        .chars()
        .next()
        .filter(|c| matches!(c, '"' | '\'' | '`'))
    else {
        let value = value.split('#').next().unwrap_or_default();
        return Ok(Some((name, value.trim_end())));
    };
    let (value, rest) = value[quote.len_utf8()..]
        .split_once(quote)
        .ok_or_else(|| format!("no second {quote}"))?;
    match rest.trim_start() {
        rest if rest.is_empty() || rest.starts_with('#') => Ok(Some((name, value))),
        _ => Err(format!("there is something behind the second {quote}")),
    }
}

fn command_line() -> Command {
    let default = Config::default();
    Command::new("noray-server")
        .version(env!("CARGO_PKG_VERSION"))
        .about("A noray server: players meet, punch through their routers, or are relayed.")
        .after_help(
            "A flag comes before the environment, that before the file, that before the default.\n\
             Times have a unit: us, ms, s, m, h, d, w; sizes too: b, kb, mb, gb, of 1,024 each.\n\
             An empty value counts as none.\n\
             Players must reach the TCP port, the registrar's UDP port and the relays' UDP ports.\n\
             Exit codes: 0 stopped as asked, 1 failed, 2 settings that make no sense.",
        )
        .arg(
            Arg::new(CONFIG)
                .long(CONFIG)
                .value_name("FILE")
                .value_parser(value_parser!(PathBuf))
                .help("Reads settings from a file: lines of NAME=value, by the names below"),
        )
        .arg(
            Arg::new(CHECK)
                .long(CHECK)
                .action(ArgAction::SetTrue)
                .help("Shows every setting and where it comes from, and runs no server"),
        )
        .arg(
            Arg::new(PROBE)
                .long(PROBE)
                .action(ArgAction::SetTrue)
                .conflicts_with(CHECK)
                .help(
                    "Asks the server that runs here with these settings whether players can come: \
                     exit code 0 or 1",
                ),
        )
        .args(SETTINGS.iter().map(|setting| {
            let default = setting.show(&default);
            let help = format!(
                "{} [env: {}] [default: {default}]",
                setting.help, setting.name
            );
            Arg::new(setting.name)
                .long(setting.flag)
                .value_name(setting.value)
                .help(help)
        }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_are_read_as_the_public_server_reads_them() {
        for (line, expected) in [
            ("", None),
            ("   # NORAY_OID_LENGTH=4 ", None),
            ("NORAY_OID_LENGTH=21 ", Some(("NORAY_OID_LENGTH", "21"))),
            (
                "NORAY_OID_LENGTH=21 # For 10",
                Some(("NORAY_OID_LENGTH", "21")),
            ),
            ("export A = b c", Some(("A", "b c"))),
            ("A=", Some(("A", ""))),
            ("A=\"b # c\" # d", Some(("A", "b # c"))),
            ("A='b \"c'", Some(("A", "b \"c"))),
            ("A=`b`", Some(("A", "b"))),
            ("A=b=c\r", Some(("A", "b=c"))),
            ("A=b'c'", Some(("A", "b'c'"))),
        ] {
            assert_eq!(parse_line(line), Ok(expected), "{line:?}");
        }
        for line in ["A", "export A", "A='b", "A=\"b\" c", "ä"] {
            assert!(parse_line(line).is_err(), "{line:?}");
        }
    }

    #[test]
    fn what_is_shown_is_read_again() {
        for value in ["a#b", "a'b", "a`b", "ab", "1024, 2000-3000", "#", "ä#"] {
            let line = format!("A={}  # default", quoted(value));
            assert_eq!(parse_line(&line), Ok(Some(("A", value))), "{line}");
        }
    }
}
