//! Being asked to stop.

use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{
    CtrlBreak, CtrlC, CtrlClose, CtrlShutdown, ctrl_break, ctrl_c, ctrl_close, ctrl_shutdown,
};

/// Everything by which somebody asks the server to stop.
#[derive(Debug)]
pub(crate) struct StopRequests {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
    #[cfg(windows)]
    c: CtrlC,
    #[cfg(windows)]
    pause: CtrlBreak,
    #[cfg(windows)]
    close: CtrlClose,
    #[cfg(windows)]
    shutdown: CtrlShutdown,
}

#[cfg(unix)]
impl StopRequests {
    /// From now on, no request ends the process by itself.
    ///
    /// # Errors
    /// The system does not allow it.
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Completes with the next request: Ctrl-C, or SIGTERM.
    pub(crate) async fn next(&mut self) {
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
    }
}

#[cfg(windows)]
impl StopRequests {
    /// From now on, no request ends the process by itself.
    ///
    /// # Errors
    /// The system does not allow it.
    pub fn new() -> io::Result<Self> {
        Ok(Self {
            c: ctrl_c()?,
            pause: ctrl_break()?,
            close: ctrl_close()?,
            shutdown: ctrl_shutdown()?,
        })
    }

    /// Completes with the next request: Ctrl-C or Ctrl-Break, a closed console, or Windows'
    /// shutdown.
    pub async fn next(&mut self) {
        tokio::select! {
            _ = self.c.recv() => {}
            _ = self.pause.recv() => {}
            _ = self.close.recv() => {}
            _ = self.shutdown.recv() => {}
        }
    }
}
