//! What hostile bytes are thrown at. Each target is a plain function that takes any bytes, and panics when
//! something that must hold does not. `cargo xtask fuzz` looks for such bytes, guided by coverage; an
//! ordinary test gives every target the bytes in `corpus`.

#![forbid(unsafe_code)]
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a panic is how a finding is told"
)]

mod config;
mod control;
mod link;
mod message;
mod ring;
mod script;
mod session;

/// Something that takes bytes from a peer, a guest or a person.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called, here and in `corpus`.
    pub name: &'static str,
    /// Panics when the bytes break something.
    pub run: fn(&[u8]),
}

/// All targets.
pub const TARGETS: &[Target] = &[
    Target { name: "control", run: control::target },
    Target { name: "message", run: message::target },
    Target { name: "link-frames", run: link::frames::target },
    Target { name: "link-lanes", run: link::lanes::target },
    Target { name: "ring", run: ring::target },
    Target { name: "session", run: session::target },
    Target { name: "gateway-config", run: config::gateway },
    Target { name: "host-config", run: config::host },
];

/// The target with this name.
#[must_use]
pub fn target(name: &str) -> Option<Target> {
    TARGETS.iter().find(|target| target.name == name).copied()
}
