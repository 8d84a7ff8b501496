//! The component's contract in Rust, generated from `wit/`.

#![allow(missing_docs, clippy::all, clippy::pedantic)]

wasmtime::component::bindgen!({
    path: "../wit",
    world: "gateway-module",
    ownership: Borrowing { duplicate_if_necessary: true },
    // Calls that a limit may end.
    imports: {
        "sandgate:gateway/log.log": trappable,
        "sandgate:gateway/segments": trappable,
    },
    with: {
        "sandgate:gateway/segments.segment": sandgate_wire::link::Segment,
    },
});

/// What messages are published by.
pub(crate) const BROKER: &str = "sandgate:gateway/broker@0.1.0";
/// The optional interface for modules with timers.
pub(crate) const TIMER_HANDLER: &str = "sandgate:gateway/timer-handler@0.1.0";
/// The optional interface for messages in their encoded form, and what comes with it.
pub(crate) const ENCODED_HANDLER: &str = "sandgate:gateway/encoded-handler@0.1.0";
pub(crate) const ENCODED_DELIVERIES: &str = "sandgate:gateway/encoded-deliveries@0.1.0";
pub(crate) const ENCODED_BROKER: &str = "sandgate:gateway/encoded-broker@0.1.0";
/// The interface that every module exports.
pub(crate) const MODULE: &str = "sandgate:gateway/module@0.1.0";
/// The functions of [`MODULE`].
pub(crate) const MODULE_FUNCTIONS: [&str; 4] = ["create", "start", "receive", "destroy"];
/// The worlds of modules without and with timers.
pub(crate) const WORLD: &str = "sandgate:gateway/gateway-module@0.1.0";
pub(crate) const WORLD_WITH_TIMERS: &str = "sandgate:gateway/gateway-module-timers@0.1.0";
