//! The out-of-process module, requirement by requirement: every `SRS_OUTPROCESS_MODULE` number of V1's document is a
//! row of the table in `table.rs`, and every row has its tests. A row whose test is missing does not compile, a test
//! without a row is dead code, and a number without a row fails a test.
//!
//! What is tested is the program `gateway` as a user starts it. The test plays the hosts of its modules and records
//! what comes over the control and the message channel.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a failed expectation is a failed test"
)]

mod channels;
mod configuration;
mod control;
mod create;
mod destroy;
mod destroy_threads;
mod document;
mod frames;
mod host;
mod receive;
mod receiving;
mod scene;
mod sending;
mod start;
mod table;
