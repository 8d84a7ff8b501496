//! Tests of the programs as a user starts them: real processes, real sockets, real signals.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a failed expectation is a failed test"
)]

mod admin;
mod backpressure;
mod bad_configuration;
mod bad_module;
mod blocks;
mod commands;
mod cycles;
mod documents;
mod faults;
mod first_module;
mod full_disk;
mod golden;
mod hostile_gateway;
mod hostile_host;
mod java_remote;
mod launch;
mod named_module;
mod native;
mod repeated_create;
mod restart;
mod rust_remote;
mod segments_of_programs;
mod shared_memory;
mod shown;
mod start_order;
