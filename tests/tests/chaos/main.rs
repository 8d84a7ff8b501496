//! What is promised of the host link, under force: hosts that are killed at random moments and connections
//! that are dropped, both directions loaded. Nothing is lost, the order is kept, the counts add up.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a failed expectation is a failed test"
)]

mod drops;
mod kills;
mod losses;
mod programs;
mod stream;
