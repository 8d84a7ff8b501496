//! libFuzzer with one of the targets, which `SANDGATE_FUZZ_TARGET` names.

#![no_main]
#![allow(clippy::unwrap_used, clippy::panic, reason = "there is nobody else to tell")]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use sandgate_fuzz::Target;
use tokio::runtime::Builder;
use tokio::signal::unix::{SignalKind, signal};

static TARGET: LazyLock<Target> = LazyLock::new(|| {
    survive_closed_sockets();
    let name = std::env::var("SANDGATE_FUZZ_TARGET").unwrap_or_default();
    sandgate_fuzz::target(&name).unwrap_or_else(|| panic!("there is no target `{name}`"))
});

fuzz_target!(|bytes: &[u8]| (TARGET.run)(bytes));

/// Rust's own `main` sees to it that writing to a closed socket is an error and no signal. This program has
/// libFuzzer's. What is installed here stays.
fn survive_closed_sockets() {
    let runtime = Builder::new_current_thread().enable_io().build().unwrap();
    let _context = runtime.enter();
    drop(signal(SignalKind::pipe()).unwrap());
}
