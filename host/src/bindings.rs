//! The component's contract in Rust, generated from `wit/`.

#![allow(missing_docs, clippy::all, clippy::pedantic)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "gateway-module",
    ownership: Borrowing { duplicate_if_necessary: true },
});

/// The optional interface for modules with timers.
pub(crate) const TIMER_HANDLER: &str = "sandgate:gateway/timer-handler@0.1.0";
/// The interface that every module exports.
pub(crate) const MODULE: &str = "sandgate:gateway/module@0.1.0";
/// The functions of [`MODULE`].
pub(crate) const MODULE_FUNCTIONS: [&str; 4] = ["create", "start", "receive", "destroy"];
