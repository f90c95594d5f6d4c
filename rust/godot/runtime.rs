//! The background runtime, begun with the first use and ended with the extension.

use std::cell::RefCell;

use tokio::runtime::{Builder, Handle, Runtime};

use crate::defaults::{RUNTIME_THREADS, STOP_TIMEOUT};

thread_local! {
    /// The main thread's; no other thread calls into this module.
    static RUNTIME: RefCell<Option<Runtime>> = const { RefCell::new(None) };
}

/// Returns the runtime's handle; begins the runtime when there is none.
///
/// # Errors
/// The system gives no thread.
pub(crate) fn handle() -> std::io::Result<Handle> {
    RUNTIME.with_borrow_mut(|runtime| {
        if let Some(runtime) = runtime {
            return Ok(runtime.handle().clone());
        }
        let started = Builder::new_multi_thread()
            .worker_threads(RUNTIME_THREADS)
            .thread_name("noray")
            .enable_all()
            .build()?;
        let handle = started.handle().clone();
        *runtime = Some(started);
        Ok(handle)
    })
}

/// Ends the runtime and its threads.
pub(crate) fn stop() {
    if let Some(runtime) = RUNTIME.take() {
        runtime.shutdown_timeout(STOP_TIMEOUT);
    }
}
