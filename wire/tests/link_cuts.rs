//! Nothing is lost, wherever connections are cut, with sockets alone.

mod cuts;
mod support;

const FEATURES: sandgate_wire::link::Features = sandgate_wire::link::Features::OURS;
