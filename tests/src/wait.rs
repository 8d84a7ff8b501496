//! Waiting for conditions.

use std::thread;
use std::time::{Duration, Instant};

/// How long anything may take before a test fails. No test measures time: this is only the end of patience on
/// a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(30);
const LOOK: Duration = Duration::from_millis(5);

/// Waits until the condition holds.
///
/// # Panics
/// It does not within [`PATIENCE`].
pub fn until(what: &str, mut condition: impl FnMut() -> bool) {
    until_some(what, || condition().then_some(()));
}

/// Waits until there is something, and gives it.
///
/// # Panics
/// There is nothing within [`PATIENCE`].
pub fn until_some<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(start.elapsed() < PATIENCE, "waited too long for {what}");
        thread::sleep(LOOK);
    }
}
