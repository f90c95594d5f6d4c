//! Signals, process groups, who we are, and where programs lie.

#[cfg(unix)]
pub(crate) use self::unix::{ask_to_end, group_lives, kill_group, lead_a_group};
use std::env;
use std::path::PathBuf;

#[cfg(unix)]
pub use self::unix::is_root;
#[cfg(windows)]
pub use self::windows::is_root;
#[cfg(windows)]
pub(crate) use self::windows::{ask_to_end, group_lives, kill_group, lead_a_group};

/// Where root's programs lie, also when they are not on the PATH.
const ROOTS_FOLDERS: [&str; 3] = ["/usr/sbin", "/sbin", "/usr/local/sbin"];

/// Returns where a program of this name lies, if it is on the PATH or where root's programs are.
pub fn find_program(name: &str) -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    env::split_paths(&path)
        .chain(ROOTS_FOLDERS.map(PathBuf::from))
        .map(|folder| folder.join(name))
        .find(|file| file.is_file())
}

#[cfg(unix)]
mod unix {
    use std::os::unix::process::CommandExt;
    use std::process::Command;

    use rustix::process::{Pid, Signal, kill_process, kill_process_group, test_kill_process_group};

    pub(crate) fn lead_a_group(command: &mut Command) {
        command.process_group(0);
    }

    pub(crate) fn ask_to_end(id: u32) {
        let _ = pid(id).map(|id| kill_process(id, Signal::TERM));
    }

    pub(crate) fn kill_group(id: u32) {
        let _ = pid(id).map(|id| kill_process_group(id, Signal::KILL));
    }

    pub(crate) fn group_lives(id: u32) -> bool {
        pid(id).is_some_and(|id| test_kill_process_group(id).is_ok())
    }

    /// Returns whether this process has root's rights.
    pub fn is_root() -> bool {
        rustix::process::geteuid().is_root()
    }

    fn pid(id: u32) -> Option<Pid> {
        i32::try_from(id).ok().and_then(Pid::from_raw)
    }
}

#[cfg(windows)]
mod windows {
    use std::process::{Command, Stdio};

    /// Windows keeps the parent's id with each process, which serves as well as a group here.
    pub(crate) fn lead_a_group(_command: &mut Command) {}

    /// Kills a process with what it started; one without a window cannot be asked to end.
    pub(crate) fn kill(id: u32) {
        succeeds(Command::new("taskkill").args(["/T", "/F", "/PID", &id.to_string()]));
    }

    pub(crate) use self::kill as ask_to_end;
    pub(crate) use self::kill as kill_group;

    pub(crate) fn group_lives(id: u32) -> bool {
        let filter = format!(
            "if (Get-CimInstance Win32_Process -Filter 'ParentProcessId={id}') {{ exit 0 }} exit 1"
        );
        succeeds(Command::new("powershell").args(["-NoProfile", "-Command", &filter]))
    }

    /// Returns whether this process has root's rights.
    pub fn is_root() -> bool {
        false
    }

    fn succeeds(command: &mut Command) -> bool {
        command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .is_ok_and(|status| status.success())
    }
}
