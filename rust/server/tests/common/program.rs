//! The program `noray-server` in a process of its own.

use std::process::Command;

use noray_testkit::{
    defaults::ANSWER,
    metrics::Metrics,
    ports::{free_ports, relay_setting},
    server::{ServerPorts, ServerProcess, ServerProgram, without_settings},
};

/// Returns the program, without settings from this test's environment.
pub(crate) fn binary() -> Command {
    ServerProgram::Ours(env!("CARGO_BIN_EXE_noray-server").into()).command()
}

/// Returns the program, which may open so many descriptors at the most.
pub(crate) fn binary_with_descriptors(limit: usize) -> Command {
    let program = env!("CARGO_BIN_EXE_noray-server");
    let mut command = Command::new("sh");
    command.args(["-c", &format!("ulimit -n {limit}; exec {program}")]);
    without_settings(&mut command);
    command
}

/// Starts the program on free ports of 127.0.0.1.
pub(crate) fn start(command: &mut Command) -> ServerProcess {
    start_on(command, ServerPorts::free(8))
}

/// Starts the program on these ports of 127.0.0.1.
pub(crate) fn start_on(command: &mut Command, ports: ServerPorts) -> ServerProcess {
    let mut server = ServerProcess::launch_command(command, ports, true).unwrap();
    server.wait_for_log("commands on ").unwrap();
    server
}

/// Waits for the end and returns the exit code and the log.
pub(crate) fn ended(mut server: ServerProcess) -> (Option<i32>, String) {
    let status = server.child.wait(ANSWER).expect("the server ends");
    // What it says on standard output comes first: where it listens.
    (status.code(), server.child.kill()[1..].join("\n"))
}

/// Returns the setting of so many free relay ports.
pub(crate) fn relay_ports(count: usize) -> String {
    relay_setting(&free_ports(count))
}

/// Returns the text of the metrics.
pub(crate) fn metrics(server: &ServerProcess) -> String {
    let answer = server.get("/metrics");
    assert_eq!(answer.status, "HTTP/1.1 200 OK");
    let head = answer.head.to_lowercase();
    let content_type = "content-type: text/plain; version=0.0.4";
    assert!(head.contains(content_type), "{head}");
    answer.body
}

/// Returns the value of a metric, named with its labels.
pub(crate) fn value(text: &str, name: &str) -> f64 {
    Metrics::parse(text).value(name).expect(text)
}

/// A setting, as the help of the binary tells it.
pub(crate) struct Setting {
    pub name: String,
    pub flag: String,
    /// What kind of value it takes.
    pub value: String,
    pub default: String,
    /// What it means.
    pub help: String,
}

impl Setting {
    /// All settings, in the order of the help.
    pub(crate) fn all() -> Vec<Self> {
        let output = binary().arg("--help").output().unwrap();
        assert!(output.status.success());
        let help = String::from_utf8(output.stdout).unwrap();
        let words: Vec<_> = help.split_whitespace().collect();
        let words = words.join(" ");
        let arguments = words.split(" --").filter(|it| it.contains("[env: "));
        arguments.map(|it| Self::read(it).expect(it)).collect()
    }

    /// Reads `flag <VALUE> help [env: NAME] [default: VALUE]`.
    fn read(text: &str) -> Option<Self> {
        let (flag, rest) = text.split_once(" <")?;
        let (value, rest) = rest.split_once("> ")?;
        let (help, rest) = rest.split_once(" [env: ")?;
        let (name, rest) = rest.split_once("] [default: ")?;
        let (default, _) = rest.split_once(']')?;
        Some(Self {
            name: name.to_owned(),
            flag: flag.to_owned(),
            value: value.to_owned(),
            default: default.to_owned(),
            help: help.to_owned(),
        })
    }
}
