//! The background runtime, begun with the first use and ended with the extension.

use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::runtime::{Builder, Handle, Runtime};

use crate::defaults::{RUNTIME_THREADS, STOP_TIMEOUT};

static RUNTIME: Mutex<Option<Runtime>> = Mutex::new(None);

fn runtime() -> MutexGuard<'static, Option<Runtime>> {
    RUNTIME.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Returns the runtime's handle; begins the runtime when there is none.
///
/// # Errors
/// The system gives no thread.
pub(crate) fn handle() -> std::io::Result<Handle> {
    let mut runtime = runtime();
    if let Some(runtime) = &*runtime {
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
}

/// Ends the runtime and its threads.
pub(crate) fn stop() {
    let stopped = runtime().take();
    if let Some(runtime) = stopped {
        runtime.shutdown_timeout(STOP_TIMEOUT);
    }
}
