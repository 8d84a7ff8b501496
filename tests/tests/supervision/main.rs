//! Modules that fail, hang, wear out or kill their host, over the host link: what is done about them, what
//! their neighbours notice, and what becomes of the messages.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a failed expectation is a failed test"
)]

mod dead_letters;
mod gateway_restart;
mod hosts;
mod loading;
mod many;
mod on_link;
mod quarantine;
mod recycling;
mod refused;
mod skew;
mod sources;
