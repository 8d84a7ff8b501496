//! Lanes over connections that come and go, with sockets alone.

mod lanes;
mod support;

const FEATURES: sandgate_wire::link::Features = sandgate_wire::link::Features::OURS;
