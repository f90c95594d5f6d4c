//! Keeps calls from other threads away from what belongs to the main thread.

use godot::init::is_main_thread;
use tracing::error;

/// Returns whether a method is called from another thread, and says so in the log.
///
/// The method then returns an error at once.
pub(crate) fn is_elsewhere(class: &str, method: &str) -> bool {
    let is_elsewhere = !is_main_thread();
    if is_elsewhere {
        error!("{class}.{method}() works on the main thread only: use call_deferred()");
    }
    is_elsewhere
}
