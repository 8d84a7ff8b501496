//! The harness of the end-to-end tests: it starts the real programs, plays their peers, and waits for
//! conditions, never for time.
//!
//! The programs are taken from `SANDGATE_BIN_DIR` and the guest modules from `SANDGATE_GUESTS`; `cargo xtask
//! test` builds both and sets both. This crate does not link the programs: what is tested is what a user starts.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a failed expectation is a failed test"
)]

pub mod book;
pub mod config;
pub mod ends;
pub mod host_config;
pub mod languages;
pub mod link_peer;
pub mod log_file;
pub mod pair;
pub mod process;
pub mod procfs;
pub mod programs;
pub mod project;
pub mod raw;
pub mod scratch;
pub mod tenants;
pub mod v1;
pub mod wait;
