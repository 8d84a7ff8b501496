//! Modules in JavaScript, TypeScript and Python: long streams, exceptions, and projects made of the templates.
//!
//! `cargo xtask guests` provides what they need for JavaScript, `cargo xtask guests typescript python` for the others.
//! What is not there is left out, and said.

#![forbid(unsafe_code)]
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "test code: a failed expectation is a failed test"
)]

mod exceptions;
mod projects;
mod streams;
mod toolchain;
