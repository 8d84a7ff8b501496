//! The tools for those who write modules, as they use them: the real program, files, pipes.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a failed expectation is a failed test"
)]

mod ahead_of_time;
mod compiled;
mod inspecting;
mod manual;
mod projects;
mod running;
mod testing;
mod tool;
